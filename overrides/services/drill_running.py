"""Running drills: thrown like a real stop, measured, and set back; a real stop in between wins."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any

from django.utils import timezone

from governance import rights
from governance.acts import Act
from governance.errors import RequestVoid
from governance.scopes import Scope
from ledger.entries import SERVER, Actor
from ledger.sealing import Seal, sealing
from overrides.clock import advance_epoch, hold_clock
from overrides.drill_errors import DrillNotPossible, DrillNotReady
from overrides.drill_kinds import DRILL_ENDED, DRILL_RESTORED, DRILL_STARTED
from overrides.models import ClientInstance, Drill, DrillReading, Probe, Switch, SwitchChange
from overrides.services.changing import Setting, put, seal_late, switch_at
from overrides.services.drills import drill_of, locked_drill, write_drill
from overrides.services.expecting import expected_of
from overrides.services.sweeping import each_by_itself
from overrides.services.switches import tighten
from overrides.standing import Epoch, InFlight, Mode

Status, Type, EndedBy = Drill.Status, Drill.Type, Drill.EndedBy
REASON = "drill"


def start_drill(*, actor: Actor, drill_id: uuid.UUID) -> Drill:
    """Begin it, within its window. A live one throws the switch, marked with the drill; a probe gives out an epoch.

    Whoever planned and approved a live one must have their rights now: its end loosens. Errors: `Forbidden`,
    `DrillNotFound`, `DrillNotReady`, `DrillNotPossible`, `RequestVoid`, and those of `tighten`.
    """
    drill = _begin(actor, drill_id)
    if drill.is_live:
        done = tighten(
            actor=actor,
            node=drill.node,
            mode=Mode(drill.mode),
            reason_code=REASON,
            in_flight=InFlight(drill.in_flight),
            source=REASON,
            drill_id=drill.pk,
        )
        _note_throw(drill.pk, done.switch, done.change)
        drill.refresh_from_db()
    return drill


def end_drill(*, actor: Actor, drill_id: uuid.UUID) -> Drill:
    """End it: what its switch said before holds again, as the two agreed. Nothing is set back where a real stop has
    taken the drill's place. Errors: `Forbidden`, `DrillNotFound`, `DrillNotReady`."""
    with sealing() as seal:
        drill = drill_of(actor, drill_id, Act.DRILL_PLAN)
        if drill.status != Status.RUNNING:
            raise DrillNotReady("It is not running.")
        _end(seal, actor, drill, EndedBy.PERSON)
    return drill


def watch_drills() -> int:
    """Read what instances did; end drills whose window is over, or whose place a real stop took. Returns how many."""
    running = list(Drill.objects.filter(status=Status.RUNNING).order_by("pk").values_list("pk", flat=True))
    return each_by_itself("drill", _watch, running)


def readings_of(drill: Drill) -> Sequence[DrillReading]:
    """What each expected instance did so far, as the server first heard it. Looking writes nothing."""
    kept = {each.instance_id: each for each in drill.readings.order_by("instance", "id")}
    return sorted((kept | _read_now(drill, kept)).values(), key=lambda each: (each.instance, str(each.instance_id)))


def measures_of(drill: Drill, readings: Sequence[DrillReading]) -> dict[str, Any]:
    """How many of the expected saw, applied and drained, after how many seconds; and who was silent."""
    expected = drill.expected.get("instances", [])
    said: dict[str, Any] = {
        "expected": len(expected),
        "ungoverned": len(drill.expected.get("ungoverned", [])),
        "reading": len(drill.expected.get("reading", [])),
        "silent": sorted(each.instance for each in readings if each.seen_at is None),
    }
    for name in ("seen", "applied", "drained"):
        moments = [at for each in readings if (at := getattr(each, f"{name}_at")) is not None]
        said[name] = len(moments)
        if moments and drill.requested_at:
            said[f"{name}_s"] = _spread(drill.requested_at, moments)
    return said


