"""What a parameter's value may be, and which of two values is the safer one. Pure.

Numbers have at most 15 significant digits, so that the decimal somebody wrote and the double a client computes with
are the same number, and compare alike; whole ones stay within what JavaScript holds exactly.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import models

from config.errors import FieldProblem

Value = bool | int | float | str
DIGITS = 15
LARGEST = 10**15
LARGEST_WHOLE = 2**53 - 1
LONGEST_TEXT = 1000
NUL = "\0"


class Type(models.TextChoices):
    """What a value is."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    STRING = "string"


class SafeDirection(models.TextChoices):
    """Where one person may move the value alone."""

    LOWER = "lower", "lower is safer"
    HIGHER = "higher", "higher is safer"
    FALSE = "false", "off is safer"
    TRUE = "true", "on is safer"
    VALUE = "value", "one value is the safe one"
    NONE = "none", "none: every change takes two people"


DIRECTIONS: dict[str, tuple[SafeDirection, ...]] = {
    Type.BOOLEAN: (SafeDirection.FALSE, SafeDirection.TRUE, SafeDirection.NONE),
    Type.INTEGER: (SafeDirection.LOWER, SafeDirection.HIGHER, SafeDirection.VALUE, SafeDirection.NONE),
    Type.NUMBER: (SafeDirection.LOWER, SafeDirection.HIGHER, SafeDirection.VALUE, SafeDirection.NONE),
    Type.STRING: (SafeDirection.VALUE, SafeDirection.NONE),
}


class NotAValue(ValueError):
    """A sentence that says why something cannot be the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a parameter's values must be, and which are safer."""

    type: str
    minimum: int | float | None = None
    maximum: int | float | None = None
    allowed: Sequence[Value] = ()
    max_length: int | None = None
    safe_direction: str = SafeDirection.NONE
    safe_value: Value | None = None

    def read(self, given: object) -> Value:
        """The value as it is stored. Errors: `NotAValue`."""
        value = typed(self.type, given)
        if self.allowed and value not in self.allowed:
            raise NotAValue(f"One of {', '.join(str(each) for each in self.allowed)}.")
        if isinstance(value, str):
            if len(value) > (self.max_length or LONGEST_TEXT):
                raise NotAValue(f"At most {self.max_length or LONGEST_TEXT} characters.")
            return value
        if self.minimum is not None and value < self.minimum:
            raise NotAValue(f"At least {self.minimum}.")
        if self.maximum is not None and value > self.maximum:
            raise NotAValue(f"At most {self.maximum}.")
        return value

    def as_safe(self, new: Value, old: Value) -> bool:
        """Whether the new value is at least as safe as the old one."""
        if new == old:
            return True
        match self.safe_direction:
            case SafeDirection.LOWER | SafeDirection.FALSE:
                return _is_below(new, old)
            case SafeDirection.HIGHER | SafeDirection.TRUE:
                return _is_below(old, new)
            case SafeDirection.VALUE:
                return new == self.safe_value
        return False


def _is_below(one: Value, other: Value) -> bool:
    """Texts have no height."""
    return not isinstance(one, str) and not isinstance(other, str) and one < other


@dataclass(frozen=True, slots=True)
class Course:
    """What holds from now on: a value, or one until a moment and another one after it."""

    lasting: Value
    passing: Value | None = None
    until: datetime | None = None

    def at(self, moment: datetime) -> Value:
        """The value that holds then."""
        if self.until is not None and self.passing is not None and moment < self.until:
            return self.passing
        return self.lasting


def needs_two(definition: Definition, *, before: Course, after: Course, now: datetime) -> bool:
    """Whether at any moment to come `after` would be less safe than `before` would have been.

    So a passing step towards safety takes one person, for what its end returns to was agreed on before. A passing step
    away takes two. A lasting value that is safer than the passing one of today, but not than what would have followed
    it, takes two as well; so does ending a passing step towards safety earlier than it would have ended.
    """
    moments = {now, *(each for each in (before.until, after.until) if each is not None and each > now)}
    return not all(definition.as_safe(after.at(moment), before.at(moment)) for moment in moments)


def typed(kind: str, given: object) -> Value:
    """What was given as a value of that type. Errors: `NotAValue`."""
    match kind:
        case Type.BOOLEAN if isinstance(given, bool):
            return given
        case Type.INTEGER if isinstance(given, int) and not isinstance(given, bool):
            return _whole(given)
        case Type.NUMBER if isinstance(given, int | float | Decimal) and not isinstance(given, bool):
            return _number(given)
        case Type.STRING if isinstance(given, str):
            return _text(given)
    raise NotAValue(WORDS[kind])


