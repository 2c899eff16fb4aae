"""What the acts on assignments ask for."""

from typing import Any

from django import forms

from config.admin import sentence
from config.errors import ServiceError
from console.moments import LocalMoment
from console.people_field import PersonField, active_people
from governance.acts import Role
from governance.models import AISystem, Assignment, Person
from governance.models.people import LONGEST_TERMS
from governance.terms import Power, Terms

LONGEST_REASON = 2000


def _reason(label: str = "Why", *, required: bool = False) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=required,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept beside the log, which holds a commitment to it. It can be erased; the act cannot.",
    )


def _until() -> forms.DateTimeField:
    return forms.DateTimeField(
        label="Until", required=False, widget=LocalMoment(), help_text="Left empty: until somebody ends it."
    )


def _terms_text(label: str, help_text: str) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": 3})
    return forms.CharField(label=label, required=False, max_length=LONGEST_TERMS, widget=widget, help_text=help_text)


def _day(label: str, help_text: str) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(label=label, required=False, widget=widget, help_text=help_text)


class ServiceRefusals(forms.Form):
    """What a service refuses stands beside its field, and nothing typed is lost."""

    def refuse(self, refusal: ServiceError) -> None:
        for problem in refusal.errors:
            name = problem.pointer.strip("/").split("/")[0]
            self.add_error(
                name if name in self.fields else None, problem.detail if name in self.fields else sentence(problem)
            )
        if not refusal.errors:
            self.add_error(None, refusal.detail)


class TermsFields(ServiceRefusals):
    """Duties, powers, competence, review: kept together, folded where other things are asked first."""

    duties = _terms_text("Duties", "What the organisation expects of them in this role.")
    powers = forms.MultipleChoiceField(
        label="Powers",
        choices=Power.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="What the organisation has told them that they may do. Rights here come from the role alone.",
    )
    competence = _terms_text("What shows that they can", "Training, certificates, years in the work.")
    competence_until = _day("Which lasts until", "They and whoever gives the role are written to 30 days before.")
    review_on = _day("Look at it again on", "Whoever gives the role is written to 7 days before.")

    @property
    def folded(self) -> list[forms.BoundField]:
        return [self[name] for name in Terms.__slots__]

    @property
    def opens_folded(self) -> bool:
        return any(field.errors or field.value() for field in self.folded)


class TermsForm(TermsFields):
    """The terms of an assignment alone, as they stood when the page was shown."""

    revision = forms.IntegerField(widget=forms.HiddenInput)
    reason = _reason()

    @property
    def folded(self) -> list[forms.BoundField]:
        return []


class NoteForm(ServiceRefusals):
    """What is said later about a span of the past."""

    since = forms.DateTimeField(label="From", widget=LocalMoment())
    until = forms.DateTimeField(
        label="To", required=False, widget=LocalMoment(), help_text="Left empty: 24 hours from then, or up to now."
    )
    text = forms.CharField(
        label="What is to be said",
        max_length=LONGEST_TERMS,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="It stands beside what was recorded, with your name, and changes nothing of it.",
    )


class _ToSomebody(ServiceRefusals):
    person = PersonField(label="Who", empty_label="Choose somebody")

    def __init__(self, *args: Any, but: Person | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen: Any = self.fields["person"]
        chosen.offer(active_people(but=but))


class AssignForm(_ToSomebody, TermsFields):
    """Who is asked to take which role for an AI system."""

    system = forms.ModelChoiceField(AISystem.objects.none(), label="AI system", widget=forms.HiddenInput)
    role = forms.ChoiceField(label="Role")
    ends_at = _until()
    reason = _reason()
    field_order = ("system", "role", "person", "ends_at", *Terms.__slots__, "reason")

    def __init__(self, *args: Any, system: AISystem, roles: list[Assignment.Role], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["system"].queryset = AISystem.objects.filter(pk=system.pk)
        fields["role"].choices = [(role.value, role.label.capitalize()) for role in roles]

    def clean_role(self) -> Assignment.Role:
        return Role(self.cleaned_data["role"])


class MoveForm(_ToSomebody):
    """To whom it is delegated or handed over."""

    ends_at = _until()
    reason = _reason()


class EndForm(ServiceRefusals):
    """Why it ends; and, where nobody would be left to answer, that this is known."""

    accepts_gap = forms.BooleanField(required=False)
    reason = _reason()

    def __init__(self, *args: Any, left: list[AISystem], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if left:
            names = ", ".join(str(system) for system in left)
            self.fields["accepts_gap"].label = f"I know that nobody answers for {names} from then on"
            self.fields["reason"].required = True
        else:
            del self.fields["accepts_gap"]
