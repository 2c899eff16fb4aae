"""Legal holds: placed by one, lifted by two. While one is in force, nothing that it covers is erased."""

import uuid
from datetime import datetime

from django.utils import timezone

from audit.case_access import place_of
from audit.case_errors import CasePartNotFound, HoldExists, HoldNotOpen
from audit.case_kinds import HOLD_LIFT_REFUSED, HOLD_LIFT_REQUESTED, HOLD_LIFTED, HOLD_PLACED
from audit.models import Case, LegalHold
from audit.services.authority import refuse_before_final_report
from audit.services.case_writing import locked_case, require_in, text_of
from config.errors import FieldProblem, Forbidden, InvalidInput
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.changes import write
from governance.models import AISystem
from governance.scopes import AboutCase, Place, Scope
from ledger.entries import Actor, timestamp
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing

Status = LegalHold.Status
BY_LAW = "The evidence of a serious incident is not altered (Regulation (EU) 2024/1689, article 73(6))."


def place_hold(*, actor: Actor, case_id: uuid.UUID, reason: str) -> LegalHold:
    """Keep every decision of a case, whatever retention says: those attached now, before, and later.

    Errors: `CaseNotFound`, `Forbidden`, `HoldExists`, `InvalidInput` without a reason.
    """
    reason = text_of("reason", reason, ask="Write why they must be kept.")
    with sealing() as seal:
        case = locked_case(actor, case_id, closed_too=True)
        require_in(actor, Act.HOLD_PLACE, case)
        if case.holds.exclude(status=Status.LIFTED).exists():
            raise HoldExists()
        return _place(seal, actor, LegalHold(case=case, placed_by_id=person_id_of(actor), reason=reason))


def place_span_hold(*, actor: Actor, system_id: uuid.UUID, since: datetime, until: datetime, reason: str) -> LegalHold:
    """Keep every decision of an AI system that was recorded within a span. Errors: `Forbidden`, `InvalidInput`."""
    reason = text_of("reason", reason, ask="Write why they must be kept.")
    rights.require(actor, Act.HOLD_PLACE, Scope.system(system_id))
    if not AISystem.objects.filter(pk=system_id).exists():
        raise Forbidden()
    if since >= until:
        raise InvalidInput(errors=[FieldProblem(pointer="/until", detail="This is not after the beginning.")])
    with sealing() as seal:
        hold = LegalHold(system_id=system_id, since=since, until=until, placed_by_id=person_id_of(actor), reason=reason)
        return _place(seal, actor, hold)


def freeze(seal: Seal, actor: Actor, case: Case) -> None:
    """A legal hold because of an incident, where there is none: part of declaring it."""
    if not case.holds.exclude(status=Status.LIFTED).exists():
        _place(seal, actor, LegalHold(case=case, placed_by_id=actor.id, reason=BY_LAW))


def request_lift(*, actor: Actor, hold_id: uuid.UUID, reason: str) -> LegalHold:
    """Ask that a legal hold be lifted; it stays in force until a data protection officer agrees.

    Errors: `CasePartNotFound`, `Forbidden`, `HoldNotOpen`, `HoldByLaw` before the final report of an incident,
    `InvalidInput` without a reason.
    """
    reason = text_of("reason", reason, ask="Write why they need not be kept any more.")
    with sealing() as seal:
        hold = _locked(actor, hold_id)
        rights.require(actor, Act.HOLD_LIFT, place_of_hold(hold))
        if hold.status != Status.IN_FORCE:
            raise HoldNotOpen()
        refuse_before_final_report(hold)
        hold.status, hold.lift_reason = Status.LIFT_REQUESTED, reason
        hold.lift_requested_by_id, hold.lift_requested_at = person_id_of(actor), timezone.now()
        _write(seal, actor, HOLD_LIFT_REQUESTED, hold)
    return hold


