"""Asking for an export: one form for each question, so that nothing stands on it that does not belong there."""

import uuid
from typing import Any, ClassVar

from django import forms

from config.ids import new_id
from console.cases.forms import CaseForm, long_text
from console.moments import MomentField
from evidence.exports.contents import WORDS
from evidence.exports.models import Export
from evidence.exports.requesting import ALLOWED, MAX_HEAD_TEXT, MAX_SUBJECT, Asked
from governance.models import AISystem

Form, Question = Export.Form, Export.Question
FORM_WORDS = [
    (Form.BUNDLE, "Evidence bundle: proves itself, to anybody, without this server"),
    (Form.NDJSON, "NDJSON: one line of JSON a decision"),
    (Form.CSV, "CSV: one row a decision, for a spreadsheet"),
    (Form.OCSF, "OCSF 1.9 lines, for a SIEM"),
]
PART_CHOICES = [(name, WORDS[name]) for name in ALLOWED[Form.BUNDLE]]


class AskForm(CaseForm):
    """What every question has."""

    ASKS = "Ask for it"
    QUESTION: ClassVar[str]
    key = forms.UUIDField(widget=forms.HiddenInput, initial=new_id)
    form = forms.ChoiceField(label="Form", choices=FORM_WORDS, initial=Form.BUNDLE, widget=forms.RadioSelect)
    parts = forms.MultipleChoiceField(
        label="Contents",
        choices=PART_CHOICES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None: what stands in the log, which names nobody and quotes nothing. With any, a data protection "
        "officer must agree first. NDJSON and CSV hold the first five, OCSF lines none.",
    )
    reason = long_text("What it is for", rows=3, help_text="Kept beside the log, which holds a commitment to it.")
    head = forms.CharField(
        label="Checkpoints that you keep",
        required=False,
        max_length=MAX_HEAD_TEXT,
        widget=forms.Textarea({"rows": 4, "spellcheck": "false"}),
        help_text="Paste signed checkpoints from earlier, one below the other: an evidence bundle then proves that its "
        "logs continue them. Those of other logs do no harm.",
    )
    order: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields([*self.order, "form", "parts", "reason", "head"])

    def asked(self) -> Asked:
        raise NotImplementedError

    def given(self) -> dict[str, Any]:
        """What the service takes beside the question."""
        return {name: self.cleaned_data[name] for name in ("form", "parts", "reason", "head", "key")}


class RangeForm(AskForm):
    QUESTION = Question.RANGE
    order = ("system_id", "since", "until")
    system_id = forms.ModelChoiceField(
        AISystem.objects.none(), label="AI system", empty_label="Choose", to_field_name="slug"
    )
    since = MomentField(label="Received from")
    until = MomentField(label="Received before", is_end=True)

    def __init__(self, *args: Any, systems: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["system_id"].queryset = systems  # type: ignore[attr-defined]
        self.fields["since"].help_text = "Empty: from the first decision on."
        self.fields["until"].help_text = "Empty: up to the moment when it is made."

    def asked(self) -> Asked:
        said = self.cleaned_data
        return Asked(question=self.QUESTION, system_id=said["system_id"].pk, since=said["since"], until=said["until"])


class CaseAskForm(AskForm):
    QUESTION = Question.CASE
    case_id = forms.UUIDField(widget=forms.HiddenInput)

    def asked(self) -> Asked:
        return Asked(question=self.QUESTION, case_id=self.cleaned_data["case_id"])


class DecisionAskForm(AskForm):
    QUESTION = Question.DECISION
    order = ("decision_id",)
    decision_id = forms.UUIDField(label="Decision", help_text="Its id, as its page shows it.")

    def asked(self) -> Asked:
        return Asked(question=self.QUESTION, decision_id=self.cleaned_data["decision_id"])


class SubjectAskForm(AskForm):
    QUESTION = Question.SUBJECT
    order = ("subject",)
    subject = forms.CharField(
        label="Subject",
        max_length=MAX_SUBJECT,
        strip=False,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text="As the callers sent it. It stands in no address, no manifest and no log, and can be erased.",
    )

    def asked(self) -> Asked:
        return Asked(question=self.QUESTION, subject=self.cleaned_data["subject"])


FORMS: dict[str, type[AskForm]] = {
    each.QUESTION: each for each in (RangeForm, CaseAskForm, DecisionAskForm, SubjectAskForm)
}


class AnswerForm(CaseForm):
    """Agreeing, or saying no."""

    answer = long_text("Why", required=False, rows=2)


def uuid_in(text: str) -> uuid.UUID | None:
    """An id out of an address."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def holds_contents(values: Any) -> bool:
    """Whether what was sent asks for contents: then a factor is asked for."""
    return any(name in WORDS for name in values.getlist("parts"))
