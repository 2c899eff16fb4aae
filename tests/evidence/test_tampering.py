"""The table of edits: whatever SQL can do to the record is refused, or found by the self-audit.

Every column of every sealed table is changed, rows are deleted and forged, as the application's role and as the owner
of the tables. The owner is refused as well, while the triggers stand; then they are disabled, as an owner can, and the
self-audit must find the edit (and, if they stay disabled, that too). Governed rows and their histories are in
`test_tampering_everywhere`.

A verification takes its time. Where its findings name the row, each column is changed in another row, and one
verification tells of all of them; in the tables of the trees one edit has many findings, so there it is one by one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connections, transaction
from django.utils import timezone
from psycopg import sql

from audit.models import Decision, Payload
from config.errors import FieldProblem
from evidence.services.checkpoints import record_checkpoints
from evidence.verification import Finding, verify_everything
from governance import memory
from governance.api.authentication import KeyGrant
from intake.errors import InvalidDecision
from intake.models import QuarantinedRecord, QuarantineReceipt
from intake.services.quarantine import Refused, quarantine
from intake.services.sweeps import seal_arrivals
from ledger.entries import SERVER
from ledger.models import Checkpoint, Entry, Head, Log, Particulars, Tile
from tests.evidence.conftest import Organisation, found_organisation

pytestmark = pytest.mark.committing

# What is neither sealed nor shown as sealed: the dummy column of locks, passwords and the like (`UNSEALED_FIELDS`), and
# moments that the database itself wrote for pruning and display.
NOT_SEALED = {
    "ledger_log": {"lock", "created_at"},
    "ledger_head": {"recorded_at"},
    "ledger_checkpoint": {"created_at"},
    "ledger_particulars": {"created_at"},
}
SEALED_MODELS: list[Any] = [
    *(Log, Entry, Tile, Head, Checkpoint, Decision, Payload, Particulars),
    *(QuarantinedRecord, QuarantineReceipt),
]
SIDE_BY_SIDE: list[Any] = [Decision, Payload, QuarantinedRecord]
"""Whose findings name the row by its key."""
REFUSED = 30
"""Records in quarantine: at least one for each column."""


def columns_of(model: Any) -> Iterator[tuple[str, str]]:
    table = model._meta.db_table
    row_model = getattr(model, "instance_type", model)
    skipped = NOT_SEALED.get(table, set()) | set(getattr(row_model, "UNSEALED_FIELDS", ()))
    if model is not row_model:
        skipped |= {"history_change_reason", "reason_id"}
    for field in model._meta.concrete_fields:
        if field.column and field.column not in skipped and field.name not in skipped:
            yield table, field.column


EDITS = [edit for model in SEALED_MODELS for edit in columns_of(model)]
ALONE = [edit for model in SEALED_MODELS if model not in SIDE_BY_SIDE for edit in columns_of(model)]
TABLES = sorted({table for table, _ in EDITS})


@contextmanager
def as_owner(keeper_url: str) -> Iterator[Any]:
    """Django connected as the owner of the tables, inside a transaction that is rolled back."""
    settings = connections.settings["default"]
    before = settings["USER"]
    connections.close_all()
    settings["USER"] = connections["default"].settings_dict["USER"] = "keeper"
    try:
        with transaction.atomic(), connections["default"].cursor() as cursor:
            yield cursor
            transaction.set_rollback(True)
    finally:
        connections.close_all()
        settings["USER"] = connections["default"].settings_dict["USER"] = before


def other_value(cursor: Any, table: str, column: str) -> sql.Composable:
    """An expression for a value of the column's type that differs from what stands there."""
    cursor.execute(
        "SELECT data_type FROM information_schema.columns WHERE table_name = %s AND column_name = %s", [table, column]
    )
    (kind,) = cursor.fetchone()
    name = sql.Identifier(column)
    forms = {
        "uuid": "gen_random_uuid()",
        "bigint": "coalesce({c}, 0) + 1000000",
        "integer": "coalesce({c}, 0) + 1",
        "smallint": "coalesce({c}, 0) + 1",
        "double precision": "coalesce({c}, 0) + 0.125",
        "boolean": "NOT coalesce({c}, false)",
        "bytea": "coalesce({c}, ''::bytea) || '\\x00'::bytea",
        "jsonb": "'{{\"changed\": true}}'::jsonb",
        "timestamp with time zone": "coalesce({c}, now()) + interval '1 second'",
        "date": "coalesce({c}, current_date) + 1",
    }
    if kind == "ARRAY":
        cursor.execute(
            "SELECT udt_name FROM information_schema.columns WHERE table_name = %s AND column_name = %s",
            [table, column],
        )
        (element,) = cursor.fetchone()
        filler = "gen_random_uuid()" if element == "_uuid" else "'x'"
        return sql.SQL(f"coalesce({{c}}, '{{{{}}}}') || {filler}::{element[1:]}").format(c=name)
    form = forms.get(kind, "CASE WHEN {c} = 'x' THEN 'y' ELSE 'x' END")
    return sql.SQL(form).format(c=name)


