"""What the application's role may forge, each time leaning on some genuine entry, is found; honest oddities are not."""

from typing import Any

import pytest
from django.db import ProgrammingError, connection
from django.utils import timezone

from config.ids import new_id
from evidence.verification import verify_everything
from governance.services import versions
from intake.kinds import SOURCE_ENDED, SOURCE_REGISTERED
from intake.models import Source
from ledger.entries import COMMAND, SERVER, draft_entry
from ledger.errors import LedgerRolledBack
from ledger.heads import head_store
from ledger.kinds import LOG_OPENED
from ledger.models import Entry, Head, LogClosure
from ledger.rows import sealed_columns, write_row
from ledger.sealing import sealing
from ledger.selectors import latest_checkpoint, registry_log
from tests.evidence.conftest import Organisation, record
from tests.evidence.test_tampering import as_owner


def run(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def codes() -> set[str]:
    return {finding.code for finding in verify_everything()}


@pytest.mark.parametrize("borrowed", ["a decision's entry", "an entry about the same row"])
def test_a_history_row_that_borrows_an_entry_is_found(organisation: Organisation, borrowed: str) -> None:
    system = organisation.system
    entry_id: Any = organisation.decisions[0]
    if borrowed != "a decision's entry":
        note = draft_entry(kind=LOG_OPENED, actor=SERVER, at=system.created_at, body={}, about_id=system.id)
        with sealing() as seal:
            seal.add(organisation.log.id, note)
        entry_id = note.id
    columns = [field.column for field in system.history.model._meta.concrete_fields if field.column != "history_id"]
    names = ", ".join(f'"{name}"' for name in columns)
    run(
        f"INSERT INTO governance_historicalaisystem (history_id, {names}) SELECT %s, {names}"
        " FROM governance_historicalaisystem WHERE id = %s ORDER BY revision DESC LIMIT 1",
        entry_id,
        system.id,
    )
    run("UPDATE governance_aisystem SET status = 'live', risk_class = 'minimal' WHERE id = %s", system.id)
    assert {"history-without-entry", "row-altered"} <= codes()


def test_an_erasure_that_no_entry_performed_is_found(
    transactional_db: None, organisation: Organisation, keeper_url: str
) -> None:
    """The application's role may write none; its owner may."""
    opened = organisation.log.entries.get(leaf_index=0)
    decision = organisation.decisions[3]
    permission = "INSERT INTO ledger_erasure (id, row_id, entry_id, transaction) VALUES (%s, %s, %s, 0)"
    with pytest.raises(ProgrammingError, match="permission denied"):
        run(permission, new_id(), decision, opened.id)
    with as_owner(keeper_url) as cursor:
        cursor.execute(permission, [new_id(), decision, opened.id])
        cursor.execute(
            "UPDATE audit_payload SET secret = NULL, input = NULL, output = NULL, explanation = NULL, context = NULL,"
            " refs = NULL, subject = NULL, label_terms = NULL, input_digest = NULL WHERE id = %s",
            [decision],
        )
        assert {"erasure-unsealed", "payload-gone"} <= codes()


def test_a_closure_that_no_successor_states_is_found(organisation: Organisation) -> None:
    opened = Entry.objects.filter(log=registry_log()).first()
    assert opened is not None
    LogClosure.objects.create(log=organisation.log, tree_size=5, root_hash=bytes(32), entry_id=opened.id)
    assert "log-closure-unsealed" in codes()


def test_a_head_that_the_entries_do_not_lead_to_is_neither_signed_nor_built_upon(organisation: Organisation) -> None:
    log, size = organisation.log, organisation.log.entries.count()
    genuine = Head.objects.get(log=log, tree_size=size)
    Head.objects.create(log=log, tree_size=size + 5, root_hash=bytes(32), frontier=genuine.frontier)
    with pytest.raises(LedgerRolledBack):
        latest_checkpoint(log)
    with pytest.raises(LedgerRolledBack):
        record(log, organisation.account, 1)
    head = head_store().head(log.id)
    assert head is not None
    assert head.tree_size == size


def test_changes_of_one_row_in_several_logs_are_in_order(organisation: Organisation) -> None:
    account = organisation.account
    for log in (organisation.log, registry_log()):
        account.name = f"Renamed in {log.kind}"
        with sealing() as seal:
            write_row(seal, actor=COMMAND, kind=LOG_OPENED, row=account, log_id=log.id)
    assert codes() == set()


def test_numbers_that_the_database_writes_in_another_way_are_the_same_numbers(organisation: Organisation) -> None:
    configuration = {
        "max": 3.4028235e38,
        "big": 1e30,
        "small": 1e-7,
        "one": 1.0,
        "whole": 7,
        "#": {"deep": [2.50, None]},
    }
    versions.register_version(
        actor=COMMAND, system_id=organisation.system.id, version="float-heavy", configuration=configuration
    )
    assert codes() == set()


def test_a_number_that_was_changed_inside_json_is_found(organisation: Organisation) -> None:
    versions.register_version(
        actor=COMMAND, system_id=organisation.system.id, version="v", configuration={"threshold": 0.5}
    )
    run("UPDATE governance_modelversion SET configuration = %s WHERE version = 'v'", '{"threshold": 0.6}')
    assert codes() == {"row-altered"}


LATER = {"expected_every_s", "ended_at"}


@pytest.mark.parametrize(("value", "expected"), [(None, set()), (60, {"history-altered"})])
def test_a_column_that_came_after_a_change_holds_what_it_began_with(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch, value: int | None, expected: set[str]
) -> None:
    def of_then(row: Any) -> dict[str, Any]:
        return {name: column for name, column in sealed_columns(row).items() if name not in LATER}

    source = Source(account_id=organisation.account.pk, slug="spool", expected_every_s=value)
    with monkeypatch.context() as then, sealing() as seal:
        then.setattr("ledger.rows.sealed_columns", of_then)
        write_row(seal, actor=COMMAND, kind=SOURCE_REGISTERED, row=source, log_id=registry_log().id)
    assert codes() == expected
    with sealing() as seal:
        source.ended_at = timezone.now()
        write_row(seal, actor=COMMAND, kind=SOURCE_ENDED, row=source, log_id=registry_log().id)
    assert codes() == expected
