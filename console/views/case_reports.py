"""Reports of a case: to print as it stands, as kept when one went to the authority, and its decisions as a file."""

import uuid
from datetime import datetime

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_POST, require_safe

from audit.case_access import readable_case
from audit.models import Case
from audit.services.case_listing import list_decisions_of
from console.cases.report import kept_report_of, report_of
from console.pages import page, show, viewer
from evidence.case_reports import kept_report, seen_by
from governance.rights import as_actor


@page
@require_safe
def report(request: HttpRequest, case_id: uuid.UUID) -> HttpResponse:
    """Everything in a case, to print."""
    person = viewer(request)
    found = readable_case(as_actor(person), case_id)
    return show(request, "cases/report.html", title=f"Case {found.reference}", **report_of(person, found))


@page
@require_safe
def kept(request: HttpRequest, case_id: uuid.UUID, report_id: uuid.UUID) -> HttpResponse:
    """The same as it was when a report went to the authority."""
    person = viewer(request)
    found = kept_report(as_actor(person), case_id, report_id)
    title = f"{found.get_stage_display().capitalize()} report of case {found.incident.case.reference}"
    return show(request, "cases/report.html", title=title, **kept_report_of(person, found))


@page
@require_POST
def decisions_file(request: HttpRequest, case_id: uuid.UUID) -> HttpResponseBase:
    """Every decision that is in the case. Posted, since it appends an entry."""
    return _file(request, readable_case(as_actor(viewer(request)), case_id))


@page
@require_POST
def kept_decisions_file(request: HttpRequest, case_id: uuid.UUID, report_id: uuid.UUID) -> HttpResponseBase:
    """Every decision that was in it when a report was recorded."""
    found = kept_report(as_actor(viewer(request)), case_id, report_id)
    return _file(request, found.incident.case, found.created_at)


def _file(request: HttpRequest, case: Case, at: datetime | None = None) -> HttpResponseBase:
    actor = as_actor(viewer(request))
    lines = list_decisions_of(actor=actor, case_id=case.pk, seen=seen_by(actor, case), at=at)
    name = f"case-{case.reference}-decisions.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)
