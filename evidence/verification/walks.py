"""Tables looked through in slices, in the order of an indexed uuid: bounded time for each statement, however long."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from psycopg import sql

from evidence.verification.findings import Finding

ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows after one id up to another, that one included. None: from the first row, to the last."""

    after: uuid.UUID | None = None
    upto: uuid.UUID | None = None

    def holds(self, alias: str, column: str) -> sql.Composable:
        """The condition that a row's column lies in the slice."""
        name = sql.Identifier(alias, column)
        bounds: list[sql.Composable] = [sql.SQL("true")]
        if self.after:
            bounds.append(sql.SQL("{} > {}").format(name, sql.Literal(self.after)))
        if self.upto:
            bounds.append(sql.SQL("{} <= {}").format(name, sql.Literal(self.upto)))
        return sql.SQL(" AND ").join(bounds)


@dataclass(frozen=True, slots=True)
class Walk:
    """One question about every row of a table. `column` is indexed; rows that share a value stay together.

    `at_once`: fewer where one row stands for many.
    """

    name: str
    table: str
    column: str
    check: Callable[[Slice], Iterable[Finding]]
    at_once: int | None = None

    @property
    def rows_at_once(self) -> int:
        """How many are looked at in one step."""
        return self.at_once or ROWS_AT_ONCE

    def step(self, after: uuid.UUID | None) -> tuple[list[Finding], uuid.UUID | None]:
        """Look at the next rows. Returns what was found, and where to go on: None when the last row was reached."""
        with _one_moment():  # else what changes just now would stand in one of two statements, and not in the other
            upto = self._end(after)
            return list(self.check(Slice(after, upto))), upto

    def _end(self, after: uuid.UUID | None) -> uuid.UUID | None:
        column = sql.Identifier(self.column)
        found = rows_of(
            sql.SQL("SELECT {} FROM {} AS t WHERE {} ORDER BY {} OFFSET {} LIMIT 1").format(
                column,
                sql.Identifier(self.table),
                Slice(after).holds("t", self.column),
                column,
                sql.Literal(self.rows_at_once - 1),
            )
        )
        return found[0][0] if found else None


@contextmanager
def _one_moment() -> Iterator[None]:
    """All that is read in it stood in the database at once."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if is_outermost:  # PostgreSQL takes it before the first statement alone
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def rows_of(query: sql.Composable, values: Sequence[Any] = ()) -> list[Any]:
    """The rows of one statement."""
    with connection.cursor() as cursor:
        cursor.execute(query, list(values))
        return list(cursor.fetchall())
