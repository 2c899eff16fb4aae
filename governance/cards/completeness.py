"""What a card lacks: with the place, the reason, and whether it may be published without."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from config.errors import FieldProblem
from config.pointers import pointer
from governance.cards.content import Content
from governance.cards.fields import Field, Place, Rows
from governance.cards.results import is_met
from governance.cards.scope import rule_problem
from governance.cards.sections import SECTIONS, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something that is not there."""

    pointer: str
    section: str
    label: str
    detail: str
    law: str
    blocks: bool
    """No card is published without it."""

    def as_problem(self) -> FieldProblem:
        return FieldProblem(pointer=self.pointer, detail=self.detail, expected=self.law)


def gaps_of(content: Content) -> list[Gap]:
    """Everything that is missing: what blocks first, in the order of the card."""
    found = [gap for section in SECTIONS for gap in _in_section(section, content.get(section.name, {}))]
    return sorted(found, key=lambda gap: not gap.blocks)


def blocking(content: Content) -> list[Gap]:
    """What must be there before it is published."""
    return [gap for gap in gaps_of(content) if gap.blocks]


def _in_section(section: Section, said: Mapping[str, Any]) -> Iterator[Gap]:
    for field in section.fields:
        value = said.get(field.name)
        if value is None and (field.law or field.needed):
            yield _gap(section, field, (section.name, field.name), blocks=field.needed)
        elif isinstance(field, Rows) and value:
            yield from _in_rows(section, field, value)


def _in_rows(section: Section, field: Rows, rows: list[dict[str, Any]]) -> Iterator[Gap]:
    for number, row in enumerate(rows):
        place = (section.name, field.name, number)
        for column in field.columns:
            if column.needed and row.get(column.name) is None:
                named = f"{column.label}, of {field.row} {number + 1}"
                yield _gap(section, column, (*place, column.name), blocks=True, label=named)
        if field.name == "results" and is_met(row) is False and not row.get("accepted_because"):
            yield _missed(section, place, number)
        if section.name == "inputs" and (problem := rule_problem(row)):
            yield Gap(
                pointer=pointer(*place, problem.column),
                section=section.name,
                label=f"Rule {number + 1}",
                detail=f"Rule {number + 1}: {problem.detail}",
                law="",
                blocks=True,
            )


def _missed(section: Section, place: Place, number: int) -> Gap:
    """A result that is worse than it must be: published with a reason, or not at all."""
    detail = f"Result {number + 1} misses its threshold: say why it is accepted, or do not publish it."
    return Gap(
        pointer=pointer(*place, "accepted_because"),
        section=section.name,
        label=f"Result {number + 1}",
        detail=detail,
        law="AI Act Art. 9(8)",
        blocks=True,
    )


def _gap(section: Section, field: Field, place: Place, *, blocks: bool, label: str = "") -> Gap:
    named = label or field.label
    detail = f"{section.title}: {named} is not said."
    return Gap(pointer=pointer(*place), section=section.name, label=named, detail=detail, law=field.law, blocks=blocks)
