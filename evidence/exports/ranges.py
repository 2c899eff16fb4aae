"""The range of a log that answers a time: every entry received within it, and nothing between left out.

The order of a log is its index; `at` is a clock, and two entries received at nearly the same moment may stand in either
order, more so where several hosts receive. A range begins at the smallest index received at or after `since` and ends
behind the largest received before `until`. Decisions are found by the index on their times, wherever they stand; other
entries by looking around the place where the log passes the moment.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from audit.walks import walking
from ledger.entries import timestamp

SLICE = 20_000
LOOKED_AT = 10
"""So many slices are looked at around a moment, for entries that overtook one another."""
AHEAD = 67
"""Bytes before `kind` and `at` that do not depend on the kind: `{"v":1,"id":"<36>","kind":"<kind>","at":"`."""
AT = f"substring(data FROM {AHEAD + 1} + octet_length(kind) FOR 27)"


@dataclass(frozen=True, slots=True)
class Span:
    """Times, as entries write them; None: no bound."""

    since: bytes | None
    until: bytes | None

    @classmethod
    def of(cls, since: datetime | None, until: datetime | None) -> "Span":
        return cls(timestamp(since).encode() if since else None, timestamp(until).encode() if until else None)


def index_range(
    log_id: uuid.UUID,
    system_id: uuid.UUID,
    since: datetime | None,
    until: datetime | None,
    size: int,
    *,
    beat: Callable[[], None] = lambda: None,
) -> tuple[int, int]:
    """The first index of a log of `size` entries that was received at or after `since`, and the one behind the last
    that was received before `until`; both the same where there is none. `beat` is called after each slice."""
    span = Span.of(since, until)
    first = _first_from(log_id, span.since, size) if span.since else 0
    end = _last_before(log_id, span.until, size) if span.until else size
    beat()
    lowest, highest = _decisions_between(log_id, system_id, since, until, size, beat)
    if lowest is not None and highest is not None:
        first, end = min(first, lowest), max(end, highest + 1)
    first, end = _stepped_back(log_id, first, span), _stepped_on(log_id, max(first, end), span, size)
    return first, end


def received_before(log_id: uuid.UUID, moment: datetime, size: int) -> int:
    """How many of the first `size` entries of a log hold everything that was received before a moment."""
    return _last_before(log_id, timestamp(moment).encode(), size)


def _first_from(log_id: uuid.UUID, since: bytes, size: int) -> int:
    first = start = _passed(log_id, since, size)
    for number in range(LOOKED_AT):
        end = start - number * SLICE
        found = _extreme("min", log_id, max(0, end - SLICE), end, ">=", since) if end > 0 else None
        if found is None:
            break
        first = min(first, found)
    return first


def _last_before(log_id: uuid.UUID, until: bytes, size: int) -> int:
    end = start = _passed(log_id, until, size)
    for number in range(LOOKED_AT):
        low = start + number * SLICE
        found = _extreme("max", log_id, low, min(size, low + SLICE), "<", until) if low < size else None
        if found is None:
            break
        end = found + 1
    return end


def _passed(log_id: uuid.UUID, moment: bytes, size: int) -> int:
    """Where the log passes a moment, as far as its times ascend."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if at_of(log_id, middle) < moment:
            low = middle + 1
        else:
            high = middle
    return low


def at_of(log_id: uuid.UUID, index: int) -> bytes:
    """When an entry was received, as it says. Errors: `LookupError` where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {AT} FROM ledger_entry WHERE log_id = %s AND leaf_index = %s", [log_id, index])  # noqa: S608
        row = cursor.fetchone()
    if row is None:
        raise LookupError(f"log {log_id} lacks entry {index}")
    return bytes(row[0])


def _extreme(which: str, log_id: uuid.UUID, low: int, high: int, sign: str, moment: bytes) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {which}(leaf_index) FROM ledger_entry"  # noqa: S608 - constants only
            f" WHERE log_id = %s AND leaf_index >= %s AND leaf_index < %s AND {AT} {sign} %s",
            [log_id, low, high, moment],
        )
        found: int | None = cursor.fetchone()[0]
    return found


# A row comparison, so that each slice begins where the last one ended, along the index.
DECISIONS = """
    WITH slice AS MATERIALIZED (
        SELECT recorded_at, id, log_id, leaf_index FROM audit_decision
        WHERE system_id = %(system)s AND (recorded_at, id) > (%(since)s, %(after)s)
            AND (%(until)s::timestamptz IS NULL OR recorded_at < %(until)s)
        ORDER BY recorded_at, id LIMIT %(slice)s
    ), ends AS (
        SELECT count(*) AS count, min(leaf_index) FILTER (WHERE log_id = %(log)s AND leaf_index < %(size)s) AS lowest,
            max(leaf_index) FILTER (WHERE log_id = %(log)s AND leaf_index < %(size)s) AS highest FROM slice
    )
    SELECT ends.count, ends.lowest, ends.highest, last.recorded_at, last.id FROM ends
    LEFT JOIN LATERAL (SELECT recorded_at, id FROM slice ORDER BY recorded_at DESC, id DESC LIMIT 1) last ON true
"""
LOWEST = uuid.UUID(int=0)
LONG_AGO = "-infinity"
Moment = tuple[datetime | str, uuid.UUID]
"""A decision's place in time: when it was received, and its id."""


def _decisions_between(
    log_id: uuid.UUID,
    system_id: uuid.UUID,
    since: datetime | None,
    until: datetime | None,
    size: int,
    beat: Callable[[], None],
) -> tuple[int | None, int | None]:
    """The lowest and highest index of the decisions received within the times, wherever they stand."""
    if since is None and until is None:
        return None, None
    lowest: int | None = None
    highest: int | None = None
    place: Moment = (since or LONG_AGO, LOWEST)
    while True:
        count, low, high, place = _slice_of_decisions(log_id, system_id, place, until, size)
        lowest = low if lowest is None else lowest if low is None else min(lowest, low)
        highest = high if highest is None else highest if high is None else max(highest, high)
        beat()
        if count < SLICE:
            return lowest, highest


def _slice_of_decisions(
    log_id: uuid.UUID, system_id: uuid.UUID, place: Moment, until: datetime | None, size: int
) -> tuple[int, int | None, int | None, Moment]:
    """How many there are in the slice, the lowest and highest index, and where the last one stands."""
    since, after = place
    with walking(), connection.cursor() as cursor:
        cursor.execute(
            DECISIONS,
            {
                "log": log_id,
                "system": system_id,
                "since": since,
                "after": after,
                "until": until,
                "size": size,
                "slice": SLICE,
            },
        )
        count, low, high, *last = cursor.fetchone()
    return count, low, high, (last[0], last[1])


def _stepped_back(log_id: uuid.UUID, first: int, span: Span) -> int:
    """Until the entry before the first one was received before the times: it is the fence that shows it."""
    while span.since and first > 0 and at_of(log_id, first - 1) >= span.since:
        first -= 1
    return first


def _stepped_on(log_id: uuid.UUID, end: int, span: Span, size: int) -> int:
    while span.until and end < size and at_of(log_id, end) < span.until:
        end += 1
    return end
