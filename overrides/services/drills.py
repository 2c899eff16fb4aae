"""Drills on paper: planned, agreed to, cancelled, concluded, and what they showed. Running them: `drill_running`."""

import uuid
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone

from config.days import today
from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.models import AISystem, Person
from governance.scopes import ORGANISATION, Scope
from governance.services.systems import locked_system
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.rows import write_row
from ledger.sealing import Seal, sealing
from ledger.selectors import open_log
from overrides.drill_errors import DrillNotFound, DrillNotReady
from overrides.drill_kinds import (
    DRILL_APPROVED,
    DRILL_CANCELLED,
    DRILL_CONCLUDED,
    DRILL_PLANNED,
    FINDING_CLOSED,
    FINDING_RECORDED,
)
from overrides.models import Drill, DrillFinding
from overrides.services.changing import require_alternative, require_place
from overrides.standing import InFlight, Mode

Status, Type = Drill.Status, Drill.Type
WINDOW = timedelta(hours=1)
LONGEST_WINDOW = timedelta(hours=8)
PRODUCTION = "production"


def plan_drill(
    *,
    actor: Actor,
    system_id: uuid.UUID,
    drill_type: str,
    starts_at: datetime,
    expectation: str,
    environment: str = "",
    mode: Mode = Mode.STOP,
    in_flight: InFlight = InFlight.HOLD,
    window: timedelta = WINDOW,
    participants: Sequence[uuid.UUID] = (),
) -> Drill:
    """Say that a drill is to be held, and what is expected of it.

    A live one names its environment and waits for a second person, who by agreeing to it agrees to its end too: what
    the switch said before holds again then. Errors: `Forbidden`, `PersonNeeded`, `SystemNotFound`, `InvalidInput`,
    `FallbackMissing`.
    """
    is_live = drill_type in Drill.LIVE
    rights.require(actor, Act.DRILL_RUN_LIVE if is_live else Act.DRILL_PLAN, Scope.system(system_id))
    drill = Drill(
        system_id=system_id,
        type=drill_type,
        environment=environment,
        mode=mode.value,
        in_flight=in_flight.value,
        starts_at=starts_at,
        window_ends_at=starts_at + window,
        expectation=expectation.strip(),
        participants=list(participants),
        planned_by_id=person_id_of(actor),
    )
    _check(drill, window)
    with sealing() as seal:
        drill.system = locked_system(system_id)
        write_drill(seal, actor=actor, kind=DRILL_PLANNED, drill=drill)
    return drill


def approve_drill(*, actor: Actor, drill_id: uuid.UUID) -> Drill:
    """Agree, as the second person, to a live drill and to its end. Errors: `ApprovalForbidden`, `DrillNotFound`,
    `DrillNotReady`."""
    with sealing() as seal:
        drill = locked_drill(drill_id)
        scope = Scope.system(drill.system_id) if drill else ORGANISATION
        planner = drill.planned_by_id if drill else None
        rights.require_approval(actor, Act.DRILL_RUN_LIVE, scope, requested_by=planner)
        if drill is None:
            raise DrillNotFound()
        if drill.status != Status.PLANNED or not drill.is_live:
            raise DrillNotReady("Only a planned live drill waits for a second person.")
        drill.status, drill.approved_by_id, drill.approved_at = Status.APPROVED, actor.id, timezone.now()
        write_drill(seal, actor=actor, kind=DRILL_APPROVED, drill=drill)
    return drill


def cancel_drill(*, actor: Actor, drill_id: uuid.UUID, reason: str = "") -> Drill:
    """Not hold it. Errors: `Forbidden`, `DrillNotFound`, `DrillNotReady` once it began."""
    with sealing() as seal:
        drill = drill_of(actor, drill_id, Act.DRILL_PLAN)
        if drill.status not in (Status.PLANNED, Status.APPROVED):
            raise DrillNotReady("It began already: end it.")
        drill.status = Status.CANCELLED
        write_drill(seal, actor=actor, kind=DRILL_CANCELLED, drill=drill, reason=reason)
    return drill


def conclude_drill(*, actor: Actor, drill_id: uuid.UUID, conclusion: str, note: str) -> Drill:
    """Say what it showed: a person does, never a figure. Errors: `Forbidden`, `PersonNeeded`, `DrillNotFound`,
    `DrillNotReady`, `InvalidInput`."""
    person = person_id_of(actor)
    if not note.strip():
        raise InvalidInput(errors=[FieldProblem(pointer="/note", detail="Write what it showed.")])
    with sealing() as seal:
        drill = drill_of(actor, drill_id, Act.DRILL_PLAN)
        if drill.status != Status.ENDED:
            raise DrillNotReady("It is concluded once it has ended.")
        drill.status, drill.conclusion, drill.conclusion_note = Status.CONCLUDED, conclusion, note.strip()
        drill.concluded_by_id, drill.concluded_at = person, timezone.now()
        write_drill(seal, actor=actor, kind=DRILL_CONCLUDED, drill=drill, facts={"conclusion": conclusion})
    return drill


def record_finding(*, actor: Actor, drill_id: uuid.UUID, text: str, owner: Person, due_on: date) -> DrillFinding:
    """Say what a drill showed, who sees to it and by when. Errors: `Forbidden`, `DrillNotFound`, `DrillNotReady`,
    `InvalidInput`."""
    _refuse_bad_finding(text, owner, due_on)
    with sealing() as seal:
        drill = drill_of(actor, drill_id, Act.DRILL_PLAN)
        if drill.started_at is None:
            raise DrillNotReady("It has shown nothing yet: it did not begin.")
        finding = DrillFinding(drill=drill, text=text.strip(), owner_id=owner.pk, due_on=due_on)
        _write_finding(seal, actor, FINDING_RECORDED, finding)
    return finding


