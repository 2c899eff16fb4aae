"""Serious incidents: declared from a case, completed as more is known, reported in stages while a clock runs.

From the moment it is declared its evidence is frozen: a legal hold covers every decision of the case.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from audit.case_access import may_work
from audit.case_document import Document, as_text, document_of, is_current
from audit.case_errors import CasePartNotFound, IncidentExists, ReportNotReady
from audit.case_kinds import INCIDENT_DECLARED, INCIDENT_EXTENDED, INCIDENT_REPORTED, INCIDENT_UPDATED
from audit.incident_deadlines import deadline_of, times_of
from audit.models import Case, Clock, Incident, IncidentExtension, IncidentNotice, IncidentReport, Limb
from audit.models.incidents import days_for, due_from
from audit.restricted_texts import as_they_stood
from audit.services.authority import settle_authority
from audit.services.case_writing import (
    announce_case,
    case_to_work_on,
    made_before,
    one_of,
    refuse_stale,
    text_of,
    write_part,
)
from audit.services.holds import freeze
from config.days import day_of
from config.errors import FieldProblem, InvalidInput
from governance.actors import person_id_of
from ledger.entries import Actor, timestamp
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing

AHEAD = timedelta(minutes=5)
"""Clocks differ: so far ahead a moment may lie and still have happened."""
MOMENTS = (
    "occurred_at",
    "detected_at",
    "causal_link_at",
    "contained_at",
    "stopped_at",
    "authority_informed_at",
    "breach_aware_at",
)
PLANS = ("follow_up_due_at", "final_due_at")
"""Deadlines that people set, as they agreed with the authority."""
FACTS = ("causal_link", "use", "persons_affected", "member_state", "eu_registration_id", "annex_iii_point")
EDITABLE = frozenset({"limbs", "awareness_at", *MOMENTS, *PLANS, *FACTS, *Incident.TEXTS})
Stage = IncidentReport.Stage


def declare_incident(
    *, actor: Actor, case_id: uuid.UUID, limbs: Sequence[str], awareness_at: datetime, narrative: str, **known: Any
) -> Incident:
    """Say that a case is a serious incident. The days run from `awareness_at`; its decisions are held.

    `known`: what else is known by now, columns of `EDITABLE`. Errors: `CaseNotFound`, `Forbidden`, `CaseClosed`,
    `IncidentExists`, `InvalidInput`, Django's `ValidationError`.
    """
    person_id = person_id_of(actor)
    given = _checked({"limbs": limbs, "awareness_at": awareness_at, "narrative": narrative} | known)
    with sealing() as seal:
        case = case_to_work_on(actor, case_id)
        if hasattr(case, "incident"):
            raise IncidentExists()
        incident = Incident(case=case, declared_by_id=person_id, **given)
        _set_clock(incident)
        _write(seal, actor, INCIDENT_DECLARED, incident)
        freeze(seal, actor, case)
        settle_authority(case)
        announce_case("incident.declared", case, due_at=timestamp(incident.due_at))
    return incident


def update_incident(
    *, actor: Actor, case_id: uuid.UUID, changes: Mapping[str, Any], revision: int | None = None, reason: str = ""
) -> Incident:
    """Add what more is known. A shorter clock, or an earlier awareness, moves the deadline. What is restricted from
    whoever does stays as it is where they write nothing else.

    `reason`: why a deadline moves later or goes, where one does; what was late by the earlier one stays late. Errors:
    as `declare_incident`, `CasePartNotFound` where the case is none, `CaseChanged`, `InvalidInput` without a reason.
    """
    given, reason = _checked(changes, may_stand=True), text_of("reason", reason)
    with sealing() as seal:
        incident = _locked(actor, case_id)
        given = as_they_stood(actor, incident, given)
        if all(getattr(incident, name) == value for name, value in given.items()):
            return incident
        refuse_stale(incident, revision)
        before = times_of(incident)
        for name, value in given.items():
            setattr(incident, name, value)
        _set_clock(incident)
        _write(seal, actor, INCIDENT_UPDATED, incident)
        _write_extensions(seal, actor, incident, before, reason)
        settle_authority(incident.case)
    return incident


def record_report(
    *,
    actor: Actor,
    case_id: uuid.UUID,
    stage: str,
    reported_at: datetime,
    receipt: str = "",
    key: uuid.UUID | None = None,
) -> IncidentReport:
    """Say that a report went to the authority: what it says now is kept with it.

    An incomplete initial report is allowed; follow-ups and the final one come after it. Errors: `CaseNotFound`,
    `Forbidden`, `CaseClosed`, `CasePartNotFound`, `ReportNotReady`, `ReportTooSlow`, `InvalidInput`.
    """
    one_of("stage", stage, Stage.values)
    receipt, person_id = text_of("receipt", receipt), person_id_of(actor)
    _refuse_future({"reported_at": reported_at})
    drafted = _drafted(actor, case_id)
    with sealing() as seal:
        incident = _locked(actor, case_id)
        if known := made_before(IncidentReport, actor, key, incident_id=incident.pk, stage=stage):
            return known
        _require_stage(incident, stage, reported_at)
        report = IncidentReport(
            key=key,
            **_in_time(incident, Clock(stage)),
            incident=incident,
            stage=stage,
            reported_at=reported_at,
            reported_by_id=person_id,
            receipt=receipt,
            content=as_text(_content(incident.case, drafted)),
        )
        facts = {"stage": stage, "days": incident.days, "late": report.is_late, "reported_at": timestamp(reported_at)}
        facts |= _follow_up_left(incident) if stage == Stage.FINAL else {}
        write_part(seal, actor, INCIDENT_REPORTED, report, incident.case, facts)
        if stage == Stage.FOLLOW_UP and incident.follow_up_due_at:
            incident.follow_up_due_at = None
            _write(seal, actor, INCIDENT_UPDATED, incident)
        settle_authority(incident.case)
        announce_case("incident.reported", incident.case, stage=stage)
    return report


def record_notice(
    *, actor: Actor, case_id: uuid.UUID, to: str, told_at: datetime, text: str = "", key: uuid.UUID | None = None
) -> IncidentNotice:
    """Say who else was told, and when. Errors: as `record_report`."""
    one_of("to", to, IncidentNotice.To.values)
    text, person_id = text_of("text", text), person_id_of(actor)
    _refuse_future({"told_at": told_at})
    with sealing() as seal:
        incident = _locked(actor, case_id)
        if known := made_before(IncidentNotice, actor, key, incident_id=incident.pk, to=to):
            return known
        is_breach_notice = to == IncidentNotice.To.DATA_PROTECTION
        notice = IncidentNotice(
            key=key,
            **(_in_time(incident, Clock.DATA_PROTECTION) if is_breach_notice else {}),
            incident=incident,
            to=to,
            told_at=told_at,
            told_by_id=person_id,
            text=text,
        )
        facts = {"told": to} | ({"late": notice.is_late} if is_breach_notice else {})
        write_part(seal, actor, INCIDENT_UPDATED, notice, incident.case, facts)
    return notice


# --- parts of the above -----------------------------------------------------------------------------------------------
def _locked(actor: Actor, case_id: uuid.UUID) -> Incident:
    case: Case = case_to_work_on(actor, case_id)
    rows = Incident.objects.select_for_update(no_key=True, of=("self",)).select_related("case")
    incident = rows.filter(case=case).first()
    if incident is None:
        raise CasePartNotFound("This case was not declared to be an incident.")
    return incident


def _checked(given: Mapping[str, Any], *, may_stand: bool = False) -> dict[str, Any]:
    unknown = given.keys() - EDITABLE
    if unknown:
        problems = [FieldProblem(pointer=f"/{name}", detail="This is not set here.") for name in sorted(unknown)]
        raise InvalidInput(errors=problems)
    values = dict(given)
    for name in Incident.TEXTS.keys() & values.keys():
        ask = "Write what happened." if name == "narrative" else ""
        values[name] = text_of(name, values[name], ask=ask, may_stand=may_stand)
    if "limbs" in values:
        values["limbs"] = _limbs(values["limbs"])
    _refuse_future({name: values[name] for name in ("awareness_at", *MOMENTS) if values.get(name)})
    return values


def _limbs(given: Sequence[str]) -> list[str]:
    """In the order of the list, each once."""
    for limb in given:
        one_of("limbs", limb, Limb.values)
    found = [limb.value for limb in Limb if limb in set(given)]
    if not found:
        raise InvalidInput(errors=[FieldProblem(pointer="/limbs", detail="Say what makes it serious.")])
    return found


def _refuse_future(moments: Mapping[str, datetime]) -> None:
    late = [name for name, moment in moments.items() if moment > timezone.now() + AHEAD]
    if late:
        detail = "This has not happened yet."
        raise InvalidInput(errors=[FieldProblem(pointer=f"/{name}", detail=detail) for name in late])


def _set_clock(incident: Incident) -> None:
    incident.days = days_for(incident.limbs)
    incident.due_at = due_from(incident.awareness_at, incident.days)


def _require_stage(incident: Incident, stage: str, reported_at: datetime) -> None:
    there = set(incident.reports.values_list("stage", flat=True))
    if Stage.FINAL in there:
        raise ReportNotReady("The final report was recorded: nothing comes after it.")
    if (stage == Stage.INITIAL) == (Stage.INITIAL in there):
        raise ReportNotReady("The initial report comes first, and once.")
    if reported_at < incident.awareness_at:
        raise InvalidInput(errors=[FieldProblem(pointer="/reported_at", detail="Nobody knew of it then.")])


def _in_time(incident: Incident, clock: Clock) -> dict[str, Any]:
    """Against the earliest deadline that ever stood, by when it is recorded: a moment that is typed proves nothing."""
    found = deadline_of(incident, clock)
    if found is None:
        return {"due_at": None, "is_late": False}
    return {"due_at": found.first_due_at, "is_late": timezone.now() > found.first_due_at}


def _drafted(actor: Actor, case_id: uuid.UUID) -> Document | None:
    """What the case says, made before it is locked: of a very large one that takes its time."""
    case = Case.objects.filter(pk=case_id).first()
    return document_of(case) if case and case.is_open and may_work(actor, case) else None


def _content(case: Case, drafted: Document | None) -> Document:
    return drafted if drafted and is_current(drafted, case) else document_of(case)


def _follow_up_left(incident: Incident) -> dict[str, bool]:
    """Of a follow-up report that never went: the final one takes its place, and whether that was too late is said."""
    found = deadline_of(incident, Clock.FOLLOW_UP)
    return {"follow_up_late": found.is_late} if found else {}


def _write_extensions(
    seal: Seal, actor: Actor, incident: Incident, before: Mapping[Clock, datetime], reason: str
) -> None:
    """One for each deadline that moved later or went. Errors: `InvalidInput` without a reason."""
    now = times_of(incident)
    later = {clock: was for clock, was in before.items() if clock not in now or now[clock] > was}
    if later and not reason:
        moved = ", ".join(clock.label for clock in later)
        detail = f"A deadline moves later ({moved}): write why. The earlier one stays on record."
        raise InvalidInput(errors=[FieldProblem(pointer="/reason", detail=detail)])
    for clock, was in later.items():
        due_at = now.get(clock)
        row = IncidentExtension(
            incident=incident, clock=clock, was_due_at=was, due_at=due_at, by_id=person_id_of(actor), why=reason
        )
        facts = {"clock": str(clock), "was_due_at": timestamp(was), "due_at": timestamp(due_at) if due_at else None}
        write_part(seal, actor, INCIDENT_EXTENDED, row, incident.case, facts)


def _write(seal: Seal, actor: Actor, kind: Kind, incident: Incident) -> None:
    facts: dict[str, Any] = {"limbs": list(incident.limbs), "days": incident.days}
    facts["due_on"] = day_of(incident.due_at).isoformat()
    write_part(seal, actor, kind, incident, incident.case, facts)
