"""The forms of erasures and retention. What was typed stays in them when something is refused."""

import uuid
from typing import Any

from django import forms

from audit.models import DataKind, ErasureRequest, RetentionClass
from audit.models.retention import LEGAL_FLOOR_DAYS, LONGEST_DAYS, OF_THE_ORGANISATION
from console.cases.forms import CaseForm, long_text
from governance.models import AISystem, Person


class _Erasure(CaseForm):
    """What every preparation asks."""

    ASKS = "Look for it"
    basis = forms.ChoiceField(choices=[("", "Choose"), *ErasureRequest.Basis.choices], label="Legal basis")
    reason = long_text("Reason", rows=3, help_text="Erasable; erased with the request once all of it is performed.")


def _identifiers(label: str) -> forms.CharField:
    hint = "One a line, at least 3 characters each: a name, a customer number. Texts that hold one are found."
    return forms.CharField(label=label, required=False, widget=forms.Textarea({"rows": 3}), help_text=hint)


class SubjectForm(_Erasure):
    """Everything that is kept of a subject."""

    subject = forms.CharField(
        max_length=200, strip=False, label="Subject, as callers name them",
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text="To the letter: upper and lower case count, and spaces. Texts are looked through from 3 letters on.",
    )  # fmt: skip
    identifiers = _identifiers("What else names them")
    system = forms.ModelChoiceField(
        AISystem.objects.none(), required=False, label="AI system", empty_label="All AI systems"
    )
    look_into_payloads = forms.BooleanField(
        required=False, label="Look into the payloads of others, too", help_text="This may take long."
    )
    field_order = ("subject", "identifiers", "system", "basis", "reason", "look_into_payloads")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["system"].queryset = AISystem.objects.order_by("slug")  # type: ignore[attr-defined]

    def clean_identifiers(self) -> list[str]:
        return str(self.cleaned_data["identifiers"]).splitlines()

    def said(self) -> dict[str, Any]:
        """As the service takes it."""
        given = dict(self.cleaned_data)
        system = given.pop("system")
        return given | {"kind": ErasureRequest.Kind.SUBJECT, "system_id": system.pk if system else None}


class DecisionsForm(_Erasure):
    """Single decisions."""

    decisions = forms.CharField(
        label="Decisions, by id", widget=forms.Textarea({"rows": 3, "class": "a-hash", "spellcheck": "false"}),
        help_text="One a line.",
    )  # fmt: skip
    identifiers = _identifiers("What names whom they are about")
    field_order = ("decisions", "identifiers", "basis", "reason")

    def clean_decisions(self) -> list[uuid.UUID]:
        try:
            return [uuid.UUID(each) for each in self.cleaned_data["decisions"].split()]
        except ValueError as error:
            raise forms.ValidationError("One of them is no id of a decision.") from error

    def clean_identifiers(self) -> list[str]:
        return str(self.cleaned_data["identifiers"]).splitlines()

    def said(self) -> dict[str, Any]:
        given = dict(self.cleaned_data)
        return {"decision_ids": given.pop("decisions"), "kind": ErasureRequest.Kind.DECISION} | given


class PersonForm(_Erasure):
    """The name of somebody who has left."""

    person = forms.ModelChoiceField(Person.objects.none(), label="Former member of staff", empty_label="Choose")
    field_order = ("person", "basis", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        left = Person.objects.filter(is_active=False).exclude(name="").order_by("name", "pk")
        self.fields["person"].queryset = left  # type: ignore[attr-defined]

    def said(self) -> dict[str, Any]:
        given = dict(self.cleaned_data)
        return {"person_id": given.pop("person").pk, "kind": ErasureRequest.Kind.PERSON} | given


FORMS: dict[str, type[SubjectForm] | type[DecisionsForm] | type[PersonForm]] = {
    "subject": SubjectForm,
    "decision": DecisionsForm,
    "person": PersonForm,
}


class AnswerForm(CaseForm):
    ASKS = "Answer"
    answer = long_text("Answer", required=False, rows=2)

    @classmethod
    def pair(cls, pk: uuid.UUID) -> dict[str, "AnswerForm"]:
        """Two empty ones for a request among many of a page: no two fields have one name."""
        made = {"agree_form": cls(), "refuse_form": cls()}
        for name, form in made.items():
            form.auto_id = f"{name}-{pk}-%s"
        return made


class StopForm(CaseForm):
    ASKS = "Stop it"
    reason = long_text("Why it is stopped", rows=2)


class TakeBackForm(CaseForm):
    ASKS = "Take it back"
    reason = long_text("Why", required=False, rows=2)


class ClassForm(CaseForm):
    """A floor with its source, a ceiling with its purpose."""

    ASKS = "Write it down"
    kind = forms.ChoiceField(choices=[("", "Choose"), *DataKind.choices], label="Kind of data")
    name = forms.CharField(max_length=100)
    floor_days = forms.IntegerField(
        label="Floor, in days", min_value=0, max_value=LONGEST_DAYS, initial=LEGAL_FLOOR_DAYS,
        help_text="Before this nothing is erased: what somebody asks for is restricted.",
    )  # fmt: skip
    floor_source = long_text("The law that asks for the floor", rows=2)
    ceiling_days = forms.IntegerField(
        label="Ceiling, in days", min_value=1, max_value=LONGEST_DAYS, required=False,
        help_text="By then it is gone. Empty: nothing goes by itself.",
    )  # fmt: skip
    purpose = long_text("What it is kept for until the ceiling", required=False, rows=2)
    why_lower = long_text("Why a lower floor is enough, where it is", required=False, rows=2)


class RuleForm(CaseForm):
    """Where a class is to hold."""

    ASKS = "Ask for it"
    class_id = forms.ModelChoiceField(RetentionClass.objects.none(), label="Class", empty_label="Choose")
    system = forms.ModelChoiceField(
        AISystem.objects.none(), required=False, label="AI system", empty_label="The organisation",
        help_text=f"None for {', '.join(str(DataKind(each).label) for each in sorted(OF_THE_ORGANISATION))}.",
    )  # fmt: skip
    reason = long_text("Why", rows=2)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        open_ones = RetentionClass.objects.filter(archived_at=None).order_by("kind", "pk")
        self.fields["class_id"].queryset = open_ones  # type: ignore[attr-defined]
        self.fields["class_id"].label_from_instance = lambda row: f"{row.get_kind_display()}: {row}"  # type: ignore[attr-defined]
        self.fields["system"].queryset = AISystem.objects.order_by("slug")  # type: ignore[attr-defined]

    def said(self) -> dict[str, Any]:
        given = dict(self.cleaned_data)
        system = given.pop("system")
        return given | {"class_id": given["class_id"].pk, "system_id": system.pk if system else None}
