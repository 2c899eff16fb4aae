"""The scope that a card declares, compiled: which input an AI system is meant for.

Asked on the hot path, of every decision of a system that declares one. Nothing here refuses a decision: what cannot be
read, or is not of the kind that a rule is about, is outside.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

RANGE, ONE_OF, LANGUAGE = "range", "one_of", "language"
POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*\Z")
LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*\Z")
INDEX = re.compile(r"(?:0|[1-9][0-9]{0,5})\Z")
ABSENT = object()

_decode = msgspec.json.Decoder().decode
Test = Callable[[Any], bool]


class RuleProblem(NamedTuple):
    """Why a rule says nothing that could be checked."""

    column: str
    detail: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, compiled: where to look, and whether what is there is inside."""

    pointer: str
    steps: tuple[str, ...]
    test: Test
    required: bool
    words: str

    def holds(self, document: Any) -> bool:
        found = _at(document, self.steps)
        if found is ABSENT or found is None or found == []:
            return not self.required
        if isinstance(found, list):
            return all(self.test(each) for each in found)
        return self.test(found)


@dataclass(frozen=True, slots=True)
class InputScope:
    """All rules of a card."""

    rules: tuple[Rule, ...]

    def is_outside(self, data: bytes) -> bool:
        """Whether an input, as the bytes that were sent, breaks a rule."""
        try:
            document = _decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return True
        return not all(rule.holds(document) for rule in self.rules)

    def broken_by(self, data: bytes) -> list[Rule]:
        """The rules that an input breaks; all of them where it cannot be read."""
        try:
            document = _decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return list(self.rules)
        return [rule for rule in self.rules if not rule.holds(document)]


def scope_of(content: Mapping[str, Any]) -> InputScope | None:
    """What a card declares; None where it declares nothing that could be checked."""
    rules = tuple(_compiled(content.get("inputs", {}).get("rules", ())))
    return InputScope(rules) if rules else None


def rule_problem(row: Mapping[str, Any]) -> RuleProblem | None:
    """What is wrong with a rule beside missing columns: it is not published like that."""
    place, check = row.get("pointer"), row.get("check")
    if place is not None and not (place and POINTER.match(place)):
        return RuleProblem("pointer", "the place is not a JSON pointer, such as /applicant/age.")
    if check == RANGE:
        return _range_problem(row.get("minimum"), row.get("maximum"))
    if check in (ONE_OF, LANGUAGE) and not row.get("values"):
        return RuleProblem("values", "say which values are inside.")
    if check == LANGUAGE and not all(LANGUAGE_TAG.match(each) for each in row["values"]):
        return RuleProblem("values", "languages are tags such as de or pt-BR.")
    return None


def _range_problem(minimum: float | None, maximum: float | None) -> RuleProblem | None:
    if minimum is None and maximum is None:
        return RuleProblem("minimum", "say from what, or up to what.")
    if minimum is not None and maximum is not None and minimum > maximum:
        return RuleProblem("maximum", "it ends before it begins.")
    return None


def _compiled(rows: Iterable[Mapping[str, Any]]) -> Iterator[Rule]:
    for row in rows:
        if row.get("pointer") and row.get("check") and rule_problem(row) is None:
            steps = tuple(part.replace("~1", "/").replace("~0", "~") for part in row["pointer"].split("/")[1:])
            test, words = _TESTS[row["check"]](row)
            yield Rule(row["pointer"], steps, test, bool(row.get("required")), words)


def _range(row: Mapping[str, Any]) -> tuple[Test, str]:
    low, high = row.get("minimum"), row.get("maximum")

    def within(found: Any) -> bool:
        if isinstance(found, bool) or not isinstance(found, int | float):
            return False
        return (low is None or found >= low) and (high is None or found <= high)

    bounds = [f"from {low:,.15g}" if low is not None else "", f"up to {high:,.15g}" if high is not None else ""]
    return within, " ".join(filter(None, bounds))


def _one_of(row: Mapping[str, Any]) -> tuple[Test, str]:
    values = frozenset(row["values"])

    def among(found: Any) -> bool:
        return _as_text(found) in values

    return among, "one of " + ", ".join(row["values"])


def _language(row: Mapping[str, Any]) -> tuple[Test, str]:
    tags = frozenset(each.lower() for each in row["values"])
    longest = max(map(len, tags))

    def spoken(found: Any) -> bool:
        """A tag covers its own variants: de covers de-AT."""
        if not isinstance(found, str):
            return False
        # as much as could decide: the text is a stranger's, and may have a million parts
        tag = found[: longest + 1].replace("_", "-").lower()
        return any(tag == each or tag.startswith(f"{each}-") for each in tags)

    return spoken, "in the languages " + ", ".join(row["values"])


_TESTS: dict[str, Callable[[Mapping[str, Any]], tuple[Test, str]]] = {
    RANGE: _range,
    ONE_OF: _one_of,
    LANGUAGE: _language,
}


def _as_text(found: Any) -> str | None:
    """How a value stands in a card's list: a number or a truth value as JSON writes it."""
    if isinstance(found, str):
        return found
    return msgspec.json.encode(found).decode() if isinstance(found, bool | int | float) else None


def _at(document: Any, steps: tuple[str, ...]) -> Any:
    """What stands at a JSON pointer (RFC 6901), or `ABSENT`."""
    for step in steps:
        if isinstance(document, dict):
            document = document.get(step, ABSENT)
        elif isinstance(document, list) and INDEX.match(step) and int(step) < len(document):
            document = document[int(step)]
        else:
            return ABSENT
    return document
