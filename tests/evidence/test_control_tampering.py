"""What SQL can do to the rows beside a switch, found: its changes with their confirmations, and recoveries."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from psycopg import sql

from evidence.services.self_audit import audit_loose_ends
from evidence.verification import controls, verify_everything
from governance.models import AISystem
from ledger.entries import SERVER
from ledger.errors import SigningKeyUnavailable
from overrides.models import ControlRecovery, SwitchChange
from overrides.services.confirming import watch_changes
from overrides.services.recovery import recover_control, seal_recoveries
from overrides.services.switches import Tightened, seal_waiting_switches
from overrides.standing import Epoch, InFlight, Mode, Node, SwitchState
from tests.evidence.test_tampering import as_owner, columns_of, other_value
from tests.factories.control import ack, clear, reading, stop
from tests.factories.register import make_system

pytestmark = pytest.mark.committing
CHANGES, RECOVERIES = SwitchChange._meta.db_table, ControlRecovery._meta.db_table
LATER = timedelta(minutes=2)


def confirmed() -> Tightened:
    """A stop that both who were there have applied."""
    system = make_system()
    grant = reading(system)
    hosts = ["host-1", "host-2"]
    for host in hosts:
        ack(grant, system, Epoch(1, 0), instance=host)
    done = stop(system)
    for host in hosts:
        ack(grant, system, done.epoch, Mode.STOP, instance=host)
    watch_changes()
    assert SwitchChange.objects.get(pk=done.change.pk).status == "confirmed"
    return done


def reported() -> Tightened:
    """One that nobody had applied a minute later."""
    system = make_system()
    ack(reading(system), system, Epoch(1, 0))
    done = stop(system)
    with time_machine.travel(timezone.now() + LATER):
        watch_changes()
    assert SwitchChange.objects.get(pk=done.change.pk).reported_at is not None
    return done


def recovered() -> ControlRecovery:
    recovery = recover_control(cause="host-file", above=Epoch(3, 7), known=[])
    assert recovery is not None and seal_recoveries() == 1
    return recovery


CODES = {CHANGES: ("change-altered", "change-missing"), RECOVERIES: ("recovery-altered", "recovery-missing")}
"""What a row is found as that was changed, and one that was lost."""


def unfound(keeper_url: str, table: str, row: Any, edits: dict[str, sql.Composable]) -> list[str]:
    """Names of the edits of one row that are neither refused nor found as what they are, its table and row named."""
    missed = []
    with as_owner(keeper_url) as cursor:
        assert list(verify_everything()) == []
        for name, statement in edits.items():
            cursor.execute("SAVEPOINT edit")
            with suppress(IntegrityError):  # what a constraint refuses needs no finding
                cursor.execute(statement, [row])
                assert cursor.rowcount == 1, name
                code = CODES[table][name == "loss"]
                if (code, table, str(row)) not in {(each.code, each.table, each.row) for each in verify_everything()}:
                    missed.append(name)
            cursor.execute("ROLLBACK TO edit")
    return missed


def edits_of(keeper_url: str, model: Any, without: tuple[str, ...] = ("id",)) -> dict[str, sql.Composable]:
    with as_owner(keeper_url) as cursor:
        return {column: sql.SQL("UPDATE {} SET {} = {} WHERE id = %s").format(
            sql.Identifier(table), sql.Identifier(column), other_value(cursor, table, column)
        ) for table, column in columns_of(model) if column not in without}  # fmt: skip


def loss_of(table: str) -> dict[str, sql.Composable]:
    return {"loss": sql.SQL("DELETE FROM {} WHERE id = %s").format(sql.Identifier(table))}


def test_an_edit_of_any_column_of_a_confirmed_change_is_found(keeper_url: str) -> None:
    change = confirmed().change
    assert unfound(keeper_url, CHANGES, change.pk, edits_of(keeper_url, SwitchChange) | loss_of(CHANGES)) == []


def test_an_edit_of_one_that_was_not_confirmed_in_time_is_found(keeper_url: str) -> None:
    """But for when nobody looked any more, which is no evidence of anything."""
    change = reported().change
    edits = edits_of(keeper_url, SwitchChange, without=("id", "settled_at"))
    assert unfound(keeper_url, CHANGES, change.pk, edits | loss_of(CHANGES)) == []


def test_a_confirmation_that_was_made_up_is_found(keeper_url: str) -> None:
    """All columns that go together at once, as whoever knows the code would write them."""
    change = reported().change
    instance = change.expected["instances"][0]
    made_up = sql.SQL(
        "UPDATE overrides_switchchange SET status = 'confirmed', confirmed_count = 1, confirmed_at = now(),"
        " settled_at = now(), applied = jsonb_build_object({}, now()::text) WHERE id = %s"
    ).format(sql.Literal(instance))
    assert unfound(keeper_url, CHANGES, change.pk, {"made up": made_up}) == []


def test_a_change_that_was_slipped_in_is_found(keeper_url: str) -> None:
    change = confirmed().change
    columns = [column for _, column in columns_of(SwitchChange)]
    values = {"id": sql.SQL("gen_random_uuid()"), "number": sql.SQL("number + 1000")}
    copy = sql.SQL("INSERT INTO {t} ({c}) SELECT {v} FROM {t} WHERE id = %s").format(
        t=sql.Identifier(CHANGES),
        c=sql.SQL(", ").join(map(sql.Identifier, columns)),
        v=sql.SQL(", ").join(values.get(column, sql.Identifier(column)) for column in columns),
    )
    with as_owner(keeper_url) as cursor:
        cursor.execute(copy, [change.pk])
        found = {(each.code, each.table) for each in verify_everything()}
    assert ("change-without-entry", CHANGES) in found


def test_an_edit_and_the_loss_of_a_recovery_are_found(keeper_url: str) -> None:
    recovery = recovered()
    edits = edits_of(keeper_url, ControlRecovery) | loss_of(RECOVERIES)
    unsealed = {"unsealed": sql.SQL("UPDATE overrides_controlrecovery SET entry_id = NULL WHERE id = %s")}
    assert unfound(keeper_url, RECOVERIES, recovery.pk, edits | unsealed) == []


def test_a_recovery_that_was_slipped_in_beside_anothers_entry_is_found(keeper_url: str) -> None:
    recovery = recovered()
    columns = [column for _, column in columns_of(ControlRecovery) if column != "id"]
    named = sql.SQL(", ").join(map(sql.Identifier, columns))
    copy = sql.SQL("INSERT INTO {t} (id, {c}) SELECT gen_random_uuid(), {c} FROM {t} WHERE id = %s")
    with as_owner(keeper_url) as cursor:
        cursor.execute(copy.format(t=sql.Identifier(RECOVERIES), c=named), [recovery.pk])
        found = {(each.code, each.table) for each in verify_everything()}
    assert ("recovery-without-entry", RECOVERIES) in found


def test_tightenings_that_one_late_entry_seals_are_each_in_it(keeper_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    system = make_system()
    with monkeypatch.context() as broken:
        broken.setattr("ledger.sealing.signing_seeds", _gone)
        for mode in (Mode.REVIEW, Mode.STOP):
            assert not stop(system, mode=mode).is_sealed
        assert list(verify_everything()) == []
    assert seal_waiting_switches() == 1
    assert list(verify_everything()) == []
    first = SwitchChange.objects.order_by("id")[0]
    assert first.to_mode == "review"
    edits = edits_of(keeper_url, SwitchChange, without=("id", "settled_at"))
    assert unfound(keeper_url, CHANGES, first.pk, edits | loss_of(CHANGES)) == []


def test_the_entries_of_a_switch_are_read_once_however_many_changes_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the cost grows with the square of them."""
    monkeypatch.setattr(controls, "AT_ONCE", 2)
    systems = [make_system() for _ in range(3)]
    for mode in (Mode.REVIEW, Mode.STOP):
        for system in systems:
            stop(system, mode=mode)
    assert SwitchChange.objects.count() == 6
    [walk] = [each for each in controls.walks() if each.table == CHANGES]
    with CaptureQueriesContext(connection) as queries:
        assert walk.step(None) == ([], None)
    assert len([each for each in queries if 'SELECT "ledger_entry"."data"' in each["sql"]]) == 1


