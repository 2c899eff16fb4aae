"""Erasures: asked for by a data protection officer, agreed to by whoever is accountable, followed to their receipt."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit.models import ErasureConsent, ErasureRequest
from config.errors import FieldProblem, InvalidInput, NotFound, ServiceError
from config.pagination import keyset_page
from console.erasure.forms import FORMS, AnswerForm, StopForm, TakeBackForm
from console.erasure.story import story_of
from console.pages import page, show, viewer
from console.views.decision import download
from evidence.erasure.counting import counted_finds
from evidence.erasure.documents import came_since
from evidence.erasure.errors import ErasureNotFound
from evidence.erasure.reading import act_of, is_officer, may_stop, place_of, standing_of, visible_erasures
from evidence.erasure.showing import finds_shown, receipt_of
from evidence.services.erased_again import UNDONE, prepare_again
from evidence.services.erasure_answers import approve_erasure, hold_erasure, refuse_erasure
from evidence.services.erasures import ask_erasure, choose_finds, prepare_erasure, withdraw_erasure
from governance import rights
from governance.acts import Act
from governance.admin.pages import add_refusal
from governance.models import AISystem, Person
from governance.reauthentication import interruption
from governance.rights import as_actor
from notices.models import Alert

PAGE_SIZE = 50
Status = ErasureRequest.Status
CAN_TAKE_BACK = frozenset({Status.DRAFT, Status.REQUESTED, Status.WAITING, Status.SCHEDULED, Status.HELD})
CAN_STOP = frozenset({Status.WAITING, Status.RUNNING, Status.SCHEDULED})
TONES = {"performed": "ok", "refused": "neutral", "withdrawn": "neutral", "held": "bad"}


@page
@require_safe
def erasures(request: HttpRequest) -> HttpResponse:
    """The list, the newest first; the ways to begin one."""
    actor = as_actor(viewer(request))
    found = keyset_page(visible_erasures(actor), cursor=request.GET.get("cursor"), limit=PAGE_SIZE, scope="erasures")
    systems = AISystem.objects.in_bulk({row.system_id for row in found.items if row.system_id})
    people = Person.objects.in_bulk({row.requested_by_id for row in found.items})
    return show(
        request,
        "erasures/list.html",
        title="Erasures",
        found=found,
        rows=[(row, systems.get(row.system_id), people.get(row.requested_by_id)) for row in found.items],
        tones=TONES,
        may_ask=rights.can(actor, Act.ERASE),
        is_back=Alert.objects.filter(kind=UNDONE).exclude(status=Alert.Status.CLOSED).exists(),
    )


@page
@require_POST
def again(request: HttpRequest) -> HttpResponseBase:
    """Prepare what was erased and is back, as after a restore, to be erased again."""
    actor = as_actor(viewer(request))
    if not rights.can(actor, Act.ERASE):
        raise ErasureNotFound()
    try:
        made = prepare_again(actor=actor)
    except ServiceError as refusal:
        messages.error(request, f"{refusal.title}. {refusal.detail}")
    else:
        each = "1 is prepared" if len(made) == 1 else f"{len(made)} are prepared"
        messages.success(request, f"{each}. Look at each, and ask for it.")
    return redirect("admin:erasures")


@page
@require_http_methods(["GET", "HEAD", "POST"])
def prepare(request: HttpRequest, kind: str) -> HttpResponse:
    """Begin one: of a subject, of decisions, of a former member of staff."""
    actor = as_actor(viewer(request))
    if kind not in FORMS or not rights.can(actor, Act.ERASE):
        raise ErasureNotFound()
    form = FORMS[kind](request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = prepare_erasure(actor=actor, **form.said())
            return redirect("admin:erasure", erasure_id=made.pk)
        except ServiceError as refusal:
            add_refusal(form, refusal)
    status = 422 if form.errors else 200
    return show(request, "erasures/prepare.html", title="Prepare an erasure", status=status, form=form, kind=kind)


@page
@require_safe
def erasure(request: HttpRequest, erasure_id: uuid.UUID) -> HttpResponse:
    return _page(request, erasure_id)


@page
@require_POST
def act(request: HttpRequest, erasure_id: uuid.UUID, name: str) -> HttpResponseBase:
    """Ask for it, take it back, stop it; leave finds out. A refusal stands above the page."""
    actor, form = as_actor(viewer(request)), _form(request, name)
    if name == "ask" and (asking := interruption(request)):
        return asking
    if form.is_valid():
        try:
            _do(request, actor, erasure_id, name, form)
        except ServiceError as refusal:
            add_refusal(form, refusal)
    if form.errors:
        return _page(request, erasure_id, refused=form)
    messages.success(request, SAID[name])
    place, page_of_finds = reverse("admin:erasure", args=[erasure_id]), request.POST.get("finds_page")
    return redirect(f"{place}?{urlencode({'finds': page_of_finds})}" if page_of_finds else place)


SAID = {
    "ask": "It is asked for. Whoever is accountable is told.",
    "finds": "Kept as you chose.",
    "withdraw": "It is taken back.",
    "hold": "It is stopped. Nothing more is erased.",
    "approve": "You agreed. Once everybody has answered, those who may stop it are told; it runs a day later.",
    "refuse": "You said no. Nothing is erased there.",
}


def _form(request: HttpRequest, name: str) -> forms.Form:
    kinds: dict[str, type[forms.Form]] = {
        "ask": forms.Form,
        "finds": forms.Form,
        "withdraw": TakeBackForm,
        "hold": StopForm,
        "approve": AnswerForm,
        "refuse": AnswerForm,
    }
    if name not in kinds:
        raise ErasureNotFound()
    return kinds[name](request.POST)


def _do(request: HttpRequest, actor: Any, erasure_id: uuid.UUID, name: str, form: forms.Form) -> None:
    match name:
        case "ask":
            ask_erasure(actor=actor, request_id=erasure_id)
        case "finds":
            shown, chosen = _ids(request, "shown"), _ids(request, "chosen")
            choose_finds(actor=actor, request_id=erasure_id, left_out=shown - chosen, among=shown)
        case "withdraw":
            withdraw_erasure(actor=actor, request_id=erasure_id, **form.cleaned_data)
        case "hold":
            hold_erasure(actor=actor, request_id=erasure_id, **form.cleaned_data)


def _ids(request: HttpRequest, name: str) -> set[uuid.UUID]:
    try:
        return {uuid.UUID(each) for each in request.POST.getlist(name)}
    except ValueError as error:
        raise InvalidInput(errors=[FieldProblem(pointer="/finds", detail="One of them is no id of a find.")]) from error


@page
@require_POST
def answer(request: HttpRequest, consent_id: uuid.UUID, name: str) -> HttpResponseBase:
    """Agree, or say no, as the second person."""
    if name not in ("approve", "refuse"):
        raise ErasureNotFound()
    if name == "approve" and (asking := interruption(request)):
        return asking
    consent = ErasureConsent.objects.filter(pk=consent_id).first()
    if consent is None:
        raise ErasureNotFound()
    form, service = AnswerForm(request.POST), approve_erasure if name == "approve" else refuse_erasure
    if form.is_valid():
        try:
            service(actor=as_actor(viewer(request)), consent_id=consent_id, **form.cleaned_data)
        except NotFound:
            raise
        except ServiceError as refusal:
            add_refusal(form, refusal)
    if form.errors:
        return _page(request, consent.request_id, refused=form)
    messages.success(request, SAID[name])
    return redirect("admin:erasure", erasure_id=consent.request_id)


@page
@require_safe
def receipt(request: HttpRequest, erasure_id: uuid.UUID) -> HttpResponse:
    """The signed receipt: to keep, or, with `print`, to see and print."""
    note = receipt_of(as_actor(viewer(request)), _found(request, erasure_id)).note
    return signed(request, note, f"erasure-{erasure_id}.txt")


def signed(request: HttpRequest, note: str, name: str) -> HttpResponse:
    """A signed document as a file, or as a page of plain text."""
    kind = "text/plain; charset=utf-8"
    if "print" in request.GET:
        return HttpResponse(note, content_type=kind, headers={"Cache-Control": "no-store"})
    return download(note.encode(), name, kind)


# --- the page ---------------------------------------------------------------------------------------------------------
def _found(request: HttpRequest, erasure_id: uuid.UUID) -> ErasureRequest:
    row = visible_erasures(as_actor(viewer(request))).filter(pk=erasure_id).first()
    if row is None:
        raise ErasureNotFound()
    return row


def _page(request: HttpRequest, erasure_id: uuid.UUID, *, refused: forms.Form | None = None) -> HttpResponse:
    person, row = viewer(request), _found(request, erasure_id)
    actor = as_actor(person)
    officer, scan = is_officer(actor, row), getattr(row, "scan", None)
    is_draft, cursor = row.status == Status.DRAFT, request.GET.get("finds")
    finds = finds_shown(actor, row, cursor=cursor) if officer and row.status != Status.PERFORMED else None
    return show(
        request,
        "erasures/erasure.html",
        title="Erasure",
        status=422 if refused else 200,
        refused=refused,
        row=row,
        tone=TONES.get(row.status, "warn"),
        officer=officer,
        is_draft=is_draft,
        is_searched=bool(scan and scan.finished_at),
        standing=standing_of(row),
        system=AISystem.objects.filter(pk=row.system_id).first() if row.system_id else None,
        person=Person.objects.filter(pk=row.person_id).first() if row.person_id else None,
        asked_by=Person.objects.filter(pk=row.requested_by_id).first(),
        consents=_consents(person, row),
        finds=finds,
        finds_cursor=cursor or "",
        story=story_of(row),
        since=came_since(row.pk).words if officer else "",
        may_ask=officer and row.status in (Status.DRAFT, Status.HELD),
        may_take_back=officer and row.status in CAN_TAKE_BACK,
        may_stop=row.status in CAN_STOP and may_stop(actor, row),
        stop_form=StopForm(),
        take_back_form=TakeBackForm(),
    )


def _consents(person: Person, row: ErasureRequest) -> list[dict[str, Any]]:
    found = list(row.consents.exclude(status=ErasureConsent.Status.VOID))
    systems = AISystem.objects.in_bulk({each.system_id for each in found if each.system_id})
    people = Person.objects.in_bulk({each.decided_by_id for each in found if each.decided_by_id})
    reach = rights.systems_where(person, Act.SYSTEM_VIEW)
    return [
        {
            "consent": each,
            "system": systems.get(each.system_id) if reach is None or each.system_id in reach else None,
            "decided_by": people.get(each.decided_by_id),
            "finds": counted_finds(each),
            "may_answer": each.status == ErasureConsent.Status.WAITING
            and rights.may_approve(person, act_of(row), place_of(each), requested_by=each.asked_by_id),
            **AnswerForm.pair(each.pk),
        }
        for each in found
    ]
