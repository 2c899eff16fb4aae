"""The forms that narrow a list of decisions, and the one that searches it."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.utils import timezone

from audit.filters import DecisionFilter
from audit.services.searching import Terms
from console.decision_rows import FLAG_WORDS
from governance.models import AISystem
from ledger.entries import CLEAR_FIELD
from overrides.selectors import is_overridden

PERIODS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
SEARCH_PERIOD = "7d"
ANY = [("", "Any")]
FLAG_CHOICES = [(flag.value, words.capitalize()) for flag, words in FLAG_WORDS.items()]


class _Local(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M", attrs={"step": "60"})


def _clear(label: str, listed: str = "") -> forms.RegexField:
    widget = forms.TextInput(attrs={"list": listed} if listed else {})
    return forms.RegexField(
        CLEAR_FIELD,
        required=False,
        label=label,
        widget=widget,
        error_messages={"invalid": "Not a value of this field."},
    )


class _Narrowing(forms.Form):
    system = forms.ModelChoiceField(
        AISystem.objects.none(), required=False, label="AI system", empty_label="All", to_field_name="slug"
    )
    since = forms.DateTimeField(required=False, label="From", widget=_Local())
    until = forms.DateTimeField(required=False, label="To", widget=_Local())
    cursor = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, systems: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = "f-%s"
        self.fields["system"].queryset = systems  # type: ignore[attr-defined]
        for name in self.errors if self.is_bound else ():
            if name in self.fields:
                self.fields[name].widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"f-{name}-error"}

    def span(self) -> tuple[datetime | None, datetime | None]:
        chosen = PERIODS.get(self.cleaned_data.get("period") or "")
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since is None and until is None and chosen:
            since = timezone.now() - chosen
        return since, until

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since >= until:
            self.add_error("until", "This is not after the beginning.")
        return cleaned


class FilterForm(_Narrowing):
    """In the address: nothing here names a person."""

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
    environment = _clear("Environment")
    model_version = _clear("Model version", "f-versions")
    outcome = _clear("Outcome", "f-outcomes")
    confidence_min = forms.FloatField(required=False, min_value=0, max_value=1, label="Confidence from")
    confidence_max = forms.FloatField(required=False, min_value=0, max_value=1, label="to")
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
    overridden = forms.ChoiceField(
        choices=[*ANY, ("yes", "Overridden"), ("no", "As the model said")], required=False, label="By people"
    )
    FIRST: ClassVar[tuple[str, ...]] = ("system", "period", "outcome", "flagged")

    def first(self) -> list[Any]:
        return [self[name] for name in self.FIRST]

    def more(self) -> list[Any]:
        return [field for field in self.visible_fields() if field.name not in self.FIRST]

    def more_in_use(self) -> bool:
        return any(self.data.get(field.name) for field in self.more())

    def in_use(self) -> bool:
        return any(self.data.get(field.name) for field in self.visible_fields())

    def filter(self) -> DecisionFilter:
        data = self.cleaned_data
        since, until = self.span()
        texts = {name: data[name] or None for name in ("environment", "model_version", "outcome", "directive")}
        return DecisionFilter(
            system_id=data["system"].pk if data["system"] else None,
            since=since,
            until=until,
            confidence_min=data["confidence_min"],
            confidence_max=data["confidence_max"],
            adverse=_yes_no(data["adverse"]),
            flagged=_yes_no(data["flagged"]),
            flag=data["flagged"] if data["flagged"] in FLAG_WORDS else None,
            also={"yes": is_overridden(), "no": ~is_overridden()}.get(data["overridden"]),
            **texts,
        )


class SearchForm(_Narrowing):
    """Only ever posted: what is typed here stands in no address and no log."""

    subject = forms.CharField(required=False, max_length=200, label="Subject")
    label_name = forms.CharField(required=False, max_length=100, label="Label")
    label_value = forms.CharField(required=False, max_length=200, label="Value of the label")
    text = forms.CharField(required=False, min_length=2, max_length=200, label="Text in input or output")
    period = forms.ChoiceField(
        choices=[("24h", "Last 24 hours"), ("7d", "Last 7 days"), ("30d", "Last 30 days"), ("", "From … to …")],
        required=False,
        initial=SEARCH_PERIOD,
        label="Recorded",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if bool(cleaned.get("label_name")) != bool(cleaned.get("label_value")):
            self.add_error("label_value", "A label is searched by its name and its value.")
        if not self.errors and not any(cleaned.get(name) for name in ("subject", "label_name", "text")):
            raise forms.ValidationError("Say what to search for: a subject, a label or a text.")
        return cleaned

    def terms(self) -> Terms:
        data = self.cleaned_data
        labels = {data["label_name"]: data["label_value"]} if data["label_name"] else {}
        return Terms(subject=data["subject"] or None, labels=labels, text=data["text"] or None)

    def within(self) -> DecisionFilter:
        since, until = self.span()
        system = self.cleaned_data["system"]
        if since is None:
            since = (until or timezone.now()) - PERIODS[SEARCH_PERIOD]
        return DecisionFilter(system_id=system.pk if system else None, since=since, until=until)


def _yes_no(text: str) -> bool | None:
    return {"yes": True, "no": False}.get(text)
