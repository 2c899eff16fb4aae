"""The kinds of field a card consists of. Each checks a value as it comes in JSON, and describes itself as a schema."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from config.errors import FieldProblem
from config.pointers import pointer

MAX_LINE, MAX_TEXT, MAX_WORD, MAX_WORDS, MAX_ROWS = 200, 10_000, 100, 200, 40
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that a card says. `needed`: no card is published without; `law`: who asks for it."""

    name: str
    label: str
    help: str = ""
    law: str = ""
    needed: bool = False

    def problems(self, value: Any, place: Place) -> Iterator[FieldProblem]:
        """What is wrong with a value that is there."""
        raise NotImplementedError

    def tidy(self, value: Any) -> Any:
        """A sound value as it is kept; None where it says nothing."""
        return value

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        raise NotImplementedError


def _wrong(place: Place, detail: str, expected: str = "") -> FieldProblem:
    return FieldProblem(pointer=pointer(*place), detail=detail, expected=expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Field):
    """Free text: a line, or paragraphs."""

    is_long: bool = True

    @property
    def limit(self) -> int:
        return MAX_TEXT if self.is_long else MAX_LINE

    def problems(self, value: Any, place: Place) -> Iterator[FieldProblem]:
        expected = f"text of at most {self.limit:,} characters"
        if not isinstance(value, str):
            yield _wrong(place, "This is a text.", expected)
        elif len(value) > self.limit:
            yield _wrong(place, "This is too long.", expected)
        elif CONTROLS.search(value) or (not self.is_long and "\n" in value.strip()):
            yield _wrong(place, "This holds characters that no text has.", expected)

    def tidy(self, value: Any) -> Any:
        return value.replace("\r\n", "\n").strip() or None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.limit}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Field):
    """One of a list."""

    options: Mapping[str, str]

    def problems(self, value: Any, place: Place) -> Iterator[FieldProblem]:
        if value != "" and (not isinstance(value, str) or value not in self.options):
            yield _wrong(place, "This is not one of the choices.", ", ".join(self.options))

    def tidy(self, value: Any) -> Any:
        return value or None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.options)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Day(Field):
    """A calendar day."""

    def problems(self, value: Any, place: Place) -> Iterator[FieldProblem]:
        if value != "" and not _is_day(value):
            yield _wrong(place, "This is not a day.", "YYYY-MM-DD")

    def tidy(self, value: Any) -> Any:
        return value or None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


def _is_day(value: Any) -> bool:
    if not isinstance(value, str) or not DAY.match(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Field):
    """A finite number."""

    BEYOND: ClassVar[float] = 1e15

    def problems(self, value: Any, place: Place) -> Iterator[FieldProblem]:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or abs(value) > self.BEYOND:
            yield _wrong(place, "This is not a number that a card can hold.", "a number, at most 1e15 either way")

    def tidy(self, value: Any) -> Any:
        """7 and 7.0 are one number, whoever wrote it: a form or a program."""
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": -self.BEYOND, "maximum": self.BEYOND}


@dataclass(frozen=True, slots=True, kw_only=True)
class YesNo(Field):
    """Yes or no; not said is neither."""

    def problems(self, value: Any, place: Place) -> Iterator[FieldProblem]:
        if not isinstance(value, bool):
            yield _wrong(place, "This is yes or no.", "true or false")

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words(Field):
    """A list of short texts, in the order given."""

    def problems(self, value: Any, place: Place) -> Iterator[FieldProblem]:
        if not isinstance(value, list) or len(value) > MAX_WORDS:
            yield _wrong(place, "This is a list of short texts.", f"a list of at most {MAX_WORDS}")
            return
        for number, word in enumerate(value):
            if not isinstance(word, str) or len(word) > MAX_WORD or CONTROLS.search(word) or "\n" in word:
                yield _wrong((*place, number), "This is a short text.", f"a line of at most {MAX_WORD} characters")

    def tidy(self, value: Any) -> Any:
        return list(dict.fromkeys(word.strip() for word in value if word.strip())) or None

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "maxItems": MAX_WORDS, "items": {"type": "string", "maxLength": MAX_WORD}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows(Field):
    """A table: rows of the same columns."""

    columns: tuple[Field, ...]
    row: str
    """What one row is called."""

    def problems(self, value: Any, place: Place) -> Iterator[FieldProblem]:
        if not isinstance(value, list) or len(value) > MAX_ROWS:
            yield _wrong(place, "This is a list of rows.", f"a list of at most {MAX_ROWS}")
            return
        for number, row in enumerate(value):
            yield from problems_of(self.columns, row, (*place, number))

    def tidy(self, value: Any) -> Any:
        rows = (tidied(self.columns, row) for row in value)
        return [row for row in rows if row] or None

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "maxItems": MAX_ROWS, "items": schema_of(self.columns)}


def problems_of(fields: tuple[Field, ...], value: Any, place: Place) -> Iterator[FieldProblem]:
    """What is wrong with an object of these fields: names that are none of them, and each value."""
    if not isinstance(value, dict):
        yield _wrong(place, "This is an object.", ", ".join(each.name for each in fields))
        return
    known = {each.name: each for each in fields}
    for name, found in value.items():
        if name not in known:
            yield _wrong((*place, name), "There is no such field here.", ", ".join(known))
        elif found is not None:
            yield from known[name].problems(found, (*place, name))


def tidied(fields: tuple[Field, ...], value: Mapping[str, Any]) -> dict[str, Any]:
    """A sound object as it is kept: in the order of its fields, without what says nothing."""
    kept = ((each.name, each.tidy(value[each.name])) for each in fields if value.get(each.name) is not None)
    return {name: found for name, found in kept if found is not None}


def schema_of(fields: tuple[Field, ...]) -> dict[str, Any]:
    """An object of these fields as JSON Schema."""
    described = {each.name: each.schema() | {"description": each.help or each.label} for each in fields}
    return {"type": "object", "additionalProperties": False, "properties": described}
