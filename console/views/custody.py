"""Custody of the logs: what needs two administrators, asked for here, agreed to here, carried out at the host."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.errors import ServiceError
from console.cases.forms import MayReasonForm
from console.custody import words
from console.custody.forms import AskForm
from console.pages import page, show, viewer
from evidence.errors import CustodyRequestNotFound
from evidence.log_standing import LogStanding, Standing, log_standings, logs_lost_whole
from evidence.models import CustodyRequest
from evidence.services.custody_requests import (
    ACTS,
    OF_LOGS,
    approve_custody,
    ask_custody,
    needing,
    refuse_custody,
    withdraw_custody,
)
from governance import rights
from governance.acts import Act
from governance.admin.pages import add_refusal
from governance.models import AISystem, Person
from governance.reauthentication import factor_asked, interruption
from governance.rights import as_actor
from governance.scopes import ORGANISATION
from ledger.key_history import read_history

SHOWN = 20
Status, What = CustodyRequest.Status, CustodyRequest.What
ANSWERS: dict[str, tuple[Any, bool]] = {
    "approve": (approve_custody, False),
    "refuse": (refuse_custody, True),
    "withdraw": (withdraw_custody, False),
}
"""What is done with a request, and whether words go with it."""


@page
@require_safe
def custody(request: HttpRequest) -> HttpResponse:
    """How the logs and the key stand, what can be asked for, and what was."""
    rights.require(viewer(request), Act.LOG_CLOSE)
    standings, trouble = _standings()
    lost = [] if trouble else logs_lost_whole()
    rows = list(CustodyRequest.objects.order_by("-id")[:SHOWN])
    people = Person.objects.in_bulk({row.requested_by_id for row in rows})
    return show(
        request,
        "custody/list.html",
        title="Custody of the logs",
        troubled=_lines([each for each in standings if each.standing is not Standing.CONTINUES]),
        number=len(standings),
        lost=lost,
        trouble=trouble,
        keys=len(read_history().in_force),
        asks=[(what, *words.ASKS[what]) for what in _askable(standings)],
        rows=[(row, *words.STATUS[_status(row)], people.get(row.requested_by_id)) for row in rows],
    )


@page
@factor_asked
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, what: str) -> HttpResponse:
    """Ask for one act. Nothing is done until somebody else agrees, and a command at the host does it."""
    if what not in What.values:
        raise CustodyRequestNotFound()
    act = What(what)
    rights.require(viewer(request), ACTS[act])
    found = needing(act) if act in OF_LOGS else []
    names = _names(found)
    choices = [(str(each.log.id), f"{each.log.origin}{names.get(each.log.system_id, '')}") for each in found]
    form = AskForm(request.POST if request.method == "POST" else None, logs=choices)
    if form.is_bound and form.is_valid():
        try:
            asked = ask_custody(actor=as_actor(viewer(request)), what=act, **form.cleaned_data)
            return redirect("admin:custody_request", custody_id=asked.pk)
        except ServiceError as refusal:
            add_refusal(form, refusal)
    title, meaning = words.ASKS[act]
    return show(
        request,
        "custody/ask.html",
        title=title,
        status=422 if form.errors else 200,
        what=act,
        meaning=meaning,
        found=_lines(found),
        is_of_logs=act in OF_LOGS,
        form=form,
        others=[each for each in rights.holders(ACTS[act], ORGANISATION, approving=True) if each != viewer(request)],
    )


@page
@require_safe
def custody_request(request: HttpRequest, custody_id: uuid.UUID) -> HttpResponse:
    """One request: what would be done, why, and what whoever looks can do about it."""
    return _page(request, _visible(request, custody_id))


@page
@require_POST
def answer(request: HttpRequest, custody_id: uuid.UUID, answer: str) -> HttpResponseBase:
    """Agree, say no, or take one's own request back. A refusal stands above the request."""
    found = _visible(request, custody_id)
    if answer not in ANSWERS:
        raise CustodyRequestNotFound()
    if answer == "approve" and (asking := interruption(request)):
        return asking
    service, takes_words = ANSWERS[answer]
    form = MayReasonForm(request.POST)
    said = {"answer": form.cleaned_data["reason"]} if takes_words and form.is_valid() else {}
    try:
        service(actor=as_actor(viewer(request)), request_id=found.pk, **said)
    except ServiceError as refusal:
        return _page(request, _visible(request, custody_id), refusal)
    messages.success(request, words.DONE[answer])
    return redirect("admin:custody_request", custody_id=found.pk)


