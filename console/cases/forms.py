"""The forms of a case's page. What was typed stays in them when something is refused."""

import uuid
from collections.abc import Collection
from typing import Any, ClassVar, Self

from django import forms
from django.http import QueryDict
from django.utils import timezone

from audit.models import (
    Case,
    CausalLink,
    CorrectiveAction,
    Finding,
    Incident,
    IncidentNotice,
    IncidentReport,
    Limb,
    RootCause,
    Severity,
    Use,
)
from audit.models.cases import MAX_TEXT
from audit.restricted_texts import NOTICE
from audit.services.detaching import Taken
from config.ids import new_id
from console.cases.narrowing import within_of
from governance.models import AISystem, Person
from ledger.rows import GovernedRow

Choice = tuple[str, str]


def long_text(label: str, *, required: bool = True, rows: int = 4, help_text: str = "") -> forms.CharField:
    widget = forms.Textarea({"rows": rows})
    return forms.CharField(label=label, required=required, max_length=MAX_TEXT, widget=widget, help_text=help_text)


def moment(label: str, *, required: bool = False) -> forms.DateTimeField:
    widget = forms.DateTimeInput({"type": "datetime-local", "step": "60"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, required=required, widget=widget)


class CaseForm(forms.Form):
    """Names its fields so that several stand on one page; tells screen readers which are wrong."""

    ASKS: ClassVar[str] = "Save"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = f"{type(self).__name__.lower()}-%s"

    def add_error(self, field: str | None, error: Any) -> None:
        super().add_error(field, error)
        if field in self.fields:
            described = f"{self[field].id_for_label}-error"
            self.fields[field].widget.attrs |= {"aria-invalid": "true", "aria-describedby": described}


class _Once(CaseForm):
    """Carries a key, so that a double click does it once."""

    key = forms.UUIDField(widget=forms.HiddenInput, initial=new_id)


class NoteForm(_Once):
    ASKS = "Add the note"
    text = long_text("Note", help_text="Erasable; the log holds a commitment to it.")


class FindingForm(_Once):
    ASKS = "Record the finding"
    text = long_text("What was found")
    severity = forms.ChoiceField(choices=Severity.choices, initial=Severity.MODERATE)
    root_cause = forms.ChoiceField(choices=[("", "Choose"), *RootCause.choices], label="Root cause")
    replaces_id = forms.ModelChoiceField(
        Finding.objects.none(), required=False, label="Replaces", empty_label="No other finding"
    )

    def __init__(self, *args: Any, case: Case, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["replaces_id"].queryset = case.findings.filter(replaced_by=None)  # type: ignore[attr-defined]

    def clean_replaces_id(self) -> uuid.UUID | None:
        found = self.cleaned_data["replaces_id"]
        return found.pk if found else None


class _PersonChoice(CaseForm):
    """Somebody out of those who are offered."""

    def __init__(self, *args: Any, people: list[Person], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices: list[tuple[Any, str]] = [("", "Choose"), *((each.pk, str(each)) for each in people)]
        self.fields[self.PERSON].choices = choices  # type: ignore[attr-defined]

    PERSON: ClassVar[str] = "person_id"


class ActionForm(_PersonChoice, _Once):
    ASKS = "Plan the action"
    PERSON = "owner_id"
    kind = forms.ChoiceField(choices=CorrectiveAction.Kind.choices)
    what = long_text("What is to be done")
    owner_id = forms.TypedChoiceField(label="By whom", coerce=uuid.UUID)
    due_on = forms.DateField(label="Until", widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))


class LeadForm(_PersonChoice):
    ASKS = "Have them lead it"
    person_id = forms.TypedChoiceField(label="Lead investigator", coerce=uuid.UUID)
    reason = long_text("Why", required=False, rows=2)


class SettleForm(CaseForm):
    ASKS = "Say so"
    action_id = forms.UUIDField(widget=forms.HiddenInput)
    outcome = forms.ChoiceField(choices=[("done", "It is done"), ("dropped", "It will not be done")], label="Outcome")
    text = long_text("What shows it, or why not", rows=2)


def uncovered(row: GovernedRow, initial: dict[str, Any]) -> dict[str, Any]:
    """Initial values without the notices that stand in place of what is restricted."""
    return {name: "" if name in row.covered else value for name, value in initial.items()}


class _MayBeLeft(CaseForm):
    """What is restricted from whoever writes may be written anew; left empty, it stays as it is."""

    left: Collection[str] = ()

    def leave(self, covered: Collection[str]) -> None:
        self.left = covered
        for name in covered & self.fields.keys():
            self.fields[name].required = False
            self.fields[name].help_text = f"{NOTICE} Left empty, it stays as it is."


class EditForm(_MayBeLeft):
    title = forms.CharField(max_length=200)
    summary = long_text("Summary", required=False)
    severity = forms.ChoiceField(choices=Severity.choices)
    revision = forms.IntegerField(widget=forms.HiddenInput)

    @classmethod
    def of(cls, case: Case, sent: QueryDict | None = None) -> Self:
        """Of a case as its reader may read it."""
        initial = {name: getattr(case, name) for name in cls.base_fields}
        form = cls(sent, initial=uncovered(case, initial))
        form.leave(case.covered)
        return form


class MoveForm(CaseForm):
    to = forms.ChoiceField(choices=Case.Status.choices, widget=forms.HiddenInput)
    reason = long_text("Reason", required=False, rows=2)
    revision = forms.IntegerField(widget=forms.HiddenInput)


class _Ids(forms.Field):
    """What was ticked."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> tuple[uuid.UUID, ...]:
        try:
            return tuple(uuid.UUID(each) for each in value or ())
        except ValueError as error:
            raise forms.ValidationError("Tick decisions of the list.") from error


class DetachForm(_Once):
    """Those that are ticked, all that the list is narrowed to, or all that one act put in."""

    ASKS = "Take them out"
    which = forms.ChoiceField(
        choices=[("ticked", "ticked"), ("listed", "listed"), ("attachment", "attachment")], widget=forms.HiddenInput
    )
    decision = _Ids(required=False)
    within = forms.CharField(required=False, max_length=1_000, widget=forms.HiddenInput)
    attachment_id = forms.UUIDField(required=False, widget=forms.HiddenInput)
    why = long_text("Why they do not belong here", rows=2)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        which, ids = cleaned.get("which"), cleaned.get("decision")
        if which == "ticked" and not ids:
            self.add_error(None, "Tick the decisions that do not belong here.")
        kept = {name: value for name, value in cleaned.items() if name in ("why", "key")}
        return kept | {"taken": _taken(which, cleaned)}


def _taken(which: str | None, cleaned: dict[str, Any]) -> Taken:
    match which:
        case "ticked":
            return Taken(ids=cleaned.get("decision") or ())
        case "listed":
            return Taken(within=within_of(QueryDict(cleaned.get("within", "")).dict()))
    return Taken(attachment_id=cleaned.get("attachment_id"))


class ReasonForm(CaseForm):
    reason = long_text("Reason", rows=2)


class MayReasonForm(CaseForm):
    reason = long_text("Reason", required=False, rows=2)


class IntoCaseForm(_Once):
    """One of the open cases that one works on."""

    ASKS = "Put in"
    find = forms.CharField(max_length=200, required=False, label="Find by number or title")
    case_id = forms.TypedChoiceField(label="Case", coerce=uuid.UUID, error_messages={"required": "Choose a case."})
    why = long_text("Why", required=False, rows=2)

    def __init__(self, *args: Any, cases: list[Case], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named: list[tuple[Any, str]] = [(each.pk, f"{each.reference}: {each.title or 'erased'}") for each in cases]
        choose = [] if len(named) == 1 else [("", "Choose")]
        self.fields["case_id"].choices = [*choose, *named]  # type: ignore[attr-defined]


class NewCaseForm(_Once):
    """`systems`: to choose from, where nothing else says what the case is about."""

    ASKS = "Open the case"
    title = forms.CharField(
        max_length=200,
        label="What the new case is about",
        error_messages={"required": "Say in a few words what it is about."},
    )
    severity = forms.ChoiceField(choices=Severity.choices, initial=Severity.MODERATE)
    system = forms.ModelChoiceField(AISystem.objects.none(), label="AI system", empty_label="Choose")
    why = long_text("What is known of it", required=False, rows=3)

    def __init__(self, *args: Any, systems: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if systems is None:
            del self.fields["system"]
        else:
            self.fields["system"].queryset = systems  # type: ignore[attr-defined]


class ReportForm(_Once):
    ASKS = "Record the report"
    stage = forms.ChoiceField(choices=IncidentReport.Stage.choices)
    reported_at = moment("Reported", required=True)
    receipt = long_text("How it went there, and what came back", required=False, rows=2)


class NoticeForm(_Once):
    ASKS = "Record the notice"
    to = forms.ChoiceField(choices=IncidentNotice.To.choices, label="Who was told")
    told_at = moment("When", required=True)
    text = long_text("How, and what", required=False, rows=2)


class SignForm(CaseForm):
    ASKS = "Sign it off"
    stage = forms.ChoiceField(choices=IncidentReport.Stage.choices, label="For which report")
    text = long_text("In your words", required=False, rows=2)
    revision = forms.IntegerField(widget=forms.HiddenInput)


class IncidentForm(_MayBeLeft):
    """The fields of an incident. Only what was typed is required to be right; nearly all of it may come later."""

    limbs = forms.MultipleChoiceField(
        choices=Limb.choices,
        widget=forms.CheckboxSelectMultiple,
        label="What makes it serious",
        error_messages={"required": "Tick at least one."},
    )
    awareness_at = moment("Known since (the clock runs from here)", required=True)
    occurred_at = moment("Occurred")
    detected_at = moment("Detected")
    causal_link = forms.ChoiceField(choices=CausalLink.choices, initial=CausalLink.SUSPECTED, label="Causal link")
    causal_link_at = moment("Causal link found")
    use = forms.ChoiceField(choices=Use.choices, initial=Use.UNKNOWN, label="How it was used")
    persons_affected = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1, label="Persons affected")
    member_state = forms.CharField(required=False, max_length=2, label="Member State, as in FR")
    eu_registration_id = forms.CharField(required=False, max_length=100, label="EU registration id")
    annex_iii_point = forms.CharField(required=False, max_length=20, label="Point of Annex III")
    contained_at = moment("Contained")
    stopped_at = moment("Stopped")
    authority_informed_at = moment("Authority informed, before the system was changed")
    breach_aware_at = moment("Personal data breach, known since (72 hours run from here)")
    follow_up_due_at = moment("Next follow-up report due")
    final_due_at = moment("Final report due")
    reason = long_text("Why a deadline moves later, where one does", required=False, rows=2)
    revision = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in Incident.TEXTS.items():
            self.fields[name] = long_text(label, required=name == "narrative", rows=3)

    def facts(self) -> list[Any]:
        return [
            each
            for each in self.visible_fields()
            if each.name not in Incident.TEXTS and each.name not in ("limbs", "reason")
        ]

    def texts(self) -> list[Any]:
        asked = ["reason"] if self["revision"].value() else []
        return [self[name] for name in (*asked, *Incident.TEXTS)]

    @staticmethod
    def of(incident: Incident) -> dict[str, Any]:
        """What the form shows of one that is there."""
        names = [*(name for name in IncidentForm.base_fields if name != "reason"), *Incident.TEXTS]
        values = {name: getattr(incident, name) for name in names}
        moments = {name: timezone.localtime(each) for name, each in values.items() if name.endswith("_at") and each}
        return uncovered(incident, values) | moments
