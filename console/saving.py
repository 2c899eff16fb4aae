"""Saved filters on pages: what is listed, and what is kept of a form."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import QueryDict

from audit.models import SavedFilter
from audit.reach import Reach
from audit.services.saved_filters import MAX_NAME, FilterValues, visible_filters
from console.forms import FilterForm, SearchForm
from console.questions import conditions_of, fields_of
from governance.models import Person
from ledger.entries import Actor

NOT_KEPT = frozenset({"cursor"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFilter:
    row: SavedFilter
    question: str
    is_mine: bool
    owner: str
    """Whose it is; a leaver's stay for those who use them."""


class SaveForm(forms.Form):
    """A name, and who else may use it. What is kept travels beside it, in hidden fields."""

    name = forms.CharField(max_length=MAX_NAME, label="Name")
    shared = forms.ChoiceField(choices=SavedFilter.Shared.choices, label="Share with", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = "k-%s"


@dataclass(frozen=True, slots=True)
class Saving:
    form: SaveForm
    hidden: list[tuple[str, str]]
    is_search: bool


def save_form(asked: QueryDict | None, search: SearchForm | None) -> Saving:
    """The form that keeps what is in force, with it in hidden fields."""
    given = search.data if search else asked
    hidden = [(name, str(value)) for name, value in (given or {}).items() if value and _is_kept(name)]
    return Saving(SaveForm(), hidden, search is not None)


def _is_kept(name: str) -> bool:
    return name not in NOT_KEPT and name in SearchForm.base_fields


def values_of(form: FilterForm, *, name: str, shared: str) -> FilterValues:
    """What is kept of a valid filter or search."""
    system = form.cleaned_data.get("system")
    return FilterValues(
        name=name,
        conditions=conditions_of(form),
        terms=form.terms().kept() if isinstance(form, SearchForm) else {},
        system_ids=frozenset({system.pk}) if system else frozenset(),
        shared=shared or SavedFilter.Shared.NOBODY,
        is_personal=bool(form.cleaned_data.get("case")),
    )


def shown_filters(actor: Actor, reach: Reach) -> list[ShownFilter]:
    """One's own first. Two queries."""
    rows = list(visible_filters(actor, reach)[:200])
    owners = Person.objects.in_bulk({row.owner_id for row in rows})
    shown = [_shown(row, actor, owners.get(row.owner_id)) for row in rows]
    return sorted(shown, key=lambda each: (not each.is_mine, each.row.name.casefold()))


def _shown(row: SavedFilter, actor: Actor, owner: Person | None) -> ShownFilter:
    left = owner is None or not owner.is_active
    return ShownFilter(
        row=row,
        question=urlencode(fields_of(row.conditions)),
        is_mine=row.owner_id == actor.id,
        owner="a former member of staff" if left else str(owner),
    )
