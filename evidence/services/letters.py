"""Explanation letters: composed from what was sealed, written on by a person, issued and sealed, or withdrawn.

A letter discloses what the payload says. So whoever writes one may read the payload, and every look at it is sealed.
"""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Max
from django.utils import timezone

from audit.errors import DecisionNotFound, PartNotSent, PayloadErased, PayloadRestricted
from audit.restricted_texts import NOTICE, to_read
from audit.selectors import SealedDecision, decision_by_id
from audit.services.disclosure import may_read_payload, may_see, note_view, view_payload
from config.days import day_of
from config.errors import FieldProblem, Forbidden, InvalidInput
from evidence.kinds import LETTER_ISSUED, LETTER_WITHDRAWN
from evidence.letters.errors import (
    LetterFactsChanged,
    LetterIncomplete,
    LetterKeyTaken,
    LetterNotInForce,
    LetterReplaced,
)
from evidence.letters.gathering import Gathered, gather
from evidence.letters.reading import may_write_letters, visible_letter, wording_for, wording_of
from evidence.models import ExplanationLetter
from governance.actors import person_id_of
from governance.changes import write
from governance.letter_templates.languages import TAG
from governance.letter_templates.text import PLACEHOLDER, UNPRINTABLE, Filled, filled, left_in, text_problems, tidy
from governance.letter_templates.wording import Wording
from governance.locks import hold
from governance.models import LetterTemplate
from ledger.commitments import commitment, new_secret, part_key
from ledger.entries import Actor
from ledger.sealing import Seal, sealing
from overrides.selectors import require_unhidden

