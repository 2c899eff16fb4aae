"""Erasures as they are asked for: prepared, looked at, asked for, taken back.

What others say to them is in `evidence.services.erasure_answers`, what the server does in `erasure_runs`.
"""

import uuid
from collections.abc import Collection, Sequence
from typing import Any

from django.utils import timezone

from audit.models import ErasureConsent, ErasureRequest, ErasureScan
from audit.services.case_writing import one_of, text_of
from config.errors import FieldProblem, InvalidInput
from evidence.erasure.errors import FindsUnseen, NothingToErase, PersonStillHere, StillSearching
from evidence.erasure.finding import SHORTEST, target
from evidence.erasure.reading import act_of, finds_of, place_of
from evidence.erasure.since import forget_newer
from evidence.erasure.writing import locked_erasure, require_state, write_consent, write_erasure
from evidence.kinds import ERASURE_PREPARED, ERASURE_REQUESTED, ERASURE_WITHDRAWN
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.models import AISystem, Person
from ledger.entries import Actor
from ledger.erasing import digest_of
from ledger.sealing import Seal, sealing
from notices.approvals import ask_approvers

Status, Kinds, Basis = ErasureRequest.Status, ErasureRequest.Kind, ErasureRequest.Basis
MOST_NAMED = 1_000
MOST_IDENTIFIERS = 20
BEFORE_IT_RUNS = frozenset({Status.DRAFT, Status.REQUESTED, Status.WAITING, Status.SCHEDULED, Status.HELD})


# --- preparing --------------------------------------------------------------------------------------------------------
def prepare_erasure(
    *,
    actor: Actor,
    kind: str,
    basis: str,
    reason: str,
    subject: str = "",
    identifiers: Sequence[str] = (),
    decision_ids: Collection[uuid.UUID] = (),
    system_id: uuid.UUID | None = None,
    person_id: uuid.UUID | None = None,
    look_into_payloads: bool = False,
) -> ErasureRequest:
    """Begin one: the server looks for what is to be erased, and whoever prepares it looks at what was found.

    `subject`: as callers name them, to the letter, spaces too; one of less than three letters is not looked for in
    texts. `identifiers`: what else names them in texts; `system_id`: of one AI system alone.
    The name of somebody who has left may be asked for at once; it goes after the last floor that needs it.
    Errors: `Forbidden`, `InvalidInput`, `PersonStillHere`.
    """
    rights.require(actor, Act.PERSON_ERASE if kind == Kinds.PERSON else Act.ERASE)
    one_of("kind", kind, Kinds.values)
    one_of("basis", basis, Basis.values)
    reason = text_of("reason", reason, ask="Write why it is to be erased.")
    named = _identifiers(identifiers)
    _refuse_incomplete(kind, subject, decision_ids, person_id, system_id)
    if person_id:
        named = list(dict.fromkeys([*_names_of(person_id), *named]))
    with sealing() as seal:
        request = ErasureRequest(
            kind=kind,
            basis=basis,
            system_id=system_id,
            person_id=person_id,
            requested_by_id=person_id_of(actor),
            subject=subject,
            identifiers=named,
            reason=reason,
            look_into_payloads=look_into_payloads,
        )
        write_erasure(seal, actor, ERASURE_PREPARED, request)
        ErasureScan.objects.create(request=request)
        target(request, list(decision_ids))
        if kind == Kinds.DECISION and request.targets.count() < len(set(decision_ids)):
            raise InvalidInput(errors=[FieldProblem(pointer="/decisions", detail="One of them is not there.")])
    return request


def choose_finds(
    *,
    actor: Actor,
    request_id: uuid.UUID,
    left_out: Collection[uuid.UUID],
    among: Collection[uuid.UUID] | None = None,
) -> ErasureRequest:
    """Say which of the finds name somebody else: all others go; of `among` alone where it is given, as of a page.

    Errors: `ErasureNotFound`, `ErasureNotOpen`.
    """
    with sealing():
        request = _own(actor, request_id)
        require_state(request, Status.DRAFT)
        finds = request.finds.all() if among is None else request.finds.filter(item_id__in=among)
        finds.exclude(item_id__in=left_out).update(is_chosen=True)
        finds.filter(item_id__in=left_out).update(is_chosen=False)
    return request