def approve_lift(*, actor: Actor, hold_id: uuid.UUID) -> LegalHold:
    """Agree, as the second person: what it covered may be erased from here on, where nothing else keeps it.

    Errors: `CasePartNotFound`, `ApprovalForbidden`, `HoldNotOpen`, `HoldByLaw`.
    """
    with sealing() as seal:
        hold = _locked(actor, hold_id)
        _require_second(actor, hold)
        refuse_before_final_report(hold)
        hold.status, hold.lifted_by_id, hold.lifted_at = Status.LIFTED, person_id_of(actor), timezone.now()
        _write(seal, actor, HOLD_LIFTED, hold)
    return hold


def refuse_lift(*, actor: Actor, hold_id: uuid.UUID, reason: str = "") -> LegalHold:
    """Say no, as the second person, or take one's own request back: the hold stays. Errors: as `approve_lift`."""
    with sealing() as seal:
        hold = _locked(actor, hold_id)
        if hold.lift_requested_by_id != actor.id:
            _require_second(actor, hold)
        elif hold.status != Status.LIFT_REQUESTED:
            raise HoldNotOpen()
        _keep(hold)
        _write(seal, actor, HOLD_LIFT_REFUSED, hold, text_of("reason", reason))
    return hold


def void_lifts_of(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    """Inside the act by which somebody leaves: the holds that they asked to lift stay. Returns how many."""
    waiting = LegalHold.objects.select_for_update(no_key=True, of=("self",)).filter(status=Status.LIFT_REQUESTED)
    found = list(waiting.filter(lift_requested_by_id=person_id).select_related("case").order_by("pk"))
    for hold in found:
        _keep(hold)
        _write(seal, actor, HOLD_LIFT_REFUSED, hold, "Whoever asked has left.")
    return len(found)


def place_of_hold(hold: LegalHold) -> Place:
    if hold.system_id is not None:
        return Scope.system(hold.system_id)
    return place_of(hold.case) if hold.case else AboutCase(hold.pk, frozenset())


def may_view_hold(actor: Actor, hold: LegalHold) -> bool:
    place = place_of_hold(hold)
    return any(rights.can(actor, act, place) for act in (Act.HOLD_PLACE, Act.CASE_VIEW))


def _require_second(actor: Actor, hold: LegalHold) -> None:
    requested_by = hold.lift_requested_by_id
    rights.require_approval(actor, Act.HOLD_LIFT, place_of_hold(hold), requested_by=requested_by)
    if hold.status != Status.LIFT_REQUESTED:
        raise HoldNotOpen()
    asker = Actor("person", requested_by)
    if not rights.can(asker, Act.HOLD_LIFT, place_of_hold(hold)):
        raise Forbidden("Whoever asked may not any more: it is to be asked for again.")


def _keep(hold: LegalHold) -> None:
    hold.status, hold.lift_reason = Status.IN_FORCE, ""
    hold.lift_requested_by_id = hold.lift_requested_at = None


def _locked(actor: Actor, hold_id: uuid.UUID) -> LegalHold:
    rows = LegalHold.objects.select_for_update(no_key=True, of=("self",)).select_related("case")
    hold = rows.filter(pk=hold_id).first()
    if hold is None or not may_view_hold(actor, hold):
        raise CasePartNotFound()
    return hold


def _place(seal: Seal, actor: Actor, hold: LegalHold) -> LegalHold:
    _write(seal, actor, HOLD_PLACED, hold)
    return hold


def _write(seal: Seal, actor: Actor, kind: Kind, hold: LegalHold, reason: str = "") -> None:
    facts = {"status": str(hold.status)}
    if hold.case:
        facts["case"] = hold.case.reference
    if hold.system_id and hold.since and hold.until:
        facts |= {"system": str(hold.system_id), "since": timestamp(hold.since), "until": timestamp(hold.until)}
    write(seal, actor=actor, kind=kind, row=hold, facts=facts, reason=reason)
