"""What a review rule asks of a decision: read strictly, compared, compiled into a function. Pure.

All that a condition names must hold. `{"confidence_below": 0.7, "outcome_in": ["refused"]}`
"""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from config.errors import FieldProblem, InvalidInput
from ledger.entries import CLEAR

MOST_VALUES = 100
RANDOM_DIGITS = 12
"""How many of an id's last hex digits are random and make a number that a float holds exactly."""


class DecisionFacts(Protocol):
    """What a rule may look at. Strings as the caller sent them."""

    @property
    def outcome(self) -> str: ...
    @property
    def confidence(self) -> float | None: ...
    @property
    def adverse(self) -> bool | None: ...
    @property
    def capability(self) -> str | None: ...
    @property
    def labels(self) -> dict[str, str] | None: ...
    @property
    def phase(self) -> str | None: ...


Draw = Callable[[], float | None]
"""Gives a decision's number for random shares, from 0 up to 1 and always the same; None where there is none to be had.

Asked only where a rule draws: few do, and it takes a moment.
"""
Test = Callable[[DecisionFacts, str, Draw | None], bool]
"""Asked of a decision, its model version and its number."""


class Tests(NamedTuple):
    """What a condition asks, all of which must hold."""

    kind: tuple[Test, ...] = ()
    """Of outcome, adversity, capability and model version alone: many decisions are of one kind, and are asked once."""
    each: tuple[Test, ...] = ()
    """Of what differs from one decision to the next."""


def draw_of(decision_id: uuid.UUID | str) -> float:
    """A number from 0 up to 1 out of an id's random bits: the same for the same id, as likely to be any."""
    return drawn_from(str(decision_id)[-RANDOM_DIGITS:])


def drawn_from(digits: str) -> float:
    """The same out of twelve random hex digits."""
    return int(digits, 16) / (1 << 4 * RANDOM_DIGITS)


# --- reading ----------------------------------------------------------------------------------------------------------
def read_condition(given: Any, at: str = "/condition") -> dict[str, Any]:
    """A condition in its one form. Errors: `InvalidInput` naming each place that is wrong."""
    if not isinstance(given, Mapping) or not given:
        raise InvalidInput(errors=[FieldProblem(pointer=at, detail="Name at least one test.", expected=_known())])
    problems = [
        FieldProblem(pointer=f"{at}/{name}", detail=detail, expected=expected)
        for name, value in given.items()
        if (wrong := _wrong(str(name), value))
        for detail, expected in [wrong]
    ]
    if problems:
        raise InvalidInput(errors=problems)
    return {name: _canonical(given[name]) for name in sorted(given)}


def _known() -> str:
    return "one or more of " + ", ".join(READERS)


def _wrong(name: str, value: Any) -> tuple[str, str | None] | None:
    if name not in READERS:
        return "There is no such test.", _known()
    is_right, expected = READERS[name]
    return None if is_right(value) else ("This is not what the test takes.", expected)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 < value <= 1


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= MOST_VALUES and all(_is_clear(each) for each in value)


def _is_clear(value: Any) -> bool:
    return isinstance(value, str) and CLEAR.fullmatch(value) is not None


def _is_label(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and value.keys() == {"name", "value"}
        and all(isinstance(each, str) and 0 < len(each) <= 200 for each in value.values())
    )


READERS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "confidence_below": (_is_share, "a number above 0, up to 1"),
    "outcome_in": (_is_list, "a list of outcomes"),
    "adverse": (lambda value: isinstance(value, bool), "true or false"),
    "label": (_is_label, '{"name": ..., "value": ...}'),
    "capability_in": (_is_list, "a list of capabilities"),
    "model_version_in": (_is_list, "a list of model versions"),
    "share": (_is_share, "a number above 0, up to 1"),
}


def _canonical(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(set(value))
    if isinstance(value, Mapping):
        return dict(sorted(value.items()))
    return float(value) if _is_number(value) else value


# --- compiling --------------------------------------------------------------------------------------------------------
def compile_condition(condition: Mapping[str, Any]) -> Tests:
    """The tests of a condition, the cheapest to fail first."""
    return Tests(_compiled(OF_A_KIND, condition), _compiled(OF_EACH, condition))


def _compiled(known: "Compilers", condition: Mapping[str, Any]) -> tuple[Test, ...]:
    return tuple(known[name](condition[name]) for name in known if name in condition)


def _outcomes(values: list[str]) -> Test:
    wanted = frozenset(values)
    return lambda facts, version, draw: facts.outcome in wanted


def _capabilities(values: list[str]) -> Test:
    wanted = frozenset(values)
    return lambda facts, version, draw: facts.capability in wanted


def _versions(values: list[str]) -> Test:
    wanted = frozenset(values)
    return lambda facts, version, draw: version in wanted


def _confidence(limit: float) -> Test:
    def test(facts: DecisionFacts, version: str, draw: Draw | None) -> bool:
        # a model that does not say how sure it is is not sure
        confidence = facts.confidence
        return confidence is None or confidence < limit

    return test


def _adverse(wanted: bool) -> Test:
    return lambda facts, version, draw: facts.adverse is wanted


def _label(wanted: Mapping[str, str]) -> Test:
    name, value = wanted["name"], wanted["value"]

    def test(facts: DecisionFacts, version: str, draw: Draw | None) -> bool:
        labels = facts.labels
        return labels is not None and labels.get(name) == value

    return test


def _share(share: float) -> Test:
    def test(facts: DecisionFacts, version: str, draw: Draw | None) -> bool:
        number = draw() if draw is not None else None
        # without a number every one is taken: too many rather than too few
        return number is None or number < share

    return test


Compilers = Mapping[str, Callable[[Any], Test]]
OF_A_KIND: Compilers = {
    "outcome_in": _outcomes,
    "adverse": _adverse,
    "capability_in": _capabilities,
    "model_version_in": _versions,
}
OF_EACH: Compilers = {"confidence_below": _confidence, "label": _label, "share": _share}


# --- saying -----------------------------------------------------------------------------------------------------------
def condition_in_words(condition: Mapping[str, Any]) -> str:
    """`confidence below 0.7, or not stated; outcome refused`"""
    return "; ".join(WORDS[name](condition[name]) for name in WORDS if name in condition)


def _any_of(values: list[str]) -> str:
    return " or ".join(values)


WORDS: dict[str, Callable[[Any], str]] = {
    "outcome_in": lambda value: f"outcome {_any_of(value)}",
    "adverse": lambda value: "adverse for the subject" if value else "not adverse for the subject",
    "capability_in": lambda value: f"capability {_any_of(value)}",
    "model_version_in": lambda value: f"model version {_any_of(value)}",
    "confidence_below": lambda value: f"confidence below {value:g}, or not stated",
    "label": lambda value: f"label {value['name']} is {value['value']}",
    "share": lambda value: f"a random {value * 100:g} in 100",
}


# --- comparing --------------------------------------------------------------------------------------------------------
def covers(wider: Mapping[str, Any], narrower: Mapping[str, Any]) -> bool:
    """Whether every decision that the second asks for, the first asks for too. False where that cannot be told."""
    return all(name in narrower and _is_within(name, value, narrower[name]) for name, value in wider.items())


def _is_within(name: str, wide: Any, narrow: Any) -> bool:
    if name in ("confidence_below", "share"):
        return bool(narrow <= wide)
    if isinstance(wide, list):
        return set(narrow) <= set(wide)
    return bool(wide == narrow)
