"""Which cases: those the list is narrowed to, those found by number or title, and those to put decisions into."""

from typing import Any

from django import forms
from django.db.models import Q, QuerySet

from audit.case_access import cases_to_add_to, own_cases, visible_cases
from audit.case_selectors import called
from audit.models import Case, Severity
from audit.restricted_texts import for_reading
from governance import rights
from governance.acts import Act
from governance.models import AISystem, Person
from governance.rights import as_actor
from ledger.entries import Actor

OFFERED = 50


class CaseListForm(forms.Form):
    """In the address: nothing here says what a case is about."""

    show = forms.ChoiceField(
        choices=[("", "All that you may see"), ("mine", "Yours"), ("unled", "Without a lead")],
        required=False,
        label="Whose",
    )
    status = forms.ChoiceField(choices=[("", "Any"), *Case.Status.choices], required=False, label="State")
    severity = forms.ChoiceField(choices=[("", "Any"), *Severity.choices], required=False)
    system = forms.ModelChoiceField(
        AISystem.objects.none(), required=False, label="AI system", empty_label="Any", to_field_name="slug"
    )

    def __init__(self, *args: Any, person: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = "cases-%s"
        self.person, systems = person, rights.systems_where(person, Act.CASE_VIEW)
        rows = AISystem.objects.order_by("slug")
        fields: dict[str, Any] = self.fields
        fields["system"].queryset = rows if systems is None else rows.filter(pk__in=systems)

    def cases(self) -> QuerySet[Case]:
        """Those that may be known of and of which all that is asked holds; what cannot be read narrows nothing."""
        actor = as_actor(self.person)
        asked = self.cleaned_data if self.is_valid() else {}
        rows = visible_cases(actor).filter(_whose(asked.get("show"), actor))
        for name in ("status", "severity"):
            if asked.get(name):
                rows = rows.filter(**{name: asked[name]})
        return rows.filter(system_ids__contains=[asked["system"].pk]) if asked.get("system") else rows


def _whose(show: str | None, actor: Actor) -> Q:
    match show:
        case "mine":
            return Q(pk__in=own_cases(actor).values("pk")) | Q(opened_by_id=actor.id, lead_id=None)
        case "unled":
            return Q(lead_id=None)
    return Q()


class FindForm(forms.Form):
    """Posted: a title may name people, and stands in no address."""

    q = forms.CharField(max_length=200, label="Find by number or title", widget=forms.TextInput({"type": "search"}))


def to_put_into(person: Person, typed: str = "") -> list[Case]:
    """The newest open cases of one's own, or those whose number or title was typed."""
    actor = as_actor(person)
    rows = cases_to_add_to(actor)
    return for_reading(actor, (rows.filter(called(actor, typed)) if typed else rows)[:OFFERED])
