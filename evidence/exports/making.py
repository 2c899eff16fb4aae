"""What every maker of a file shares: its steps, its state, and going through the disclosed entries in their order."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import compress, filterfalse
from typing import Any, ClassVar

import msgspec

from evidence.exports import places
from evidence.exports.contents import PARTS
from evidence.exports.figures import KIND_AT, Figures, is_decision, is_erasure, is_override, read_decision
from evidence.exports.ids import Ids
from evidence.exports.models import Export
from evidence.exports.parts import Opened
from evidence.exports.plans import Plan, PlannedLog
from evidence.exports.ranges import Span
from evidence.exports.reading import Batches, entries_at, entries_between
from evidence.exports.tiles import joined
from evidence.exports.watching import Watch
from evidence.exports.writing import ZipWriter

PLACES_AT_ONCE = 2_000
LONG_RUN = 64
"""From so many entries in a row on they are read as a range."""
Run = tuple[int, int]


class Place(msgspec.Struct):
    """Where a maker is: the step, the log, the next index there, and the number of the file at hand."""

    step: str = ""
    log: int = 0
    at: int = 0
    file: int = 0


class Maker:
    """Makes one file, step by step. A subclass names its `STEPS`, each a method that leaves `place` as it goes."""

    STEPS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, export: Export, plan: Plan, writer: ZipWriter, watch: Watch) -> None:
        self.export, self.plan, self.writer, self.watch = export, plan, writer, watch
        self.span = Span.of(export.since, export.until)
        self.place = Place(step=self.STEPS[0])
        self.figures = Figures(keeps_sources=self.is_range)
        self.disclosed_parts = dict.fromkeys(PARTS, 0)
        self.erased = Ids(writer.folder / "erased")
        """Decisions of which the export shows that their contents were erased."""
        self.overridden = Ids(writer.folder / "overridden")
        """Decisions of which it shows that people put another outcome in their place."""
        self.more: dict[str, Any] = {}
        """What a subclass keeps beside."""
        self.entries = 0
        """Disclosed entries of the logs of AI systems."""

    @property
    def is_range(self) -> bool:
        return self.export.question == Export.Question.RANGE

    def make(self) -> None:
        """From where it was marked last to the end. Errors: those of the watch; `RecordDamaged`, `OSError`."""
        self._restore(self.writer.resume())
        left = self.STEPS[self.STEPS.index(self.place.step) :]
        for step, following in zip(left, (*left[1:], left[-1]), strict=True):
            self.watch.phase = step
            method: Callable[[], None] = getattr(self, f"_{step}")
            method()
            if step != following:  # what ends a step is not done again where it is gone on with
                self.place = Place(step=following)
                self.mark()

    def turn(self) -> None:
        self.watch.turn(self.mark)

    def mark(self) -> None:
        self.writer.mark(self._kept())

    def _kept(self) -> dict[str, Any]:
        return {
            "place": msgspec.to_builtins(self.place),
            "figures": self.figures.kept(),
            "parts": self.disclosed_parts,
            "erased": self.erased.kept(),
            "overridden": self.overridden.kept(),
            "entries": self.entries,
            "more": self.more,
            "done": self.watch.done,
        }

    def _restore(self, kept: dict[str, Any] | None) -> None:
        self.erased.cut(kept["erased"] if kept else 0)
        self.overridden.cut(kept["overridden"] if kept else 0)
        if kept is None:
            self.watch.done = 0
            return
        self.place = msgspec.convert(kept["place"], Place)
        self.figures = Figures.of(kept["figures"])
        self.disclosed_parts, self.entries, self.more = kept["parts"], kept["entries"], kept["more"]
        self.watch.done = kept["done"]

    # --- the disclosed entries ----------------------------------------------------------------------------------------
    def runs(self, log: PlannedLog, start: int = 0) -> Iterator[Run]:
        """The disclosed indexes of a log from `start` on, as ranges that neither touch nor overlap, ascending."""
        return joined(self._pieces(log, start))

    def _pieces(self, log: PlannedLog, start: int) -> Iterator[Run]:
        first, end = log.range or (log.tree_size, log.tree_size)
        at = max(start, first)
        for index, withheld, _ in self._places(log, start):
            if index < first or index >= end:
                if index >= end > at:
                    yield at, end
                    at = end
                if not withheld:
                    yield index, index + 1
            elif withheld:
                if at < index:
                    yield at, index
                at = index + 1
        if at < end:
            yield at, end

    def _places(self, log: PlannedLog, start: int) -> Iterator[tuple[int, bool, bool]]:
        while found := places.next_places(self.export, log.id, start, log.tree_size, PLACES_AT_ONCE):
            yield from found
            start = found[-1][0] + 1

    def batches(self, log: PlannedLog, start: int) -> Iterator[tuple[Sequence[int], list[bytes]]]:
        """The disclosed entries of a log from an index on, with their indexes, a few megabytes at a time."""
        sizes, scattered = Batches(), list[int]()
        for first, end in self.runs(log, start):
            if end - first < LONG_RUN:
                scattered += range(first, end)
                if len(scattered) < sizes.size:
                    continue
                yield self._scattered(log.id, scattered, sizes)
                scattered = []
                continue
            if scattered:
                yield self._scattered(log.id, scattered, sizes)
                scattered = []
            at = first
            while at < end:
                upto = min(end, at + sizes.size)
                lines = entries_between(log.id, at, upto)
                sizes.saw(len(lines), sum(map(len, lines)))
                yield range(at, upto), lines
                at = upto
        if scattered:
            yield self._scattered(log.id, scattered, sizes)

    def _scattered(self, log_id: uuid.UUID, indexes: list[int], sizes: Batches) -> tuple[list[int], list[bytes]]:
        lines = entries_at(log_id, indexes)
        sizes.saw(len(lines), sum(map(len, lines)))
        return indexes, lines

    # --- what is counted ----------------------------------------------------------------------------------------------
    def count(self, log: PlannedLog, indexes: Sequence[int], lines: Sequence[bytes]) -> None:
        """Count disclosed entries (docs/bundle-format.md, "What is counted")."""
        if not log.is_registry:
            asked = self.asked_for(log, indexes, lines)
            self.entries += len(lines)
            self.figures.count([read_decision(line) for line in compress(lines, asked)])
            if all(asked):
                return
        for line in filterfalse(is_decision, lines):
            if is_override(line):
                self.overridden.add(_read_body(line).body.decision)
            elif is_erasure(line) and not log.is_registry:
                said = _read_body(line).body
                if not said.place:  # else it is of something else than a decision's contents
                    self.erased.add(said.about)

    def asked_for(self, log: PlannedLog, indexes: Sequence[int], lines: Sequence[bytes]) -> list[bool]:
        """Of each disclosed entry whether it is a decision that the question asks for."""
        if self.is_range:
            first, end = log.range or NO_RANGE
            since, until = self.span.since or EARLIEST, self.span.until or LATEST
            return [
                first <= index < end and is_decision(line) and since <= line[DECISION_AT:DECISION_AT_END] < until
                for index, line in zip(indexes, lines, strict=True)
            ]
        if self.export.question == Export.Question.DECISION:
            own_id = str(self.export.decision_id).encode()
            return [is_decision(line) and line.startswith(own_id, ID_AT) for line in lines]
        return [is_decision(line) for line in lines]

    def note_disclosed(self, parts: Sequence[Opened]) -> None:
        """Count contents that leave, and say that this goes on: they may be large."""
        for part in parts:
            self.disclosed_parts[part.name] += 1
        self.watch.beat()


ID_AT = 13
"""Where the id stands in an entry."""
DECISION_AT = KIND_AT + len('decision.recorded","at":"')
"""Where the time stands in a decision's entry."""
DECISION_AT_END = DECISION_AT + len("2026-11-21T07:00:00.123456Z")
EARLIEST, LATEST = b"", b"~"
"""Below and above each time."""
NO_RANGE = (0, 0)


class _Named(msgspec.Struct):
    about: str = ""
    decision: str = ""
    place: str = ""


class _NamedSaid(msgspec.Struct):
    body: _Named


_read_body = msgspec.json.Decoder(_NamedSaid).decode
