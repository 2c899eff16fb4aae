"""The forms of explanation letters and their templates. What was typed stays in them when something is refused."""

from typing import Any

from django import forms

from console.cases.forms import CaseForm
from evidence.models import ExplanationLetter
from evidence.services.letters import MAX_ADDRESSEE, MAX_REASON
from governance.letter_templates.languages import TAG, language_words
from governance.letter_templates.text import MAX_TEXT
from governance.letter_templates.wording import MOST_REASONS, REASONS, Side
from governance.models import LetterTemplate
from governance.services.letter_templates import MAX_DETAIL, MOST_DAYS, TemplateContent


def lines(label: str, *, rows: int, most: int, required: bool = False, help_text: str = "") -> forms.CharField:
    """Browsers count the end of a line as one character and send two: the service has the last word on length."""
    widget = forms.Textarea({"rows": rows, "maxlength": most})
    return forms.CharField(label=label, required=required, widget=widget, help_text=help_text, strip=False)


class BeginForm(CaseForm):
    """In which language, and which letter it corrects."""

    language = forms.ChoiceField(label="Language")
    replaces_id = forms.ChoiceField(label="Corrects", required=False)

    def __init__(self, *args: Any, languages: list[str], letters: list[ExplanationLetter], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["language"].choices = [(each, language_words(each)) for each in languages]
        correctable = [each for each in letters if not hasattr(each, "replaced_by")]
        fields["replaces_id"].choices = [
            ("", "No earlier letter"),
            *((str(each.pk), str(each)) for each in correctable),
        ]
        if not correctable:
            del fields["replaces_id"]


class LetterForm(CaseForm):
    """The letter as its writer has it."""

    addressee = lines("To", rows=3, most=MAX_ADDRESSEE, help_text="Name and address, if the letter is to carry them.")
    text = lines(
        "The letter",
        rows=30,
        most=MAX_TEXT,
        required=True,
        help_text="A line that begins with # is a heading, with - an item of a list; an empty line ends a paragraph.",
    )


class WithdrawForm(CaseForm):
    reason = forms.CharField(
        label="Why it does not stand any more", max_length=MAX_REASON, widget=forms.Textarea({"rows": 3})
    )


class LanguageForm(CaseForm):
    language = forms.RegexField(
        rf"^{TAG.pattern}\Z",
        label="Language",
        max_length=20,
        help_text="A language tag, as en, de or pt-BR.",
        error_messages={"invalid": "This is no language tag. Write it as en or pt-BR."},
    )


class TemplateForm(CaseForm):
    """A template. `base`: the revision it is made from; none begins a draft."""

    base = forms.IntegerField(required=False, widget=forms.HiddenInput)
    text = lines("The letter", rows=26, most=MAX_TEXT, required=True)
    words = lines(
        "Plain words",
        rows=8,
        most=100_000,
        help_text="One a line, as  late_payments = Payments that came late.  outcome:refused = …  names an outcome.",
    )
    contact = lines("Whom to turn to", rows=2, most=MAX_DETAIL, help_text="Empty: the contacts of the system card.")
    contest_days = forms.IntegerField(
        label="Days to contest it", required=False, min_value=1, max_value=MOST_DAYS, help_text="From the letter's day."
    )
    responsible = lines("Who is responsible", rows=2, most=MAX_DETAIL, help_text="Empty: the deployer on the card.")
    reasons_most = forms.IntegerField(label="Reasons, at most", min_value=1, max_value=MOST_REASONS, initial=REASONS)
    reasons_side = forms.ChoiceField(label="Which reasons", choices=Side.choices, initial=Side.OUTCOME)
    names_staff = forms.BooleanField(label="Name members of staff who took part, not their role alone", required=False)

    def content(self) -> TemplateContent:
        """What the form says, once it is valid."""
        said = {name: value for name, value in self.cleaned_data.items() if name != "base"}
        return TemplateContent(**said)

    @staticmethod
    def of(template: LetterTemplate) -> dict[str, Any]:
        """What the form shows of one that is there."""
        return {name: getattr(template, name) for name in TemplateForm.base_fields if name != "base"}
