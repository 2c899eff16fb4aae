"""Running drills: thrown like a real stop, measured, and set back; a real stop in between wins."""

import uuid
from datetime import datetime
from typing import Any

from django.utils import timezone

from governance import rights
from governance.acts import Act
from governance.errors import RequestVoid
from governance.scopes import Scope
from ledger.entries import SERVER, Actor
from ledger.sealing import Seal, sealing
from notices.models import Alert
from notices.services import open_alert
from overrides.clock import advance_epoch, hold_clock
from overrides.drill_errors import DrillNotPossible, DrillNotReady
from overrides.drill_kinds import DRILL_ENDED, DRILL_RESTORED, DRILL_STARTED
from overrides.models import Drill, Probe, Switch, SwitchChange
from overrides.services.changing import Setting, kind_of, put, seal_late, switch_at
from overrides.services.drill_readings import keep_readings, measures_of
from overrides.services.drills import drill_of, locked_drill, write_drill
from overrides.services.expecting import expected_of
from overrides.services.sweeping import each_by_itself
from overrides.services.switches import tighten
from overrides.standing import InFlight, Mode

Status, Type, EndedBy = Drill.Status, Drill.Type, Drill.EndedBy
REASON, RIGHTS_ENDED = "drill", "rights-ended"


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
    taken the drill's place, or where one of the two may not loosen any more: then it stays, in earnest, and is alerted.
    Errors: `Forbidden`, `DrillNotFound`, `DrillNotReady`."""
    with sealing() as seal:
        hold_clock()
        drill = drill_of(actor, drill_id, Act.DRILL_PLAN)
        if drill.status != Status.RUNNING:
            raise DrillNotReady("It is not running.")
        _end(seal, actor, drill, EndedBy.PERSON)
    return drill


def watch_drills() -> int:
    """Read what instances did; end drills whose window is over, or whose place a real stop took. Returns how many."""
    running = list(Drill.objects.filter(status=Status.RUNNING).order_by("pk").values_list("pk", flat=True))
    return each_by_itself("drill", _watch, running)


def _begin(actor: Actor, drill_id: uuid.UUID) -> Drill:
    now = timezone.now()
    with sealing() as seal:
        hold_clock()
        drill = drill_of(actor, drill_id, Act.DRILL_PLAN)
        _require_startable(drill, now)
        if drill.status == Status.RUNNING:
            return drill
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
    # whoever began it may have died before the switch was thrown: whoever tries again throws it
    is_cut_off = drill.is_live and drill.status == Status.RUNNING and drill.epoch is None
    if drill.status != ready and not is_cut_off:
        raise DrillNotReady("A live drill starts once a second person agreed, any other one once it is planned.")
    if drill.is_live and not drill.starts_at <= now < drill.window_ends_at:
        raise DrillNotReady("A live drill starts within its window.")
    if Drill.objects.filter(system_id=drill.system_id, status=Status.RUNNING).exclude(pk=drill.pk).exists():
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
    drill = Drill.objects.filter(pk=drill_id, status=Status.RUNNING).first()
    if drill is None:
        return False
    keep_readings(drill)
    if _why_over(drill) is not None:
        _end_if_over(drill_id)
    return True


def _end_if_over(drill_id: uuid.UUID) -> None:
    with sealing() as seal:
        hold_clock()
        drill = locked_drill(drill_id)
        if drill is None or drill.status != Status.RUNNING:
            return
        why = _why_over(drill)
        if why is not None:
            _end(seal, SERVER, drill, why)


def _why_over(drill: Drill) -> Drill.EndedBy | None:
    if drill.is_live and _real_trip(drill):
        return EndedBy.REAL_TRIP
    return EndedBy.WINDOW if drill.window_ends_at <= timezone.now() else None


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
    """Within a transaction that holds the clock."""
    readings = keep_readings(drill)
    if drill.is_live and not _set_back(seal, actor, drill) and drill.requested_at is not None:
        why = EndedBy.REAL_TRIP
    drill.status, drill.ended_at, drill.ended_by = Status.ENDED, timezone.now(), why
    drill.measures = measures_of(drill, readings) if drill.epoch else {}
    facts: dict[str, Any] = {"ended_by": str(why)}
    facts |= {name: drill.measures[name] for name in ("expected", "seen", "applied", "drained") if drill.measures}
    write_drill(seal, actor=actor, kind=DRILL_ENDED, drill=drill, facts=facts)


def _set_back(seal: Seal, actor: Actor, drill: Drill) -> bool:
    """Set the switch back where it is still the drill's; False where somebody took it over in earnest."""
    switch = switch_at(drill.node)
    if switch is None or switch.drill_id != drill.pk:
        return False
    seal_late(seal, switch)
    if _both_still_may(drill):
        _restore(seal, actor, drill, switch)
    else:
        _leave_in_earnest(seal, actor, drill, switch)
    return True


def _restore(seal: Seal, actor: Actor, drill: Drill, switch: Switch) -> None:
    former = Mode(drill.former["mode"])
    setting = Setting(
        mode=former,
        reason_code=drill.former["reason_code"],
        in_flight=InFlight(drill.former["in_flight"]),
        drill_id=drill.pk if former is Mode.RUN else None,  # what it restricted before is in earnest
    )
    facts = {"planned_by": str(drill.planned_by_id), "approved_by": str(drill.approved_by_id), "drill": str(drill.pk)}
    epoch = advance_epoch()
    put(seal, actor=actor, kind=DRILL_RESTORED, switch=switch, setting=setting, epoch=epoch, source=REASON, facts=facts)


def _leave_in_earnest(seal: Seal, actor: Actor, drill: Drill, switch: Switch) -> None:
    """Those who agreed to loosen it may not do so any more: two others have to. Until then it is no drill."""
    mode = Mode(switch.mode)
    setting = Setting(mode=mode, reason_code=RIGHTS_ENDED, in_flight=InFlight(switch.in_flight))
    kind, epoch = kind_of(mode, REASON), advance_epoch()
    put(seal, actor=actor, kind=kind, switch=switch, setting=setting, epoch=epoch, source=REASON)
    open_alert(
        actor=SERVER,
        kind="drill.not_restored",
        severity=Alert.Severity.CRITICAL,
        fingerprint=f"drill.not_restored:{drill.pk}",
        system_id=drill.system_id,
        about_id=switch.pk,
        facts={"switch": str(switch.pk), "drill": str(drill.pk), "mode": str(mode)},
        once=True,
    )