@pytest.fixture
def organisation(transactional_db: None) -> Organisation:
    organisation = found_organisation(260)
    refuse_some(organisation)
    record_checkpoints(actor=SERVER)
    return organisation


def refuse_some(organisation: Organisation) -> None:
    """Some records go to quarantine and are counted there."""
    register = memory.fresh()
    key = next(key for key in register.keys.values() if key.account_id == organisation.account.pk)
    wrong = InvalidDecision(errors=[FieldProblem(pointer="/confidence", detail="It must be between 0 and 1.")])
    sent = [b'{"confidence": %d}' % number for number in range(2, 2 + REFUSED)]
    quarantine(KeyGrant(register, key), [Refused.of(wrong, raw, timezone.now()) for raw in sent])
    seal_arrivals()


def findings_after(cursor: Any, statement: sql.Composable) -> list[Finding] | str:
    """Do it with all triggers disabled, verify, undo. A refusal by a constraint comes back as its text."""
    cursor.execute("SAVEPOINT edit")
    try:
        cursor.execute(statement)
        changed = cursor.rowcount
    except Exception as error:  # noqa: BLE001 - a constraint's refusal is a result here
        cursor.execute("ROLLBACK TO edit")
        return f"refused: {type(error).__name__}"
    assert changed == 1, "the edit must hit one row"
    found = [finding for finding in verify_everything() if finding.code != "guard-open"]
    cursor.execute("ROLLBACK TO edit")
    return found


def disable_triggers(cursor: Any) -> None:
    for table in TABLES:
        cursor.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table)))


def a_row(table: str) -> sql.Composed:
    """The condition that picks one row: of those whose values matter most, any."""
    return sql.SQL("(tableoid, ctid) = (SELECT tableoid, ctid FROM {t} ORDER BY tableoid, ctid DESC LIMIT 1)").format(
        t=sql.Identifier(table)
    )


# What a change of a column is found as: the code of its table, but for the columns that say which row it is, or where.
CHANGED: dict[str, dict[str, str]] = {
    "ledger_log": {"": "log-altered", "id": "log-missing"},
    "ledger_entry": {
        "": "entry-mislabelled", "log_id": "entry-missing", "leaf_index": "entry-missing", "data": "entry-altered",
        "leaf_hash": "entry-altered",
    },
    "ledger_tile": {"": "tile-missing", "data": "tile-altered", "root": "tile-altered"},
    "ledger_head": {"": "head-altered", "log_id": "entry-beyond-head"},
    "ledger_checkpoint": {"": "checkpoint-altered", "id": "checkpoint-missing", "purpose": "checkpoint-without-entry"},
    "ledger_particulars": {"": "particulars-altered", "id": "particulars-missing", "row_id": "particulars-loose"},
    "intake_quarantinereceipt": {
        "": "quarantine-altered", "record_id": "quarantine-unsealed", "entry_id": "quarantine-miscounted",
    },
    "audit_decision": {"": "decision-altered", "id": "decision-missing"},
    "audit_payload": {"": "payload-altered", "id": "payload-missing", "input_digest": "payload-misled"},
    "intake_quarantinedrecord": {"": "quarantine-altered", "id": "quarantine-missing"},
}  # fmt: skip
LOST = {
    **{"ledger_log": "log-missing", "ledger_entry": "entry-missing", "ledger_tile": "tile-missing"},
    **{"ledger_head": "entry-beyond-head", "ledger_checkpoint": "checkpoint-missing"},
    **{"ledger_particulars": "particulars-missing", "audit_decision": "decision-missing"},
    **{"audit_payload": "payload-missing", "intake_quarantinedrecord": "quarantine-missing"},
    **{"intake_quarantinereceipt": "quarantine-unsealed"},
}
FORGED = {
    **{"ledger_log": "log-unannounced", "ledger_tile": "tile-beyond-head", "ledger_head": "head-altered"},
    **{"ledger_checkpoint": "checkpoint-without-entry", "ledger_particulars": "particulars-loose"},
    **{"audit_decision": "decision-without-entry", "audit_payload": "payload-without-decision"},
    **{"intake_quarantinedrecord": "quarantine-unsealed", "intake_quarantinereceipt": "quarantine-missing"},
}
"""By table. (An entry beside another one is refused: by its place, or by its id.)"""
OF_A_LOG = "(SELECT origin FROM ledger_log l WHERE l.id = t.log_id)"
PLACES = {
    # words of which all are said of a row: of what is in a log, where; of anything else, its key or whose it is
    "ledger_log": "t.id::text",
    "ledger_entry": f"{OF_A_LOG} || ' ' || t.leaf_index",
    "ledger_tile": f"{OF_A_LOG} || ' ' || t.level || '/' || t.index",
    "ledger_head": OF_A_LOG,
    "ledger_particulars": "t.row_id::text",
    "intake_quarantinereceipt": "t.record_id::text",
}


