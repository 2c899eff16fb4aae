"""What a parameter's value may be, exactly, and which changes one person may make."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from overrides.parameter_values import (
    Course,
    Definition,
    NotAValue,
    SafeDirection,
    from_text,
    in_words,
    needs_two,
    problems_of,
    to_text,
    typed,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LOWER = Definition(type="number", safe_direction=SafeDirection.LOWER)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("boolean", 1),
        ("boolean", "true"),
        ("integer", True),
        ("integer", 5.0),
        ("integer", 2**53),
        ("number", True),
        ("number", "5"),
        ("number", float("nan")),
        ("number", float("inf")),
        ("number", 1e16),
        ("number", 1e-16),
        ("number", 0.1 + 0.2),
        ("number", 2**53 + 1),
        ("string", 5),
        ("string", "a\0b"),
        ("string", "\ud800"),
        ("boolean", None),
        ("string", ["a"]),
    ],
)
def test_what_is_no_value_of_the_type_is_refused(kind: str, given: object) -> None:
    with pytest.raises(NotAValue):
        typed(kind, given)


@pytest.mark.parametrize("digits", ["0.1", "0.3", "5000", "999999999999999", "0.000000000000001", "-0.7", "1.10"])
def test_a_number_is_the_decimal_that_was_written(digits: str) -> None:
    value = from_text("number", digits)
    assert Decimal(repr(value)) == Decimal(digits)
    assert json.loads(json.dumps(value)) == value and isinstance(value, float)
    assert Decimal(to_text(value)) == Decimal(digits) and "e" not in to_text(value).lower()


@pytest.mark.parametrize("text", ["", "abc", "1_000", "1e400", "NaN", "0x10", "１", "0.1234567890123456", "--1"])
def test_what_is_typed_and_is_no_number_is_refused(text: str) -> None:
    for kind in ("number", "integer"):
        with pytest.raises(NotAValue):
            from_text(kind, text)


def test_long_numbers_are_read_in_groups_and_typed_without() -> None:
    assert [in_words(each) for each in (12_500, 0.52, 1234.5, "12500", True, None)] == [
        "12,500", "0.52", "1,234.5", "12500", "true", ""
    ]  # fmt: skip
    assert to_text(12_500) == "12500"


def test_minus_zero_is_zero() -> None:
    assert repr(typed("number", -0.0)) == "0.0"
    assert repr(from_text("number", "-0")) == "0.0"


@pytest.mark.parametrize(
    ("definition", "good", "bad"),
    [
        (Definition(type="number", minimum=0.1, maximum=0.3), (0.1, 0.3, 0.2), (0.0999999, 0.300001)),
        (Definition(type="integer", minimum=-1), (-1, 5), (-2,)),
        (Definition(type="string", allowed=("low", "high")), ("low",), ("middle", "")),
        (Definition(type="string", max_length=3), ("abc", ""), ("abcd",)),
        (Definition(type="boolean"), (True, False), (0, 1)),
    ],
)
def test_bounds_hold_to_the_last_digit(definition: Definition, good: tuple[Any, ...], bad: tuple[Any, ...]) -> None:
    for each in good:
        assert definition.read(each) == each
    for each in bad:
        with pytest.raises(NotAValue):
            definition.read(each)


@pytest.mark.parametrize(
    ("definition", "default", "pointers"),
    [
        ({"type": "colour"}, 1, {"/type"}),
        ({"type": "number", "minimum": 5, "maximum": 1}, 3, {"/maximum", "/default"}),
        ({"type": "string", "minimum": 5}, "a", {"/minimum"}),
        ({"type": "number", "max_length": 5}, 1, {"/max_length"}),
        ({"type": "boolean", "safe_direction": "lower"}, True, {"/safe_direction"}),
        ({"type": "string", "safe_direction": "value"}, "a", {"/safe_value"}),
        ({"type": "string", "safe_direction": "value", "safe_value": "c", "allowed": ("a",)}, "a", {"/safe_value"}),
        ({"type": "integer", "minimum": 0, "allowed": (-1, 2)}, 2, {"/allowed/0"}),
        ({"type": "number", "maximum": 10}, 11, {"/default"}),
    ],
)
def test_a_definition_that_contradicts_itself_is_told_where(
    definition: dict[str, Any], default: object, pointers: set[str]
) -> None:
    found = {each.pointer for each in problems_of(Definition(**definition), default)}
    assert found == pointers


@pytest.mark.parametrize(
    ("direction", "safe_value", "old", "safer", "less_safe"),
    [
        ("lower", None, 5, 4, 6),
        ("higher", None, 5, 6, 4),
        ("false", None, True, False, None),
        ("true", None, False, True, None),
        ("false", None, False, False, True),
        ("value", "off", "on", "off", "auto"),
        ("value", "off", "off", "off", "on"),
        ("none", None, 5, 5, 4),
    ],
)
def test_only_the_declared_direction_is_safe(
    direction: str, safe_value: Any, old: Any, safer: Any, less_safe: Any
) -> None:
    definition = Definition(type="string", safe_direction=direction, safe_value=safe_value)
    assert definition.as_safe(safer, old)
    if less_safe is not None:
        assert not definition.as_safe(less_safe, old)


@pytest.mark.parametrize(
    ("why", "before", "after", "two"),
    [
        ("down for good", Course(10), Course(5), False),
        ("up for good", Course(10), Course(11), True),
        ("down for an hour: returns to what was agreed on", Course(10), Course(10, 5, NOW + HOUR), False),
        ("up for an hour", Course(10), Course(10, 11, NOW + HOUR), True),
        ("below the loan of today, above what follows it", Course(10, 50, NOW + HOUR), Course(30), True),
        ("below what follows as well", Course(10, 50, NOW + HOUR), Course(9), False),
        ("lowered for less long than it was to be", Course(10, 5, NOW + HOUR), Course(10, 5, NOW + HOUR / 2), True),
        ("lowered for longer", Course(10, 5, NOW + HOUR), Course(10, 5, NOW + 2 * HOUR), False),
        ("a loan that ends sooner", Course(10, 50, NOW + HOUR), Course(10, 50, NOW + HOUR / 2), False),
        ("a loan that goes on", Course(10, 50, NOW + HOUR), Course(10, 50, NOW + 2 * HOUR), True),
        ("ends the lowering now, for good", Course(10, 5, NOW + HOUR), Course(8), True),
        ("makes the lowering last", Course(10, 5, NOW + HOUR), Course(5), False),
        ("lower now, but back too early", Course(10, 5, NOW + HOUR), Course(10, 4, NOW + HOUR / 2), True),
    ],
)
def test_a_change_takes_two_if_it_is_ever_less_safe_than_none(
    why: str, before: Course, after: Course, two: bool
) -> None:
    assert needs_two(LOWER, before=before, after=after, now=NOW) is two, why


def test_without_a_safe_direction_every_change_takes_two() -> None:
    free = Definition(type="number")
    assert needs_two(free, before=Course(10), after=Course(5), now=NOW)
    assert needs_two(free, before=Course(10), after=Course(10, 5, NOW + HOUR), now=NOW)
