"""Cases: opening, describing, leading, moving from state to state."""

import uuid
from collections.abc import Collection
from typing import Any

from django.db.models import Max
from django.utils import timezone

from audit.case_access import place_of
from audit.case_conflicts import refuse_conflict
from audit.case_errors import CaseNotReady
from audit.case_kinds import CASE_LEAD_ASSIGNED, CASE_MOVED, CASE_OPENED, CASE_UPDATED
from audit.models import Case, Incident, IncidentNotice, IncidentReport, Severity
from audit.reach import Reach
from audit.restricted_texts import as_they_stood
from audit.services.attaching import Chosen, put_into, record_attachment
from audit.services.authority import settle_authority
from audit.services.case_writing import (
    active_person,
    announce_case,
    case_to_work_on,
    locked_case,
    made_before,
    one_of,
    refuse_stale,
    require_in,
    text_of,
    write_case,
)
from config.days import today
from config.errors import FieldProblem, Forbidden, InvalidInput
from config.ids import new_id
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act, Condition
from governance.locks import hold
from governance.models import AISystem, Assignment
from governance.scopes import Scope
from ledger.entries import Actor
from ledger.sealing import Seal, sealing
from notices.errors import AlertNotFound
from notices.models import Alert
from notices.outbox import tell
from notices.selectors import alerts_for

Status, Origin = Case.Status, Case.Origin
MOVES: dict[str, frozenset[str]] = {
    Status.OPEN: frozenset(),
    Status.INVESTIGATING: frozenset({Status.CONCLUDED}),
    Status.CONCLUDED: frozenset({Status.INVESTIGATING, Status.CLOSED}),
    Status.CLOSED: frozenset({Status.REOPENED}),
    Status.REOPENED: frozenset({Status.INVESTIGATING}),
}
"""An open case begins to be investigated when somebody is assigned to lead it."""
BACK = frozenset({(Status.CONCLUDED, Status.INVESTIGATING), (Status.CLOSED, Status.REOPENED)})
"""Moves that take something back: they need a reason."""


def open_case(
    *,
    actor: Actor,
    reach: Reach,
    title: str,
    severity: str,
    summary: str = "",
    system_ids: Collection[uuid.UUID] = (),
    chosen: Chosen | None = None,
    alert_id: uuid.UUID | None = None,
    key: uuid.UUID | None = None,
) -> Case:
    """Begin an investigation, from decisions, from what a filter finds, from an alert, or from a complaint.

    `system_ids`: the AI systems it is about; those of what is chosen and of the alert are added. `reach`: what the
    actor may know of. `key` makes a repeat the same case. Errors: `Forbidden` where the actor may not open one about
    each of these systems, `InvalidInput`, `AlertNotFound`, and those of `attach_decisions`.
    """
    person_id, title = person_id_of(actor), _title(title)
    summary, severity = text_of("summary", summary), one_of("severity", severity, Severity.values)
    named = _about(actor, system_ids, alert_id)
    with sealing() as seal:
        hold(f"case:{person_id}:{key or new_id()}")
        if known := made_before(Case, actor, key):
            return known
        case = Case(key=key, title=title, summary=summary, severity=severity, opened_by_id=person_id)
        put = put_into(actor, reach, case, chosen) if chosen else None
        case.origin, case.alert_id = _origin(chosen, alert_id), alert_id
        case.system_ids = sorted(named | set(put.system_ids if put else ()))
        _require_open(actor, case)
        _number(case)
        write_case(seal, actor, CASE_OPENED, case, facts=_opened(case))
        if put and chosen:
            record_attachment(seal, actor, case, put, chosen)
        announce_case("case.opened", case)
    return case


def edit_case(
    *,
    actor: Actor,
    case_id: uuid.UUID,
    title: str,
    severity: str,
    summary: str = "",
    revision: int | None = None,
    reason: str = "",
) -> Case:
    """Say in other words what it is about, or how severe it is. What is restricted from whoever does stays as it is
    where they write nothing else.

    `revision`: the one that was read; where the case changed since, nothing is written. Errors: `CaseNotFound`,
    `Forbidden`, `CaseClosed`, `CaseChanged`, `InvalidInput`.
    """
    written = {"title": title, "summary": summary}
    given = {name: text_of(name, text, may_stand=True) for name, text in written.items()}
    one_of("severity", severity, Severity.values)
    with sealing() as seal:
        case = case_to_work_on(actor, case_id)
        given = as_they_stood(actor, case, given)
        title, summary = given["title"], given["summary"]
        if title != case.title or not title:
            title = _title(title)
        if (case.title, case.summary, case.severity) == (title, summary, severity):
            return case
        refuse_stale(case, revision)
        case.title, case.summary, case.severity = title, summary, severity
        write_case(seal, actor, CASE_UPDATED, case, reason=text_of("reason", reason))
    return case


