"""Letters that are there: about a decision, one of them, and what the log says of them."""

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from audit.selectors import SealedDecision, decision_by_id
from audit.services.disclosure import may_about, may_read_payload, may_see
from evidence.letters.errors import LetterNotFound
from evidence.models import ExplanationLetter
from governance.acts import Act
from governance.letter_templates.languages import base_of
from governance.letter_templates.wording import DEFAULTS, Side, Wording, default_wording
from governance.letter_templates.words import read_words
from governance.models import LetterTemplate
from governance.selectors import template_in_force
from ledger.entries import Actor
from ledger.models import Entry, Log
from overrides.selectors import is_hidden


@dataclass(frozen=True, slots=True)
class Place:
    """Where a letter's entry stands."""

    entry: Entry
    log: Log


def letters_about(decision_id: uuid.UUID) -> QuerySet[ExplanationLetter]:
    """The newest first."""
    found = ExplanationLetter.objects.filter(decision_id=decision_id)
    return found.select_related("replaces", "replaced_by", "template").order_by("-id")


def letters_trail_of(decision_id: uuid.UUID) -> list[Entry]:
    """The entries about a decision's letters, oldest first."""
    ids = list(letters_about(decision_id).values_list("pk", flat=True))
    return sorted(Entry.objects.filter(about_id__in=ids).order_by(), key=lambda entry: entry.id) if ids else []


def visible_letter(actor: Actor, letter_id: uuid.UUID) -> tuple[ExplanationLetter, SealedDecision]:
    """A letter about a decision that somebody may know of. Errors: `LetterNotFound`."""
    rows = ExplanationLetter.objects.select_related("replaces", "replaced_by", "template")
    letter = rows.filter(pk=letter_id).first()
    decision = decision_by_id(letter.decision_id) if letter else None
    if letter is None or decision is None or not may_see(actor, decision) or is_hidden(actor.id, decision.id):
        raise LetterNotFound()
    return letter, decision


def place_of(letter: ExplanationLetter) -> Place:
    """Where it stands in its AI system's log."""
    first = letter.history.order_by("revision").values_list("history_id", flat=True)[0]
    entry = Entry.objects.get(id=first)
    return Place(entry, Log.objects.get(pk=entry.log_id))


def may_write_letters(actor: Actor, decision: SealedDecision) -> bool:
    """Whether they may issue letters about it, which disclose what its payload says."""
    return may_about(actor, Act.LETTER_ISSUE, decision) and may_read_payload(actor, decision)


# --- templates --------------------------------------------------------------------------------------------------------
def wording_for(system_id: uuid.UUID, language: str) -> tuple[Wording, LetterTemplate | None]:
    """The template in force, else ours."""
    found = template_in_force(system_id, language)
    return (wording_of(found), found) if found else (default_wording(language), None)


def wording_of(template: LetterTemplate) -> Wording:
    return Wording(
        language=template.language,
        text=template.text,
        number=template.number,
        words=read_words(template.words),
        responsible=template.responsible,
        contact=template.contact,
        contest_days=template.contest_days,
        reasons_most=template.reasons_most,
        reasons_side=Side(template.reasons_side),
        names_staff=template.names_staff,
    )


def languages_for(system_id: uuid.UUID) -> list[str]:
    """Those of the templates in force first, what most letters are in at the top; then those of which we have one."""
    held = LetterTemplate.objects.filter(system_id=system_id, status=LetterTemplate.Status.PUBLISHED)
    written = Counter(dict(_letters_by_language(system_id)))
    own = sorted(held.values_list("language", flat=True), key=lambda each: (-written[each], *_english_first(each)))
    return [*own, *_without(sorted(DEFAULTS, key=_english_first), own)]


def _letters_by_language(system_id: uuid.UUID) -> Iterable[tuple[str, int]]:
    rows = ExplanationLetter.objects.filter(system_id=system_id).order_by().values("language")
    return rows.annotate(count=Count("pk")).values_list("language", "count")


def _english_first(language: str) -> tuple[bool, str]:
    return base_of(language) != "en", language


def _without(languages: Iterable[str], known: list[str]) -> list[str]:
    return [each for each in languages if each not in {base_of(one) for one in known}]