PARTS = ("input", "explanation")
TEXT_PART = "text"
LETTER_PART = "letter"
"""What `payload.viewed` names where somebody read an issued letter."""
TEMPLATE = "template"
MAX_ADDRESSEE, MAX_REASON = 1_000, 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A letter as its template makes it, before anybody wrote on it."""

    decision: SealedDecision
    wording: Wording
    template: LetterTemplate | None
    gathered: Gathered
    filled: Filled

    def asked(self) -> dict[str, Any]:
        """The facts that the template asks for, and which template: what a draft is compared by when it is issued."""
        values = self.gathered.values()
        names = PLACEHOLDER.findall(self.wording.text)
        return {name: _plain(values.get(name)) for name in names} | {TEMPLATE: self.wording.number}


# --- writing ----------------------------------------------------------------------------------------------------------
def compose_letter(*, actor: Actor, decision_id: uuid.UUID, language: str, addressee: str = "") -> Composed:
    """The letter as the template in force, or ours, makes it now; the look at the payload is sealed.

    Errors: `DecisionNotFound`, `HiddenWhileBlind`, `Forbidden`, `InvalidInput`, `LetterTemplateNotFound`.
    """
    decision = decision_to_write_about(actor, decision_id)
    require_sound(language, addressee)
    return _composed(actor, decision, *wording_for(decision.system_id, language), addressee)


def try_template(*, actor: Actor, template: LetterTemplate, decision_id: uuid.UUID) -> Composed:
    """What a template, also one that is not published, makes of a decision of its AI system.

    Errors: as `compose_letter`; `DecisionNotFound` of another AI system's.
    """
    decision = decision_to_write_about(actor, decision_id)
    if decision.system_id != template.system_id:
        raise DecisionNotFound("This is a decision of another AI system.")
    return _composed(actor, decision, wording_of(template), template)


def _composed(
    actor: Actor, decision: SealedDecision, wording: Wording, template: LetterTemplate | None, addressee: str = ""
) -> Composed:
    gathered = gather(decision, wording, _parts(actor, decision), addressee=addressee)
    text = filled(wording.text, gathered.values())
    return Composed(decision=decision, wording=wording, template=template, gathered=gathered, filled=text)


# --- issuing ----------------------------------------------------------------------------------------------------------
def issue_letter(
    *,
    actor: Actor,
    decision_id: uuid.UUID,
    language: str,
    text: str | None = None,
    addressee: str = "",
    replaces_id: uuid.UUID | None = None,
    seen: Mapping[str, Any] | None = None,
    key: uuid.UUID | None = None,
) -> ExplanationLetter:
    """Issue a letter: numbered, sealed with its digest, and from then on never changed.

    `text` None: as the template makes it. `seen`: the facts as they were shown (`Composed.asked`); where one is
    otherwise by now, nothing is issued. `replaces_id`: the letter that this one corrects. `key` makes a repeat the same
    letter. Errors: as `compose_letter`, `LetterIncomplete` naming each fact that is missing, `LetterFactsChanged`,
    `LetterReplaced`, `LetterKeyTaken`.
    """
    person_id = person_id_of(actor)
    # the right first: a repeat is answered with what the letter says
    decision_to_write_about(actor, decision_id)
    with sealing() as seal:
        hold("letter:number")
        if known := _made_before(key, decision_id, person_id):
            return known
        composed = compose_letter(actor=actor, decision_id=decision_id, language=language, addressee=addressee)
        _refuse_changed(composed, seen)
        said = composed.filled.text if text is None else tidy(text)
        _refuse_incomplete(said)
        letter = _new_letter(composed, said, addressee.strip(), person_id, key)
        letter.replaces = replaceable(decision_id, replaces_id)
        write(seal, actor=actor, kind=LETTER_ISSUED, row=letter, system_id=letter.system_id, facts=_facts(letter))
    return letter


def withdraw_letter(*, actor: Actor, letter_id: uuid.UUID, reason: str) -> ExplanationLetter:
    """Say that a letter does not stand any more; it stays readable, marked as withdrawn.

    Errors: `LetterNotFound`, `Forbidden`, `LetterNotInForce`, `InvalidInput` without a reason.
    """
    _require_reason(reason)
    with sealing() as seal:
        letter = _locked(actor, letter_id)
        if letter.status != ExplanationLetter.Status.ISSUED:
            raise LetterNotInForce()
        letter.status = ExplanationLetter.Status.WITHDRAWN
        letter.withdrawn_by_id, letter.withdrawn_at = person_id_of(actor), timezone.now()
        _write_withdrawn(seal, actor, letter, reason.strip())
    return letter


def read_letter(*, actor: Actor, letter_id: uuid.UUID) -> ExplanationLetter:
    """An issued letter, for whoever may read the decision's payload; the look is sealed.

    Errors: `LetterNotFound`, `Forbidden`, `PayloadRestricted` where it is restricted by itself.
    """
    letter, decision = visible_letter(actor, letter_id)
    if not may_read_payload(actor, decision):
        raise Forbidden("A letter says what the payload says: it is shown to those who may read that.")
    if to_read(actor, letter).covered:
        raise PayloadRestricted(NOTICE)
    note_view(actor=actor, decision=decision, parts=[LETTER_PART])
    return letter


# --- parts of the above -----------------------------------------------------------------------------------------------
def decision_to_write_about(actor: Actor, decision_id: uuid.UUID) -> SealedDecision:
    """Errors: `DecisionNotFound`, `HiddenWhileBlind`, `Forbidden`."""
    decision = decision_by_id(decision_id)
    if not may_see(actor, decision):
        raise DecisionNotFound()
    require_unhidden(actor, decision_id)
    if not may_write_letters(actor, decision):
        raise Forbidden()
    return decision


def _parts(actor: Actor, decision: SealedDecision) -> Mapping[str, bytes] | None:
    """What was sent of input and explanation; None where it was erased."""
    try:
        return {part.name: part.data for part in view_payload(actor=actor, decision=decision, parts=PARTS)}
    except PayloadErased:
        return None
    except PartNotSent:
        return {}


def _made_before(key: uuid.UUID | None, decision_id: uuid.UUID, person_id: uuid.UUID) -> ExplanationLetter | None:
    found = ExplanationLetter.objects.filter(issued_by_id=person_id, key=key).first() if key else None
    if found and found.decision_id != decision_id:
        raise LetterKeyTaken()
    return found


def _new_letter(
    composed: Composed, text: str, addressee: str, person_id: uuid.UUID, key: uuid.UUID | None
) -> ExplanationLetter:
    secret, now = new_secret(), timezone.now()
    return ExplanationLetter(
        key=key,
        decision_id=composed.decision.id,
        system_id=composed.decision.system_id,
        language=composed.wording.language,
        template=composed.template,
        is_edited=text != composed.filled.text,
        text=text,
        addressee=addressee,
        check_key=part_key(secret, TEXT_PART).hex(),
        digest=commitment(secret, TEXT_PART, text.encode()).hex(),
        issued_by_id=person_id,
        issued_at=now,
        year=(year := day_of(now).year),
        number=_next_number(year),
    )


def _next_number(year: int) -> int:
    """Under the lock on numbers: two at once get two."""
    return (ExplanationLetter.objects.filter(year=year).aggregate(last=Max("number"))["last"] or 0) + 1


def replaceable(decision_id: uuid.UUID, letter_id: uuid.UUID | None) -> ExplanationLetter | None:
    """The letter about the same decision that nothing replaces yet. Errors: `LetterReplaced`."""
    if letter_id is None:
        return None
    found = ExplanationLetter.objects.filter(pk=letter_id, decision_id=decision_id, replaced_by=None).first()
    if found is None:
        raise LetterReplaced()
    return found


def _refuse_changed(composed: Composed, seen: Mapping[str, Any] | None) -> None:
    asked = composed.asked()
    if seen is not None and dict(seen) != asked:
        raise LetterFactsChanged(errors=list(_changed(seen, asked)))


def _changed(seen: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[FieldProblem]:
    for name in sorted(seen.keys() | asked.keys()):
        if seen.get(name) != asked.get(name):
            what = "Another template is in force." if name == TEMPLATE else f"{{{name}}} is otherwise by now."
            yield FieldProblem(pointer=f"/facts/{name}", detail=what)


def _refuse_incomplete(text: str) -> None:
    if problems := list(text_problems(text)):
        raise InvalidInput(errors=problems)
    if missing := list(left_in(text)):
        raise LetterIncomplete(errors=missing)


def require_sound(language: str, addressee: str) -> None:
    problems = []
    if not TAG.fullmatch(language):
        problems.append(FieldProblem(pointer="/language", detail="This is no language tag.", expected="as en or pt-BR"))
    if len(addressee) > MAX_ADDRESSEE or UNPRINTABLE.search(addressee.replace("\r", "")):
        detail = f"Plain text of up to {MAX_ADDRESSEE:,} characters."
        problems.append(FieldProblem(pointer="/addressee", detail=detail))
    if problems:
        raise InvalidInput(errors=problems)


def _require_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MAX_REASON or "\0" in reason:
        raise InvalidInput(errors=[FieldProblem(pointer="/reason", detail="Write why it does not stand any more.")])


def _locked(actor: Actor, letter_id: uuid.UUID) -> ExplanationLetter:
    ExplanationLetter.objects.select_for_update(no_key=True).filter(pk=letter_id).first()
    letter, decision = visible_letter(actor, letter_id)
    if not may_write_letters(actor, decision):
        raise Forbidden()
    return letter


def _write_withdrawn(seal: Seal, actor: Actor, letter: ExplanationLetter, reason: str) -> None:
    facts = {"letter": letter.reference, "decision": str(letter.decision_id)}
    system_id = letter.system_id
    write(seal, actor=actor, kind=LETTER_WITHDRAWN, row=letter, system_id=system_id, facts=facts, reason=reason)


def _facts(letter: ExplanationLetter) -> dict[str, Any]:
    said: dict[str, Any] = {
        "letter": letter.reference,
        "decision": str(letter.decision_id),
        "language": letter.language,
        "template": letter.template.number if letter.template else None,
        "is_edited": letter.is_edited,
        "digest": letter.digest,
    }
    return said | ({"replaces": letter.replaces.reference} if letter.replaces else {})


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