def assign_lead(
    *, actor: Actor, case_id: uuid.UUID, person_id: uuid.UUID, given: frozenset[Condition], reason: str = ""
) -> Case:
    """Have an investigator lead the case; an open one is investigated from here on.

    Nobody names themself: leading opens payloads, and that takes two. `given`: what the floor above found of the
    candidate, namely that they had no part in what is attached. Errors: `CaseNotFound`, `Forbidden`,
    `ApprovalForbidden` of two who made each other's account, `CaseClosed`, `InvalidInput` of somebody who left,
    `LeadHasConflict`.
    """
    with sealing() as seal:
        case = locked_case(actor, case_id)
        require_in(actor, Act.CASE_LEAD_ASSIGN, case)
        if case.lead_id == person_id:
            return case
        _refuse_oneself(actor, person_id)
        rights.require_approval(actor, Act.CASE_LEAD, place_of(case), requested_by=person_id)
        _require_fit(case, active_person("person_id", person_id), given)
        case.status = Status.INVESTIGATING if case.status in (Status.OPEN, Status.REOPENED) else case.status
        _give(seal, actor, case, person_id, text_of("reason", reason))
    return case


def pass_on_lead(
    seal: Seal, *, actor: Actor, case: Case, person_id: uuid.UUID, given: frozenset[Condition], reason: str = ""
) -> None:
    """Of somebody who leaves: another one leads from here on, whatever state the case is in. The right was asked.

    Errors: `Forbidden` of somebody who investigates nothing there, `LeadHasConflict`.
    """
    _refuse_oneself(actor, person_id)
    _require_fit(case, person_id, given)
    _give(seal, actor, case, person_id, reason)


def _give(seal: Seal, actor: Actor, case: Case, person_id: uuid.UUID, reason: str) -> None:
    before, case.lead_id = case.lead_id, person_id
    facts = {"lead": str(person_id), "before": str(before) if before else None}
    write_case(seal, actor, CASE_LEAD_ASSIGNED, case, facts=facts, reason=reason)
    announce_case("case.lead_assigned", case)
    if person_id != actor.id:
        fingerprint = f"case.lead:{case.pk}:{case.revision}"
        tell(person_id=person_id, kind="case.given", fingerprint=fingerprint, facts={"case": str(case.pk)})


def move_case(*, actor: Actor, case_id: uuid.UUID, to: str, reason: str = "", revision: int | None = None) -> Case:
    """Take a case to another state. The same again changes nothing.

    Errors: `CaseNotFound`, `Forbidden`, `CaseChanged`, `CaseNotReady` which says what lacks, `InvalidInput` without the
    reason that a step back needs, `LeadHasConflict`.
    """
    one_of("to", to, Status.values)
    reason = text_of("reason", reason)
    with sealing() as seal:
        case = case_to_work_on(actor, case_id, closed_too=True)
        if case.status == to:
            return case
        refuse_stale(case, revision)
        _require_ready(case, to)
        if (case.status, to) in BACK and not reason:
            raise InvalidInput(errors=[FieldProblem(pointer="/reason", detail="Write why it goes back.")])
        before, case.status = case.status, Status(to)
        _stamp(case)
        write_case(seal, actor, CASE_MOVED, case, facts={"before": str(before)}, reason=reason)
        settle_authority(case)
        announce_case("case.moved", case)
    return case


# --- what a state asks for --------------------------------------------------------------------------------------------
def lacks(case: Case, to: str) -> str:
    """What a case needs before it can go there, in words; empty where it can."""
    if to not in MOVES[case.status]:
        return f"From {case.get_status_display().split(',')[0]} it does not go to {Status(to).label.split(',')[0]}."
    if case.lead_id is None:
        return "Somebody must lead it first."
    if to == Status.CONCLUDED and not case.findings.filter(replaced_by=None).exists():
        return "It needs a finding, with its root cause; also one that says nothing was wrong."
    return _unfinished(case) if to == Status.CLOSED else ""


