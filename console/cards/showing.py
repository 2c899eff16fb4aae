"""A card's content in words, for pages and for paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from django.utils.formats import date_format

from governance.cards.comparing import Difference, differences
from governance.cards.content import Content
from governance.cards.fields import Choice, Day, Field, Number, Rows, Words, YesNo
from governance.cards.results import is_met
from governance.cards.sections import SECTIONS


class Cell(NamedTuple):
    """One cell of a table."""

    text: str
    tone: str = ""
    note: str = ""


MET = {True: Cell("met", "ok"), False: Cell("not met", "bad"), None: Cell("")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One field: a text, or a table."""

    label: str
    text: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSection:
    """A section that says something."""

    name: str
    title: str
    fields: list[Shown] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDifference:
    """A field as one card says it, and as the other does; None where it says nothing."""

    pointer: str
    section: str
    label: str
    before: Shown | None
    after: Shown | None


def shown_card(content: Content) -> list[ShownSection]:
    """The sections that say something, in the order of the card."""
    found = (
        ShownSection(
            name=section.name,
            title=section.title,
            fields=[shown_field(each, said[each.name]) for each in section.fields if each.name in said],
        )
        for section in SECTIONS
        if (said := content.get(section.name, {}))
    )
    return [section for section in found if section.fields]


def shown_differences(before: Content, after: Content) -> list[ShownDifference]:
    """What differs, as pages show it."""
    return [shown_difference(each) for each in differences(before, after)]


def shown_difference(each: Difference) -> ShownDifference:
    """One field that two cards do not agree in."""
    return ShownDifference(
        pointer=each.pointer,
        section=each.section,
        label=each.label,
        before=None if each.before is None else shown_field(each.field, each.before),
        after=None if each.after is None else shown_field(each.field, each.after),
    )


def shown_field(described: Field, value: Any) -> Shown:
    """One field in words."""
    if not isinstance(described, Rows):
        return Shown(label=described.label, text=in_words(described, value))
    columns = [each for each in described.columns if any(each.name in row for row in value)]
    if described.name == "results":
        return _results(described, value)
    rows = [[Cell(_said(column, row)) for column in columns] for row in value]
    return Shown(label=described.label, columns=[each.label for each in columns], rows=rows)


def _results(described: Rows, results: list[Mapping[str, Any]]) -> Shown:
    """Test results, in fewer columns than they are written in: what was measured, what it must be, who says so."""
    column = {each.name: each for each in described.columns}

    def said(result: Mapping[str, Any], *names: str, between: str = ", ") -> str:
        return between.join(filter(None, (_said(column[name], result) for name in names)))

    rows = [
        [
            Cell(said(each, "metric", "group")),
            Cell(said(each, "value")),
            Cell(said(each, "direction", "threshold", between=" ")),
            _met(each),
            Cell(said(each, "test", "dataset", "tested_on", "signatory")),
        ]
        for each in results
    ]
    return Shown(label=described.label, columns=("Metric", "Value", "Must be", "Which is", "Shown by"), rows=rows)


def _met(result: Mapping[str, Any]) -> Cell:
    """With the reason why one that is not met was published."""
    found, why = MET[is_met(result)], result.get("accepted_because")
    return found._replace(note=f"Accepted: {why}") if why and is_met(result) is False else found


def _said(column: Field, row: Mapping[str, Any]) -> str:
    return in_words(column, row[column.name]) if column.name in row else ""


def in_words(described: Field, value: Any) -> str:
    """A value that is no table."""
    match described:
        case Choice():
            return described.options.get(value, str(value))
        case Day():
            return date_format(date.fromisoformat(value))
        case YesNo():
            return "yes" if value else "no"
        case Words():
            return ", ".join(value)
        case Number():
            return f"{value:,.15g}"
    return str(value)
