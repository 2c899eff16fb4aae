"""What differs between two JSON documents, place by place. Numbers are compared as they were written."""

import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from config.pointers import pointer

MOST = 500
"""Differences that are told; of more it is said that there are more."""
LONGEST_POINTER = 1_000
"""Characters; of a longer one the end is told."""
ABSENT = object()
NUMBER = secrets.token_hex(8)
"""Tells numbers from texts where both are written out again. Nobody who sends documents knows it."""
WRITTEN_NUMBER = re.compile(rf'"{NUMBER}([^"]*)"')


@dataclass(frozen=True, slots=True)
class Difference:
    """One place (a JSON pointer) at which two documents differ. None: there is nothing at it."""

    pointer: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """`is_all`: there are no more differences than these."""

    differences: list[Difference]
    is_all: bool = True


class _Number(str):
    """A number's own spelling, behind a mark that no text has: 1.10 is not 1.1."""


def _number(spelt: str) -> _Number:
    return _Number(NUMBER + spelt)


class _Literal(str):
    """A text that is no JSON."""


def compare_json(before: bytes | None, after: bytes | None) -> Comparison:
    """What differs, in the order of the first document, then what only the second has. None: not sent."""
    if before == after:
        return Comparison([])
    found: list[Difference] = []
    for each in _walk(_read(before), _read(after)):
        if len(found) == MOST:
            return Comparison(found, is_all=False)
        found.append(each)
    return Comparison(found)


def _read(data: bytes | None) -> Any:
    if data is None:
        return ABSENT
    try:
        return json.loads(data, parse_float=_number, parse_int=_number, parse_constant=_number)
    except (ValueError, RecursionError):
        return _Literal(data.decode("utf-8", "replace"))


class _Place:
    """Where something stands. Written out for what differs alone: keys may be long, and lists below them too."""

    __slots__ = ("above", "step")

    def __init__(self, above: "_Place | None", step: str) -> None:
        self.above, self.step = above, step

    def __str__(self) -> str:
        steps, size = [self.step], len(self.step)
        here = self.above
        while here is not None and size <= LONGEST_POINTER:
            steps.append(here.step)
            size += len(here.step)
            here = here.above
        said = "".join(reversed(steps))
        return said if here is None and size <= LONGEST_POINTER else f"…{said[-LONGEST_POINTER:]}"


Pairs = Iterator[tuple[_Place, Any, Any]]


def _walk(before: Any, after: Any) -> Iterator[Difference]:
    """Depth first, without recursion: a document may be as deep as intake lets it."""
    open_pairs: list[Pairs] = [iter([(_Place(None, ""), before, after)])]
    while open_pairs:
        found = next(open_pairs[-1], None)
        if found is None:
            open_pairs.pop()
            continue
        place, one, other = found
        if isinstance(one, dict) and isinstance(other, dict):
            open_pairs.append(_by_name(place, one, other))
        elif isinstance(one, list) and isinstance(other, list):
            open_pairs.append(_by_number(place, one, other))
        elif type(one) is not type(other) or one != other:
            yield Difference(str(place), _said(one), _said(other))


def _by_name(place: _Place, one: dict[str, Any], other: dict[str, Any]) -> Pairs:
    for name, value in one.items():
        yield _Place(place, pointer(name)), value, other.get(name, ABSENT)
    for name, value in other.items():
        if name not in one:
            yield _Place(place, pointer(name)), ABSENT, value


def _by_number(place: _Place, one: list[Any], other: list[Any]) -> Pairs:
    for at in range(max(len(one), len(other))):
        yield _Place(place, f"/{at}"), _at(one, at), _at(other, at)


def _at(items: list[Any], place: int) -> Any:
    return items[place] if place < len(items) else ABSENT


def _said(value: Any) -> str | None:
    if value is ABSENT:
        return None
    if isinstance(value, _Literal):
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    return WRITTEN_NUMBER.sub(r"\1", text if _can_be_sent(text) else json.dumps(value))


def _can_be_sent(text: str) -> bool:
    """Not with half a surrogate pair."""
    return not any("\ud800" <= each <= "\udfff" for each in text)