def _begin(actor: Actor, drill_id: uuid.UUID) -> Drill:
    now = timezone.now()
    with sealing() as seal:
        hold_clock()
        drill = drill_of(actor, drill_id, Act.DRILL_PLAN)
        _require_startable(drill, now)
        if drill.is_live:
            rights.require(actor, Act.SWITCH_TIGHTEN, Scope.system(drill.system_id))
            drill.former = _former(drill)
        if drill.type == Type.PROBE:
            _note_epoch(drill, advance_epoch(), now)
        drill.status, drill.started_by_id, drill.started_at = Status.RUNNING, actor.id, now
        write_drill(seal, actor=actor, kind=DRILL_STARTED, drill=drill)
    return drill


def _require_startable(drill: Drill, now: datetime) -> None:
    ready = Status.APPROVED if drill.is_live else Status.PLANNED
    if drill.status != ready:
        raise DrillNotReady("A live drill starts once a second person agreed, any other one once it is planned.")
    if drill.is_live and not drill.starts_at <= now < drill.window_ends_at:
        raise DrillNotReady("A live drill starts within its window.")
    if Drill.objects.filter(system_id=drill.system_id, status=Status.RUNNING).exists():
        raise DrillNotPossible("Another drill of this AI system is running.")
    if drill.is_live and not _both_still_may(drill):
        raise RequestVoid("Whoever planned or approved it may not do so any more.")


def _both_still_may(drill: Drill) -> bool:
    scope = Scope.system(drill.system_id)
    if drill.approved_by_id is None or not rights.can(Actor("person", drill.planned_by_id), Act.DRILL_RUN_LIVE, scope):
        return False
    approver = Actor("person", drill.approved_by_id)
    return rights.may_approve(approver, Act.DRILL_RUN_LIVE, scope, requested_by=drill.planned_by_id)


def _former(drill: Drill) -> dict[str, Any]:
    """What the switch says now. Errors: `DrillNotPossible` where throwing it would prove nothing."""
    switch = switch_at(drill.node)
    if switch is None:
        return {"mode": Mode.RUN.value, "reason_code": REASON, "in_flight": InFlight.HOLD.value}
    if Mode(switch.mode).severity >= Mode(drill.mode).severity:
        raise DrillNotPossible("The switch is as restrictive already.")
    if switch.expires_at is not None:
        raise DrillNotPossible("An emergency clear is under way: it ends by itself, into a stop.")
    return {"mode": str(switch.mode), "reason_code": switch.reason_code, "in_flight": str(switch.in_flight)}


def _note_epoch(drill: Drill, epoch: Any, at: datetime) -> None:
    drill.generation, drill.number = epoch
    drill.requested_at, drill.expected = at, expected_of(drill.node, at)
    Probe.objects.create(generation=epoch.generation, number=epoch.number, sent_at=at)


def _note_throw(drill_id: uuid.UUID, switch: Switch, change: SwitchChange) -> None:
    """Which change clients are to confirm. A real stop may have come first: then that one is what they confirm."""
    with sealing() as seal:
        drill = locked_drill(drill_id)
        if drill is None or drill.status != Status.RUNNING or drill.epoch is not None:
            return
        drill.switch_id, drill.requested_at, drill.expected = switch.pk, change.requested_at, change.expected
        drill.generation, drill.number = change.epoch
        write_drill(seal, actor=SERVER, kind=DRILL_STARTED, drill=drill, facts={"epoch": str(change.epoch)})


def _watch(drill_id: uuid.UUID) -> bool:
    _note_lost_throw(drill_id)
    with sealing() as seal:
        drill = locked_drill(drill_id)
        if drill is None or drill.status != Status.RUNNING:
            return False
        _keep_readings(drill)
        if drill.is_live and _real_trip(drill):
            _end(seal, SERVER, drill, EndedBy.REAL_TRIP)
        elif drill.window_ends_at <= timezone.now():
            _end(seal, SERVER, drill, EndedBy.WINDOW)
    return True


def _note_lost_throw(drill_id: uuid.UUID) -> None:
    """Whoever threw the switch may have died before it was noted: without this, nobody would measure the drill."""
    if Drill.objects.filter(pk=drill_id, type__in=Drill.LIVE, generation=None).exists():
        thrown = SwitchChange.objects.filter(drill_id=drill_id).select_related("switch").order_by("id").first()
        if thrown is not None:
            _note_throw(drill_id, thrown.switch, thrown)