def close_finding(*, actor: Actor, finding_id: uuid.UUID, resolution: str) -> DrillFinding:
    """Say that it was dealt with, and how: its owner, or whoever may plan drills. Errors: `Forbidden`,
    `DrillNotFound`, `DrillNotReady`, `InvalidInput`."""
    if not resolution.strip():
        raise InvalidInput(errors=[FieldProblem(pointer="/resolution", detail="Write what was done.")])
    with sealing() as seal:
        rows = DrillFinding.objects.select_for_update(no_key=True, of=("self",)).select_related("drill")
        finding = rows.filter(pk=finding_id).first()
        if finding is None or actor.id != finding.owner_id:
            scope = Scope.system(finding.drill.system_id) if finding else ORGANISATION
            rights.require(actor, Act.DRILL_PLAN, scope)
        if finding is None:
            raise DrillNotFound()
        if finding.closed_at is not None:
            raise DrillNotReady("It is closed already.")
        finding.closed_at, finding.closed_by_id = timezone.now(), actor.id
        finding.resolution = resolution.strip()
        _write_finding(seal, actor, FINDING_CLOSED, finding)
    return finding


def locked_drill(drill_id: uuid.UUID) -> Drill | None:
    """The row, locked."""
    rows = Drill.objects.select_for_update(no_key=True, of=("self",)).select_related("system")
    return rows.filter(pk=drill_id).first()


def drill_of(actor: Actor, drill_id: uuid.UUID, act: Act) -> Drill:
    """The row, locked, of somebody who may. Errors: `Forbidden`, `DrillNotFound`."""
    drill = locked_drill(drill_id)
    rights.require(actor, act, Scope.system(drill.system_id) if drill else ORGANISATION)
    if drill is None:
        raise DrillNotFound()
    return drill


def write_drill(
    seal: Seal, *, actor: Actor, kind: Kind, drill: Drill, facts: dict[str, Any] | None = None, reason: str = ""
) -> None:
    """Every entry about a drill says of which type, where, and which mode it practises."""
    said: dict[str, Any] = {"type": str(drill.type), "status": str(drill.status), "mode": str(drill.mode)}
    if drill.environment:
        said["environment"] = drill.environment
    log_id = open_log(drill.system_id).id
    write_row(seal, actor=actor, kind=kind, row=drill, log_id=log_id, facts=said | (facts or {}), reason=reason)


def _write_finding(seal: Seal, actor: Actor, kind: Kind, finding: DrillFinding) -> None:
    facts = {"drill": str(finding.drill_id), "due_on": finding.due_on.isoformat()}
    write_row(seal, actor=actor, kind=kind, row=finding, log_id=open_log(finding.drill.system_id).id, facts=facts)


def _check(drill: Drill, window: timedelta) -> None:
    problems = list(_problems(drill, window))
    if problems:
        raise InvalidInput(errors=problems)
    require_place(drill.node)
    if drill.is_live:
        require_alternative(drill.node, Mode(drill.mode))


def _problems(drill: Drill, window: timedelta) -> list[FieldProblem]:
    found = []
    if drill.type not in Type.values:
        found.append(FieldProblem(pointer="/type", detail="No such type.", expected=", ".join(Type.values)))
    if not drill.expectation:
        found.append(
            FieldProblem(pointer="/expectation", detail="Write what is expected: a drill measures itself on it.")
        )
    if drill.starts_at < timezone.now() - timedelta(days=1):
        found.append(FieldProblem(pointer="/starts_at", detail="Not in the past."))
    if not timedelta(minutes=1) <= window <= LONGEST_WINDOW:
        found.append(FieldProblem(pointer="/window_s", detail="Between a minute and 8 hours."))
    if drill.is_live and not drill.environment:
        found.append(FieldProblem(pointer="/environment", detail="A live drill names where it is held."))
    if drill.type == Type.LIVE_TEST and drill.environment == PRODUCTION:
        found.append(FieldProblem(pointer="/environment", detail="In production it is a live drill in production."))
    if drill.is_live and drill.mode == Mode.RUN:
        found.append(FieldProblem(pointer="/mode", detail="A drill restricts.", expected="review, fallback or stop"))
    if len(set(drill.participants)) != Person.objects.filter(pk__in=drill.participants, is_active=True).count():
        found.append(FieldProblem(pointer="/participants", detail="Registered people only, each once."))
    if not AISystem.objects.filter(pk=drill.system_id).exclude(status=AISystem.Status.RETIRED).exists():
        found.append(FieldProblem(pointer="/system", detail="The AI system is retired."))
    return found


def _refuse_bad_finding(text: str, owner: Person, due_on: date) -> None:
    problems = []
    if not text.strip():
        problems.append(FieldProblem(pointer="/text", detail="Write what was found."))
    if not owner.is_active:
        problems.append(FieldProblem(pointer="/owner", detail="Somebody who is still here."))
    if due_on < today():
        problems.append(FieldProblem(pointer="/due_on", detail="Not in the past."))
    if problems:
        raise InvalidInput(errors=problems)
