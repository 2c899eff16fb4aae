"""Exports: the list, asking for one, watching it, agreeing to it, fetching its file."""

import hashlib
import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit.case_access import readable_case
from audit.services.search_runs import own_search
from config.errors import Conflict, Forbidden, InvalidInput, ServiceError
from config.pagination import keyset_page
from console.exports.forms import FORMS, AnswerForm, AskForm, holds_contents, uuid_in
from console.exports.page import keys_to_give, rows_of, told
from console.moments import moment_text
from console.pages import page, show, viewer
from evidence.exports.access import exports_for, systems_to_ask_for
from evidence.exports.errors import ExportNotFound
from evidence.exports.models import Export
from evidence.exports.requesting import (
    approve_export,
    cancel_export,
    refuse_export,
    request_export,
    visible_export,
    withdraw_export,
)
from evidence.exports.responses import file_response
from evidence.exports.running import RUNS
from evidence.questions import PERIODS
from governance import rights
from governance.acts import Act
from governance.admin.pages import add_refusal
from governance.errors import ApprovalForbidden, RequestVoid
from governance.reauthentication import interruption
from governance.rights import as_actor
from notices.nudging import nudge

PAGE_SIZE = 50
Question = Export.Question
ACTS: dict[str, tuple[Callable[..., Export], bool, str]] = {
    "approve": (approve_export, True, "It is made as soon as there is room."),
    "refuse": (refuse_export, True, "Nothing is exported."),
    "withdraw": (withdraw_export, False, "Taken back."),
    "cancel": (cancel_export, False, "Given up. Nothing of it is kept."),
}
"""The service of each, whether it takes an answer, and what is said when it is done."""
TAKEN_OVER = {"question", "system", "period", "since", "until", "case", "decision", "search"}
"""What links fill in."""
SAID = (Conflict, InvalidInput, ApprovalForbidden, RequestVoid)
"""Refusals that the page explains better than one of their own."""


@page
@require_safe
def exports(request: HttpRequest) -> HttpResponse:
    """Those that one may know of, the newest first."""
    person = viewer(request)
    rows = exports_for(as_actor(person)).order_by("-id")
    found = keyset_page(rows, cursor=request.GET.get("cursor"), limit=PAGE_SIZE, scope="exports")
    return show(
        request,
        "exports/list.html",
        title="Exports",
        rows=rows_of(person, found.items),
        found=found,
        may_ask=may_ask(request),
    )


def may_ask(request: HttpRequest) -> bool:
    """Whether it is of use to offer asking for one: by role, or for a case of one's own."""
    held = rights.held_by(viewer(request))
    return held.has_part_in(Act.EXPORT_PLAIN) or systems_to_ask_for(as_actor(viewer(request))).exists()


# --- asking -----------------------------------------------------------------------------------------------------------
@page
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponseBase:
    """The form, filled in as far as the address says; posted, asks for it."""
    if not may_ask(request):
        raise Forbidden("Exports are asked for by auditors, by accountable persons, and by investigators.")
    if request.method != "POST":
        question = _question(request.GET)
        return _ask_page(request, _form(request, question, initial=_initial(request, question)))
    if holds_contents(request.POST) and (asking := interruption(request)):
        return asking
    form = _form(request, _question(request.POST), given=request.POST)
    made = _asked(request, form) if form.is_valid() else None
    if made is None:
        return _ask_page(request, form, status=422)
    nudge(RUNS)
    messages.success(request, "Asked for. A data protection officer must agree." if made.parts else "Asked for.")
    return redirect("admin:export", export_id=made.pk)


def _question(values: QueryDict) -> str:
    asked = values.get("question", "")
    for name in (Question.CASE, Question.DECISION):
        if name in values and not asked:
            return name
    if "search" in values and not asked:
        return Question.SUBJECT
    return asked if asked in FORMS else Question.RANGE


def _form(request: HttpRequest, question: str, *, given: Any = None, initial: Any = None) -> AskForm:
    more = {"systems": systems_to_ask_for(as_actor(viewer(request)))} if question == Question.RANGE else {}
    return FORMS[question](given, initial=initial, **more)


