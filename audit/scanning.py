"""Reading decisions newest first, some at a time, whatever the filter: a page never takes longer than its patience.

The indexes on time are walked in windows. Within each, the rows that answer the question are picked; when a page is
full or patience runs out, the page says how far back it looked, and its cursor goes on from there. A window that takes
longer than the last one promised, since its rows are not in memory, is given up with patience: the page ends there.
Where rows may be large, a window has a limit of its own: one that takes longer is asked in smaller ones instead.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from psycopg.errors import QueryCanceled

from audit.filters import Question
from audit.models import Decision
from audit.walks import ORDER, Course, Place, walking
from config.pagination import Cursor

PATIENCE_SECONDS = 0.15
FIRST_WINDOW, WIDEST_WINDOW = 2_000, 64_000
QUICK_SECONDS = 0.03
LEAST_MS = 20
NARROWER = 8
"""Into so many parts a window is cut that took too long: each attempt costs its whole limit, so there are to be few."""
TOLD_TO = timedelta(minutes=1)
"""Where a page paused is told to the minute: the row that stands there may be one that nobody may know of."""


class TooSlow(Exception):
    """A statement took longer than its limit and was given up."""


@contextmanager
def limited_to(milliseconds: int) -> Iterator[None]:
    """Statements inside take no longer than this, each. Errors: `TooSlow`."""
    is_nested = connection.in_atomic_block
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])
            yield
            if is_nested:  # what comes after in the same transaction has the session's limit again
                cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        raise TooSlow() from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Some decisions, newest first. A short or empty slice with a `next_cursor` is not the end of the list."""

    items: list[Decision]
    next_cursor: str | None
    previous_cursor: str | None
    searched_to: datetime | None
    """How far back (or forth) was looked before patience ran out, to the minute; None where the page is full or the
    list ended."""
    is_older: bool = True
    """Whether it was looked back, and not forth."""


@dataclass(slots=True, kw_only=True)
class Scan:
    """One walk through the index. Every wait is bounded by the size of a window, and windows by how long they take."""

    question: Question
    limit: int
    cursor: str | None = None
    scope: str = ""
    patience: float = PATIENCE_SECONDS
    first_window: int = FIRST_WINDOW
    quick: float = QUICK_SECONDS
    """A window that took less is followed by a wider one."""
    window_limit_ms: int | None = None
    """How long one window may take. A single row is waited for as long as the session allows: nothing is skipped."""
    _place: Place | None = field(default=None, init=False)
    _older: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        if self.cursor:
            read = Cursor.decode(self.cursor, self._scope)
            self._place, self._older = Place.read(read), read.forward

    @property
    def _scope(self) -> str:
        return _scope_of(self.scope)

    def run(self) -> Slice:
        if self.question.are_named:
            return self._run()
        with walking():
            return self._run()

    def _run(self) -> Slice:
        if self.question.remaining is None:
            return self._slice(self._first(self._place, None, self.limit + 1), None)
        return self._walk()

    def direct(self, rows: QuerySet[Decision]) -> Slice:
        """The same page by whatever index the planner chooses: for questions that few rows answer."""
        found = list(self._ordered(self._beyond(rows, self._place, None))[: self.limit + 1])
        return self._slice(found, None)

    def _walk(self) -> Slice:
        deadline, window = time.monotonic() + self.patience, self.first_window
        found: list[Decision] = []
        place, widest = self._place, WIDEST_WINDOW
        while True:
            started = time.monotonic()
            try:
                with self._until(deadline, is_first=place is self._place):
                    end = self._end_of_window(place, window)
                with self._until(deadline, is_first=place is self._place):
                    found += self._matching(place, end, self.limit + 1 - len(found), is_single=window == 1)
            except TooSlow:
                if self.window_limit_ms is None:
                    return self._slice(found, place)
                # patience is for looking: the time that was lost is given back, or heavy rows would go by one a page
                deadline += time.monotonic() - started
                # so wide never again, but wider than this: it may have been the machine, and not the rows
                window, widest = max(1, window // NARROWER), max(1, window // 2)
                continue
            if end is None or len(found) > self.limit:
                return self._slice(found, None)
            now = time.monotonic()
            wider = min(window * 2, widest) if now - started < self.quick else window
            if now + (now - started) * wider / window > deadline:  # the next one would most likely end too late
                return self._slice(found, end)
            place, window = end, wider

    @contextmanager
    def _until(self, deadline: float, *, is_first: bool) -> Iterator[None]:
        """A statement ends with patience; not those of the first window: something is to be looked at on every page."""
        if is_first or self.window_limit_ms is not None:
            yield
            return
        with limited_to(max(LEAST_MS, round((deadline - time.monotonic()) * 1000))):
            yield

    def _matching(self, place: Place | None, end: Place | None, wanted: int, *, is_single: bool) -> list[Decision]:
        if self.window_limit_ms is None or is_single:
            return self._first(place, end, wanted)
        with limited_to(self.window_limit_ms):
            return self._first(place, end, wanted)

    @property
    def _course(self) -> Course:
        return Course(self.question.walks, self._older)

    def _first(self, place: Place | None, end: Place | None, wanted: int) -> list[Decision]:
        remaining = self.question.remaining or Q()
        return self._course.rows(lambda rows: self._beyond(rows, place, end).filter(remaining), wanted)

    def _end_of_window(self, place: Place | None, size: int) -> Place | None:
        return self._course.end(lambda rows: self._beyond(rows, place, None), size)

    def _beyond(self, rows: QuerySet[Decision], after: Place | None, until: Place | None) -> QuerySet[Decision]:
        if after is not None:
            rows = rows.filter(after.beyond(older=self._older))
        if until is not None:
            rows = rows.filter(until.beyond(older=not self._older, inclusive=True))
        return rows

    def _ordered(self, rows: QuerySet[Decision]) -> QuerySet[Decision]:
        sign = "-" if self._older else ""
        return rows.order_by(*(sign + name for name in ORDER))

    def _slice(self, found: Sequence[Decision], stopped_at: Place | None) -> Slice:
        items = list(found[: self.limit])
        ahead = Place.of(items[-1]) if len(found) > self.limit else stopped_at
        behind = Place.of(items[0]) if items and self._place else self._place
        onward, back = self._cursor(ahead, self._older), self._cursor(behind, not self._older)
        if not self._older:
            items.reverse()
        return Slice(
            items=items,
            next_cursor=onward if self._older else back,
            previous_cursor=back if self._older else onward,
            searched_to=_told(stopped_at.recorded_at, self._older) if stopped_at else None,
            is_older=self._older,
        )

    def _cursor(self, place: Place | None, older: bool) -> str | None:
        if place is None:
            return None
        values = (place.recorded_at.isoformat(), str(place.id))
        return Cursor(forward=older, inclusive=False, values=values).encode(self._scope)


def place_at(cursor: str, scope: str) -> Place:
    """Where a cursor of a scan leads on from. Errors: `InvalidCursor`."""
    return Place.read(Cursor.decode(cursor, _scope_of(scope)))


def _scope_of(scope: str) -> str:
    return f"decisions:{scope}"


def _told(at: datetime, older: bool) -> datetime:
    """The full minute up to which all was looked at for sure."""
    into = (at - datetime.min.replace(tzinfo=UTC)) % TOLD_TO
    return at + (TOLD_TO - into if into and older else -into)