WORDS: dict[str, str] = {
    Type.BOOLEAN: "Either true or false.",
    Type.INTEGER: "A whole number.",
    Type.NUMBER: "A number.",
    Type.STRING: "A text.",
}


def from_text(kind: str, text: str) -> Value:
    """What somebody typed into a form. Errors: `NotAValue`."""
    text = text if kind == Type.STRING else text.strip()
    match kind:
        case Type.BOOLEAN if text in ("true", "false"):
            return text == "true"
        case Type.INTEGER if text.removeprefix("-").isdecimal() and text.isascii():
            return _whole(int(text[:30]))
        case Type.NUMBER if text and text.isascii() and text.replace("_", "") == text:
            return _from_digits(text)
        case Type.STRING:
            return _text(text)
    raise NotAValue(WORDS[kind])


def to_text(value: Value | None) -> str:
    """As a person reads it and would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else format(Decimal(repr(value)).normalize(), "f")


def in_words(value: Value | None) -> str:
    """As a person reads it: long numbers in groups."""
    if isinstance(value, str | bool) or value is None:
        return to_text(value)
    return format(Decimal(repr(value)).normalize(), ",f")


def problems_of(definition: Definition, default: object) -> Iterator[FieldProblem]:
    """What is wrong with the definition of a parameter, each with the field it concerns."""
    if definition.type not in Type.values:
        yield FieldProblem(pointer="/type", detail="No such type.", expected=", ".join(Type.values))
        return
    yield from _bounds_problems(definition)
    if definition.safe_direction not in DIRECTIONS[definition.type]:
        fitting = ", ".join(DIRECTIONS[definition.type])
        yield FieldProblem(pointer="/safe_direction", detail="Does not fit the type.", expected=fitting)
    if (definition.safe_direction == SafeDirection.VALUE) != (definition.safe_value is not None):
        detail = "Say which value is the safe one exactly where the safe direction is one value."
        yield FieldProblem(pointer="/safe_value", detail=detail)
    elif definition.safe_value is not None:
        yield from _value_problem(definition, "/safe_value", definition.safe_value)
    yield from _value_problem(definition, "/default", default)


def _bounds_problems(definition: Definition) -> Iterator[FieldProblem]:
    is_numeric = definition.type in (Type.INTEGER, Type.NUMBER)
    free = Definition(type=definition.type)
    for name in ("minimum", "maximum"):
        bound = getattr(definition, name)
        if bound is not None and not is_numeric:
            yield FieldProblem(pointer=f"/{name}", detail="Only numbers have bounds.")
        elif bound is not None:
            yield from _value_problem(free, f"/{name}", bound)
    low, high = definition.minimum, definition.maximum
    if is_numeric and low is not None and high is not None and low > high:
        yield FieldProblem(pointer="/maximum", detail="Not below the minimum.")
    if definition.max_length is not None and (
        definition.type != Type.STRING or not 1 <= definition.max_length <= LONGEST_TEXT
    ):
        yield FieldProblem(pointer="/max_length", detail=f"Of a text, between 1 and {LONGEST_TEXT}.")
    for index, each in enumerate(definition.allowed):
        yield from _value_problem(definition, f"/allowed/{index}", each)


def _value_problem(definition: Definition, pointer: str, given: object) -> Iterator[FieldProblem]:
    try:
        definition.read(given)
    except NotAValue as refusal:
        yield FieldProblem(pointer=pointer, detail=str(refusal))


def _whole(value: int) -> int:
    if abs(value) > LARGEST_WHOLE:
        raise NotAValue(f"Between -{LARGEST_WHOLE} and {LARGEST_WHOLE}.")
    return value


def _from_digits(text: str) -> float:
    try:
        return _number(Decimal(text[:60]))
    except ArithmeticError as error:
        raise NotAValue(WORDS[Type.NUMBER]) from error


def _number(value: int | float | Decimal) -> float:
    """A double that is exactly what was written, as far as 15 digits go."""
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not exact.is_finite():
        raise NotAValue(WORDS[Type.NUMBER])
    if abs(exact) > LARGEST or (exact and abs(exact) < Decimal(1).scaleb(-DIGITS)):
        raise NotAValue(f"Between 10^-{DIGITS} and 10^{DIGITS}, or 0, or as much below 0.")
    if len(exact.normalize().as_tuple().digits) > DIGITS:
        raise NotAValue(f"At most {DIGITS} significant digits.")
    return float(exact) + 0.0  # no -0.0


def _text(value: str) -> str:
    if NUL in value or any("\ud800" <= each <= "\udfff" for each in value):
        raise NotAValue("A text without the character NUL and without lone surrogates.")
    return value
