"""The list of decisions, by filter or by search."""

from hashlib import sha256
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from audit.facets import count_facets
from audit.reach import Reach
from audit.selectors import DecisionPage, list_decisions
from audit.services.searching import may_search_text
from config.errors import Forbidden
from console.blind import countable, reach_of
from console.decision_rows import rows_of
from console.facets import shown_facets
from console.figures import recent_outcomes
from console.filtering import COLUMNS, COOKIE, chips, columns_of, is_untidy, offered, question_of
from console.forms import FilterForm, SearchForm
from console.fragments import is_fragment, told
from console.pages import page, show, viewer
from console.saving import save_form, shown_filters
from governance.acts import Act
from governance.models import ModelVersion
from governance.rights import as_actor, held_by

PAGE_SIZE = 50
OFFERED_VERSIONS = 50


@page
@require_safe
def decision_list(request: HttpRequest) -> HttpResponse:
    """Newest first. Filters stand in the address, so a list can be sent to a colleague; cursors page both ways."""
    reach = seen_reach(request)
    form = filter_form(request, reach)
    if not form.is_valid():
        return list_page(request, reach, form=form, status=422)
    if is_untidy(request.GET):
        return _tidied(request)
    found = list_decisions(
        form.filter(), reach, cursor=form.cleaned_data["cursor"], limit=PAGE_SIZE, scope=_scope(request.GET)
    )
    if is_fragment(request):
        return _more(request, form, found)
    return list_page(request, reach, form=form, found=found)


@page
@require_safe
def counts(request: HttpRequest) -> HttpResponse:
    """The facets of a filter, beside the list where a script asks, else as a page of their own."""
    reach = seen_reach(request)
    form = filter_form(request, reach)
    if not form.is_valid():
        return list_page(request, reach, form=form, status=422)
    facets = shown_facets(count_facets(form.filter(), reach), request.GET)
    if is_fragment(request):
        return render(request, "console/decisions/counts.html", {"facets": facets})
    return show(request, "decisions/counts_page.html", title="Counts", facets=facets, question=question_of(request.GET))


def filter_form(request: HttpRequest, reach: Reach) -> FilterForm:
    """The filter in the address."""
    return FilterForm(request.GET, offered=offered(as_actor(viewer(request)), reach))


def _more(request: HttpRequest, form: FilterForm, found: DecisionPage) -> HttpResponse:
    """A further part of the same list, for the script that puts it below what there is, with how far it was looked."""
    context = {"rows": rows_of(found.items), "columns": shown_columns(request, form)}
    html = render(request, "console/decisions/rows.html", context).content.decode()
    words = render(request, "console/decisions/looked_back.html", {"found": found}).content.decode()
    return told({"words": words, "rows": html, "count": len(found.items), "cursor": found.next_cursor})


def list_page(
    request: HttpRequest,
    reach: Reach,
    *,
    form: FilterForm | None = None,
    search: SearchForm | None = None,
    found: DecisionPage | None = None,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """The list with its filter and its search, of which one is in force."""
    actor, held = as_actor(viewer(request)), held_by(viewer(request))
    given = search or form
    choices = given.offered if given else offered(actor, reach)
    kept = {name: value for name, value in request.GET.items() if name not in ("cursor", "page")}
    shown = search or form
    return show(
        request,
        "decisions.html",
        title="Decisions",
        status=status,
        form=form or FilterForm({}, offered=choices),
        search=search or SearchForm(initial=kept | {"period": kept.get("period") or "7d"}, offered=choices),
        is_search=search is not None,
        found=found,
        rows=rows_of(found.items) if found else [],
        chips=chips(shown, request.GET) if shown and shown.is_valid() else [],
        question=question_of(request.GET),
        columns=shown_columns(request, shown),
        chosen_columns=columns_of(request.COOKIES.get(COOKIE, "")),
        all_columns=COLUMNS,
        may_search_refs=held.has_part_in(Act.DECISION_SEARCH),
        may_search_text=may_search_text(actor),
        outcomes=recent_outcomes(countable(reach.condition(), reach.hidden)) if reach.system_ids != frozenset() else [],
        versions=_versions(reach),
        base_url=settings.BASE_URL,
        may_attach=held.has_part_in(Act.CASE_OPEN) or bool(reach.case_ids),
        may_export=held.has_part_in(Act.EXPORT_PLAIN, Act.EXPORT_PAYLOADS),
        filters=shown_filters(actor, reach),
        saving=save_form(request.GET if not search else None, search),
        **context,
    )


def _tidied(request: HttpRequest) -> HttpResponse:
    """The same question without what the form sends for nothing; chosen columns are the browser's, not the list's."""
    question = question_of(request.GET)
    answer = redirect(f"{reverse('admin:decisions')}?{question}" if question else "admin:decisions")
    if chosen := request.GET.getlist("column"):
        kept = ".".join(name for name in COLUMNS if name in chosen)
        answer.set_cookie(COOKIE, kept, max_age=31_536_000, path="/admin/", samesite="Lax", httponly=True)
    return answer


def shown_columns(request: HttpRequest, form: FilterForm | None) -> list[str]:
    """Without the AI system where the question names the one there is."""
    columns = columns_of(request.COOKIES.get(COOKIE, ""))
    is_one = form is not None and form.is_valid() and form.cleaned_data.get("system") is not None
    return [name for name in columns if name != "system"] if is_one else columns


def seen_reach(request: HttpRequest) -> Reach:
    """Errors: `Forbidden` for whoever sees no decisions."""
    reach = reach_of(viewer(request))
    if reach.is_empty:
        raise Forbidden(
            "Decisions are shown to people with a role in an AI system. Administrators manage people and keys."
        )
    return reach


def _versions(reach: Reach) -> list[str]:
    """To choose from, for the filter: the newest, of systems that may be seen."""
    rows, visible = ModelVersion.objects.order_by("-id"), reach.system_ids
    if visible is not None:
        rows = rows.filter(system_id__in=visible)
    return list(dict.fromkeys(rows.values_list("version", flat=True)[:OFFERED_VERSIONS]))


def _scope(asked: QueryDict) -> str:
    """What a cursor belongs to: the conditions, not what is shown of each decision."""
    kept = sorted((name, value) for name, value in asked.items() if name not in ("cursor", "column") and value)
    return sha256(orjson.dumps(kept)).hexdigest()