def _real_trip(drill: Drill) -> bool:
    """Whether anything that covers a part of what is drilled was tightened in earnest since it began."""
    changes = SwitchChange.objects.filter(
        drill_id=None, requested_at__gte=drill.started_at, switch__system_id__in=[drill.system_id]
    ) | SwitchChange.objects.filter(drill_id=None, requested_at__gte=drill.started_at, switch__system_id=None)
    return any(_is_trip(drill, each) for each in changes.select_related("switch"))


def _is_trip(drill: Drill, change: SwitchChange) -> bool:
    is_elsewhere = drill.environment and change.switch.environment not in ("", drill.environment)
    takes_over = change.switch_id == drill.switch_id
    return not is_elsewhere and (takes_over or Mode(change.to_mode).severity > Mode(change.from_mode).severity)


def _end(seal: Seal, actor: Actor, drill: Drill, why: Drill.EndedBy) -> None:
    _keep_readings(drill)
    readings = readings_of(drill)
    if drill.is_live and not _restore(seal, actor, drill) and drill.requested_at is not None:
        why = EndedBy.REAL_TRIP
    drill.status, drill.ended_at, drill.ended_by = Status.ENDED, timezone.now(), why
    drill.measures = measures_of(drill, readings) if drill.epoch else {}
    facts: dict[str, Any] = {"ended_by": str(why)}
    facts |= {name: drill.measures[name] for name in ("expected", "seen", "applied", "drained") if drill.measures}
    write_drill(seal, actor=actor, kind=DRILL_ENDED, drill=drill, facts=facts)


def _restore(seal: Seal, actor: Actor, drill: Drill) -> bool:
    """Set the switch back where it is still the drill's; False where somebody took it over in earnest."""
    hold_clock()
    switch = switch_at(drill.node)
    if switch is None or switch.drill_id != drill.pk:
        return False
    seal_late(seal, switch)
    former = Mode(drill.former["mode"])
    setting = Setting(
        mode=former,
        reason_code=drill.former["reason_code"],
        in_flight=InFlight(drill.former["in_flight"]),
        drill_id=drill.pk if former is Mode.RUN else None,  # what it restricted before is in earnest
    )
    facts = {"planned_by": str(drill.planned_by_id), "approved_by": str(drill.approved_by_id), "drill": str(drill.pk)}
    put(
        seal,
        actor=actor,
        kind=DRILL_RESTORED,
        switch=switch,
        setting=setting,
        epoch=advance_epoch(),
        source=REASON,
        facts=facts,
    )
    return True


def _keep_readings(drill: Drill) -> None:
    """Keep the first time of each: the rows of instances move on with the next epoch. By one, who holds the drill."""
    kept = {each.instance_id: each for each in drill.readings.all()}
    found = _read_now(drill, kept).values()
    times = ["seen_at", "applied_at", "drained_at"]
    DrillReading.objects.bulk_create(
        found, update_conflicts=True, unique_fields=["drill", "instance_id"], update_fields=times
    )


def _read_now(drill: Drill, kept: Mapping[uuid.UUID, DrillReading]) -> dict[uuid.UUID, DrillReading]:
    """What the rows of the expected instances say by now, by instance; first times stay."""
    epoch = drill.epoch
    if epoch is None or drill.status != Status.RUNNING:
        return {}
    instances = ClientInstance.objects.filter(pk__in=drill.expected.get("instances", []))
    return {each.pk: _reading(drill, epoch, each, kept.get(each.pk)) for each in instances}


def _reading(drill: Drill, epoch: Epoch, instance: ClientInstance, kept: DrillReading | None) -> DrillReading:
    reading = kept or DrillReading(drill=drill, instance_id=instance.pk, instance=instance.instance)
    if instance.seen_epoch >= epoch:
        reading.seen_at = reading.seen_at or instance.seen_at
    if instance.applied_epoch >= epoch and (not drill.is_live or instance.obeys(Mode(drill.mode))):
        reading.applied_at = reading.applied_at or instance.applied_at
        reading.drained_at = reading.drained_at or instance.drained_at
    return reading


def _spread(since: datetime, moments: Sequence[datetime]) -> dict[str, float]:
    seconds = sorted(max(0.0, (at - since).total_seconds()) for at in moments)
    return {"first": round(seconds[0], 3), "median": round(median(seconds), 3), "last": round(seconds[-1], 3)}
