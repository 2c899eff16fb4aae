"""Filters that people keep: the list of them, keeping one, changing it, letting it go."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from audit.services.saved_filters import FilterValues, delete_filter, save_filter, update_filter, visible_filter
from config.errors import Forbidden, ServiceError
from console.blind import reach_of
from console.filtering import offered
from console.forms import FilterForm, SearchForm
from console.pages import page, show, viewer
from console.questions import fields_of_terms, in_words
from console.saving import SaveForm, Saving, save_form, shown_filters, values_of
from governance.admin.pages import add_refusal
from governance.rights import as_actor


@page
@require_safe
def saved_filters(request: HttpRequest) -> HttpResponse:
    """One's own, to use, rename, share or delete; and those that others share."""
    return _page(request)


@page
@require_safe
def saved_filter(request: HttpRequest, filter_id: uuid.UUID) -> HttpResponse:
    """The same, with what one of one's own searches is for: it stands on no page where it was not asked for."""
    row = visible_filter(as_actor(viewer(request)), reach_of(viewer(request)), filter_id)
    return _page(request, opened=row.pk, terms=in_words([fields_of_terms(row.terms)])[0])


@page
@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep what is in force on the list under a name."""
    actor, reach = as_actor(viewer(request)), reach_of(viewer(request))
    kind: Any = SearchForm if request.POST.get("is_search") else FilterForm
    asked, form = kind(request.POST, offered=offered(actor, reach)), SaveForm(request.POST)
    if asked.is_valid() and form.is_valid():
        values = values_of(asked, **form.cleaned_data)
        try:
            kept = save_filter(actor=actor, reach=reach, values=values)
        except ServiceError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, f"Saved as {kept.name}.")
            return redirect("admin:saved_filters")
    if asked.errors:
        form.add_error(None, "This filter cannot be kept: a value of it is wrong. Show it first.")
    hidden = save_form(None if kind is SearchForm else request.POST, asked if kind is SearchForm else None).hidden
    return _page(request, saving=Saving(form, hidden, kind is SearchForm), status=422)


@page
@require_POST
def change(request: HttpRequest, filter_id: uuid.UUID) -> HttpResponse:
    """Another name, or shared with others."""
    actor, reach, form = as_actor(viewer(request)), reach_of(viewer(request)), SaveForm(request.POST)
    row = visible_filter(actor, reach, filter_id)
    if form.is_valid():
        values = FilterValues(
            conditions=row.conditions,
            terms=row.terms,
            system_ids=frozenset(row.system_ids),
            is_personal="case_id" in row.conditions,
            **form.cleaned_data,
        )
        try:
            update_filter(actor=actor, reach=reach, filter_id=filter_id, values=values)
        except ServiceError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, "Changed.")
            return redirect("admin:saved_filters")
    return _page(request, changing={"pk": filter_id, "form": form}, status=422)


@page
@require_POST
def delete(request: HttpRequest, filter_id: uuid.UUID) -> HttpResponse:
    delete_filter(actor=as_actor(viewer(request)), filter_id=filter_id)
    messages.success(request, "Deleted.")
    return redirect("admin:saved_filters")


def _page(request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
    person = viewer(request)
    reach = reach_of(person)
    if reach.is_empty:
        raise Forbidden("Filters are for people who see decisions.")
    filters = shown_filters(as_actor(person), reach)
    mine = [each for each in filters if each.is_mine]
    asked = in_words(each.row.conditions for each in mine)
    return show(
        request,
        "decisions/saved_filters.html",
        title="Saved filters",
        status=status,
        mine=[
            (each, _form_of(each.row, context.get("changing")), words) for each, words in zip(mine, asked, strict=True)
        ],
        others=[each for each in filters if not each.is_mine],
        **context,
    )


def _form_of(row: Any, changing: dict[str, Any] | None) -> SaveForm:
    form = SaveForm(initial={"name": row.name, "shared": row.shared})
    if changing and changing["pk"] == row.pk:
        form = changing["form"]
    form.auto_id = f"k-{row.pk.hex}-%s"
    return form
