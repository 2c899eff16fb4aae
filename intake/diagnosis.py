"""What exactly is wrong with a record that the fast decoder refused: every problem, each with a JSON pointer.

Slow and thorough: it runs only for records that are refused, and reads them with the standard library's decoder, which
shows repeated names. `intake.wire` decides what is refused; a test holds the two to the same verdict.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from config.errors import FieldProblem
from config.pointers import pointer
from intake import wire
from intake.errors import MalformedRecord
from intake.pairs import NotANumber, Pairs, read_pairs
from ledger.entries import CLEAR

MAX_PROBLEMS = 50
MISSING = object()


def explain(raw: bytes) -> list[FieldProblem]:
    """Every problem of one record, at most `MAX_PROBLEMS`."""
    try:
        record = read_pairs(raw)
    except RecursionError:
        return [_too_deep("")]
    except ValueError as error:
        return [
            FieldProblem(pointer="", detail=f"The record is not valid JSON: {_where(error)}", expected="a JSON object")
        ]
    if not isinstance(record, Pairs):
        return [FieldProblem(pointer="", detail=f"The record is {name_of(record)}.", expected="a JSON object")]
    found = list(_problems(raw, record))[:MAX_PROBLEMS]
    return found or [_as_msgspec_says(raw)]


def _where(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        # the column counts characters; messages of the decoder never quote the text
        return f"{error.msg} at character {error.pos}."
    return "it is not UTF-8 text." if isinstance(error, UnicodeDecodeError) else "a number in it is too long."


def _as_msgspec_says(raw: bytes) -> FieldProblem:
    """What only the fast decoder objects to (an escape, a control character); its message quotes no values."""
    try:
        wire.decode_record(raw)
    except MalformedRecord as error:
        return FieldProblem(pointer="", detail=str(error.__cause__ or "The record cannot be read."), expected=None)
    return FieldProblem(pointer="", detail="The record cannot be read.")


def _problems(raw: bytes, record: Pairs) -> Iterator[FieldProblem]:
    for name in record.repeated():
        yield FieldProblem(
            pointer=pointer(name), detail="The name occurs twice in the record.", expected="each name once"
        )
    fields = dict(record)
    for name in sorted(fields.keys() - wire.RECORD_FIELDS):
        yield FieldProblem(
            pointer=pointer(name), detail="There is no field of this name.", expected="a field of the record"
        )
    for name, check in FIELDS.items():
        yield from check.problems(name, fields.get(name, MISSING))
    yield from _hidden_problems(fields)


def _hidden_problems(fields: dict[str, Any]) -> Iterator[FieldProblem]:
    """What may stand anywhere, also within the payload parts."""
    for name, value in fields.items():
        for place, leaf, depth in walk(value, pointer(name)):
            if depth > wire.MAX_DEPTH:
                yield _too_deep(pointer(name))
                break
            if isinstance(leaf, NotANumber):
                yield FieldProblem(
                    pointer=place, detail="JSON has no NaN and no Infinity.", expected="a number, or null"
                )
            elif isinstance(leaf, str) and _LONE_SURROGATE.search(leaf):
                detail = "The text has half of a surrogate pair, which is no character."
                yield FieldProblem(pointer=place, detail=detail, expected="valid Unicode text")


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def _too_deep(place: str) -> FieldProblem:
    return FieldProblem(
        pointer=place,
        detail="The record nests too deep.",
        expected=f"at most {wire.MAX_DEPTH} levels of objects and arrays",
    )


def walk(value: Any, place: str) -> Iterator[tuple[str, Any, int]]:
    """Every value below `value`, with its pointer and its level (the record's own fields stand on level 1)."""
    waiting: list[tuple[str, Any, int]] = [(place, value, 1)]
    while waiting:
        here, found, depth = waiting.pop()
        if isinstance(found, Pairs):
            waiting += [(here + pointer(name), inner, depth + 1) for name, inner in reversed(found)]
            waiting += [(here, name, depth + 1) for name, _ in found]
            depth += 1
        elif isinstance(found, list):
            waiting += [(f"{here}/{index}", inner, depth + 1) for index, inner in reversed(list(enumerate(found)))]
            depth += 1
        yield here, found, depth


def name_of(value: Any) -> str:
    """What a JSON value is, in words; never the value itself."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case Pairs():
            return "an object"
        case NotANumber():
            return "NaN or Infinity"
        case _:
            return "an array"


@dataclass(frozen=True, slots=True)
class Check:
    """One field's rule: what is expected, in words, and what is wrong with a value (None: nothing)."""

    expected: str
    wrong: Callable[[Any], str | None]
    required: bool = False

    def problems(self, name: str, value: Any) -> Iterator[FieldProblem]:
        if value is MISSING or (value is None and not self.required):
            if self.required:
                yield FieldProblem(pointer=pointer(name), detail="The field is missing.", expected=self.expected)
            return
        if isinstance(value, NotANumber):
            return  # said by the walk
        detail = self.wrong(value)
        if detail:
            yield FieldProblem(pointer=pointer(name), detail=detail, expected=self.expected)


def _text(
    least: int, most: int, pattern: re.Pattern[str] | None = None, *, nul: bool = False
) -> Callable[[Any], str | None]:
    def wrong(value: Any) -> str | None:
        if not isinstance(value, str):
            return f"The value is {name_of(value)}."
        if not least <= len(value) <= most:
            return f"The text has {len(value)} characters."
        if pattern is not None and not pattern.fullmatch(value):
            return "The text has characters or a form that the field must not have."
        if not nul and "\0" in value:
            return "The text holds the character U+0000."
        return None

    return wrong


def _number(least: float, most: float, *, whole: bool = False) -> Callable[[Any], str | None]:
    def wrong(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            return f"The value is {name_of(value)}{' with a fraction or exponent' if isinstance(value, float) else ''}."
        if isinstance(value, float) and not math.isfinite(value):
            return "The number is too large for a double."
        return None if least <= value <= most else "The number is out of range."

    return wrong


def _one_of(*allowed: str) -> Callable[[Any], str | None]:
    def wrong(value: Any) -> str | None:
        if not isinstance(value, str):
            return f"The value is {name_of(value)}."
        return None if value in allowed else "The text is none of the allowed ones."

    return wrong


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"The value is {name_of(value)}."


def _anything(value: Any) -> str | None:
    return None


_read_moment = msgspec.json.Decoder(wire.Moment).decode


def _moment(value: Any) -> str | None:
    if not isinstance(value, str):
        return f"The value is {name_of(value)}."
    try:
        moment = _read_moment(json.dumps(value).encode())
    except msgspec.DecodeError as error:
        missing_zone = "timezone" in str(error)
        return "The time has no offset from UTC." if missing_zone else "The text is not an RFC 3339 date and time."
    return None if wire.EARLIEST <= moment <= wire.LATEST else "The time is before 1970 or too far ahead."


def _uuid7(value: Any) -> str | None:
    if not isinstance(value, str):
        return f"The value is {name_of(value)}."
    if not wire.UUID.fullmatch(value):
        return "The text is not a UUID."
    return None if wire.is_uuid7(value) else "The UUID is not of version 7."


def _labels(value: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(value, Pairs):
        yield "", f"The value is {name_of(value)}."
        return
    if len(dict(value)) > wire.MAX_LABELS:
        yield "", f"There are {len(value)} labels."
    for name in value.repeated():
        yield pointer(name), "The name occurs twice."
    for name, text in value:
        if not 1 <= len(name) <= 100 or "\0" in name:
            yield pointer(name), "The label's name is empty, longer than 100 characters, or holds U+0000."
        detail = _text(0, 500)(text)
        if detail:
            yield pointer(name), detail


def _source(value: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(value, Pairs):
        yield "", f"The value is {name_of(value)}."
        return
    yield from ((pointer(name), "The name occurs twice.") for name in value.repeated())
    fields = dict(value)
    yield from ((pointer(name), "There is no field of this name.") for name in sorted(fields.keys() - {"id", "seq"}))
    rules = {"id": _text(1, 100, CLEAR), "seq": _number(0, 2**63 - 1, whole=True)}
    for name, rule in rules.items():
        detail = rule(fields[name]) if name in fields else "The field is missing."
        if detail:
            yield pointer(name), detail


@dataclass(frozen=True, slots=True)
class Nested:
    """The rule of a field that is an object itself."""

    expected: str
    wrong: Callable[[Any], Iterator[tuple[str, str]]]

    def problems(self, name: str, value: Any) -> Iterator[FieldProblem]:
        if value is MISSING or value is None:
            return
        for place, detail in self.wrong(value):
            yield FieldProblem(pointer=pointer(name) + place, detail=detail, expected=self.expected)


_CLEAR = Check("1 to 100 of A-Z, a-z, 0-9 and _.:/+-", _text(1, 100, CLEAR))
_REQUIRED_CLEAR = Check(_CLEAR.expected, _CLEAR.wrong, required=True)
_TEXT = Check("text of 1 to 200 characters", _text(1, 200))
_DIGEST = Check("alg:hex of at most 100 characters, for example sha256:9f86d081…", _text(1, 100, wire.DIGEST))
_FINITE = Check("a number", _number(-math.inf, math.inf))
_PART = Check("any JSON value", _anything, required=True)

FIELDS: dict[str, Check | Nested] = {
    "id": Check("a UUIDv7", _uuid7),
    "external_id": _TEXT,
    "system": _REQUIRED_CLEAR,
    "environment": _CLEAR,
    "model_version": _REQUIRED_CLEAR,
    "capability": _CLEAR,
    "occurred_at": Check("RFC 3339 with an offset, for example 2026-11-21T07:00:00Z", _moment, required=True),
    "input": _PART,
    "output": _PART,
    "outcome": _REQUIRED_CLEAR,
    "confidence": Check("a number from 0 to 1", _number(0, 1)),
    "score": _FINITE,
    "threshold": _FINITE,
    "explanation": Check("any JSON value", _anything),
    "context": Check("any JSON value", _anything),
    "subject": _TEXT,
    "labels": Nested(f"an object of at most {wire.MAX_LABELS} texts of at most 500 characters", _labels),
    "ai_role": Check("sole, determinative, advisory or triage", _one_of("sole", "determinative", "advisory", "triage")),
    "adverse": Check("true or false", _boolean),
    "phase": Check("effective or proposed", _one_of("effective", "proposed")),
    "config_digest": _DIGEST,
    "model_digest": _DIGEST,
    "prompt_version": _CLEAR,
    "trace_id": Check("32 hexadecimal digits", _text(32, 32, wire.TRACE_ID)),
    "span_id": Check("16 hexadecimal digits", _text(16, 16, wire.SPAN_ID)),
    "conversation_id": _TEXT,
    "parent_id": Check("a UUID", _text(36, 36, wire.UUID)),
    "latency_ms": Check("a number of milliseconds, not negative", _number(0, math.inf)),
    "error_type": _CLEAR,
    "source": Nested('an object {"id": 1 to 100 clear characters, "seq": whole number from 0}', _source),
    "control_epoch": _CLEAR,
}
