"""What differs between two cards, field by field."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from config.pointers import pointer
from governance.cards.content import Content
from governance.cards.fields import Field
from governance.cards.sections import SECTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that the two do not agree in; None where one of them says nothing."""

    pointer: str
    section: str
    label: str
    field: Field
    before: Any
    after: Any


def differences(before: Content, after: Content) -> Iterator[Difference]:
    """In the order of the card."""
    for section in SECTIONS:
        one, other = before.get(section.name, {}), after.get(section.name, {})
        for field in section.fields:
            if one.get(field.name) != other.get(field.name):
                yield Difference(
                    pointer=pointer(section.name, field.name),
                    section=section.title,
                    label=field.label,
                    field=field,
                    before=one.get(field.name),
                    after=other.get(field.name),
                )
