"""Drills: thrown like a real stop, by two, marked, measured, set back; a real stop in between wins."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.errors import Forbidden, InvalidInput
from governance.acts import Role
from governance.errors import ApprovalForbidden, PersonNeeded, RequestVoid
from governance.models import AISystem, Person, ServiceKey
from governance.register import KeyGrant
from governance.scopes import Scope
from governance.services.assignments import end_assignment
from governance.services.systems import register_environment
from ledger.entries import COMMAND
from ledger.models import Entry
from notices.models import Alert
from overrides import memory
from overrides.clock import current_epoch
from overrides.drill_errors import DrillNotFound, DrillNotPossible, DrillNotReady
from overrides.models import ClientInstance, Drill, DrillReading, Probe, Switch, SwitchChange
from overrides.services import drill_running
from overrides.services.acknowledging import note_seen
from overrides.services.confirming import watch_changes
from overrides.services.drill_debts import alert_overdue, drill_debts
from overrides.services.drill_readings import keep_readings, readings_of
from overrides.services.drill_running import end_drill, start_drill, watch_drills
from overrides.services.drills import (
    approve_drill,
    cancel_drill,
    close_finding,
    conclude_drill,
    plan_drill,
    record_finding,
)
from overrides.services.probing import alert_not_armed, armed_instances, send_probe
from overrides.standing import Mode
from tests.factories.control import ack, reading, stop
from tests.factories.parameters import Crew, make_crew
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db
Status, Type = Drill.Status, Drill.Type
HOUR = timedelta(hours=1)


@pytest.fixture
def crew() -> Crew:
    found = make_crew()
    register_environment(actor=COMMAND, system_id=found.system.pk, slug="staging")
    return found


def plan(crew: Crew, drill_type: str = "live_production", *, by: Person | None = None, **rest: Any) -> Drill:
    given: dict[str, Any] = {"starts_at": timezone.now(), "expectation": "All stop within 2 s."} | rest
    if drill_type in Drill.LIVE:
        given = {"environment": "production"} | given
    actor = actor_of(by or crew.operator)
    return plan_drill(actor=actor, system_id=crew.system.pk, drill_type=drill_type, **given)


def approved(crew: Crew, **rest: Any) -> Drill:
    return approve_drill(actor=actor_of(crew.approver), drill_id=plan(crew, **rest).pk)


def started(crew: Crew, **rest: Any) -> Drill:
    return start_drill(actor=actor_of(crew.operator), drill_id=approved(crew, **rest).pk)


def ended(crew: Crew, drill: Drill) -> Drill:
    return end_drill(actor=actor_of(crew.operator), drill_id=drill.pk)


def mode_of(system: AISystem, environment: str = "production") -> Mode:
    return memory.current().control.mode(system.pk, environment)


def kinds_about(drill: Drill) -> list[str]:
    return list(Entry.objects.filter(about_id=drill.pk).order_by("leaf_index").values_list("kind", flat=True))


# --- planning --------------------------------------------------------------------------------------------------------
def test_a_live_drill_waits_for_a_second_person(crew: Crew) -> None:
    give_role(crew.operator, Role.APPROVER)
    drill = plan(crew)
    with pytest.raises(DrillNotReady):
        start_drill(actor=actor_of(crew.operator), drill_id=drill.pk)
    for person in (crew.operator, crew.engineer):
        with pytest.raises(ApprovalForbidden):
            approve_drill(actor=actor_of(person), drill_id=drill.pk)
    assert approve_drill(actor=actor_of(crew.approver), drill_id=drill.pk).status == Status.APPROVED
    with pytest.raises(DrillNotReady):
        approve_drill(actor=actor_of(crew.approver), drill_id=drill.pk)


def test_the_database_refuses_a_live_drill_of_one(crew: Crew) -> None:
    drill = plan(crew)
    for columns in ({"status": "running"}, {"approved_by_id": crew.operator.pk}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Drill.objects.filter(pk=drill.pk).update(**columns)


@pytest.mark.parametrize(
    ("drill_type", "rest", "pointer"),
    [
        ("live_production", {"environment": ""}, "/environment"),
        ("live_test", {"environment": "production"}, "/environment"),
        ("live_test", {"environment": "nowhere"}, "/environment"),
        ("live_test", {"environment": "staging", "mode": Mode.RUN}, "/mode"),
        ("table_top", {"expectation": "  "}, "/expectation"),
        ("table_top", {"window": timedelta(hours=9)}, "/window_s"),
        ("table_top", {"participants": []}, "/participants"),
        ("picnic", {}, "/type"),
        ("live_production", {"mode": Mode.FALLBACK}, "/mode"),
    ],
)
def test_a_plan_that_makes_no_sense_is_told_where(
    crew: Crew, drill_type: str, rest: dict[str, Any], pointer: str
) -> None:
    if "participants" in rest:
        rest = {"participants": [crew.system.pk]}
    with pytest.raises(InvalidInput) as refused:
        plan(crew, drill_type, **rest)
    assert pointer in [each.pointer for each in refused.value.errors]


def test_strangers_commands_and_others_plan_nothing(crew: Crew) -> None:
    with pytest.raises(Forbidden):
        plan(crew, by=make_person())
    with pytest.raises(Forbidden):
        plan(crew, by=crew.engineer)
    assert plan(crew, "table_top", by=crew.engineer).status == Status.PLANNED
    with pytest.raises((Forbidden, PersonNeeded)):
        plan_drill(
            actor=COMMAND, system_id=crew.system.pk, drill_type="table_top", starts_at=timezone.now(), expectation="x"
        )
    with pytest.raises(DrillNotFound):
        end_drill(actor=actor_of(make_person(operator=True)), drill_id=crew.system.pk)


# --- running ---------------------------------------------------------------------------------------------------------
def test_a_live_drill_stops_marks_and_sets_back(crew: Crew) -> None:
    drill = started(crew)
    assert mode_of(crew.system) is Mode.STOP and mode_of(crew.system, "staging") is Mode.RUN
    held = memory.current().control.in_force(crew.system.pk, "production")
    assert held is not None and held.drill_id == drill.pk and held.epoch == drill.epoch
    assert ended(crew, drill).status == Status.ENDED
    assert mode_of(crew.system) is Mode.RUN
    changes = SwitchChange.objects.order_by("number")
    assert [(each.to_mode, each.drill_id) for each in changes] == [("stop", drill.pk), ("run", drill.pk)]
    assert kinds_about(drill) == [
        "drill.planned", "drill.approved", "drill.started", "drill.started", "drill.ended",
    ]  # fmt: skip
    assert Entry.objects.filter(about_id=held.id, kind="switch.restored").count() == 1
    with pytest.raises(DrillNotReady):
        ended(crew, drill)


def test_what_it_restricted_before_in_earnest_is_restored_in_earnest(crew: Crew) -> None:
    stop(crew.system, mode=Mode.REVIEW, environment="production", reason_code="drift")
    drill = started(crew)
    assert mode_of(crew.system) is Mode.STOP
    ended(crew, drill)
    switch = Switch.objects.get()
    assert (switch.mode, switch.reason_code, switch.drill_id) == ("review", "drift", None)


@pytest.mark.parametrize("mode", [Mode.REVIEW, Mode.STOP])
def test_a_real_trip_of_the_same_switch_wins_and_ends_the_drill(crew: Crew, mode: Mode) -> None:
    drill = started(crew)
    stop(crew.system, mode=mode, environment="production")
    assert watch_drills() == 1
    drill.refresh_from_db()
    assert (drill.status, drill.ended_by) == (Status.ENDED, "real_trip")
    assert mode_of(crew.system) is Mode.STOP, "nothing is set back: two people loosen it"
    assert Switch.objects.get().drill_id is None


def test_a_real_trip_seen_only_at_the_end_wins_too(crew: Crew) -> None:
    drill = started(crew)
    stop(crew.system, environment="production")
    assert ended(crew, drill).ended_by == "real_trip"
    assert mode_of(crew.system) is Mode.STOP


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_wider_real_trip_ends_the_drill_and_stands(crew: Crew, everywhere: bool) -> None:
    drill = started(crew)
    stop(None if everywhere else crew.system)
    watch_drills()
    drill.refresh_from_db()
    assert (drill.status, drill.ended_by) == (Status.ENDED, "real_trip")
    assert mode_of(crew.system) is Mode.STOP
    assert Switch.objects.get(environment="production").mode == "run"


def test_a_trip_elsewhere_leaves_the_drill_alone(crew: Crew) -> None:
    drill = started(crew)
    stop(crew.system, environment="staging")
    stop(make_system())
    watch_drills()
    drill.refresh_from_db()
    assert drill.status == Status.RUNNING


def test_a_drill_ends_with_its_window(crew: Crew) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        drill = started(crew, window=HOUR)
        watch_drills()
        assert mode_of(crew.system) is Mode.STOP
        clock.shift(HOUR)
        watch_drills()
        drill.refresh_from_db()
        assert (drill.status, drill.ended_by) == (Status.ENDED, "window")
        assert mode_of(crew.system) is Mode.RUN and watch_drills() == 0


def test_it_starts_within_its_window_once_and_where_it_proves_something(crew: Crew) -> None:
    early = approved(crew, starts_at=timezone.now() + HOUR)
    with pytest.raises(DrillNotReady):
        start_drill(actor=actor_of(crew.operator), drill_id=early.pk)
    first, second = approved(crew), approved(crew)
    start_drill(actor=actor_of(crew.operator), drill_id=first.pk)
    with pytest.raises(DrillNotPossible):
        start_drill(actor=actor_of(crew.operator), drill_id=second.pk)
    ended(crew, first)
    stop(crew.system, environment="production")
    with pytest.raises(DrillNotPossible):
        start_drill(actor=actor_of(crew.operator), drill_id=second.pk)
    assert cancel_drill(actor=actor_of(crew.operator), drill_id=second.pk).status == Status.CANCELLED


@pytest.mark.parametrize("who", ["operator", "approver"])
def test_whoever_agreed_must_still_have_the_right_when_it_starts(crew: Crew, who: str) -> None:
    other = make_person()
    give_role(other, Role.OPERATOR, Scope.system(crew.system.pk))
    drill = approved(crew)
    person = getattr(crew, who)
    held = person.assignments.get(role=who)
    end_assignment(actor=actor_of(person), assignment_id=held.pk)
    with pytest.raises(RequestVoid):
        start_drill(actor=actor_of(other), drill_id=drill.pk)
    assert mode_of(crew.system) is Mode.RUN


@pytest.mark.parametrize("who", ["operator", "approver"])
@pytest.mark.parametrize("by_window", [True, False])
def test_whoever_agreed_to_its_end_must_still_have_the_right_then(crew: Crew, who: str, by_window: bool) -> None:
    drill = started(crew, window=HOUR)
    person = getattr(crew, who)
    end_assignment(actor=actor_of(person), assignment_id=person.assignments.get(role=who).pk)
    if by_window:
        with time_machine.travel(timezone.now() + HOUR):
            watch_drills()
    else:
        end_drill(actor=actor_of(crew.engineer), drill_id=drill.pk)
    drill.refresh_from_db()
    switch = Switch.objects.get()
    assert (drill.status, drill.ended_by) == (Status.ENDED, "window" if by_window else "person")
    assert mode_of(crew.system) is Mode.STOP, "nobody loosens what they may not"
    assert (switch.drill_id, switch.reason_code) == (None, "rights-ended"), "it is in earnest now"
    assert drill.epoch is not None and switch.epoch > drill.epoch
    alert = Alert.objects.get(kind="drill.not_restored")
    assert (alert.system_id, alert.about_id) == (crew.system.pk, switch.pk)


# --- measures --------------------------------------------------------------------------------------------------------
@pytest.fixture
def client(crew: Crew) -> KeyGrant:
    return reading(crew.system)


def test_it_measures_who_saw_applied_drained_and_who_was_silent(crew: Crew, client: KeyGrant) -> None:
    for name in ("a", "b", "c"):
        ack(client, crew.system, current_epoch(), instance=name)
    drill = started(crew)
    ack(client, crew.system, drill.epoch, Mode.STOP, instance="a", has_drained=True)
    ack(client, crew.system, drill.epoch, None, instance="b")
    assert {each.instance: each.applied_at is not None for each in readings_of(drill)} == {
        "a": True,
        "b": False,
        "c": False,
    }
    assert not DrillReading.objects.exists(), "looking writes nothing"
    watch_drills()  # before the rows of instances move on
    assert (DrillReading.objects.count(), watch_drills(), DrillReading.objects.count()) == (3, 1, 3)
    send_epoch = stop(make_system()).epoch
    ack(client, crew.system, send_epoch, Mode.STOP, instance="a")
    measures = ended(crew, drill).measures
    assert {name: measures[name] for name in ("expected", "seen", "applied", "drained", "silent")} == {
        "expected": 3, "seen": 2, "applied": 1, "drained": 1, "silent": ["c"],
    }  # fmt: skip
    assert 0 <= measures["applied_s"]["first"] <= measures["applied_s"]["last"] < 60
    ack(client, crew.system, current_epoch(), Mode.RUN, instance="c")
    drill.refresh_from_db()
    assert drill.measures["silent"] == ["c"], "frozen at its end"


def test_whoever_looks_at_a_running_drill_writes_nothing(crew: Crew, client: KeyGrant) -> None:
    for name in ("a", "b"):
        ack(client, crew.system, current_epoch(), instance=name)
    drill = started(crew)
    ack(client, crew.system, drill.epoch, Mode.STOP, instance="a")
    with CaptureQueriesContext(connection) as looking:
        assert [each.applied_at is not None for each in readings_of(drill)] == [True, False]
    assert {each["sql"].split()[0] for each in looking} == {"SELECT"}
    with CaptureQueriesContext(connection) as sweeping:
        keep_readings(drill)
        keep_readings(drill)  # as two sweeps at once
    assert len([each for each in sweeping if "INSERT INTO overrides_drillreading" in each["sql"]]) == 2
    first = drill.readings.get(instance="a").applied_at
    ClientInstance.objects.update(applied_at=timezone.now() + HOUR)
    keep_readings(drill)
    assert drill.readings.get(instance="a").applied_at == first, "the first time counts"


def test_a_drill_raises_no_alert_of_a_real_stop(crew: Crew, client: KeyGrant) -> None:
    ack(client, crew.system, current_epoch())
    started(crew)
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        watch_changes()
    assert not Alert.objects.exists()


def test_a_probe_as_a_drill_changes_nothing_and_counts_who_heard(crew: Crew, client: KeyGrant) -> None:
    for name in ("a", "b"):
        ack(client, crew.system, current_epoch(), instance=name)
    drill = start_drill(actor=actor_of(crew.engineer), drill_id=plan(crew, "probe", by=crew.engineer).pk)
    assert mode_of(crew.system) is Mode.RUN and Switch.objects.count() == 0
    ack(client, crew.system, drill.epoch, Mode.RUN, instance="a")
    measures = ended(crew, drill).measures
    assert (measures["expected"], measures["applied"], measures["silent"]) == (2, 1, ["b"])


# --- what it showed --------------------------------------------------------------------------------------------------
def test_a_person_concludes_and_findings_have_owners_and_dates(crew: Crew) -> None:
    drill = start_drill(actor=actor_of(crew.operator), drill_id=plan(crew, "table_top").pk)
    finding = record_finding(
        actor=actor_of(crew.operator),
        drill_id=drill.pk,
        text="Nobody knew the number.",
        owner=crew.engineer,
        due_on=timezone.localdate() + timedelta(days=7),
    )
    with pytest.raises(DrillNotReady):
        conclude_drill(actor=actor_of(crew.operator), drill_id=drill.pk, conclusion="passed", note="Fine.")
    ended(crew, drill)
    with pytest.raises(InvalidInput):
        conclude_drill(actor=actor_of(crew.operator), drill_id=drill.pk, conclusion="passed", note=" ")
    done = conclude_drill(actor=actor_of(crew.operator), drill_id=drill.pk, conclusion="partly", note="Slow.")
    assert (done.status, done.conclusion, done.measures) == (Status.CONCLUDED, "partly", {})
    with pytest.raises(Forbidden):
        close_finding(actor=actor_of(make_person()), finding_id=finding.pk, resolution="Written down.")
    assert close_finding(actor=actor_of(crew.engineer), finding_id=finding.pk, resolution="Written down.").closed_at
    data = b"".join(bytes(each) for each in Entry.objects.values_list("data", flat=True))
    assert b"number." not in data and b"Slow." not in data


@pytest.mark.parametrize(("risk", "days"), [("high", 92), ("minimal", 366)])
def test_an_overdue_drill_is_a_debt_and_one_alert(crew: Crew, risk: str, days: int) -> None:
    AISystem.objects.filter(pk=crew.system.pk).update(status="live", risk_class=risk)
    (debt,) = drill_debts()
    assert (debt.due_at - crew.system.created_at).days == days
    with time_machine.travel(crew.system.created_at + timedelta(days=days, hours=1)):
        assert alert_overdue() == alert_overdue() == 1
        alert = Alert.objects.get(kind="drill.overdue")
        assert alert.occurrences == 1 and alert.system_id == crew.system.pk
        probe = start_drill(actor=actor_of(crew.operator), drill_id=plan(crew, "probe").pk)
        ended(crew, probe)
        conclude_drill(actor=actor_of(crew.operator), drill_id=probe.pk, conclusion="passed", note="All.")
        assert alert_overdue() == 1, "a probe is no drill"
        drill = start_drill(actor=actor_of(crew.operator), drill_id=plan(crew, "table_top").pk)
        ended(crew, drill)
        conclude_drill(actor=actor_of(crew.operator), drill_id=drill.pk, conclusion="passed", note="All.")
        assert alert_overdue() == 0


# --- between drills --------------------------------------------------------------------------------------------------
def test_a_probe_shows_who_is_armed_and_since_when_not(crew: Crew, client: KeyGrant) -> None:
    AISystem.objects.filter(pk=crew.system.pk).update(status="live")
    for name in ("armed", "deaf"):
        ack(client, crew.system, current_epoch(), instance=name)
    first = send_probe()
    assert first is not None
    Probe.objects.update(sent_at=timezone.now())
    ack(client, crew.system, first, Mode.RUN, instance="armed")
    later = timezone.now() + timedelta(seconds=31)
    found = {each.instance.instance: each for each in armed_instances(crew.system.pk, later)}
    assert {name: each.state for name, each in found.items()} == {"armed": "armed", "deaf": "not_armed"}
    assert found["deaf"].since == Probe.objects.get().sent_at
    assert {each.state for each in armed_instances(crew.system.pk, later - timedelta(seconds=20))} == {"armed"}
    silent = armed_instances(crew.system.pk, later + timedelta(minutes=1))
    assert {each.state for each in silent} == {"silent"}
    with time_machine.travel(later):
        assert alert_not_armed() == alert_not_armed() == 1
    assert Alert.objects.get(kind="client.not_armed").facts["not_armed"] == 1


def test_who_reads_by_ofrep_cannot_confirm_and_raises_no_alert(crew: Crew, client: KeyGrant) -> None:
    AISystem.objects.filter(pk=crew.system.pk).update(status="live")
    note_seen(grant=client, instance="stock", epoch=current_epoch())
    send_probe()
    with time_machine.travel(timezone.now() + timedelta(seconds=35)):
        assert [each.state for each in armed_instances(crew.system.pk)] == ["cannot_confirm"]
        assert alert_not_armed() == 0


def test_a_silent_instance_whose_key_is_used_is_cut_off(crew: Crew, client: KeyGrant) -> None:
    AISystem.objects.filter(pk=crew.system.pk).update(status="live")
    ack(client, crew.system, current_epoch())
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        assert alert_not_armed() == 0, "it may have been shut down"
        ServiceKey.objects.filter(pk=client.key.id).update(last_used_at=timezone.now())
        assert alert_not_armed() == 1


def test_no_probe_goes_out_while_a_live_drill_runs(crew: Crew) -> None:
    drill = started(crew)
    before = current_epoch()
    assert send_probe() is None and current_epoch() == before
    ended(crew, drill)
    assert send_probe() == current_epoch()


def test_a_drill_that_cannot_be_ended_keeps_no_other_running(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    other = make_crew()
    drills = sorted((started(crew), started(other)), key=lambda each: each.pk)
    really = drill_running._end

    def fails(seal: Any, actor: Any, drill: Drill, why: Any) -> None:
        if drill.pk == drills[0].pk:
            raise RuntimeError("a fault of ours")
        really(seal, actor, drill, why)

    monkeypatch.setattr(drill_running, "_end", fails)
    with time_machine.travel(timezone.now() + 2 * HOUR):
        assert watch_drills() == 1
    assert [Drill.objects.get(pk=each.pk).status for each in drills] == [Status.RUNNING, Status.ENDED]


def test_a_drill_whose_thrower_died_is_thrown_by_whoever_tries_again(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    drill = approved(crew)

    def dies(**given: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying, pytest.raises(KeyboardInterrupt):
        dying.setattr(drill_running, "tighten", dies)
        start_drill(actor=actor_of(crew.operator), drill_id=drill.pk)
    assert mode_of(crew.system) is Mode.RUN and Drill.objects.get().status == Status.RUNNING
    again = start_drill(actor=actor_of(crew.operator), drill_id=drill.pk)
    assert mode_of(crew.system) is Mode.STOP and again.epoch == Switch.objects.get().epoch
    with pytest.raises(DrillNotReady):
        start_drill(actor=actor_of(crew.operator), drill_id=drill.pk)
    assert kinds_about(drill).count("drill.started") == 2, "begun once, thrown once"


def test_a_throw_that_nobody_lived_to_note_is_measured(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(drill_running, "_note_throw", lambda *args: None)
        drill = started(crew)
        assert drill.epoch is None
    watch_drills()
    found = Drill.objects.get()
    assert (found.epoch, found.requested_at) == (Switch.objects.get().epoch, SwitchChange.objects.get().requested_at)
