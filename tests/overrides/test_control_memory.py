"""What is committed is in force in every process within two seconds: heard, or found by looking once a second."""

import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta

import psycopg
import pytest
import time_machine
from django.db import connections
from django.utils import timezone
from prometheus_client import Gauge

from governance import memory as register_memory
from governance.api.authentication import authenticate_key
from governance.services.promotions import retire_version
from governance.services.systems import EDITABLE, end_environment, retire_system
from governance.services.versions import register_version
from ledger.models import Entry
from notices.models import Alert
from overrides import known_here, memory
from overrides.clients import metrics
from overrides.clients.reach import Sight, reach_of
from overrides.clients.state import StateDocument, state_document
from overrides.clock import current_epoch
from overrides.errors import ControlsStale
from overrides.models import ControlRecovery, Switch
from overrides.services.parameter_requests import approve_change
from overrides.services.parameters import ask_to_retire_parameter
from overrides.services.recovery import recover_if_restored, seal_recoveries
from overrides.services.rules import approve_rule_change, change_rule
from overrides.services.switches import seal_waiting_switches
from overrides.standing import Epoch, Mode
from tests.factories.control import clear, operator_of, stop
from tests.factories.parameters import make_crew
from tests.factories.register import actor_of, make_key, make_system
from tests.factories.reviews import make_queue, make_rule

pytestmark = pytest.mark.committing


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process's memory with its thread, as in production."""
    monkeypatch.setattr(memory, "polling", True)
    monkeypatch.setattr("governance.memory.polling", True)
    memory.current()
    yield
    memory.polling = False
    register_memory.polling = False
    for thread in (memory._memory.thread, register_memory._memory.thread):
        if thread is not None:
            thread.join(10)


def until(is_so: Callable[[], object], seconds: float = 10.0) -> float:
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() - started < seconds, "did not come about"
        time.sleep(0.01)
    return time.monotonic() - started


def settle() -> None:
    """Until the listening thread has noted all that the register says by now: none of it passes for what comes next."""
    register_memory.refresh()
    until(lambda: memory._memory.register is register_memory.current())
    until(lambda: memory.current().control.epoch == current_epoch())


def says(system: object, mode: Mode) -> Callable[[], bool]:
    return lambda: memory.current().control.mode(system.pk, "production") is mode  # type: ignore[attr-defined]


def test_a_stop_is_heard_at_once(listening: None) -> None:
    system = make_system()
    time.sleep(0.5)
    stop(system)
    assert until(says(system, Mode.STOP)) < 0.5


