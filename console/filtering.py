"""What a list of decisions offers to choose from, what is in force, and which columns it shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.formats import date_format
from django.utils.timezone import localtime

from audit.case_access import own_cases, visible_cases
from audit.models import Case
from audit.reach import Reach
from console.forms import FilterForm, Offered
from governance import rights
from governance.acts import Act, Role
from governance.models import AISystem, Assignment, Person
from ledger.entries import Actor

COLUMNS = {
    "system": "AI system",
    "environment": "Environment",
    "outcome": "Outcome",
    "confidence": "Confidence",
    "score": "Score",
    "version": "Model version",
    "capability": "Capability",
    "accountable": "Accountable",
    "role": "Role of the AI",
    "occurred": "Occurred",
    "latency": "Latency",
}
USUAL = ("system", "outcome", "confidence", "version", "accountable")
COOKIE = "decision-columns"
CONDITIONS = frozenset(FilterForm.base_fields) - {"cursor"}
CHOSEN = ("period", "adverse", "flagged", "directive", "overridden", "role")


def offered(actor: Actor, reach: Reach) -> Offered:
    """Systems, people and cases that the filters may name."""
    systems = AISystem.objects.order_by("slug")
    visible = reach.systems()
    if visible is not None:
        systems = systems.filter(pk__in=visible)
    held = Assignment.objects.filter(role=Role.ACCOUNTABLE, scope=Assignment.Scope.SYSTEM)
    if visible is not None:
        held = held.filter(system_id__in=visible)
    people = Person.objects.filter(pk__in=held.values("person_id")).order_by("name", "id")
    return Offered(systems=systems, people=people, cases=lambda: readable_cases(actor))


def readable_cases(actor: Actor) -> QuerySet[Case]:
    """Cases to narrow to: those one may read; of their decisions one sees what one may see anyway."""
    if actor.type != "person":
        return Case.objects.none()
    read = rights.systems_where(actor, Act.CASE_READ)
    seen = visible_cases(actor)
    if read is None:
        return seen
    return seen.filter(Q(pk__in=own_cases(actor).values("pk")) | Q(system_ids__contained_by=sorted(read)))


@dataclass(frozen=True, slots=True)
class Chip:
    """A condition in force, in words, and the question without it."""

    label: str
    value: str
    without: str


def chips(form: FilterForm, asked: QueryDict) -> list[Chip]:
    """What is in force, each to be taken away."""
    found = []
    for field in form.visible_fields():
        text = field.value()
        if text and field.name in form.data:
            found.append(
                Chip(str(field.label), _words(form, field.name, text), question_of(asked, without=[field.name]))
            )
    return found


def _words(form: FilterForm, name: str, text: Any) -> str:
    value = form.cleaned_data.get(name) if form.is_valid() else None
    choices = dict(form.fields[name].choices) if name in CHOSEN else {}  # type: ignore[attr-defined]
    if text in choices:
        return str(choices[text]).lower()
    if hasattr(value, "tzinfo"):
        return date_format(localtime(value), "j M Y, H:i")
    return str(value if value not in (None, "") else text)


def question_of(asked: QueryDict, *, without: Iterable[str] = (), **put: str) -> str:
    """The conditions as a query string: fields of the filter that say something, without what is named."""
    given = {name: str(asked[name]) for name in asked if name in CONDITIONS and name not in without}
    return urlencode({name: value for name, value in (given | put).items() if value})


def is_untidy(asked: QueryDict) -> bool:
    """Whether an address holds what the form sends for nothing: empty fields, and the columns."""
    return "column" in asked or any(not value for value in asked.values())


def columns_of(kept: str) -> list[str]:
    """Those that this browser's user chose last, else the usual ones."""
    chosen = kept.split(".")
    return [name for name in COLUMNS if name in chosen] or list(USUAL)
