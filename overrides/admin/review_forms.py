"""Forms of review rules: a condition as people type it."""

import uuid
from typing import Any, ClassVar, cast

from django import forms
from django.http import QueryDict
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from config.admin import ServiceForm
from config.errors import InvalidInput
from governance.models import AISystem
from overrides.catching import would_catch
from overrides.conditions import read_condition
from overrides.models import OnTimeout, ReviewQueue, ReviewRule

LISTS = ("outcome_in", "capability_in", "model_version_in")
TESTS = (*LISTS, "confidence_below", "adverse", "label_name", "label_value", "share")
SETTINGS = (
    "queue",
    "deadline_minutes",
    "on_timeout",
    "reviews_required",
    "is_blind",
    "required_skill",
)


ADVERSE_AS_TYPED = {True: "yes", False: "no", None: ""}


def _list(label: str) -> forms.CharField:
    return forms.CharField(
        label=label, required=False, widget=UnfoldAdminTextInputWidget, help_text="Any of these, with commas between."
    )


def _share(label: str, help_text: str) -> forms.FloatField:
    widget = UnfoldAdminDecimalFieldWidget({"step": "any"})
    return forms.FloatField(label=label, required=False, min_value=0, max_value=1, widget=widget, help_text=help_text)


class ConditionFields(forms.Form):
    """All that is filled in must hold."""

    outcome_in = _list("Outcome")
    confidence_below = _share("Confidence below", "From 0 to 1. One that does not say how sure it is counts too.")
    adverse = forms.ChoiceField(
        label="For the subject",
        required=False,
        choices=[("", "either"), ("yes", "adverse"), ("no", "not adverse")],
        widget=UnfoldAdminSelectWidget,
    )
    capability_in = _list("Capability")
    model_version_in = _list("Model version")
    label_name = forms.CharField(label="Label", required=False, max_length=200, widget=UnfoldAdminTextInputWidget)
    label_value = forms.CharField(
        label="Value of the label", required=False, max_length=200, widget=UnfoldAdminTextInputWidget
    )
    share = _share("Random share", "0.05 takes five in a hundred, drawn by the decision's id.")

    def condition(self) -> dict[str, Any]:
        """Errors: `InvalidInput`."""
        given = self.cleaned_data
        found: dict[str, Any] = {name: _split(given[name]) for name in LISTS if given.get(name)}
        found |= {name: given[name] for name in ("confidence_below", "share") if given.get(name) is not None}
        if given.get("adverse"):
            found["adverse"] = given["adverse"] == "yes"
        if given.get("label_name") or given.get("label_value"):
            found["label"] = {"name": given.get("label_name", ""), "value": given.get("label_value", "")}
        return read_condition(found)


class SettingFields(forms.Form):
    """What becomes of what it catches."""

    queue = forms.ModelChoiceField(ReviewQueue.objects.filter(archived_at=None), widget=UnfoldAdminSelectWidget)
    deadline_minutes = forms.IntegerField(
        label="Deadline, in minutes", min_value=1, max_value=90 * 24 * 60, widget=UnfoldAdminIntegerFieldWidget
    )
    on_timeout = forms.ChoiceField(
        label="When nobody decides in time", choices=OnTimeout.choices, widget=UnfoldAdminSelectWidget
    )
    reviews_required = forms.TypedChoiceField(
        label="Reviewers", choices=[(1, "one"), (2, "two")], coerce=int, widget=UnfoldAdminSelectWidget
    )
    is_blind = forms.BooleanField(
        label="Blind",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="The model's outcome is hidden until a first judgement.",
    )
    required_skill = forms.CharField(
        label="Skill asked for", required=False, max_length=100, widget=UnfoldAdminTextInputWidget
    )

    def settings(self) -> dict[str, Any]:
        given = self.cleaned_data
        rest = {name: given[name] for name in ("on_timeout", "reviews_required", "is_blind", "required_skill")}
        return {"queue_id": given["queue"].pk, "deadline_s": given["deadline_minutes"] * 60, **rest}


class NewRuleForm(ServiceForm, ConditionFields, SettingFields):
    """A new rule is tried last. What it would have caught is told first: sent again, it is in force."""

    system = forms.ModelChoiceField(AISystem.objects.all(), label="AI system", widget=UnfoldAdminSelectWidget)
    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    hidden: ClassVar[frozenset[uuid.UUID]] = frozenset()
    """What whoever asks is judging blind."""

    class Meta:
        model = ReviewRule
        fields = ("system", "name", "environment")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return given
        try:
            given["condition"] = self.condition()
        except InvalidInput as refusal:
            self._show(refusal)
            return given
        caught = would_catch(given["system"].pk, given.get("environment", ""), given["condition"], hidden=self.hidden)
        if given.get("seen") != caught_of(given):
            told = cast(QueryDict, self.data).copy()
            told[self.add_prefix("seen")] = caught_of(given)
            self.data = told
            self.add_error(None, f"It would have held {caught.words}. Save again to put it in force.")
        return given

    def _get_validation_exclusions(self) -> set[str]:
        # settings are made of other fields: the service's affair
        rest = {"queue", "on_timeout", "reviews_required", "is_blind", "required_skill"}
        return {*super()._get_validation_exclusions(), *rest}  # type: ignore[misc]


def caught_of(given: dict[str, Any]) -> str:
    """What the count was told of: for another condition it is told anew."""
    return f"{given['system'].pk} {given.get('environment', '')} {given['condition']}"


class ChangeRuleForm(ConditionFields, SettingFields):
    """A rule as it stands, to change."""

    order = forms.IntegerField(
        min_value=0, widget=UnfoldAdminIntegerFieldWidget, help_text="The lowest number is tried first."
    )
    reason = forms.CharField(required=False, max_length=2000, widget=UnfoldAdminTextareaWidget({"rows": 3}))

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                given["condition"] = self.condition()
            except InvalidInput as refusal:
                for problem in refusal.errors:
                    self.add_error(None, problem.detail)
        return given

    def changes(self, rule: ReviewRule) -> dict[str, Any]:
        """What differs from the rule."""
        wanted = self.settings() | {"order": self.cleaned_data["order"], "condition": self.cleaned_data["condition"]}
        return {name: value for name, value in wanted.items() if getattr(rule, name) != value}


def as_typed(rule: ReviewRule) -> dict[str, Any]:
    """A rule as the form has it."""
    asked: dict[str, Any] = rule.condition
    label = asked.get("label", {})
    return {
        **{name: ", ".join(asked.get(name, [])) for name in LISTS},
        "confidence_below": asked.get("confidence_below"),
        "share": asked.get("share"),
        "adverse": ADVERSE_AS_TYPED[asked.get("adverse")],
        "label_name": label.get("name", ""),
        "label_value": label.get("value", ""),
        "queue": rule.queue_id,
        "deadline_minutes": max(1, rule.deadline_s // 60),
        **{name: getattr(rule, name) for name in ("on_timeout", "reviews_required", "is_blind", "required_skill")},
        "order": rule.order,
    }


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
