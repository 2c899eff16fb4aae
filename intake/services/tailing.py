"""Following sources by tailing entries: the last number of each, which are missing, which came twice.

Derived from what is sealed, and can be derived again: the cursors and states are work tables.
"""

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from django.db import connection, transaction
from django.utils.dateparse import parse_datetime

from audit.kinds import DECISION_RECORDED
from intake.models import SourceState, TailCursor

CURSOR = "sources"
SLICE = 5_000
SLICES_A_RUN = 40
MAX_GAPS = 1_000
MAX_FORKS = 1_000


class _Body(msgspec.Struct):
    system: uuid.UUID | None = None
    source_id: uuid.UUID | None = None
    source_seq: int | None = None


class _Entry(msgspec.Struct):
    at: str
    body: _Body


_read = msgspec.json.Decoder(_Entry).decode


@dataclass(slots=True)
class Count:
    """What is known about one counter. `gaps` are ranges of missing numbers, both ends included, in order."""

    starts_at: int | None = None
    """The lowest number seen, or the one after the first heartbeat: nothing below it is missing."""
    last_seq: int | None = None
    gaps: list[list[int]] = field(default_factory=list)
    gap_count: int = 0
    forks: list[int] = field(default_factory=list)
    judged_from: int = 0
    """Below this, gaps were too many to keep: numbers that come late are not judged."""

    def see(self, number: int) -> None:
        """One decision carries this number. One below the start moves the start: records overtake one another."""
        starts_at = number if self.starts_at is None else self.starts_at
        last = starts_at - 1 if self.last_seq is None else self.last_seq
        if number < starts_at:
            if self.last_seq is not None:
                self._open_gap(number + 1, starts_at - 1, position=0)
            last = number if self.last_seq is None else last
        elif number > last:
            self._open_gap(last + 1, number - 1, position=len(self.gaps))
        elif not self._fill(number) and number >= self.judged_from:
            self._note_fork(number)
        self.starts_at, self.last_seq = min(starts_at, number), max(last, number)

    def _open_gap(self, first: int, end: int, *, position: int) -> None:
        if first > end:
            return
        self.gaps.insert(position, [first, end])
        self.gap_count += end - first + 1
        while len(self.gaps) > MAX_GAPS:
            self.judged_from = max(self.judged_from, self.gaps.pop(0)[1] + 1)

    def _fill(self, number: int) -> bool:
        for index, (first, end) in enumerate(self.gaps):
            if first <= number <= end:
                rest = [[first, number - 1], [number + 1, end]]
                self.gaps[index : index + 1] = [gap for gap in rest if gap[0] <= gap[1]]
                self.gap_count -= 1
                return True
        return False

    def _note_fork(self, number: int) -> None:
        if number not in self.forks and len(self.forks) < MAX_FORKS:
            self.forks.append(number)


def tail_sources() -> int:
    """Read what was sealed since the last run, of every log; returns how many decisions were seen."""
    return sum(_tail(log_id) for log_id in _logs_that_grew())


def _logs_that_grew() -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.id FROM ledger_log l"
            " CROSS JOIN LATERAL (SELECT tree_size FROM ledger_head WHERE log_id = l.id"
            " ORDER BY tree_size DESC LIMIT 1) h"
            " LEFT JOIN intake_tailcursor c ON c.log_id = l.id AND c.name = %s"
            " WHERE l.kind = 'system' AND h.tree_size > coalesce(c.next_index, 0) ORDER BY l.id",
            [CURSOR],
        )
        return [log_id for (log_id,) in cursor.fetchall()]


def is_read_up_to(moment: datetime) -> bool:
    """Whether everything that was sealed by then, in any AI system's log, has been counted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT NOT EXISTS (SELECT FROM ledger_log l LEFT JOIN intake_tailcursor c"
            " ON c.log_id = l.id AND c.name = %s WHERE l.kind = 'system' AND EXISTS (SELECT FROM ledger_head h"
            " WHERE h.log_id = l.id AND h.tree_size > coalesce(c.next_index, 0) AND h.recorded_at <= %s))",
            [CURSOR, moment],
        )
        return bool(cursor.fetchone()[0])


def _tail(log_id: uuid.UUID) -> int:
    seen = 0
    for _ in range(SLICES_A_RUN):
        with transaction.atomic():
            read = _tail_slice(log_id)
        if read is None:
            break
        seen += read
    return seen


def _tail_slice(log_id: uuid.UUID) -> int | None:
    """One slice of one log; None where there is nothing more, or somebody else is reading it."""
    TailCursor.objects.bulk_create([TailCursor(name=CURSOR, log_id=log_id)], ignore_conflicts=True)
    cursor_row = TailCursor.objects.select_for_update(skip_locked=True).filter(name=CURSOR, log_id=log_id).first()
    if cursor_row is None:
        return None
    rows, end = _entries(log_id, cursor_row.next_index)
    if end == cursor_row.next_index:
        return None
    _count(rows)
    TailCursor.objects.filter(name=CURSOR, log_id=log_id).update(next_index=end)
    return len(rows)


def _entries(log_id: uuid.UUID, first: int) -> tuple[list[bytes], int]:
    """The decisions among the next entries, and the index after the last entry that was looked at."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT leaf_index, kind, CASE WHEN kind = %s THEN data END FROM ledger_entry"
            " WHERE log_id = %s AND leaf_index >= %s AND leaf_index < %s ORDER BY leaf_index",
            [DECISION_RECORDED.name, log_id, first, first + SLICE],
        )
        rows = cursor.fetchall()
    return [bytes(data) for _, _, data in rows if data is not None], rows[-1][0] + 1 if rows else first


def _count(rows: list[bytes]) -> None:
    numbers: dict[uuid.UUID, list[int]] = defaultdict(list)
    seen_at: dict[uuid.UUID, datetime | None] = {}
    first_of: dict[uuid.UUID, uuid.UUID | None] = {}
    for data in rows:
        entry = _read(data)
        if entry.body.source_id is not None and entry.body.source_seq is not None:
            numbers[entry.body.source_id].append(entry.body.source_seq)
            seen_at[entry.body.source_id] = parse_datetime(entry.at)
            first_of.setdefault(entry.body.source_id, entry.body.system)
    # in one order, so that two tailing processes that meet at a source do not wait for each other for ever
    states = SourceState.objects.select_for_update().filter(pk__in=numbers).order_by("pk")
    for state in states:
        state.system_id = state.system_id or first_of[state.pk]  # `place_sources` seals it where the source has none
        _update(state, numbers[state.pk], seen_at[state.pk])


def _update(state: SourceState, numbers: list[int], seen_at: datetime | None) -> None:
    count = Count(state.starts_at, state.last_seq, state.gaps, state.gap_count, state.forks, state.judged_from)
    for number in numbers:
        count.see(number)
    state.starts_at, state.last_seq = count.starts_at, count.last_seq
    state.gaps, state.gap_count = count.gaps, count.gap_count
    state.forks, state.judged_from = count.forks, count.judged_from
    state.last_seen_at = max(filter(None, (state.last_seen_at, seen_at)), default=None)
    state.save()
