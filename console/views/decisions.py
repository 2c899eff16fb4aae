"""The list of decisions, by filter or by search."""

from hashlib import sha256
from typing import Any

import orjson
from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST, require_safe

from audit.reach import Reach
from audit.selectors import DecisionPage, list_decisions
from audit.services.searching import search_decisions
from config.errors import Forbidden
from config.pagination import InvalidCursor
from console.blind import countable, reach_of
from console.decision_rows import rows_of
from console.figures import recent_outcomes
from console.forms import FilterForm, SearchForm
from console.pages import page, show, viewer
from governance import rights
from governance.acts import Act
from governance.models import AISystem, ModelVersion
from ledger.entries import Actor

PAGE_SIZE = 50
OFFERED_VERSIONS = 50


@page
@require_safe
def decision_list(request: HttpRequest) -> HttpResponse:
    """Newest first. Filters stand in the address, so a list can be sent to a colleague; cursors page both ways."""
    reach = _reach(request)
    form = FilterForm(request.GET, systems=_systems(reach))
    if not form.is_valid():
        return _page(request, reach, form=form, status=422)
    found = list_decisions(
        form.filter(), reach, cursor=form.cleaned_data["cursor"], limit=PAGE_SIZE, scope=_scope(request.GET.dict())
    )
    return _page(request, reach, form=form, found=found, question=_question(request))


@page
@require_POST
def search(request: HttpRequest) -> HttpResponse:
    """By subject, label or payload text. Terms are posted, again for each page; no address holds them."""
    reach, person = _reach(request), viewer(request)
    form = SearchForm(request.POST, systems=_systems(reach))
    if not form.is_valid():
        return _page(request, reach, search=form, status=422)
    try:
        found = search_decisions(
            actor=Actor("person", person.pk),
            reach=reach,
            terms=form.terms(),
            within=form.within(),
            cursor=form.cleaned_data["cursor"],
            limit=PAGE_SIZE,
        )
    except Forbidden:
        form.add_error("text", "You may not read payloads, so you cannot search in them. Subjects and labels you can.")
        return _page(request, reach, search=form, status=403)
    except InvalidCursor:
        form.add_error(None, "That was the page of another search. Search again.")
        return _page(request, reach, search=form, status=422)
    return _page(request, reach, search=form, found=found, searched=form.within())


def _page(
    request: HttpRequest,
    reach: Reach,
    *,
    form: FilterForm | None = None,
    search: SearchForm | None = None,
    found: DecisionPage | None = None,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    systems = _systems(reach)
    return show(
        request,
        "decisions.html",
        title="Decisions",
        status=status,
        form=form or FilterForm({}, systems=systems),
        search=search or SearchForm(systems=systems),
        is_search=search is not None,
        found=found,
        rows=rows_of(found.items) if found else [],
        may_search_text=rights.can_anywhere(viewer(request), Act.PAYLOAD_READ),
        outcomes=recent_outcomes(countable(reach.condition(), reach.hidden)),
        versions=_versions(reach),
        base_url=settings.BASE_URL,
        **context,
    )


def _reach(request: HttpRequest) -> Reach:
    reach = reach_of(viewer(request))
    if reach.is_empty:
        raise Forbidden(
            "Decisions are shown to people with a role in an AI system. Administrators manage people and keys."
        )
    return reach


def _systems(reach: Reach) -> QuerySet[AISystem]:
    systems = AISystem.objects.order_by("slug")
    return systems if reach.system_ids is None else systems.filter(pk__in=reach.system_ids)


def _versions(reach: Reach) -> list[str]:
    """To choose from, for the filter: the newest, of systems that may be seen."""
    rows = ModelVersion.objects.filter(system__in=_systems(reach)).order_by("-id")
    return list(dict.fromkeys(rows.values_list("version", flat=True)[:OFFERED_VERSIONS]))


def _question(request: HttpRequest) -> str:
    """The filters as a query string, without the place in the list."""
    kept = request.GET.copy()
    kept.pop("cursor", None)
    return kept.urlencode()


def _scope(params: dict[str, Any]) -> str:
    kept = sorted((name, value) for name, value in params.items() if name != "cursor" and value)
    return sha256(orjson.dumps(kept)).hexdigest()
