"""The forms that narrow a list of decisions, and the one that searches it."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet
from django.utils import timezone

from audit.filters import DecisionFilter
from audit.models import Case, Decision
from audit.search_terms import Terms
from console.decision_rows import AI_ROLES, FLAG_WORDS
from console.moments import MomentField
from evidence.questions import PERIODS, by_people
from governance.models import AISystem, Person
from ledger.entries import CLEAR_FIELD

SEARCH_PERIOD = "7d"
ANY = [("", "Any")]
FLAG_CHOICES = [(flag.value, words.capitalize()) for flag, words in FLAG_WORDS.items()]


def _clear(label: str, listed: str = "") -> forms.RegexField:
    widget = forms.TextInput(attrs={"list": listed} if listed else {})
    return forms.RegexField(
        CLEAR_FIELD,
        required=False,
        label=label,
        widget=widget,
        error_messages={"invalid": "Not a value of this field."},
    )


OVERRIDDEN_WORDS = {
    "yes": "Overridden",
    "no": "As the model said",
    "differs": "Ended otherwise than the model said",
    "reported": "Overridden in another tool, as reported",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What a form lets choose from: nothing that whoever looks may not know of."""

    systems: QuerySet[AISystem]
    people: QuerySet[Person]
    cases: Callable[[], QuerySet[Case]]
    """Asked for where one is named."""


class _CaseField(forms.CharField):
    """By its reference, `2026-0001`, among those that may be read."""

    cases: Callable[[], QuerySet[Case]] = Case.objects.none

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        year, _, number = text.partition("-")
        found = (
            self.cases().filter(year=year, number=number).first() if _digits(year, 4) and _digits(number, 9) else None
        )
        if found is None:
            raise forms.ValidationError("There is no case of this number whose decisions you may see.")
        return found


