"""What SQL can do to any governed table, found: controls, reviews and what people said as much as the register.

`test_tampering` changes one column after the other. Here every table is changed at once, column by column: a finding
names its table and row, so one verification tells for all of them. What it must be called follows from the kind of the
table and, of the columns that say which row it is, from the column (`CHANGED`).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from evidence.verification import verify_everything
from evidence.verification.rows import governed_models
from overrides.models import Review, ReviewAssignment
from tests.evidence.everything import make_everything
from tests.evidence.test_tampering import a_row, as_owner, columns_of, forged, has, other_value

pytestmark = pytest.mark.committing
ROWS: dict[str, Any] = governed_models()
HISTORY: dict[str, Any] = {model.history.model._meta.db_table: model.history.model for model in ROWS.values()}
TABLES = {**ROWS, **HISTORY}
Edit = tuple[str, sql.Composable]
ROW, PAST, UNTOUCHED = "row", "history", "untouched review"
CHANGED: dict[str, dict[str, str]] = {
    # the finding of a change, by the kind of the table and the column; "": of any other column
    ROW: {"": "row-altered", "id": "row-missing"},
    PAST: {"": "history-altered", "history_id": "history-missing"},
    # the newest review is one that nothing has happened to: there is no history of it
    UNTOUCHED: {"": "review-altered", "id": "review-missing", "revision": "row-without-history"},
}
LOST = {ROW: "row-missing", PAST: "history-missing", UNTOUCHED: "review-missing"}
FORGED = {ROW: "row-without-history", PAST: "history-without-entry", UNTOUCHED: "row-without-history"}


def kind_of(table: str) -> str:
    return PAST if table in HISTORY else UNTOUCHED if table == Review._meta.db_table else ROW


def changed(table: str, column: str) -> str:
    codes = CHANGED[kind_of(table)]
    return codes.get(column, codes[""])


@pytest.fixture
def everything(transactional_db: None) -> None:
    make_everything()
    empty = [table for table, model in ROWS.items() if not model._base_manager.exists()]
    assert empty == [], "a governed table without a row is a table that nobody verifies"


def test_a_change_of_any_column_of_any_row_is_named_with_its_row(everything: None, keeper_url: str) -> None:
    assert misnamed(keeper_url, rounds(ROWS), changed) == []


def test_a_change_of_any_column_of_any_history_is_named_with_its_row(everything: None, keeper_url: str) -> None:
    assert misnamed(keeper_url, rounds(HISTORY), changed) == []


def test_the_loss_of_any_row_and_of_any_history_is_named(everything: None, keeper_url: str) -> None:
    for tables in (ROWS, HISTORY):
        lost = [
            (table, sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(table), a_row(table))) for table in tables
        ]
        assert misnamed(keeper_url, [lambda cursor, lost=lost: iter(lost)], lambda table, _: LOST[kind_of(table)]) == []


def test_a_forged_row_and_a_forged_history_are_named(everything: None, keeper_url: str) -> None:
    for tables in (ROWS, HISTORY):
        copies = [(table, copy_of(table, model)) for table, model in tables.items()]
        made_up = [lambda cursor, copies=copies: iter(copies)]
        assert misnamed(keeper_url, made_up, lambda table, _: FORGED[kind_of(table)], by_row=False) == []


def test_a_review_is_what_its_decision_its_rule_and_its_queue_say(everything: None, keeper_url: str) -> None:
    """Also one that nothing has happened to, of which there is no history."""
    untouched = Review.objects.get(revision=0)
    with as_owner(keeper_url) as cursor:
        disable_triggers(cursor)
        for statement in (
            "DELETE FROM overrides_review WHERE id = %s",
            "UPDATE overrides_review SET status = 'withdrawn', closed_at = now() WHERE id = %s",
            "UPDATE overrides_review SET on_timeout = 'allow' WHERE id = %s",
            "UPDATE overrides_review SET deadline_at = deadline_at + interval '1 day' WHERE id = %s",
            "UPDATE overrides_review SET rule_id = NULL WHERE id = %s",
            "UPDATE overrides_review SET is_blind = NOT is_blind WHERE id = %s",
            "UPDATE overrides_review SET probability = 0.5 WHERE id = %s",
        ):
            cursor.execute("SAVEPOINT edit")
            cursor.execute(statement, [untouched.pk])
            code = "review-missing" if statement.startswith("DELETE") else "review-altered"
            assert (code, str(untouched.pk)) in {(each.code, each.row) for each in verify_everything()}, statement
            cursor.execute("ROLLBACK TO edit")


@pytest.mark.parametrize("role", ["app", "keeper"])
def test_history_can_neither_be_changed_nor_deleted(
    everything: None, role: str, database_url: str, keeper_url: str
) -> None:
    with psycopg.connect(database_url if role == "app" else keeper_url) as connection:
        for table in HISTORY:
            name = sql.Identifier(table)
            refused(connection, sql.SQL("UPDATE {} SET revision = revision WHERE {}").format(name, a_row(table)))
            refused(connection, sql.SQL("DELETE FROM {} WHERE {}").format(name, a_row(table)))
            refused(connection, sql.SQL("TRUNCATE {} CASCADE").format(name))


def test_the_application_may_delete_no_row(everything: None, database_url: str) -> None:
    with psycopg.connect(database_url) as app:
        for table in ROWS:
            refused(app, sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(table), a_row(table)))


# --- parts of the above -----------------------------------------------------------------------------------------------
def rounds(tables: dict[str, Any]) -> list[Any]:
    """Edits that can stand beside each other: the first column of every table, the second, and so on."""
    columns = {table: [column for _, column in columns_of(model)] for table, model in tables.items()}
    longest = max(map(len, columns.values()))

    def of(number: int) -> Any:
        chosen = [(table, names[number]) for table, names in columns.items() if number < len(names)]
        return lambda cursor: ((f"{table}.{column}", change(cursor, table, column)) for table, column in chosen)

    return [of(number) for number in range(longest)]


def change(cursor: Any, table: str, column: str) -> sql.Composed:
    return sql.SQL("UPDATE {} SET {} = {} WHERE {}").format(
        sql.Identifier(table), sql.Identifier(column), other_value(cursor, table, column), a_row(table)
    )


def misnamed(
    keeper_url: str, all_rounds: Iterable[Any], code_of: Callable[[str, str], str], *, by_row: bool = True
) -> list[str]:
    """Edits of which no finding of the right code names table and row. What a constraint refuses needs no finding."""
    wrong: list[str] = []
    with as_owner(keeper_url) as cursor:
        assert list(verify_everything()) == []
        disable_triggers(cursor)
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for edits in all_rounds:
            cursor.execute("SAVEPOINT round")
            done = list(do(cursor, edits(cursor)))
            assert done, "a round in which everything is refused proves nothing"
            found = [(each.code, _base(each.table), each.row) for each in verify_everything()]
            for name, rows in done:
                table, _, column = name.partition(".")
                code = code_of(table, column)
                here = [each for each in found if each[1] == _base(table)]
                if not any(each[0] == code and (not by_row or each[2] in rows) for each in here):
                    wrong.append(f"{name}: not {code} {rows}, but {here}")
            cursor.execute("ROLLBACK TO round")
    return wrong


def do(cursor: Any, edits: Iterable[Edit]) -> Iterator[tuple[str, set[str]]]:
    """Names of the edits that no constraint refused, and the ids by which a finding may name their row."""
    for name, statement in list(edits):
        rows = ids_of(cursor, name.partition(".")[0])
        cursor.execute("SAVEPOINT edit")
        try:
            cursor.execute(statement)
        except Exception:  # noqa: BLE001 - a constraint's refusal is a result here
            cursor.execute("ROLLBACK TO edit")
            continue
        assert cursor.rowcount == 1, name
        yield name, rows


def ids_of(cursor: Any, table: str) -> set[str]:
    """Of the row that is edited; of a history row also that of the row it is of."""
    columns = sql.SQL(", ").join(map(sql.Identifier, ("id", "history_id") if table in HISTORY else ("id",)))
    cursor.execute(sql.SQL("SELECT {} FROM {} WHERE {}").format(columns, sql.Identifier(table), a_row(table)))
    return {str(each) for each in cursor.fetchone()}


def _base(table: str) -> str:
    return str(HISTORY[table].instance_type._meta.db_table) if table in HISTORY else table


def copy_of(table: str, model: Any) -> sql.Composed:
    keys = {field.column for field in model._meta.pk_fields}
    unique = {field.column for field in model._meta.concrete_fields if field.unique and field.column}
    fresh = keys | unique | {each for each in FRESH.get(getattr(model, "instance_type", model), ()) if has(model, each)}
    fresh |= {each for each in ("id", "slug", "email", "key_id", "version", "number", "name") if has(model, each)}
    columns = [field.column for field in model._meta.concrete_fields if field.column]
    return sql.SQL("INSERT INTO {t} ({c}) SELECT {v} FROM {t} WHERE {w}").format(
        t=sql.Identifier(table),
        c=sql.SQL(", ").join(map(sql.Identifier, columns)),
        v=sql.SQL(", ").join(forged(column, fresh, model) for column in columns),
        w=a_row(table),
    )


FRESH: dict[Any, tuple[str, ...]] = {Review: ("decision_id",), ReviewAssignment: ("person_id", "seat")}


def disable_triggers(cursor: Any) -> None:
    for table in TABLES:
        cursor.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table)))


def refused(connection: psycopg.Connection, statement: sql.Composed) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)):
        connection.execute(statement)
    connection.rollback()
