"""Forms of parameters: values as people type them."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from config.admin import ServiceForm
from governance.models import AISystem
from governance.models.systems import slug
from overrides.models import Parameter
from overrides.parameter_values import NotAValue, Type, Value, from_text, in_words, to_text

SHORT = 60
CODE_HELP = "A short code such as harm-reported or drift: it stands in the log in clear."
NOTE_HELP = "Kept beside the log, which holds a commitment to it."


class TypedField(forms.CharField):
    """Text that becomes a value once the type is known."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(max_length=1000, strip=False, widget=UnfoldAdminTextInputWidget, **rest)


class DefinitionForm(ServiceForm):
    """What may be set, within which bounds, and where safety lies."""

    system = forms.ModelChoiceField(AISystem.objects.all(), widget=UnfoldAdminSelectWidget, label="AI system")
    default = TypedField(label="First value", help_text="In force at once. true or false for a boolean.")
    minimum = TypedField(required=False)
    maximum = TypedField(required=False)
    safe_value = TypedField(required=False, help_text="Only where one value is the safe one.")
    allowed = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="The only values there are, one a line. Empty: any within the bounds.",
    )

    class Meta:
        model = Parameter
        fields = ("name", "environment", "type", "safe_direction", "max_length", "unit", "description")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        kind = given.get("type")
        for name in ("default", "minimum", "maximum", "safe_value"):
            text = given.get(name)
            given[name] = None if text in (None, "") and name != "default" else self._read(kind, name, text or "")
        lines = [line for line in (given.get("allowed") or "").splitlines() if line]
        given["allowed"] = [self._read(kind, "allowed", line) for line in lines]
        return given

    def _read(self, kind: str | None, name: str, text: str) -> Value | None:
        try:
            return from_text(kind, text) if kind else None
        except NotAValue as refusal:
            self.add_error(name, str(refusal))
            return None

    def _get_validation_exclusions(self) -> set[str]:
        # values are the service's affair: here they are texts
        values = {"default", "minimum", "maximum", "safe_value", "allowed", "system"}
        return {*super()._get_validation_exclusions(), *values}  # type: ignore[misc]


class ChangeForm(forms.Form):
    """A new value, until when, and why."""

    value = forms.CharField(strip=False, max_length=1000)
    expires_at = forms.SplitDateTimeField(
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        label="Until",
        help_text="Then the last lasting value holds again. Empty: for good.",
    )
    reason_code = forms.CharField(
        max_length=SHORT, validators=[slug], widget=UnfoldAdminTextInputWidget, help_text=CODE_HELP
    )
    note = forms.CharField(
        required=False, max_length=2000, widget=UnfoldAdminTextareaWidget({"rows": 3}), help_text=NOTE_HELP
    )

    def __init__(self, *args: Any, parameter: Parameter, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.parameter = parameter
        field = self.fields["value"]
        field.label = f"New value in {parameter.unit}" if parameter.unit else "New value"
        field.widget = _widget(parameter)
        field.help_text = bounds_in_words(parameter)

    def clean_value(self) -> Value:
        try:
            return self.parameter.definition.read(from_text(self.parameter.type, self.cleaned_data["value"]))
        except NotAValue as refusal:
            raise ValidationError(str(refusal)) from refusal


class EndingForm(forms.Form):
    """Why a parameter is to be given out no more."""

    reason_code = forms.CharField(
        max_length=SHORT, validators=[slug], widget=UnfoldAdminTextInputWidget, help_text=CODE_HELP
    )
    note = forms.CharField(
        required=False, max_length=2000, widget=UnfoldAdminTextareaWidget({"rows": 3}), help_text=NOTE_HELP
    )


def bounds_in_words(parameter: Parameter) -> str:
    """Where its values lie: "From 0 to 10000."."""
    low, high = in_words(parameter.minimum), in_words(parameter.maximum)
    if low and high:
        return f"From {low} to {high}."
    if low or high:
        return f"At least {low}." if low else f"At most {high}."
    return f"At most {parameter.max_length} characters." if parameter.max_length else ""


def _widget(parameter: Parameter) -> Any:
    choices: list[Value] = parameter.allowed or ([True, False] if parameter.type == Type.BOOLEAN else [])
    if choices:
        return UnfoldAdminSelectWidget(choices=[(to_text(each), to_text(each)) for each in choices])
    if parameter.type == Type.STRING:
        return UnfoldAdminTextareaWidget({"rows": 3})
    return UnfoldAdminTextInputWidget({"inputmode": "decimal", "autocomplete": "off"})
