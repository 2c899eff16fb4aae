"""A stop takes effect whatever keeps its log from taking the entry, shows so, and is sealed later. Nothing else may."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection, connections

from evidence.services.custody import close_log
from evidence.verification import verify_everything
from governance.models import AISystem, Person
from ledger.entries import COMMAND
from ledger.errors import SigningKeyUnavailable
from ledger.heads import head_store
from ledger.models import Entry
from ledger.selectors import open_log
from overrides import memory
from overrides.clock import current_epoch
from overrides.models import LooseningRequest, Switch
from overrides.services.loosening import approve_loosening, void_passed_requests
from overrides.services.recovery import recover_control
from overrides.services.switches import seal_waiting_switches
from overrides.standing import Epoch, Mode
from tests.factories.control import approver_of, ask_for, clear, operator_of, stop
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db


def mode_of(system: AISystem) -> Mode:
    return memory.current().control.mode(system.pk, "production")


def gone() -> Any:
    raise SigningKeyUnavailable("gone")


def findings() -> set[str]:
    return {each.code for each in verify_everything()}


def test_without_a_signing_key() -> None:
    system = make_system()
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr("ledger.sealing.signing_seeds", gone)
        done = stop(system)
        assert (mode_of(system), done.is_sealed, done.switch.revision) == (Mode.STOP, False, 0)
        assert seal_waiting_switches() == 0
    assert seal_waiting_switches() == 1
    switch = Switch.objects.get()
    assert (switch.seal_pending, switch.revision) == (False, 1)
    assert b'"late":true' in bytes(Entry.objects.get(about_id=switch.pk).data)


def test_without_a_head_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = make_system()
    head_store().close()
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(settings, "HEAD_STORE", tmp_path / "file" / "heads.sqlite3")
    done = stop(system)
    assert (mode_of(system), done.is_sealed) == (Mode.STOP, False)


def test_of_a_log_that_was_turned_back_until_it_has_a_successor() -> None:
    system = make_system()
    people = [make_person(administrator=True), make_person(administrator=True)]
    log = open_log(system.pk)
    head_store().advance(log.pk, 1_000, bytes(32))  # as after a restore: more was signed than is there
    done = stop(system)
    assert (mode_of(system), done.is_sealed) == (Mode.STOP, False)
    assert seal_waiting_switches() == 0
    close_log(actor=COMMAND, asked_by=people[0], approved_by=people[1], log=log)
    assert seal_waiting_switches() == 1  # in the successor


def test_what_waits_is_no_tampering_and_what_was_forged_is() -> None:
    system = make_system()
    stop(system, mode=Mode.REVIEW)
    other = make_system()
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr("ledger.sealing.signing_seeds", gone)
        stop(system)  # a second change of a sealed row
        stop(other)  # a row without any entry
    assert findings() == set()
    with connection.cursor() as cursor:  # behind the services' back: loosened, and said to wait
        cursor.execute("UPDATE overrides_switch SET mode = 'run' WHERE system_id = %s", [system.pk])
    assert findings() == {"row-altered"}
    with connection.cursor() as cursor:
        cursor.execute("UPDATE overrides_switch SET mode = 'stop' WHERE system_id = %s", [system.pk])
        cursor.execute("UPDATE overrides_switch SET mode = 'run' WHERE system_id = %s", [other.pk])
    assert findings() == {"row-without-history"}


def test_the_sweep_makes_no_evidence_of_a_forgery() -> None:
    system = make_system()
    stop(system)
    with connection.cursor() as cursor:  # behind the services' back: loosened, and said to wait for its entry
        cursor.execute("UPDATE overrides_switch SET mode = 'review', number = number + 1, seal_pending = true")
    entries = Entry.objects.count()
    assert (seal_waiting_switches(), Entry.objects.count()) == (0, entries)
    assert findings() == {"row-altered"}
    assert stop(system).is_sealed  # and nobody is kept from stopping it


def test_an_edited_switch_that_does_not_wait_is_found() -> None:
    system = make_system()
    stop(system)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE overrides_switch SET mode = 'run'")
    assert "row-altered" in findings()


def test_everything_verifies_after_it_was_sealed_late() -> None:
    system = make_system()
    stop(system, mode=Mode.REVIEW)
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr("ledger.sealing.signing_seeds", gone)
        done = stop(system, note="smoke")
    seal_waiting_switches()
    clear(done, system)
    assert findings() == set()


def test_nobody_loosens_without_a_log() -> None:
    system = make_system()
    done = stop(system)
    asked, approver = ask_for(done, operator_of(system)), approver_of()
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr("ledger.sealing.signing_seeds", gone)
        with pytest.raises(SigningKeyUnavailable):
            approve(asked, approver)
    assert mode_of(system) is Mode.STOP


def approve(asked: LooseningRequest, approver: Person) -> None:
    approve_loosening(actor=actor_of(approver), request_id=asked.pk)


def test_a_request_that_an_unsealed_stop_passed_is_voided_by_the_sweep() -> None:
    system = make_system()
    asked = ask_for(stop(system, mode=Mode.REVIEW), operator_of(system))
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr("ledger.sealing.signing_seeds", gone)
        stop(system)
    assert void_passed_requests() == 1
    asked.refresh_from_db()
    assert asked.status == "void"


@pytest.mark.committing
def test_a_busy_log_keeps_a_stop_for_about_a_second(database_url: str) -> None:
    system = make_system()
    log = open_log(system.pk)
    with psycopg.connect(database_url) as holding:
        holding.execute("SELECT id FROM ledger_log WHERE id = %s FOR NO KEY UPDATE", [log.pk])
        started = time.monotonic()
        done = stop(system)
        took = time.monotonic() - started
    assert (mode_of(system), done.is_sealed) == (Mode.STOP, False)
    assert 0.9 < took < 2.5
    assert seal_waiting_switches() == 1


@pytest.mark.committing
def test_whoever_loosens_at_a_busy_log_does_not_hold_up_a_stop_of_another_system(database_url: str) -> None:
    busy, other = make_system(), make_system()
    done = stop(busy)
    asked, approver = ask_for(done, operator_of(busy)), approver_of()

    def approve_in_vain() -> None:
        try:
            approve(asked, approver)
        except Exception:  # noqa: BLE001 - the log is busy, so it is refused
            pass
        finally:
            connections.close_all()

    with psycopg.connect(database_url) as holding:
        holding.execute("SELECT id FROM ledger_log WHERE id = %s FOR NO KEY UPDATE", [open_log(busy.pk).pk])
        thread = threading.Thread(target=approve_in_vain)
        thread.start()
        time.sleep(0.3)
        started = time.monotonic()
        assert stop(other).switch.mode == "stop"
        assert time.monotonic() - started < 2.5
        thread.join(20)
    assert mode_of(busy) is Mode.STOP


FULL_QUEUE = (
    "CREATE TABLE announced (id int);"
    " CREATE FUNCTION full_queue() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'too many notifications in the NOTIFY queue'; END $$;"
    " CREATE CONSTRAINT TRIGGER full_queue AFTER INSERT ON announced DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION full_queue();"
    " GRANT INSERT ON announced TO app"
)


@contextmanager
def full_queue_of_notifications(keeper_url: str) -> Iterator[None]:
    """As with one listener who reads none: each COMMIT fails that would announce something."""
    with psycopg.connect(keeper_url, autocommit=True) as keeper:
        keeper.execute(FULL_QUEUE)

    def and_fails(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        found = execute(sql, params, many, context)
        if "pg_notify" in sql:
            execute("INSERT INTO announced VALUES (1)", None, False, context)
        return found

    with connection.execute_wrapper(and_fails):
        yield


@pytest.mark.committing
@pytest.mark.parametrize("has_log", [True, False])
def test_a_notification_that_fails_loses_no_stop(has_log: bool, keeper_url: str) -> None:
    system = make_system()
    before = memory.current().control.epoch
    with pytest.MonkeyPatch.context() as broken, full_queue_of_notifications(keeper_url):
        if not has_log:
            broken.setattr("ledger.sealing.signing_seeds", gone)
        done = stop(system)
    assert (mode_of(system), done.is_sealed, Switch.objects.get().mode) == (Mode.STOP, False, "stop")
    assert memory.current().control.epoch > before
    assert seal_waiting_switches() == 1
    assert findings() == set()


@pytest.mark.committing
def test_a_notification_that_fails_keeps_no_recovery_back(keeper_url: str) -> None:
    with full_queue_of_notifications(keeper_url):
        found = recover_control(cause="memory", above=Epoch(7, 7), known=[])
    assert found is not None and current_epoch() > Epoch(7, 7)