def _visible(request: HttpRequest, custody_id: uuid.UUID) -> CustodyRequest:
    rights.require(viewer(request), Act.LOG_CLOSE)
    found = CustodyRequest.objects.filter(pk=custody_id).first()
    if found is None:
        raise CustodyRequestNotFound()
    return found


def _page(request: HttpRequest, found: CustodyRequest, refusal: ServiceError | None = None) -> HttpResponse:
    person, what = viewer(request), What(found.what)
    people = Person.objects.in_bulk([each for each in (found.requested_by_id, found.decided_by_id) if each])
    waits = found.status == Status.ASKED and found.is_live
    may_agree = waits and rights.may_approve(person, ACTS[what], requested_by=found.requested_by_id)
    title, meaning = words.ASKS[what]
    word, tone = words.STATUS[_status(found)]
    return show(
        request,
        "custody/request.html",
        title=title,
        status=refusal.status if refusal else 200,
        asked=found,
        meaning=meaning,
        word=word,
        tone=tone,
        by=people.get(found.requested_by_id),
        decided_by=people.get(found.decided_by_id) if found.decided_by_id else None,
        is_mine=found.requested_by_id == person.pk,
        may_agree=may_agree,
        may_withdraw=found.is_live and found.requested_by_id == person.pk,
        waits=waits,
        others=_others(found, what) if waits else [],
        command=words.command(what) if found.status == Status.APPROVED and found.is_live else "",
        refusing=MayReasonForm(),
        refusal=refusal,
    )


def _others(found: CustodyRequest, what: CustodyRequest.What) -> list[Person]:
    holders = rights.holders(ACTS[what], ORGANISATION, approving=True)
    return [each for each in holders if rights.may_approve(each, ACTS[what], requested_by=found.requested_by_id)]


def _status(row: CustodyRequest) -> str:
    """As it is shown: one that nobody answered, or carried out, in time is over, whatever its row says still."""
    is_over = row.status in (Status.ASKED, Status.APPROVED) and not row.is_live
    return Status.VOID if is_over else row.status


def _standings() -> tuple[list[LogStanding], str]:
    try:
        return log_standings(), ""
    except ServiceError as error:
        return [], f"{error.title}. {error.detail}"


def _askable(standings: list[LogStanding]) -> list[CustodyRequest.What]:
    there = {each.standing for each in standings}
    of_logs = [what for what in (What.CLOSE, What.ADOPT, What.CLOSE_UNKNOWN) if there & set(OF_LOGS[what])]
    if there - {Standing.CONTINUES}:
        return of_logs  # while a log is in trouble no key is replaced
    in_force = len(read_history().in_force)
    return [What.BEGIN_ROTATION] if in_force == 1 else [What.FINISH_ROTATION, What.WITHDRAW_KEYS]


def _names(standings: list[LogStanding]) -> dict[uuid.UUID | None, str]:
    systems = AISystem.objects.in_bulk([each.log.system_id for each in standings if each.log.system_id])
    return {system_id: f" ({system})" for system_id, system in systems.items()}


def _lines(standings: list[LogStanding]) -> list[dict[str, Any]]:
    names = _names(standings)
    return [_line(each, names.get(each.log.system_id, "")) for each in standings]


def _line(each: LogStanding, name: str) -> dict[str, Any]:
    first, end = each.missing
    return {
        "name": name,
        "origin": each.log.origin,
        "is_registry": each.log.system_id is None,
        "standing": each.standing.value,
        "found": each.found.tree_size,
        "signed": each.signed.tree_size if each.signed else None,
        "first": first,
        "last": end - 1,
        "missing": end - first,
        "contradicted": [{"size": one.tree_size, "witness": one.witness} for one in each.contradicted],
    }