def place_of(cursor: Any, table: str) -> set[str]:
    place = PLACES.get(table, "t.id::text")
    cursor.execute(f"SELECT {place} FROM {table} t WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM {table}"
                   " ORDER BY tableoid, ctid DESC LIMIT 1)")  # fmt: skip
    return set(cursor.fetchone()[0].split())


def is_named(found: list[Finding] | str, code: str, place: set[str]) -> bool:
    """Whether one of the findings is of this code and names this place; what a constraint refuses needs none."""
    if isinstance(found, str):
        return True
    said = [{word.strip(":,()") for word in str(each).split()} for each in found if each.code == code]
    return any(place <= words for words in said)


@pytest.mark.parametrize("part", [0, 1])
def test_the_self_audit_names_a_change_of_any_column_of_any_sealed_table(
    organisation: Organisation, keeper_url: str, part: int
) -> None:
    """In two halves, for two to share."""
    misnamed: list[str] = []
    with as_owner(keeper_url) as cursor:
        disable_triggers(cursor)
        for table, column in ALONE[part::2]:
            place = place_of(cursor, table)
            found = findings_after(cursor, change(cursor, table, column, a_row(table)))
            # what was given another id is named by the one that nobody knows
            place = set() if (table, column) == ("ledger_particulars", "row_id") else place
            if not is_named(found, CHANGED[table].get(column, CHANGED[table][""]), place):
                misnamed.append(f"{table}.{column}: {[str(each) for each in found]}")
    assert misnamed == []
    assert len(ALONE) > 35


def test_the_self_audit_finds_a_change_of_any_column_of_what_hangs_on_an_entry_and_names_the_row(
    organisation: Organisation, keeper_url: str
) -> None:
    with as_owner(keeper_url) as cursor:
        assert list(verify_everything()) == []
        disable_triggers(cursor)
        edited = dict(edits_side_by_side(cursor))
        found: dict[str, list[Finding]] = {}
        for finding in verify_everything():
            found.setdefault(finding.row, []).append(finding)
    for row, (table, column) in edited.items():
        code = CHANGED[table].get(column, CHANGED[table][""])
        said = [each for each in found.get(row, []) if (each.code, each.table) == (code, table)]
        assert said, f"{table}.{column}: {found.get(row)}"
        if code == "decision-altered":
            assert [each.detail for each in said] == [named(column)]
    assert len(edited) > 50
    assert {table for table, _ in edited.values()} == {model._meta.db_table for model in SIDE_BY_SIDE}


def edits_side_by_side(cursor: Any) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each column changed in a row of its own, but for what a constraint refuses. Yields the row's key and the edit."""
    decisions = keys_of(cursor, "audit_decision")  # of a payload the same
    queues = {"audit_decision": decisions, "audit_payload": decisions}
    queues["intake_quarantinedrecord"] = keys_of(cursor, "intake_quarantinedrecord")
    for model in SIDE_BY_SIDE:
        for table, column in columns_of(model):
            key = queues[table].pop()
            cursor.execute("SAVEPOINT edit")
            try:
                cursor.execute(change(cursor, table, column, sql.SQL("id = {}").format(sql.Literal(key))))
            except DatabaseError:
                cursor.execute("ROLLBACK TO edit")
                continue
            assert cursor.rowcount == 1
            yield key, (table, column)


def keys_of(cursor: Any, table: str) -> list[str]:
    cursor.execute(sql.SQL("SELECT id::text FROM {} ORDER BY id").format(sql.Identifier(table)))
    return [key for (key,) in cursor.fetchall()]