def _initial(request: HttpRequest, question: str) -> dict[str, Any]:
    """What links fill in: the filter of a list, a case, a decision; a subject by the search that found it."""
    given = request.GET
    match question:
        case Question.CASE:
            return {"case_id": uuid_in(given.get("case", ""))}
        case Question.DECISION:
            return {"decision_id": uuid_in(given.get("decision", ""))}
        case Question.SUBJECT if run_id := uuid_in(given.get("search", "")):
            return {"subject": own_search(as_actor(viewer(request)), run_id).terms.get("subject", "")}
    since = given.get("since", "")
    if not since and (period := PERIODS.get(given.get("period", ""))):
        since = moment_text(timezone.now() - period)
    return {"system_id": given.get("system", ""), "since": since, "until": given.get("until", "")}


def _asked(request: HttpRequest, form: AskForm) -> Export | None:
    try:
        return request_export(actor=as_actor(viewer(request)), asked=form.asked(), **form.given())
    except ServiceError as refusal:
        add_refusal(form, refusal)
    return None


def _ask_page(request: HttpRequest, form: AskForm, *, status: int = 200) -> HttpResponse:
    questions = [(name, words) for name, words in Question.choices if name != Question.CASE]
    case_id = uuid_in(str(form["case_id"].value() or "")) if form.QUESTION == Question.CASE else None
    return show(
        request,
        "exports/ask.html",
        title="Ask for an export",
        status=status,
        form=form,
        questions=questions,
        case=readable_case(as_actor(viewer(request)), case_id) if case_id else None,
        is_narrowed=bool(set(request.GET) - TAKEN_OVER),
    )


# --- one export -------------------------------------------------------------------------------------------------------
@page
@require_safe
def export(request: HttpRequest, export_id: uuid.UUID) -> HttpResponse:
    """What it is about, how far it is, and what may be done."""
    return _page(request, visible_export(as_actor(viewer(request)), export_id))


@page
@require_safe
def export_live(request: HttpRequest, export_id: uuid.UUID) -> HttpResponse:
    """The part of its page that changes while it is made."""
    found = visible_export(as_actor(viewer(request)), export_id)
    answer = render(request, "console/exports/live.html", told(viewer(request), found))
    etag = f'"{hashlib.sha256(_without_tokens(answer.content)).hexdigest()[:32]}"'
    if request.headers.get("If-None-Match") == etag:
        answer = HttpResponse(status=304)
    answer["ETag"], answer["Cache-Control"] = etag, "no-store"
    return answer


def _without_tokens(page: bytes) -> bytes:
    """Each form has a token of its own, each time anew."""
    return b"".join(line for line in page.splitlines() if b"csrfmiddlewaretoken" not in line)


@page
@require_POST
def act(request: HttpRequest, export_id: uuid.UUID, name: str) -> HttpResponseBase:
    """Agree, say no, take back, give up."""
    if name not in ACTS:
        raise ExportNotFound()
    actor = as_actor(viewer(request))
    found = visible_export(actor, export_id)
    if name == "approve" and (asking := interruption(request)):
        return asking
    service, takes_answer, words = ACTS[name]
    form: forms.Form = AnswerForm(request.POST) if takes_answer else forms.Form(request.POST)
    try:
        if not form.is_valid():
            raise InvalidInput()
        service(actor=actor, export_id=found.pk, **form.cleaned_data)
    except SAID as refusal:
        return _page(request, visible_export(actor, export_id), refusal)
    if name == "approve":
        nudge(RUNS)
    messages.success(request, words)
    return redirect("admin:export", export_id=export_id)


@page
@require_safe
def export_file(request: HttpRequest, export_id: uuid.UUID) -> HttpResponseBase:
    """The file, whole or in part."""
    return file_response(request, as_actor(viewer(request)), export_id)


def _page(request: HttpRequest, found: Export, refusal: ServiceError | None = None) -> HttpResponse:
    person = viewer(request)
    return show(
        request,
        "exports/export.html",
        title="Export",
        status=refusal.status if refusal else 200,
        refusal=refusal,
        now=timezone.now(),
        live=reverse("admin:export_live", args=[found.pk]) if found.is_open else "",
        keys=keys_to_give(found),
        **told(person, found),
    )
