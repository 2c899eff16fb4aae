"""The figures of an export, counted as its decisions go by: the same as a verifier derives from what is disclosed."""

import base64
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

import msgspec

KEPT_UNSORTED = 65_536


class Body(msgspec.Struct, gc=False):
    """What is counted of a decision's entry."""

    outcome: str
    model_version: str
    adverse: bool | None = None
    flags: list[str] = []
    error_type: str | None = None
    source_id: str | None = None
    source_seq: int | None = None
    commitments: dict[str, str] = {}


class Said(msgspec.Struct, gc=False):
    """A decision's entry, as far as it is counted."""

    at: str
    body: Body


read_decision = msgspec.json.Decoder(Said).decode
KIND_AT = 59
"""Where the kind stands in an entry's bytes: `{"v":1,"id":"<36>","kind":"`."""


def is_decision(entry: bytes) -> bool:
    return entry.startswith(b'decision.recorded"', KIND_AT)


def is_override(entry: bytes) -> bool:
    return entry.startswith(b'decision.overridden"', KIND_AT)


def is_erasure(entry: bytes) -> bool:
    return entry.startswith(b'erasure.performed"', KIND_AT)


class Numbers:
    """The numbers of one source: as ranges of those that came, and those that came twice. 16 bytes a range."""

    def __init__(self) -> None:
        self.count = 0
        self.starts, self.ends, self.twice = array("q"), array("q"), array("q")
        self._new = array("q")

    def add(self, numbers: Sequence[int]) -> None:
        self.count += len(numbers)
        self._new.extend(numbers)
        if len(self._new) >= KEPT_UNSORTED:
            self.settle()

    def settle(self) -> None:
        """Sort what is new into the ranges."""
        if not self._new:
            return
        starts, ends, twice = array("q"), array("q"), set(self.twice)
        for first, last in _merged(zip(self.starts, self.ends, strict=True), sorted(self._new)):
            if ends and first <= ends[-1]:  # a single number that is in the range already
                twice.add(first)
            elif ends and first == ends[-1] + 1:
                ends[-1] = last
            else:
                starts.append(first)
                ends.append(last)
        self.starts, self.ends, self.twice, self._new = starts, ends, array("q", sorted(twice)), array("q")

    def missing(self, at_most: int | None = None) -> list[list[int]]:
        """The first of the ranges that are missing, or all of them."""
        gaps = zip(self.ends, islice(self.starts, 1, None), strict=False)
        return [[end + 1, start - 1] for end, start in islice(gaps, at_most)]

    @property
    def gaps(self) -> int:
        """How many ranges are missing, once it is settled."""
        return max(0, len(self.starts) - 1)

    @property
    def missing_count(self) -> int:
        """How many numbers are missing, once it is settled."""
        return sum(start - end - 1 for end, start in zip(self.ends, islice(self.starts, 1, None), strict=False))

    def kept(self) -> list[Any]:
        self.settle()
        return [
            self.count,
            *(base64.b64encode(each.tobytes()).decode() for each in (self.starts, self.ends, self.twice)),
        ]

    @classmethod
    def of(cls, kept: Sequence[Any]) -> "Numbers":
        found = cls()
        found.count = kept[0]
        found.starts, found.ends, found.twice = (array("q", base64.b64decode(each)) for each in kept[1:])
        return found