def ask_erasure(*, actor: Actor, request_id: uuid.UUID) -> ErasureRequest:
    """Ask for it as it was prepared, or anew after somebody stopped it: of each AI system its accountable person, and
    of what belongs to none whoever is accountable anywhere.

    Errors: `ErasureNotFound`, `ErasureNotOpen`, `StillSearching`, `FindsUnseen`, `NothingToErase`, `PersonStillHere`.
    """
    with sealing() as seal:
        request = _own(actor, request_id)
        require_state(request, Status.DRAFT, Status.HELD)
        if not ErasureScan.objects.filter(request=request, finished_at__isnull=False).exists():
            raise StillSearching()
        if unseen := request.finds.filter(is_shown=False).count():
            raise FindsUnseen(f"{unseen:,} of what was found was shown to nobody yet. Look at every page first.")
        if request.person_id:
            refuse_person(request.person_id)
        _count(request)
        forget_newer(request)
        for earlier in request.consents.exclude(status=ErasureConsent.Status.VOID):
            earlier.status = ErasureConsent.Status.VOID
            write_consent(seal, actor, ERASURE_WITHDRAWN, earlier)
        request.status, request.requested_by_id = Status.REQUESTED, person_id_of(actor)
        request.requested_at, request.runs_at = timezone.now(), None
        request.held_by_id = request.held_at = None
        write_erasure(seal, actor, ERASURE_REQUESTED, request, _counts(request))
        for consent in _consents(request, actor):
            _ask(seal, actor, request, consent)
    return request


def withdraw_erasure(*, actor: Actor, request_id: uuid.UUID, reason: str = "") -> ErasureRequest:
    """Take it back, whichever data protection officer: nothing more of it is erased, and what it restricted is free.

    Errors: `ErasureNotFound`, `ErasureNotOpen`, `InvalidInput`.
    """
    with sealing() as seal:
        request = _own(actor, request_id)
        require_state(request, *BEFORE_IT_RUNS)
        request.status, request.ended_at = Status.WITHDRAWN, timezone.now()
        write_erasure(seal, actor, ERASURE_WITHDRAWN, request, reason=text_of("reason", reason))
    return request


