"""Letters that somebody is still writing: theirs alone, until they are issued, given up or forgotten."""

import uuid
from datetime import timedelta

from django.utils import timezone

from audit.selectors import SealedDecision
from audit.services.disclosure import note_view
from config.errors import InvalidInput
from evidence.letters.drafts import Snapshot, snapshot_of
from evidence.letters.errors import LetterDraftNotFound
from evidence.models import ExplanationLetter, LetterDraft
from evidence.services.letters import (
    Composed,
    compose_letter,
    decision_to_write_about,
    issue_letter,
    replaceable,
    require_sound,
)
from governance.actors import person_id_of
from governance.letter_templates.text import text_problems, tidy
from ledger.entries import Actor
from ledger.sealing import sealing

KEPT = timedelta(days=30)
DRAFT_PART = "letter-draft"
"""What `payload.viewed` names where somebody opened what they are still writing."""


def begin_letter(
    *,
    actor: Actor,
    decision_id: uuid.UUID,
    language: str,
    addressee: str = "",
    replaces_id: uuid.UUID | None = None,
) -> LetterDraft:
    """Compose the letter and keep it as one's draft, in the place of what one wrote before.

    Errors: those of `compose_letter`, and `LetterReplaced`.
    """
    with sealing():
        composed = compose_letter(actor=actor, decision_id=decision_id, language=language, addressee=addressee)
        replaceable(decision_id, replaces_id)
        draft, _ = LetterDraft.objects.update_or_create(
            decision_id=decision_id,
            author_id=person_id_of(actor),
            defaults={
                "language": composed.wording.language,
                "addressee": addressee.strip(),
                "text": composed.filled.text,
                "facts": _shown(composed).as_json(),
                "replaces_id": replaces_id,
                "saved_at": timezone.now(),
            },
        )
    return draft


def save_letter_draft(*, actor: Actor, decision_id: uuid.UUID, text: str, addressee: str = "") -> LetterDraft:
    """Keep what somebody wrote so far.

    Errors: `DecisionNotFound`, `HiddenWhileBlind`, `Forbidden`, `LetterDraftNotFound`, `InvalidInput`.
    """
    decision_to_write_about(actor, decision_id)
    draft, text = _own(actor, decision_id), tidy(text)
    require_sound(draft.language, addressee)
    if problems := list(text_problems(text)):
        raise InvalidInput(errors=problems)
    draft.text, draft.addressee, draft.saved_at = text, addressee.strip(), timezone.now()
    draft.save()
    return draft


def look_again(*, actor: Actor, decision_id: uuid.UUID) -> LetterDraft:
    """Show the facts as they are now, and keep what was written. Errors: as `begin_letter`, `LetterDraftNotFound`."""
    with sealing():
        draft = _own(actor, decision_id)
        composed = compose_letter(
            actor=actor, decision_id=decision_id, language=draft.language, addressee=draft.addressee
        )
        draft.facts, draft.saved_at = _shown(composed).as_json(), timezone.now()
        draft.save()
    return draft


def issue_draft(*, actor: Actor, decision_id: uuid.UUID, draft_id: uuid.UUID) -> ExplanationLetter:
    """Issue one's draft as it was saved last; a second click is told of the same letter.

    Errors: those of `issue_letter`, and `LetterDraftNotFound`.
    """
    with sealing():
        by = person_id_of(actor)
        issued = ExplanationLetter.objects.filter(key=draft_id, issued_by_id=by, decision_id=decision_id).first()
        if issued:
            return issued
        draft = LetterDraft.objects.select_for_update().filter(pk=_own(actor, decision_id).pk, id=draft_id).first()
        if draft is None:
            raise LetterDraftNotFound()
        letter = issue_letter(
            actor=actor,
            decision_id=decision_id,
            language=draft.language,
            text=draft.text,
            addressee=draft.addressee,
            replaces_id=draft.replaces_id,
            seen=snapshot_of(draft).seen,
            key=draft.pk,
        )
        draft.delete()
    return letter


def draft_of(actor: Actor, decision_id: uuid.UUID) -> LetterDraft | None:
    """Their own."""
    return LetterDraft.objects.filter(decision_id=decision_id, author_id=person_id_of(actor)).first()


def note_draft_opened(*, actor: Actor, decision: SealedDecision) -> None:
    """Seal a look at one's own draft, before it is shown: it says what input and explanation say.

    Errors: what sealing raises.
    """
    note_view(actor=actor, decision=decision, parts=[DRAFT_PART])


def forget_letter_drafts_of(person_id: uuid.UUID) -> None:
    """Of somebody who leaves: nobody else may read them."""
    LetterDraft.objects.filter(author_id=person_id).delete()


def give_up_letter_draft(*, actor: Actor, decision_id: uuid.UUID) -> None:
    """Forget what somebody wrote. Again is no error."""
    LetterDraft.objects.filter(decision_id=decision_id, author_id=person_id_of(actor)).delete()


def forget_letter_drafts() -> int:
    """Delete those that nobody touched for 30 days: they say what a payload says. Returns how many."""
    deleted, _ = LetterDraft.objects.filter(saved_at__lt=timezone.now() - KEPT).delete()
    return deleted


def _own(actor: Actor, decision_id: uuid.UUID) -> LetterDraft:
    found = draft_of(actor, decision_id)
    if found is None:
        raise LetterDraftNotFound()
    return found


def _shown(composed: Composed) -> Snapshot:
    return Snapshot(
        facts=composed.gathered.facts,
        seen=composed.asked(),
        warnings=composed.gathered.warnings,
        template=composed.wording.number,
        missing=composed.filled.missing,
    )