def _merged(ranges: Iterator[tuple[int, int]], numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges and single numbers by where they begin; of a range and a number that begin alike, the range first."""
    left, place = next(ranges, None), 0
    while left is not None or place < len(numbers):
        if left is not None and (place == len(numbers) or left[0] <= numbers[place]):
            yield left
            left = next(ranges, None)
        else:
            yield numbers[place], numbers[place]
            place += 1


class Figures:
    """Counted so far. `keeps_sources`: of a range."""

    def __init__(self, *, keeps_sources: bool) -> None:
        self.keeps_sources = keeps_sources
        self.decisions = self.adverse = self.flagged = self.failed = 0
        self.first_at: str | None = None
        self.last_at: str | None = None
        self.outcomes: Counter[str] = Counter()
        self.by_model_version: Counter[str] = Counter()
        self.parts: Counter[str] = Counter()
        """How many of the counted decisions were sent with each part."""
        self.sources: dict[str, Numbers] = {}

    def count(self, said: Sequence[Said]) -> None:
        """Decisions that the question asks for. All of a batch at once: there may be millions of them."""
        if not said:
            return
        bodies, times = [each.body for each in said], [each.at for each in said]
        self.decisions += len(said)
        earliest, latest = min(times), max(times)
        self.first_at = min(self.first_at or earliest, earliest)
        self.last_at = max(self.last_at or latest, latest)
        self.outcomes.update([body.outcome for body in bodies])
        self.by_model_version.update([body.model_version for body in bodies])
        self.adverse += sum(body.adverse is True for body in bodies)
        self.flagged += sum(bool(body.flags) for body in bodies)
        self.failed += sum(body.error_type is not None for body in bodies)
        self.parts.update(chain.from_iterable([body.commitments for body in bodies]))
        if self.keeps_sources:
            self._count_sources(bodies)

    def _count_sources(self, bodies: Sequence[Body]) -> None:
        found: defaultdict[str, list[int]] = defaultdict(list)
        for body in bodies:
            if body.source_id is not None and body.source_seq is not None:
                found[body.source_id].append(body.source_seq)
        for source, numbers in found.items():
            self.sources.setdefault(source, Numbers()).add(numbers)

    def answer(self, *, entries: int, withheld_entries: int, overridden: int) -> dict[str, Any]:
        return {
            "entries": entries,
            "decisions": self.decisions,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "outcomes": dict(sorted(self.outcomes.items())),
            "adverse": self.adverse,
            "flagged": self.flagged,
            "failed": self.failed,
            "overridden": overridden,
            "by_model_version": dict(sorted(self.by_model_version.items())),
            "withheld_entries": withheld_entries,
        }

    def told_sources(self, at_most: int | None = None) -> list[dict[str, Any]] | None:
        """`at_most`: so many ranges and so many repeated numbers of each are listed; all are counted."""
        if not self.keeps_sources:
            return None
        for numbers in self.sources.values():
            numbers.settle()
        return [_told(source, self.sources[source], at_most) for source in sorted(self.sources)]

    def lines_of_sources(self) -> int:
        """How many lines the full lists take in a manifest: four a range that is missing, one a repeated number."""
        for numbers in self.sources.values():
            numbers.settle()
        return sum(4 * each.gaps + len(each.twice) for each in self.sources.values())

    def kept(self) -> dict[str, Any]:
        """As `of` reads it again."""
        said = {name: getattr(self, name) for name in _SIMPLE}
        counted = {name: dict(getattr(self, name)) for name in _COUNTED}
        return said | counted | {"sources": {name: each.kept() for name, each in self.sources.items()}}

    @classmethod
    def of(cls, kept: dict[str, Any]) -> "Figures":
        found = cls(keeps_sources=kept["keeps_sources"])
        for name in _SIMPLE:
            setattr(found, name, kept[name])
        for name in _COUNTED:
            getattr(found, name).update(kept[name])
        found.sources = {name: Numbers.of(each) for name, each in kept["sources"].items()}
        return found


_SIMPLE = ("keeps_sources", "decisions", "adverse", "flagged", "failed", "first_at", "last_at")
_COUNTED = ("outcomes", "by_model_version", "parts")


def _told(source: str, numbers: Numbers, at_most: int | None) -> dict[str, Any]:
    return {
        "source": source,
        "first_seq": numbers.starts[0],
        "last_seq": numbers.ends[-1],
        "decisions": numbers.count,
        "missing": numbers.missing(at_most),
        "missing_count": numbers.missing_count,
        "twice": list(numbers.twice[:at_most]),
    }