def withdraw_erasures_of(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    """Inside the act by which somebody leaves: what they prepared, or asked for and nobody answered. How many.

    What two people agreed to goes on: it is the organisation's by then.
    """
    rows = ErasureRequest.objects.select_for_update(no_key=True).order_by("pk")
    waiting = list(rows.filter(requested_by_id=person_id, status__in=[Status.DRAFT, Status.REQUESTED]))
    for request in waiting:
        request.status, request.ended_at = Status.WITHDRAWN, timezone.now()
        write_erasure(seal, actor, ERASURE_WITHDRAWN, request, reason="Whoever asked has left.")
    return len(waiting)


# --- parts of the above -----------------------------------------------------------------------------------------------
def _refuse_incomplete(
    kind: str,
    subject: str,
    decision_ids: Collection[uuid.UUID],
    person_id: uuid.UUID | None,
    system_id: uuid.UUID | None,
) -> None:
    problems = []
    if kind == Kinds.SUBJECT and (not 1 <= len(subject) <= 200 or "\0" in subject):
        problems.append(FieldProblem(pointer="/subject", detail="Exactly as callers name them: 1 to 200 characters."))
    if kind == Kinds.DECISION and not 0 < len(decision_ids) <= MOST_NAMED:
        problems.append(FieldProblem(pointer="/decisions", detail=f"One to {MOST_NAMED:,} decisions."))
    if kind == Kinds.PERSON and person_id is None:
        problems.append(FieldProblem(pointer="/person", detail="Somebody who has left."))
    if kind != Kinds.PERSON and person_id is not None:
        problems.append(FieldProblem(pointer="/person", detail="Only where the name of a person is erased."))
    if system_id and not AISystem.objects.filter(pk=system_id).exists():
        problems.append(FieldProblem(pointer="/system", detail="There is no such AI system."))
    if problems:
        raise InvalidInput(errors=problems)
    if person_id is not None:
        refuse_person(person_id)


def refuse_person(person_id: uuid.UUID) -> None:
    """Errors: `InvalidInput`, `PersonStillHere`."""
    person = Person.objects.filter(pk=person_id).first()
    if person is None:
        raise InvalidInput(errors=[FieldProblem(pointer="/person", detail="There is nobody of this id.")])
    if person.is_active:
        raise PersonStillHere()


def _names_of(person_id: uuid.UUID) -> list[str]:
    person = Person.objects.get(pk=person_id)
    named = (person.name, person.email or "", person.staff_number)
    return [each for each in named if len(each) >= SHORTEST]


def _identifiers(given: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(each.strip() for each in given if each.strip()))
    if len(found) > MOST_IDENTIFIERS or any(not SHORTEST <= len(each) <= 200 or "\0" in each for each in found):
        detail = f"Up to {MOST_IDENTIFIERS}, of {SHORTEST} to 200 characters each: less is found everywhere."
        raise InvalidInput(errors=[FieldProblem(pointer="/identifiers", detail=detail)])
    return found


def _count(request: ErasureRequest) -> None:
    """What is asked for, as two people will agree to it. Errors: `NothingToErase`."""
    decisions = list(request.targets.values_list("decision_id", flat=True))
    texts = list(request.finds.filter(is_chosen=True).values_list("item_id", flat=True))
    if not decisions and not texts and not request.person_id:
        raise NothingToErase()
    request.decisions, request.decisions_digest = len(decisions), digest_of(decisions)
    request.texts, request.texts_digest = len(texts), digest_of(texts)


def _consents(request: ErasureRequest, actor: Actor) -> list[ErasureConsent]:
    """One of each AI system that has decisions or words in it; one of the organisation for what belongs to none."""
    asked = []
    for system_id in _whose(request):
        mine = request.targets.filter(system_id=system_id) if system_id else request.targets.none()
        ids = list(mine.values_list("decision_id", flat=True))
        consent = ErasureConsent(
            request=request,
            system_id=system_id,
            asked_by_id=person_id_of(actor),
            decisions=len(ids),
            decisions_digest=digest_of(ids),
        )
        consent.texts_digest = digest_of(finds_of(consent).values_list("item_id", flat=True))
        asked.append(consent)
    return asked


def _whose(request: ErasureRequest) -> list[uuid.UUID | None]:
    """Whoever is asked: AI systems in the order of their ids, then the organisation."""
    if request.person_id:
        return [None]
    words = set(request.finds.filter(is_chosen=True).values_list("system_id", flat=True))
    systems = {each for each in words if each} | set(request.targets.values_list("system_id", flat=True))
    return [*sorted(systems), *([None] if None in words else [])]


def _ask(seal: Seal, actor: Actor, request: ErasureRequest, consent: ErasureConsent) -> None:
    write_consent(seal, actor, ERASURE_REQUESTED, consent)
    ask_approvers(
        act=act_of(request),
        scope=place_of(consent),
        requested_by=consent.asked_by_id,
        kind="erasure.asked",
        request_id=consent.pk,
        about=request.person_id,
    )


def _own(actor: Actor, request_id: uuid.UUID) -> ErasureRequest:
    """One that a data protection officer works on, locked. Errors: `ErasureNotFound`, `Forbidden`."""
    request = locked_erasure(actor, request_id)
    rights.require(actor, act_of(request))
    return request


def _counts(request: ErasureRequest) -> dict[str, Any]:
    names = ("decisions", "decisions_digest", "texts", "texts_digest")
    return {name: getattr(request, name) for name in names}
