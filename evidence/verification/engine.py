"""A log verified in slices of bounded memory; and the whole database."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.db import connection

from evidence.verification import (
    anchors,
    cases,
    controls,
    credentials,
    documents,
    erasures,
    logs,
    quarantine,
    records,
    rows,
    searches,
    trees,
)
from evidence.verification.findings import Finding
from evidence.verification.walks import Walk
from ledger.guard import missing_triggers
from ledger.heads import head_store
from ledger.models import Entry, Log, Tile
from ledger.selectors import latest_head, root_at
from ledger.tlog import Frontier
from ledger.tree_store import TILE_WIDTH

SLICE = 8 * TILE_WIDTH


@dataclass(slots=True)
class LogVerification:
    """One pass over a log, up to the size it had when the pass began. Can be stopped and taken up again."""

    log: Log
    end: int
    frontier: Frontier = field(default_factory=Frontier)
    _came_through: bool = True

    @classmethod
    def begin(cls, log: Log) -> "LogVerification":
        return cls(log, latest_head(log.id).tree_size)

    @property
    def done(self) -> bool:
        return self.frontier.size >= self.end

    def step(self) -> list[Finding]:
        """Verify the next slice of entries with all that hangs on them; a slice ends where a tile ends."""
        start = self.frontier.size
        end = min(self.end, (start // TILE_WIDTH) * TILE_WIDTH + SLICE)
        entries = trees.read_entries(self.log, start, end)
        findings = list(trees.check_entries(self.log, entries, start, end))
        hashes = self._hashes(entries, start, end)
        if hashes is None:
            self.end, self._came_through = start, False  # nothing after a missing entry can be derived
            return findings
        before = self.frontier
        self.frontier, roots = before.extend_with_tile_roots(hashes)
        findings += trees.check_tiles(self.log, hashes, start, roots)
        findings += trees.check_heads(self.log, before, hashes)
        findings += logs.check_checkpoints(self.log, before, hashes)
        sound = [entry for entry in entries if trees.is_sound(entry)]
        findings += records.check_decisions(self.log, sound)
        findings += rows.check_changes(self.log, sound)
        findings += controls.check_controls(self.log, sound)
        findings += quarantine.check_arrivals(self.log, sound)
        findings += searches.check_searches(self.log, sound)
        findings += logs.check_announcements(self.log, sound)
        findings += anchors.check_contradictions(self.log, sound)
        return findings

    def _hashes(self, entries: list[trees.StoredEntry], start: int, end: int) -> list[bytes] | None:
        if len(entries) == end - start:
            return [trees.derived_hash(entry) for entry in entries]
        return None

    def conclude(self) -> list[Finding]:
        """What can be said of the log as a whole once every entry was seen. Takes no longer for a longer log."""
        ends = [*self._check_end(), *self._check_identity(), *logs.checkpoints_beyond(self.log)]
        return [*ends, *anchors.contradictions(self.log)]

    def _check_end(self) -> Iterator[Finding]:
        log, size = self.log, latest_head(self.log.id).tree_size
        beyond = Entry.objects.filter(log=log).order_by("-leaf_index").values_list("leaf_index", flat=True).first()
        if beyond is not None and size == 0:
            yield Finding("head-missing", log.origin)
        elif beyond is not None and beyond >= latest_head(log.id).tree_size:
            yield Finding("entry-beyond-head", log.origin, beyond)
        if not self._came_through:
            yield from trees.check_newest_head(log, self.frontier.size)
        for level in range(8):
            full = size >> (8 * (level + 1))
            beyond_it = Tile.objects.filter(log=log, level=level, index__gte=full).order_by("index")
            tile = beyond_it.values_list("index", flat=True).first()
            if tile is not None and not self._grew(size):
                yield Finding("tile-beyond-head", log.origin, detail=f"{level}/{tile}")
        yield from self._check_head_store(size)

    def _grew(self, size: int) -> bool:
        return latest_head(self.log.id).tree_size > size

    def _check_head_store(self, size: int) -> Iterator[Finding]:
        stored = head_store().head(self.log.id)
        if logs.is_declared_lost(self.log, stored):
            yield from logs.check_closed(self.log, size, self._root(size))
            return
        if stored is None:
            if size:
                yield Finding("head-store-missing", self.log.origin)
        elif stored.tree_size > latest_head(self.log.id).tree_size:
            yield Finding("rolled-back", self.log.origin, detail=f"{stored.tree_size} signed, {size} there")
        elif self._root(stored.tree_size) != stored.root_hash:
            yield Finding("rolled-back", self.log.origin, detail=f"another root at size {stored.tree_size}")

    def _root(self, size: int) -> bytes:
        if size == self.frontier.size:
            return self.frontier.root()
        try:
            return root_at(self.log.id, size)
        except LookupError:
            return b""

    def _check_identity(self) -> Iterator[Finding]:
        yield from logs.check_identity(self.log, trees.read_entries(self.log, 0, 1))


Progress = Callable[[str, int, int | None], None]
"""What is being verified (a log's origin, or a table), how far, and of how many where that is known."""


@dataclass(slots=True)
class Marks:
    """How far a verification of everything has come: enough to take it up again, where nothing was rewritten since."""

    frontiers: dict[str, Frontier] = field(default_factory=dict)
    """The tree of each log as far as it was verified, by the log's id."""
    cursors: dict[str, uuid.UUID] = field(default_factory=dict)
    """The last row that each walk has looked at, by its name."""
    finished: set[str] = field(default_factory=set)
    """Logs and walks that need not be looked at again."""


def verify_everything(
    *,
    only: uuid.UUID | None = None,
    progress: Progress = lambda what, done, size: None,
    marks: Marks | None = None,
) -> Iterator[Finding]:
    """Verify every log from its first entry, then what no log leads to. Memory is bounded by a slice.

    `progress` is called after each slice, when its findings have been taken and `marks` say that it is done.
    """
    marks = marks or Marks()
    known = Log.objects.order_by("kind", "id")
    for log in known.filter(id=only) if only else known:
        if str(log.id) not in marks.finished:
            yield from _verify_log(log, progress, marks)
    if only is None:
        yield from verify_loose_ends(progress=progress, marks=marks)


def _verify_log(log: Log, progress: Progress, marks: Marks) -> Iterator[Finding]:
    verification = LogVerification.begin(log)
    verification.frontier = marks.frontiers.get(str(log.id), verification.frontier)
    while not verification.done:
        yield from verification.step()
        marks.frontiers[str(log.id)] = verification.frontier
        progress(log.origin, verification.frontier.size, verification.end)
    yield from verification.conclude()
    marks.finished.add(str(log.id))
    progress(log.origin, verification.frontier.size, verification.end)


def verify_loose_ends(
    *, progress: Progress = lambda what, done, size: None, marks: Marks | None = None
) -> Iterator[Finding]:
    """What no entry leads to: rows without an entry, permissions without a trail, an opened guard."""
    marks = marks or Marks()
    yield from check_at_once()
    for walk in walks():
        if walk.name not in marks.finished:
            yield from _go(walk, progress, marks)


def _go(walk: Walk, progress: Progress, marks: Marks) -> Iterator[Finding]:
    seen = 0
    while True:
        findings, reached = walk.step(marks.cursors.get(walk.name))
        yield from findings
        if reached is None:
            break
        marks.cursors[walk.name] = reached
        seen += walk.rows_at_once
        progress(walk.name, seen, None)
    marks.finished.add(walk.name)


def check_at_once() -> Iterator[Finding]:
    """What takes a moment, however much there is: the guard, the registry log, closed logs."""
    yield from _open_guard()
    yield from logs.registry_missing()
    yield from logs.lost_whole()
    yield from logs.unsealed_closures()


def walks() -> list[Walk]:
    """Every table whose rows an entry must lead to."""
    checked = (logs, anchors, records, rows, cases, controls, quarantine, searches, credentials, erasures, documents)
    return [walk for each in checked for walk in each.walks()]


def _open_guard() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        for name in missing_triggers(cursor):
            trigger, _, table = name.partition(" on ")
            yield Finding("guard-open", table=table, row=trigger)