def _digits(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= most


class FilterForm(forms.Form):
    """In the address: nothing here says more of a person than who was accountable."""

    system = forms.ModelChoiceField(
        AISystem.objects.none(), required=False, label="AI system", empty_label="All", to_field_name="slug"
    )
    period = forms.ChoiceField(
        choices=[
            ("", "Any time"),
            ("1h", "Last hour"),
            ("24h", "Last 24 hours"),
            ("7d", "Last 7 days"),
            ("30d", "Last 30 days"),
        ],
        required=False,
        label="Recorded",
    )
    since = MomentField(label="From")
    until = MomentField(label="To", is_end=True)
    environment = _clear("Environment")
    model_version = _clear("Model version", "f-versions")
    capability = _clear("Capability")
    outcome = _clear("Outcome", "f-outcomes")
    error = _clear("Error type", "f-errors")
    confidence_min = forms.FloatField(required=False, min_value=0, max_value=1, label="Confidence from")
    confidence_max = forms.FloatField(required=False, min_value=0, max_value=1, label="Confidence to")
    score_min = forms.FloatField(required=False, label="Score from")
    score_max = forms.FloatField(required=False, label="Score to")
    adverse = forms.ChoiceField(
        choices=[*ANY, ("yes", "Adverse"), ("no", "Not adverse")], required=False, label="For the subject"
    )
    flagged = forms.ChoiceField(
        choices=[*ANY, ("yes", "Flagged"), ("no", "Without flags"), *FLAG_CHOICES], required=False, label="Flags"
    )
    directive = forms.ChoiceField(
        choices=[*ANY, ("proceed", "Proceed"), ("hold", "Hold"), ("fallback", "Fallback"), ("stop", "Stop")],
        required=False,
    )
    overridden = forms.ChoiceField(choices=[*ANY, *OVERRIDDEN_WORDS.items()], required=False, label="By people")
    role = forms.ChoiceField(
        choices=[*ANY, *((role, AI_ROLES[role].capitalize()) for role in Decision.AIRole.values)],
        required=False,
        label="Role of the AI",
    )
    accountable = forms.ModelChoiceField(
        Person.objects.none(), required=False, label="Accountable", empty_label="Anybody"
    )
    case = _CaseField(required=False, max_length=20, label="In case")
    parent = forms.UUIDField(required=False, label="Part of decision")
    cursor = forms.CharField(required=False, widget=forms.HiddenInput)
    FIRST: ClassVar[tuple[str, ...]] = ("system", "period", "outcome", "flagged")
    PREFIX = "f"

    def __init__(self, *args: Any, offered: Offered, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offered = offered
        self.auto_id = f"{self.PREFIX}-%s"
        fields: dict[str, Any] = self.fields
        fields["system"].queryset = offered.systems
        fields["accountable"].queryset = offered.people
        fields["case"].cases = offered.cases
        for name in self.errors if self.is_bound else ():
            if name in self.fields:
                described = f"{self.PREFIX}-{name}-error"
                self.fields[name].widget.attrs |= {"aria-invalid": "true", "aria-describedby": described}

    def first(self) -> list[Any]:
        return [self[name] for name in self.FIRST]

    def more(self) -> list[Any]:
        return [field for field in self.visible_fields() if field.name not in self.FIRST]

    def more_is_wrong(self) -> bool:
        return self.is_bound and any(field.errors for field in self.more())

    def in_use(self) -> bool:
        return any(self.data.get(field.name) for field in self.visible_fields())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since >= until:
            self.add_error("until", "This is not after the beginning.")
        for name in ("confidence", "score"):
            least, most = cleaned.get(f"{name}_min"), cleaned.get(f"{name}_max")
            if least is not None and most is not None and least > most:
                self.add_error(f"{name}_max", "This is less than the beginning of the range.")
        return cleaned

    def span(self) -> tuple[datetime | None, datetime | None]:
        chosen = PERIODS.get(self.cleaned_data.get("period") or "")
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since is None and until is None and chosen:
            since = timezone.now() - chosen
        return since, until

    def filter(self) -> DecisionFilter:
        data = self.cleaned_data
        since, until = self.span()
        texts = {name: data[name] or None for name in _TEXTS}
        numbers = {name: data[name] for name in _NUMBERS}
        return DecisionFilter(
            system_id=_key(data["system"]),
            since=since,
            until=until,
            error_type=data["error"] or None,
            ai_role=data["role"] or None,
            adverse=_yes_no(data["adverse"]),
            flagged=_yes_no(data["flagged"]),
            flag=data["flagged"] if data["flagged"] in FLAG_WORDS else None,
            accountable_id=_key(data["accountable"]),
            case_id=_key(data["case"]),
            parent_id=data["parent"],
            also=by_people(data["overridden"]) if data["overridden"] else None,
            **texts,
            **numbers,
        )


_TEXTS = ("environment", "model_version", "capability", "outcome", "directive")
_NUMBERS = ("confidence_min", "confidence_max", "score_min", "score_max")
SAME = [("", ""), ("subject", "subject"), ("conversation", "conversation"), ("trace", "trace"), ("input", "input")]


class SearchForm(FilterForm):
    """Only ever posted: what is typed here stands in no address and no log."""

    subject = forms.CharField(required=False, max_length=200, label="Subject")
    label_name = forms.CharField(required=False, max_length=100, label="Label")
    label_value = forms.CharField(required=False, max_length=200, label="Value of the label")
    conversation = forms.CharField(required=False, max_length=200, label="Conversation")
    trace = forms.CharField(required=False, max_length=32, label="Trace")
    text = forms.CharField(required=False, min_length=2, max_length=200, label="Text in input or output", strip=False)
    same = forms.ChoiceField(choices=SAME, required=False, widget=forms.HiddenInput)
    same_as = forms.UUIDField(required=False, widget=forms.HiddenInput)
    TERMS: ClassVar[tuple[str, ...]] = ("subject", "label_name", "label_value", "conversation", "trace", "text")
    FIRST = (*TERMS, "system", "period")
    PREFIX = "s"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        period: Any = self.fields["period"]
        period.choices = [*(each for each in period.choices if each[0]), ("", "From … to …")]
        period.initial = SEARCH_PERIOD

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if bool(cleaned.get("label_name")) != bool(cleaned.get("label_value")):
            self.add_error("label_value", "A label is searched by its name and its value.")
        if bool(cleaned.get("same")) != bool(cleaned.get("same_as")):
            raise forms.ValidationError("This search names no decision. Start it from a decision's page.")
        if not self.errors and not any(cleaned.get(name) for name in (*self.TERMS, "same")):
            raise forms.ValidationError(
                "Say what to search for: a subject, a label, a conversation, a trace or a text."
            )
        return cleaned

    def terms(self) -> Terms:
        data = self.cleaned_data
        return Terms(
            subject=data["subject"] or None,
            labels={data["label_name"]: data["label_value"]} if data["label_name"] else {},
            conversation_id=data["conversation"] or None,
            trace_id=data["trace"] or None,
            text=data["text"] or None,
            same=data["same"] or None,
            same_as=data["same_as"],
        )

    def within(self) -> DecisionFilter:
        return bounded(self.filter())


def bounded(asked: DecisionFilter) -> DecisionFilter:
    """A search looks at no more than this where nothing else is said."""
    if asked.since is not None:
        return asked
    return replace(asked, since=(asked.until or timezone.now()) - PERIODS[SEARCH_PERIOD])


def _key(row: Any) -> uuid.UUID | None:
    return row.pk if row else None


def _yes_no(text: str) -> bool | None:
    return {"yes": True, "no": False}.get(text)
