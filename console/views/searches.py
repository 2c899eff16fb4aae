"""Searches: begun by a form, then found at an address of their own, which holds nothing of what is searched for."""

import uuid

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from audit.filters import DecisionFilter
from audit.models import SearchRun
from audit.search_terms import Terms
from audit.services.saved_filters import visible_filter
from audit.services.search_runs import cancel_search, own_search
from audit.services.searching import SearchPage, found_so_far, search_decisions
from config.errors import Forbidden, ServiceError
from console.decision_rows import rows_of
from console.filtering import offered
from console.forms import SearchForm, bounded
from console.fragments import is_fragment, refused, told
from console.pages import page, viewer
from console.questions import fields_of_run
from console.views.decisions import PAGE_SIZE, list_page, seen_reach, shown_columns
from evidence.questions import filter_of_kept, filter_of_search
from governance.rights import as_actor

GO_ON = "#go-on"
"""Not a part of the address of the page: who comes back to it is shown what was found, and nothing is searched."""


@page
@require_POST
def search(request: HttpRequest) -> HttpResponse:
    """By subject, label, link or payload text. What it found is then shown at its own address."""
    reach = seen_reach(request)
    form = SearchForm(request.POST, offered=offered(as_actor(viewer(request)), reach))
    if not form.is_valid():
        return list_page(request, reach, search=form, status=422)
    try:
        return _begun(request, form.terms(), form.within())
    except ServiceError as refusal:
        return _refused(request, refusal=refusal, form=form)


@page
@require_POST
def search_kept(request: HttpRequest, filter_id: uuid.UUID) -> HttpResponse:
    """A search that somebody keeps, begun anew: what it is for comes from where it is kept, not from a page."""
    actor, reach = as_actor(viewer(request)), seen_reach(request)
    kept = visible_filter(actor, reach, filter_id)
    if not kept.terms:
        return redirect("admin:saved_filters")
    return _begun(request, Terms.of(kept.terms), bounded(filter_of_kept(actor, reach, kept.conditions)))


@page
@require_safe
def found(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """What a search of one's own has found so far. Looked at again, it is not searched again, and nothing is sealed."""
    actor, reach = as_actor(viewer(request)), seen_reach(request)
    run, number = own_search(actor, run_id), _number(request)
    within, pages = filter_of_search(actor, run), -(-run.hits // PAGE_SIZE)
    found = found_so_far(actor=actor, reach=reach, run=run, within=within, number=number, limit=PAGE_SIZE)
    form = SearchForm(fields_of_run(run), offered=offered(actor, reach))
    return list_page(
        request,
        reach,
        search=form,
        found=found,
        run=run,
        newer=number - 1 if number > 1 else None,
        older=number + 1 if number < pages else None,
        goes_on=number >= pages and not run.is_over,
    )


@page
@require_POST
def search_on(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """Search on from where it paused, until a page is full: for a script as what is added, else as the page."""
    run = own_search(as_actor(viewer(request)), run_id)
    try:
        further = _further(request, run)
    except ServiceError as refusal:
        return refused(request, refusal, _raised)
    if is_fragment(request):
        return _added(request, further)
    return _shown(further.run, -(-further.run.hits // PAGE_SIZE))


@page
@require_POST
def search_cancel(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """Give a search up: what the database does for it ends."""
    run = cancel_search(actor=as_actor(viewer(request)), run_id=run_id)
    return told({"is_over": run.is_over, "is_whole": run.is_whole})


def _begun(request: HttpRequest, terms: Terms, within: DecisionFilter) -> HttpResponse:
    actor, reach = as_actor(viewer(request)), seen_reach(request)
    begun = search_decisions(actor=actor, reach=reach, terms=terms, within=within, limit=PAGE_SIZE)
    return _shown(begun.run)


def _further(request: HttpRequest, run: SearchRun) -> SearchPage:
    actor, reach = as_actor(viewer(request)), seen_reach(request)
    return search_decisions(
        actor=actor,
        reach=reach,
        terms=Terms.of(run.terms),
        within=filter_of_search(actor, run),
        cursor=run.frontier or "over",
        limit=PAGE_SIZE - run.hits % PAGE_SIZE,
    )


def _shown(run: SearchRun, number: int = 1) -> HttpResponseRedirect:
    """The page of what was found, for whoever just asked: a script goes on there by itself until the page is full."""
    address = reverse("admin:decision_search_found", args=[run.pk])
    further = f"?page={number}" if number > 1 else ""
    return HttpResponseRedirect(f"{address}{further}" + ("" if run.is_over else GO_ON))


def _number(request: HttpRequest) -> int:
    text = request.GET.get("page", "")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def _raised(request: HttpRequest, *, refusal: ServiceError) -> HttpResponse:
    raise refusal


def _refused(request: HttpRequest, *, refusal: ServiceError, form: SearchForm) -> HttpResponse:
    detail = refusal.detail if isinstance(refusal, Forbidden) else f"{refusal.title}. {refusal.detail}"
    form.add_error(None, detail)
    return list_page(request, seen_reach(request), search=form, status=refusal.status)


def _added(request: HttpRequest, found: SearchPage) -> HttpResponse:
    """A further part of the same search, for the script that puts it below what there is."""
    context = {"rows": rows_of(found.items), "columns": shown_columns(request, None)}
    html = render(request, "console/decisions/rows.html", context).content.decode()
    words = render(request, "console/decisions/progress_words.html", {"run": found.run}).content.decode()
    return told({"rows": html, "words": words, "is_over": found.run.is_over, "is_whole": found.run.is_whole})