def _unfinished(case: Case) -> str:
    waiting = case.actions.filter(done_at=None, dropped_at=None).count()
    if waiting:
        return f"{waiting} corrective action{'s are' if waiting > 1 else ' is'} neither done nor dropped with a reason."
    incident: Incident | None = getattr(case, "incident", None)
    return _unreported(incident) if incident else ""


def _unreported(incident: Incident) -> str:
    """What an authority was not told yet: in a closed case nobody could record it."""
    if not incident.reports.filter(stage=IncidentReport.Stage.FINAL).exists():
        return "It is an incident, and its final report was not recorded."
    told = incident.notices.filter(to=IncidentNotice.To.DATA_PROTECTION)
    if incident.breach_aware_at and not told.exists():
        return "It is a personal data breach too, and the notice to the data protection authority was not recorded."
    return ""


def _require_ready(case: Case, to: str) -> None:
    if missing := lacks(case, to):
        raise CaseNotReady(missing)
    if to in (Status.INVESTIGATING, Status.CONCLUDED):
        refuse_conflict(case, case.lead_id)


def _stamp(case: Case) -> None:
    now = timezone.now()
    match case.status:
        case Status.CONCLUDED:
            case.concluded_at = now
        case Status.CLOSED:
            case.closed_at = now
        case _:
            case.concluded_at = case.closed_at = None


# --- parts of opening -------------------------------------------------------------------------------------------------
def _title(text: str) -> str:
    title = text_of("title", text, ask="Say in a few words what it is about.")
    if len(title) > 200 or "\n" in title:
        raise InvalidInput(errors=[FieldProblem(pointer="/title", detail="One line of up to 200 characters.")])
    return title


def _origin(chosen: Chosen | None, alert_id: uuid.UUID | None) -> Case.Origin:
    if alert_id:
        return Origin.ALERT
    if chosen is None:
        return Origin.COMPLAINT
    if chosen.search is not None:
        return Origin.SEARCH
    return Origin.DECISIONS if chosen.asked is None else Origin.FILTER


def _about(actor: Actor, system_ids: Collection[uuid.UUID], alert_id: uuid.UUID | None) -> set[uuid.UUID]:
    """The AI systems that are named, each one about which they may open a case: asked before anything is written."""
    if not rights.can_anywhere(actor, Act.CASE_OPEN):
        raise Forbidden()
    found = _known(system_ids) | _of_alert(actor, alert_id)
    for system_id in found:
        rights.require(actor, Act.CASE_OPEN, Scope.system(system_id))
    return found


def _known(system_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    known = set(AISystem.objects.filter(pk__in=system_ids).values_list("pk", flat=True))
    if known != set(system_ids):
        raise Forbidden()
    return known


def _of_alert(actor: Actor, alert_id: uuid.UUID | None) -> set[uuid.UUID]:
    if alert_id is None:
        return set()
    alert: Alert | None = alerts_for(actor).filter(pk=alert_id).first()
    if alert is None:
        raise AlertNotFound()
    return {alert.system_id} if alert.system_id else set()


def _require_open(actor: Actor, case: Case) -> None:
    if not case.system_ids:
        detail = "Name the AI system that it is about."
        raise InvalidInput(errors=[FieldProblem(pointer="/system_ids", detail=detail)])
    for system_id in case.system_ids:
        rights.require(actor, Act.CASE_OPEN, Scope.system(system_id))


def _number(case: Case) -> None:
    """The next one of the year. The lock on numbers is taken last, so that nobody waits for the work before it."""
    hold("case:number")
    case.year = today().year
    last = Case.objects.filter(year=case.year).aggregate(last=Max("number"))["last"]
    case.number = (last or 0) + 1


def _opened(case: Case) -> dict[str, Any]:
    said = {"origin": str(case.origin), "systems": [str(each) for each in case.system_ids]}
    return said | ({"alert": str(case.alert_id)} if case.alert_id else {})


def _refuse_oneself(actor: Actor, person_id: uuid.UUID) -> None:
    if actor.id == person_id:
        raise Forbidden("Nobody names themself: another investigator does, or a data protection officer.")


def _require_fit(case: Case, person_id: uuid.UUID, given: frozenset[Condition]) -> None:
    candidate = Actor("person", person_id)
    for system_id in case.system_ids:
        place = Scope(kind=Assignment.Scope.SYSTEM, system_id=system_id, case_id=case.pk)
        if not rights.can(candidate, Act.CASE_LEAD, place, given=given):
            raise Forbidden("They are not an investigator of every AI system that this case is about.")
    refuse_conflict(case, person_id)
