"""Decisions in order of time, along indexes: those of each AI system within reach by themselves, merged into one order.

So nothing out of reach is met on the way, which would take time and be told by where a page ends.
"""

import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple, Self

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from audit.models import Decision
from config.pagination import Cursor, InvalidCursor

ORDER = ("recorded_at", "id")
Rows = QuerySet[Decision, Any]
Put = Callable[[QuerySet[Decision]], Rows]
Statement = tuple[str, tuple[Any, ...]]

WALKED = RawSQL("walked.system_id", ())
"""The AI system at hand, in a walk through several."""
EACH = "SELECT found.* FROM unnest(%s::uuid[]) AS walked(system_id) CROSS JOIN LATERAL ({rows}) found"
FENCED = "SELECT * FROM ({rows} OFFSET 0) named"
"""Sorting few is sooner done than looking for them along the whole order, which the planner might."""
MERGED = "SELECT * FROM ({rows}) merged"
COUNTED = "SELECT count(*) FROM ({rows}) counted"

PLANS = ("enable_sort", "enable_bitmapscan", "enable_seqscan", "enable_hashjoin", "enable_mergejoin")
"""Plans that first gather everything there is. Of a month's first million rows the statistics may still say a hundred,
and then the planner would rather sort all of them, for each window anew, than walk the index."""

HELPERS = "max_parallel_workers_per_gather"
"""Starting them takes longer than a window, the more so where the machine is busy."""


@contextmanager
def walking() -> Iterator[None]:
    """Statements inside go along indexes, whatever the statistics say."""
    is_nested = connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join([*(f"SET LOCAL {name} TO off" for name in PLANS), f"SET LOCAL {HELPERS} TO 0"]))
        yield
        if is_nested:  # what comes after in the same transaction is planned as ever
            cursor.execute("; ".join(f"SET LOCAL {name} TO DEFAULT" for name in (*PLANS, HELPERS)))


class Place(NamedTuple):
    """Where a decision stands in the order: when it was recorded, and its id among those of the same moment."""

    recorded_at: datetime
    id: uuid.UUID

    @classmethod
    def of(cls, row: Decision) -> Self:
        return cls(row.recorded_at, row.id)

    @classmethod
    def read(cls, cursor: Cursor) -> Self:
        try:
            return cls(datetime.fromisoformat(cursor.values[0]), uuid.UUID(cursor.values[1]))
        except (ValueError, IndexError) as error:
            raise InvalidCursor() from error

    def beyond(self, *, older: bool, inclusive: bool = False) -> Q:
        """(recorded_at, id) < place, written so that the first half is an index condition."""
        sign, last = ("lt" if older else "gt"), ("e" if inclusive else "")
        tie = Q(recorded_at=self.recorded_at, **{f"id__{sign}{last}": self.id})
        strictly = Q(**{f"recorded_at__{sign}": self.recorded_at})
        return Q(**{f"recorded_at__{sign}e": self.recorded_at}) & (strictly | tie)


@dataclass(frozen=True, slots=True)
class Walk:
    """Rows along one index; with `systems`, along one for each of them: then `rows` are those of `WALKED`."""

    rows: QuerySet[Decision]
    systems: tuple[uuid.UUID, ...] = ()
    are_named: bool = False
    """Named by their ids: they are few, and found otherwise than by walking."""

    @property
    def lanes(self) -> int:
        return len(self.systems) or 1

    def statement(self, rows: Rows, ends: str) -> Statement:
        """Of rows of this walk; `ends`: their order, and how many. Errors: `EmptyResultSet` where there can be none."""
        text, values = rows.order_by().query.sql_with_params()
        text = f"{FENCED.replace('{rows}', text) if self.are_named else text} {ends}"
        return (EACH.replace("{rows}", text), (list(self.systems), *values)) if self.systems else (text, values)

    def of(self, systems: Collection[uuid.UUID]) -> Self:
        return replace(self, systems=tuple(each for each in self.systems if each in systems))


@dataclass(frozen=True, slots=True)
class Course:
    """The walks of a question as one, from the newest to the oldest or back."""

    walks: Sequence[Walk]
    older: bool = field(default=True)

    @property
    def lanes(self) -> int:
        return sum(walk.lanes for walk in self.walks)

    def statement(self, put: Put, *, limit: int | None = None, bare: bool = False) -> Statement | None:
        """SQL of what `put` makes of the rows, which must keep the columns of their order; None: there can be none.

        `limit` is of each lane, and then of the whole. `bare`: in no order.
        """
        ends = ("" if bare else self._order) + (f" LIMIT {limit}" if limit is not None else "")
        parts, values = list[str](), list[Any]()
        for walk in self.walks:
            try:
                text, given = walk.statement(put(walk.rows), ends)
            except EmptyResultSet:
                continue
            parts.append(f"({text})")
            values += given
        return (f"{MERGED.replace('{rows}', ' UNION ALL '.join(parts))} {ends}", tuple(values)) if parts else None

    def rows(self, put: Put, limit: int) -> list[Decision]:
        """The first of the rows."""
        found = self.statement(put, limit=limit)
        return list(Decision.objects.raw(*found)) if found else []

    def end(self, put: Put, size: int) -> Place | None:
        """A place before which stand `size` rows, or somewhat fewer; None where there is nothing beyond them.

        Each lane says where its share ends, and the first to end bounds all: none is read further than that. What is
        left of the shares of short lanes goes to the others. Named rows, being few, bound nothing, unless they are all.
        """
        course = replace(self, walks=tuple(walk for walk in self.walks if not walk.are_named) or self.walks)
        share = max(1, size // max(1, course.lanes))
        places, longer = course._reaching(put, share)
        if places and longer.lanes < course.lanes:
            in_short = course._count(put, share) - longer.lanes * share
            places, _ = longer._reaching(put, max(1, (size - in_short) // longer.lanes))
        if not places:
            return None
        return max(places) if self.older else min(places)

    def _reaching(self, put: Put, share: int) -> tuple[list[Place], Self]:
        """Where the share of each lane ends, of those that have so many rows; and these lanes."""
        places, longer = list[Place](), list[Walk]()
        for walk in self.walks:
            rows = put(walk.rows).values_list("system_id", *ORDER)
            found = _fetched(walk, rows, f"{self._order} LIMIT 1 OFFSET {share - 1}")
            places += [Place(*place) for _, *place in found]
            longer += [walk.of({system_id for system_id, *_ in found})] if found else []
        return places, replace(self, walks=tuple(longer))

    def _count(self, put: Put, share: int) -> int:
        """How many rows the shares of all lanes have."""
        ends = f"{self._order} LIMIT {share}"
        return sum(
            row[0] for walk in self.walks for row in _fetched(walk, put(walk.rows).values_list(*ORDER), ends, COUNTED)
        )

    @property
    def _order(self) -> str:
        return f"ORDER BY {', '.join(name + ' DESC' * self.older for name in ORDER)}"


def _fetched(walk: Walk, rows: Rows, ends: str, outer: str = "{rows}") -> list[Any]:
    try:
        text, values = walk.statement(rows, ends)
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        cursor.execute(outer.replace("{rows}", text), values)
        found: list[Any] = cursor.fetchall()
    return found
