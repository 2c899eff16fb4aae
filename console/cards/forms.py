"""The form of a card: all its sections in one, so that going from one to the next loses nothing.

Tables have their rows and a blank one; a blank row says nothing. Works without JavaScript: another row is a button of
the form, which comes back with what was typed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

from governance.cards.completeness import Gap, gaps_of
from governance.cards.content import Content
from governance.cards.fields import MAX_LINE, MAX_ROWS, Choice, Day, Field, Number, Rows, Text, Words, YesNo
from governance.cards.sections import SECTIONS, Section

YES_NO = [("", "Not said"), ("yes", "Yes"), ("no", "No")]
MORE = "more"
"""The button that asks for another row says which table by its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """A field of the form, or a table of them."""

    field: Field
    name: str
    one: forms.BoundField | None = None
    rows: list[list[forms.BoundField]]
    gaps: list[Gap]

    @property
    def may_grow(self) -> bool:
        return len(self.rows) < MAX_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class FormSection:
    """A section with its fields."""

    section: Section
    fields: list[FormField]

    @property
    def blocking(self) -> int:
        return sum(gap.blocks for each in self.fields for gap in each.gaps)

    @property
    def has_errors(self) -> bool:
        bound = [each for field in self.fields for row in field.rows for each in row]
        return any(each.errors for each in [*bound, *(field.one for field in self.fields if field.one)])


class Paragraphs(forms.CharField):
    """Browsers count the end of a line as one character and send two."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).replace("\r\n", "\n")


class CardForm(forms.Form):
    """`content`: the draft as it was saved last. `base`: the number of that save."""

    base = forms.IntegerField(min_value=1, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any] | None = None, *, content: Content, base: int) -> None:
        super().__init__(data, auto_id="f-%s", initial={"base": base})
        self._content = content
        self._counts: dict[str, int] = {}
        for section in SECTIONS:
            for field in section.fields:
                self._add(f"{section.name}-{field.name}", field, content.get(section.name, {}).get(field.name))
        for name in self.errors if self.is_bound else ():
            if name in self.fields:
                self.fields[name].widget.attrs |= {"aria-invalid": "true", "aria-errormessage": f"f-{name}-error"}

    def _add(self, name: str, field: Field, value: Any) -> None:
        if not isinstance(field, Rows):
            self.fields[name] = form_field(field, value)
            return
        rows = value or []
        count = self._counts[name] = self._rows_of(name, len(rows))
        for number in range(count):
            row = rows[number] if number < len(rows) else {}
            for column in field.columns:
                self.fields[f"{name}-{number}-{column.name}"] = form_field(column, row.get(column.name))

    def _rows_of(self, name: str, stored: int) -> int:
        """As many as were sent, and one more where that was asked for; else those there are, and a blank one."""
        if not self.is_bound:
            return min(stored + 1, MAX_ROWS)
        sent = str(self.data.get(f"{name}-rows", ""))
        count = int(sent) if sent.isascii() and sent.isdigit() and len(sent) < 4 else stored
        return min(count + (self.data.get(MORE) == name), MAX_ROWS)

    def content(self) -> Content:
        """What the form says, once it is valid."""
        return {
            section.name: {field.name: self._value(f"{section.name}-{field.name}", field) for field in section.fields}
            for section in SECTIONS
        }

    def _value(self, name: str, field: Field) -> Any:
        if not isinstance(field, Rows):
            return value_of(field, self.cleaned_data[name])
        return [
            {
                column.name: value_of(column, self.cleaned_data[f"{name}-{number}-{column.name}"])
                for column in field.columns
            }
            for number in range(self._counts[name])
        ]

    def sections(self) -> list[FormSection]:
        """For the page: what is missing stands beside the field that it is about."""
        missing = gaps_of(self._content)
        return [
            FormSection(section=section, fields=[self._shown(section, each, missing) for each in section.fields])
            for section in SECTIONS
        ]

    def _shown(self, section: Section, field: Field, missing: list[Gap]) -> FormField:
        name, place = f"{section.name}-{field.name}", f"/{section.name}/{field.name}"
        gaps = [gap for gap in missing if gap.pointer == place or gap.pointer.startswith(f"{place}/")]
        if not isinstance(field, Rows):
            return FormField(field=field, name=name, one=self[name], rows=[], gaps=gaps)
        numbers = range(self._counts[name])
        rows = [[self[f"{name}-{number}-{column.name}"] for column in field.columns] for number in numbers]
        return FormField(field=field, name=name, rows=rows, gaps=gaps)

    def counters(self) -> dict[str, int]:
        """How many rows each table has, to be sent along."""
        return {f"{name}-rows": count for name, count in self._counts.items()}

    def asks_for_row(self) -> str:
        """The id of the first field of a row that was just asked for."""
        name = str(self.data.get(MORE, ""))
        if name not in self._counts:
            return ""
        first = next(each for each in self.fields if each.startswith(f"{name}-{self._counts[name] - 1}-"))
        return f"f-{first}"


def form_field(described: Field, value: Any) -> forms.Field:
    """One field as a form has it."""
    shared: dict[str, Any] = {"required": False, "label": described.label, "help_text": described.help}
    match described:
        case Choice():
            choices = [("", "Not said"), *described.options.items()]
            return forms.ChoiceField(choices=choices, initial=value or "", **shared)
        case Day():
            return forms.DateField(
                widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), initial=value, **shared
            )
        case YesNo():
            said = {True: "yes", False: "no"}.get(value, "")
            return forms.ChoiceField(choices=YES_NO, initial=said, **shared)
        case Number():
            widget = forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"})
            return forms.FloatField(widget=widget, initial=value, **shared)
        case Words():
            shared["help_text"] = f"One a line. {described.help}".strip()
            return Paragraphs(widget=forms.Textarea({"rows": 2}), initial="\n".join(value or ()), **shared)
        case Text(is_long=True):
            rows = max(3, min(12, len(value or "") // 80 + 2))
            return Paragraphs(
                widget=forms.Textarea({"rows": rows}), max_length=described.limit, initial=value, **shared
            )
    return forms.CharField(max_length=MAX_LINE, initial=value, **shared)


def value_of(described: Field, cleaned: Any) -> Any:
    """What was typed, as the card's content has it; None where nothing was."""
    match described:
        case Day():
            return cleaned.isoformat() if cleaned else None
        case YesNo():
            return {"yes": True, "no": False}.get(cleaned)
        case Words():
            return cleaned.split("\n") if cleaned else None
    return cleaned if cleaned != "" else None