def test_metrics_say_whether_changes_are_heard_and_when_it_looked_last(
    listening: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def value(gauge: Gauge) -> float:
        (sample,) = next(iter(gauge.collect())).samples
        return sample.value

    memory.current()
    until(lambda: value(metrics.LISTENING) == 1)
    until(lambda: abs(time.time() - value(metrics.LAST_LOOK)) < 1)

    def away(*args: object) -> None:
        raise psycopg.OperationalError("away")

    monkeypatch.setattr(memory, "_connect", away)
    monkeypatch.setattr(memory, "_look", away)
    until(lambda: value(metrics.LISTENING) == 0)
    until(lambda: time.time() - value(metrics.LAST_LOOK) > 2)


def test_a_notification_that_is_lost_costs_one_look(listening: None, monkeypatch: pytest.MonkeyPatch) -> None:
    system = make_system()
    monkeypatch.setattr("overrides.clock.CHANNEL", "nobody_listens_here")
    stop(system)
    assert until(says(system, Mode.STOP)) < 2.0


def test_a_connection_that_hangs_is_given_up(listening: None, database_url: str) -> None:
    system = make_system()
    until(lambda: memory._memory.thread is not None and not memory.is_stale())
    with psycopg.connect(database_url, autocommit=True) as other:
        found = other.execute(
            # the one that listens: not another of the same thread, whose answer the look waits for at this very moment
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE '% (listens)'"
        ).fetchall()
    assert found
    for (pid,) in found:
        os.kill(pid, signal.SIGSTOP)
    try:
        connections.close_all()  # one of them may be this thread's
        stop(system)
        assert until(says(system, Mode.STOP)) < 5.0
    finally:
        for (pid,) in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_what_may_be_missed_is_said(listening: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory.fresh() is memory.current()
    monkeypatch.setattr(memory, "MENDED_WITHIN_SECONDS", 0.05)
    monkeypatch.setattr(memory, "is_stale", lambda: True)
    with pytest.raises(ControlsStale):
        memory.fresh()


def test_a_halted_process_that_holds_the_file_keeps_no_stop_waiting() -> None:
    system = make_system()
    with known_here.path().with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        began = time.monotonic()
        stop(system)
        assert time.monotonic() - began < 5.0
        assert Switch.objects.get().mode == "stop"
        assert known_here.read().epoch < Switch.objects.get().epoch
    known_here.remember_control()
    assert known_here.read().epoch == Switch.objects.get().epoch


def test_a_killed_listener_comes_back(listening: None, database_url: str) -> None:
    system = make_system()
    until(lambda: memory._memory.thread is not None)
    with psycopg.connect(database_url, autocommit=True) as other:
        killed = other.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND query LIKE '%controlclock WHERE id = 1%'"
        ).fetchone()
    assert killed is not None and killed[0] >= 1
    stop_anew(system)
    assert until(says(system, Mode.STOP)) < 4.0
    until(lambda: not memory.is_stale())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_started_again(listening: None, monkeypatch: pytest.MonkeyPatch) -> None:
    until(memory.is_listening)
    died = memory._memory.thread

    def broken(*args: object) -> None:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as faulty:
        faulty.setattr(memory, "_look", broken)
        faulty.setattr(memory, "_pause", broken)  # and again where the first one is caught
        until(lambda: died is not None and not died.is_alive())
    memory.current()
    until(lambda: memory.is_listening() and not memory.is_stale())
    assert memory._memory.thread is not died


def stop_anew(system: object) -> None:
    from django.db import connection

    connection.close()
    stop(system)  # type: ignore[arg-type]


def test_without_a_look_the_state_counts_and_says_that_it_is_stale(
    listening: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = make_system()
    stop(system)
    until(says(system, Mode.STOP))
    assert not memory.is_stale()

    def away(*args: object) -> None:
        raise psycopg.OperationalError("away")

    monkeypatch.setattr(memory, "_look", away)
    monkeypatch.setattr(memory, "_connect", away)
    until(memory.is_stale)
    assert memory.current().control.mode(system.pk, "production") is Mode.STOP


def test_subscribers_hear_of_each_state_and_a_broken_one_harms_nobody(listening: None) -> None:
    system, heard = make_system(), threading.Event()

    def broken(controls: object) -> None:
        raise RuntimeError("a fault of the subscriber's")

    ends = [memory.subscribe(broken), memory.subscribe(lambda controls: heard.set())]
    stop(system)
    assert heard.wait(5)
    for end in ends:
        end()
    heard.clear()
    clear(stop(system), system)
    until(says(system, Mode.RUN))
    assert not heard.is_set()


def test_a_child_process_starts_a_thread_of_its_own(listening: None) -> None:
    stop(make_system())
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # no thread came along, and the lock is free
        os.write(write, b"1" if memory._memory.thread is None and memory._memory.lock.acquire(timeout=1) else b"0")
        os._exit(0)
    assert os.read(read, 1) == b"1"
    os.waitpid(child, 0)
    assert memory._memory.thread is not None


def test_what_the_register_says_to_clients_is_an_epoch_too(listening: None) -> None:
    system = make_system(environments=["production", "staging"])
    person = operator_of(system, "accountable")
    settle()

    def rises(act: Callable[[], object]) -> None:
        before = memory.current().control.epoch
        act()
        until(lambda: memory.current().control.epoch > before)
        settle()

    place = system.environments.get(slug="staging")
    rises(lambda: end_environment(actor=actor_of(person), environment_id=place.pk))
    rises(lambda: retire_system(actor=actor_of(person), system_id=system.pk))
    settled = memory.current().control.epoch
    time.sleep(2.2)
    assert memory.current().control.epoch == settled


def test_what_ends_in_the_register_or_beside_it_reaches_clients(listening: None) -> None:
    crew = make_crew(environments=["production"])
    key, parameter = make_key(crew.system, scopes=["control:read"]), crew.parameter()
    version = register_version(actor=actor_of(crew.engineer), system_id=crew.system.pk, version="2.1")
    rule = make_rule(crew.system, make_queue(crew.engineer))
    time.sleep(2.5)
    grant = authenticate_key(f"Bearer {key.text}")

    def said() -> StateDocument:
        controls, register, now = memory.current(), register_memory.current(), timezone.now()
        return state_document(
            Sight(controls=controls, register=register, reach=reach_of(grant), is_stale=False, now=now)
        )

    def told() -> tuple[Epoch, str]:
        return memory.current().control.epoch, said().etag

    def reaches(act: Callable[[], object]) -> None:
        epoch, etag = told()
        act()
        until(lambda: told()[0] > epoch and told()[1] != etag, 4)
        time.sleep(1.5)  # or what comes of it late would pass for what comes next

    engineer, approver = actor_of(crew.engineer), actor_of(crew.approver)
    reaches(lambda: retire_version(actor=engineer, version_id=version.pk))
    gone = ask_to_retire_parameter(actor=engineer, parameter_id=parameter.pk, reason_code="not-used")
    reaches(lambda: approve_change(actor=approver, version_id=gone.pk))
    assert parameter.name.encode() not in said().rest
    request = change_rule(actor=actor_of(crew.operator), rule_id=rule.pk, changes={"archived": True}).request
    assert request is not None
    reaches(lambda: approve_rule_change(actor=approver, change_id=request.pk))
    assert not memory.current().rules.get(crew.system.pk)
    assert "slug" not in EDITABLE, "what clients know a system by stays"


# --- what this host knows ---------------------------------------------------------------------------------------------
def turn_back(keeper_url: str) -> None:
    """As a backup from before everything would have it."""
    with psycopg.connect(keeper_url, autocommit=True) as keeper:
        keeper.execute("DELETE FROM overrides_switchchange")
        keeper.execute("DELETE FROM overrides_looseningrequest")
        keeper.execute("DELETE FROM overrides_switch")
        keeper.execute("UPDATE overrides_controlclock SET generation = 1, number = 0")


def test_the_file_has_the_epoch_and_every_switch_after_a_commit() -> None:
    system = make_system()
    done = stop(system)
    known = json.loads(known_here.path().read_bytes())
    assert (known["generation"], known["number"]) == done.epoch
    assert [each["mode"] for each in known["switches"]] == ["stop"]
    change = clear(done, system)
    assert known_here.read().epoch == change.epoch and known_here.read().switches == []


def test_a_restored_database_is_brought_ahead_and_says_stop_again(keeper_url: str) -> None:
    system = make_system()
    before = stop(system).epoch
    turn_back(keeper_url)
    memory.forget()
    recovery = recover_if_restored()
    assert recovery is not None and recovery.reinstated == 1
    control = memory.current().control
    assert control.mode(system.pk, "production") is Mode.STOP
    assert control.epoch.generation == before.generation + 1
    assert recover_if_restored() is None
    assert seal_recoveries() == 1 and seal_waiting_switches() == 1
    assert [seal_recoveries(), Alert.objects.filter(kind="control.recovered").count()] == [0, 1]
    assert b'"reinstated":1' in bytes(Entry.objects.get(kind="control.recovered").data)


def cleared_alone(system: object) -> None:
    from tests.overrides.test_emergency_clear import clear_alone, holder

    clear_alone(stop(system), holder())  # type: ignore[arg-type]


@pytest.mark.parametrize("is_over", [False, True])
def test_what_one_person_cleared_still_ends_after_a_restore(keeper_url: str, is_over: bool) -> None:
    system = make_system()
    cleared_alone(system)
    turn_back(keeper_url)
    memory.forget()
    with time_machine.travel(timezone.now() + timedelta(hours=5 if is_over else 1), tick=True):
        assert recover_if_restored() is not None
        found = Switch.objects.get()
    assert (found.mode, found.expires_at is None) == (("stop", True) if is_over else ("review", False))
    assert seal_waiting_switches() == 1
    assert Entry.objects.filter(kind="switch.reinstated", about_id=found.pk).count() == 1


def test_a_stop_right_after_a_restore_is_above_what_clients_hold(keeper_url: str) -> None:
    system, other = make_system(), make_system()
    held = [stop(other).epoch for _ in range(1)][-1]
    for _ in range(3):
        held = clear(stop(other), other).epoch
    turn_back(keeper_url)
    assert stop(system).epoch > held


def test_the_listening_thread_notices_by_itself(listening: None, keeper_url: str) -> None:
    system = make_system()
    held = stop(system).epoch
    until(says(system, Mode.STOP))
    turn_back(keeper_url)
    until(ControlRecovery.objects.exists, 5)
    until(lambda: memory.current().control.epoch > Epoch(held.generation + 1, 0), 5)
    assert memory.current().control.mode(system.pk, "production") is Mode.STOP


def test_without_the_file_a_memory_that_outlived_it_is_enough(listening: None, keeper_url: str) -> None:
    system = make_system()
    stop(system)
    until(says(system, Mode.STOP))
    turn_back(keeper_url)
    known_here.path().unlink(missing_ok=True)
    until(ControlRecovery.objects.exists, 5)
    until(says(system, Mode.STOP), 5)


def test_two_processes_at_once_recover_once(keeper_url: str) -> None:
    from tests.overrides.test_loosen import at_once

    system = make_system()
    stop(system)
    turn_back(keeper_url)
    results = at_once(*[recover_if_restored] * 6)
    assert sum(isinstance(each, ControlRecovery) for each in results) == 1, results
    assert Switch.objects.get().mode == "stop"


def test_a_file_that_cannot_be_read_or_written_stops_nobody() -> None:
    system = make_system()
    known_here.path().write_bytes(b"{broken")
    assert stop(system).switch.mode == "stop"
    assert known_here.read().epoch == Switch.objects.get().epoch


def test_an_older_state_never_replaces_a_newer_one() -> None:
    from dataclasses import replace

    done = stop(make_system())
    control = memory.current().control
    known_here.remember(replace(control, epoch=Epoch(0, 1), by_system={}))
    assert known_here.read().epoch == done.epoch