def test_what_is_changed_while_the_self_audit_looks_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries first, rows afterwards: what comes between must stand in both or in neither."""
    system = make_system()
    stop(system, mode=Mode.REVIEW)
    judge = controls._judge_changes

    def meanwhile(ids: Any, stated: Any) -> Any:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_stop_elsewhere, system).result()
        return judge(list(SwitchChange.objects.values_list("pk", flat=True)), stated)

    monkeypatch.setattr(controls, "_judge_changes", meanwhile)
    assert audit_loose_ends(actor=SERVER, seconds=30) == 0
    assert SwitchChange.objects.count() == 2


def _stop_elsewhere(system: AISystem) -> None:
    stop(system)
    connection.close()


def _gone() -> None:
    raise SigningKeyUnavailable("gone")


def test_what_was_reinstated_loosened_and_confirmed_late_agrees_with_its_entries() -> None:
    done = reported()
    clear(done)
    recover_control(cause="memory", above=Epoch(5, 1), known=[_state(done)])
    seal_waiting_switches()
    seal_recoveries()
    watch_changes()
    assert list(verify_everything()) == []


def _state(done: Tightened) -> SwitchState:
    switch = done.switch
    return SwitchState(
        id=switch.pk, node=Node(system_id=switch.system_id), mode=Mode.STOP, epoch=Epoch(5, 0),
        reason_code="harm-reported", in_flight=InFlight.HOLD, changed_at=timezone.now(),
    )  # fmt: skip