def named(column: str) -> str:
    """A column of a decision as a finding names it."""
    return next(field.attname for field in Decision._meta.concrete_fields if field.column == column)


def change(cursor: Any, table: str, column: str, where: sql.Composable) -> sql.Composed:
    return sql.SQL("UPDATE {} SET {} = {} WHERE {}").format(
        sql.Identifier(table), sql.Identifier(column), other_value(cursor, table, column), where
    )


def test_the_self_audit_names_the_loss_of_a_row_of_any_sealed_table(
    organisation: Organisation, keeper_url: str
) -> None:
    misnamed: list[str] = []
    with as_owner(keeper_url) as cursor:
        disable_triggers(cursor)
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for table in TABLES:
            place = place_of(cursor, table)
            found = findings_after(
                cursor, sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(table), a_row(table))
            )
            if not is_named(found, LOST[table], place):
                misnamed.append(f"{table}: {[str(each) for each in found]}")
    assert misnamed == []


def test_a_forged_row_is_refused_or_named(organisation: Organisation, keeper_url: str) -> None:
    misnamed: list[str] = []
    with as_owner(keeper_url) as cursor:
        disable_triggers(cursor)
        for model in SEALED_MODELS:
            table = model._meta.db_table
            found = findings_after(cursor, forged_copy(model))
            if not isinstance(found, str) and FORGED.get(table) not in {each.code for each in found}:
                misnamed.append(f"{table}: {[str(each) for each in found]}")
    assert misnamed == []


def forged_copy(model: Any) -> sql.Composed:
    """A row beside another one, with a key of its own and all else the same."""
    table, keys = model._meta.db_table, [field.column for field in model._meta.pk_fields]
    unique = [f.column for f in model._meta.concrete_fields if f.unique and f.column]
    fresh = {*keys, *unique} | {
        c for c in ("id", "slug", "email", "key_id", "version", "origin", "sequence") if has(model, c)
    }
    columns = [field.column for field in model._meta.concrete_fields if field.column]
    return sql.SQL("INSERT INTO {t} ({c}) SELECT {v} FROM {t} WHERE {w}").format(
        t=sql.Identifier(table),
        c=sql.SQL(", ").join(map(sql.Identifier, columns)),
        v=sql.SQL(", ").join(forged(column, fresh, model) for column in columns),
        w=a_row(table),
    )


def has(model: Any, column: str) -> bool:
    return any(field.column == column for field in model._meta.concrete_fields)


def forged(column: str, fresh: set[str], model: Any) -> sql.Composable:
    if column not in fresh:
        return sql.Identifier(column)
    kind = next(f for f in model._meta.concrete_fields if f.column == column).get_internal_type()
    return {
        "UUIDField": sql.SQL("overlay({c}::text placing 'ffff' from 20)::uuid"),
        "ForeignKey": sql.SQL("{c}"),
        "BigIntegerField": sql.SQL("{c} + 1"),
        "SmallIntegerField": sql.SQL("{c}"),
        "PositiveIntegerField": sql.SQL("{c} + 1"),
    }.get(kind, sql.SQL("'forged'")).format(c=sql.Identifier(column))


# --- what is refused before anything can be found --------------------------------------------------------------------
APPEND_ONLY = [t for t in TABLES if t.startswith("ledger_") and t != "ledger_particulars"] + ["audit_decision"]
APPEND_ONLY += ["intake_quarantinereceipt"]
ERASABLE = ["audit_payload", "ledger_particulars", "intake_quarantinedrecord"]


@pytest.mark.parametrize("role", ["app", "keeper"])
def test_every_edit_of_what_is_append_only_is_refused_to(
    organisation: Organisation, role: str, database_url: str, keeper_url: str
) -> None:
    with psycopg.connect(database_url if role == "app" else keeper_url) as connection:
        for table, column in EDITS:
            if table in APPEND_ONLY + ERASABLE:
                name, target = sql.Identifier(column), sql.Identifier(table)
                refused(connection, sql.SQL("UPDATE {} SET {} = {} WHERE {}").format(target, name, name, a_row(table)))
        for table in APPEND_ONLY + ERASABLE:
            target = sql.Identifier(table)
            refused(connection, sql.SQL("DELETE FROM {} WHERE {}").format(target, a_row(table)))
            refused(connection, sql.SQL("TRUNCATE {} CASCADE").format(target))


def refused(connection: psycopg.Connection, statement: sql.Composed) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)):
        connection.execute(statement)
    connection.rollback()
