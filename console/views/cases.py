"""Cases: the list, putting decisions into one, the page of one with its acts, the incident, the report to print."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit.case_access import may_work, readable_case, systems_named, visible_case
from audit.case_selectors import actions_of, called, overdue_first
from audit.incident_deadlines import next_due
from audit.models import Case
from audit.restricted_texts import for_reading, to_read
from audit.services.incidents import declare_incident, update_incident
from config.days import today
from config.errors import Forbidden, ServiceError
from config.pagination import keyset_page
from console.cases.acts import ACTS, carried_out
from console.cases.choosing import CaseListForm, FindForm
from console.cases.finding import keep, text_of
from console.cases.forms import IncidentForm
from console.cases.page import clock_of, context_of
from console.pages import page, show, viewer
from governance import rights
from governance.acts import Act
from governance.admin.pages import add_refusal
from governance.admin.stale import show_what_stands
from governance.models import AISystem, Person
from governance.reauthentication import interruption
from governance.rights import as_actor

PAGE_SIZE = 50


@page
@require_http_methods(["GET", "HEAD", "POST"])
def case_list(request: HttpRequest) -> HttpResponse:
    """Those one may know of: what is overdue first, then the newest. Posted is what to look for: it is kept aside."""
    if request.method == "POST":
        return _found(request)
    person, sought = viewer(request), text_of(request.session, request.GET.get("found", ""))
    actor, form, finding = as_actor(person), CaseListForm(request.GET, person=person), FindForm(initial={"q": sought})
    rows = form.cases()
    if sought is not None:
        rows = rows.filter(called(actor, sought))
    cursor, asked = request.GET.get("cursor"), kept_of(request)
    found = keyset_page(rows, cursor=cursor, limit=PAGE_SIZE, scope=f"cases:{asked}")
    due = next_due(rows, PAGE_SIZE)
    urgent = [] if cursor else list(rows.filter(pk__in=due))
    cases = overdue_first({each.pk: each for each in [*urgent, *found.items]}.values(), due)
    leads = Person.objects.in_bulk({each.lead_id for each in cases if each.lead_id})
    named = systems_named(actor, cases)
    systems = AISystem.objects.in_bulk({each for ids in named.values() for each in ids})
    return show(
        request,
        "cases/list.html",
        title="Cases",
        rows=[
            (case, leads.get(case.lead_id), _names(named[case.pk], systems), due.get(case.pk))
            for case in for_reading(actor, cases)
        ],
        found=found,
        form=form,
        finding=finding,
        sought=sought,
        is_forgotten=sought is None and "found" in request.GET,
        question=asked,
        unsought=kept_of(request, "found"),
        may_open=rights.can_anywhere(person, Act.CASE_OPEN),
        actions=for_reading(actor, actions_of(person.pk)),
        now=timezone.now(),
        today=today(),
    )


def _found(request: HttpRequest) -> HttpResponse:
    """To the page of what is found: it can be turned, reloaded and come back to."""
    form, asked = FindForm(request.POST), kept_of(request, "found")
    if form.is_valid():
        asked = "&".join(filter(None, [asked, urlencode({"found": keep(request.session, form.cleaned_data["q"])})]))
    return redirect(f"{reverse('admin:cases')}?{asked}")


def kept_of(request: HttpRequest, without: str = "") -> str:
    """What the list is narrowed to, as an address."""
    names = [name for name in (*CaseListForm.base_fields, "found") if name != without]
    return urlencode({name: request.GET[name] for name in names if request.GET.get(name)})


@page
@require_safe
def case(request: HttpRequest, case_id: uuid.UUID) -> HttpResponse:
    return _page(request, visible_case(as_actor(viewer(request)), case_id))


@page
@require_POST
def act(request: HttpRequest, case_id: uuid.UUID, name: str) -> HttpResponseBase:
    """One of the acts on the page. What is refused stands in its form, with what was typed."""
    found = visible_case(as_actor(viewer(request)), case_id)
    made = ACTS.get(name)
    if made is None:
        raise Forbidden()
    if made.asks_factor and (asking := interruption(request)):
        return asking
    form = made.form(request.POST, found, as_actor(viewer(request)))
    if not carried_out(form, made, as_actor(viewer(request)), found):
        found.refresh_from_db()
        return _page(request, found, {name: form}, status=422)
    messages.success(request, made.done)
    return redirect(f"{_address(case_id)}#{made.section}")


@page
@require_http_methods(["GET", "HEAD", "POST"])
def incident(request: HttpRequest, case_id: uuid.UUID) -> HttpResponse:
    """The fields of an incident: declaring it, and adding what more is known."""
    actor = as_actor(viewer(request))
    found = readable_case(actor, case_id)
    if not found.is_open or not may_work(actor, found):
        raise Forbidden("Only its investigators write in an incident, as long as the case is open.")
    there = getattr(found, "incident", None)
    shown, known = to_read(actor, found), to_read(actor, there) if there else None
    initial = IncidentForm.of(known) if known else {"narrative": "" if "summary" in shown.covered else shown.summary}
    form = IncidentForm(request.POST if request.method == "POST" else None, initial=initial)
    if known:
        form.leave(known.covered)
    if request.method == "POST" and form.is_valid() and _recorded(request, form, found):
        messages.success(request, "It is recorded, and its evidence is held.")
        return redirect(f"{_address(case_id)}#incident")
    return show(
        request,
        "cases/incident.html",
        title=f"Incident, case {found.reference}",
        status=422 if form.errors else 200,
        case=shown,
        incident=known,
        clock=clock_of(there) if there else None,
        form=form,
    )


def _recorded(request: HttpRequest, form: IncidentForm, found: Case) -> bool:
    values = {name: value for name, value in form.cleaned_data.items() if value or name not in form.left}
    revision, reason, actor = values.pop("revision"), values.pop("reason"), as_actor(viewer(request))
    try:
        if hasattr(found, "incident"):
            update_incident(actor=actor, case_id=found.pk, changes=values, revision=revision, reason=reason)
        else:
            declare_incident(actor=actor, case_id=found.pk, **values)
    except ServiceError as refusal:
        add_refusal(form, refusal)
        show_what_stands(form, form.initial)
    except ValidationError as refusal:
        for name, problems in refusal.message_dict.items():
            form.add_error(name if name in form.fields else None, problems)
    return not form.errors


def _page(request: HttpRequest, found: Case, typed: dict[str, Any] | None = None, status: int = 200) -> HttpResponse:
    context = context_of(request, found, typed or {})
    return show(request, "cases/case.html", title=f"Case {found.reference}", status=status, **context)


def _address(case_id: uuid.UUID) -> str:
    return reverse("admin:case", args=[case_id])


def _names(named: list[uuid.UUID], systems: dict[uuid.UUID, AISystem]) -> list[str]:
    return [str(systems[each]) for each in named if each in systems]
