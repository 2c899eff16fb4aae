"""The way back: one person asks, another approves, both proving again who they are; and one alone in an emergency."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.errors import Conflict, InvalidInput, ServiceError
from console.pages import page, show, viewer
from console.switchboard import words
from console.switchboard.forms import EmergencyForm, LoosenForm, RefusalForm
from console.switchboard.names import names_of
from console.switchboard.places import place_of
from console.switchboard.radius import lacks_fallback, who_can
from console.switchboard.sight import Sight
from console.views.switches import mode_of, visible_switch
from governance import rights
from governance.acts import Act
from governance.errors import ApprovalForbidden, RequestVoid
from governance.models import Person
from governance.reauthentication import factor_asked
from overrides import switch_selectors as selectors
from overrides.errors import EpochPassed, LooseningExists, LooseningNotFound
from overrides.models import LooseningRequest, Switch
from overrides.services.changing import scope_of
from overrides.services.loosening import (
    approve_loosening,
    emergency_clear,
    refuse_loosening,
    request_loosening,
    withdraw_loosening,
)
from overrides.standing import Mode

SAID = (Conflict, InvalidInput, ApprovalForbidden, RequestVoid)
"""Refusals that the page they come from explains better than a page of their own."""


@page
@factor_asked
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, switch_id: uuid.UUID) -> HttpResponse:
    """Ask to set a switch less strict. Nothing changes until somebody else approves."""
    switch = visible_switch(request, switch_id)
    rights.require(viewer(request), Act.SWITCH_LOOSEN, scope_of(switch.node))
    form = _form(switch, request.POST or None)
    refusal: ServiceError | None = None
    if form.is_bound and form.is_valid():
        try:
            asked = request_loosening(actor=rights.as_actor(viewer(request)), switch_id=switch_id, **_asked(form))
            return redirect("admin:loosening", request_id=asked.pk)
        except LooseningExists:
            return _to_open_request(switch)
        except SAID as error:
            refusal, form = error, _form(switch, _again(request, switch))
    return _ask_page(request, switch, form, refusal)


def _form(switch: Switch, given: Any) -> LoosenForm:
    now = {"epoch": str(switch.epoch)}
    return LoosenForm(
        given, mode=mode_of(switch), has_fallback=not lacks_fallback(switch.node, Mode.FALLBACK), initial=now
    )


def _asked(form: LoosenForm) -> dict[str, Any]:
    return form.cleaned_data | {"mode": Mode(form.cleaned_data["mode"])}


def _again(request: HttpRequest, switch: Switch) -> dict[str, Any]:
    """What was typed, for the switch as it is now: to be looked at, and sent again."""
    return {**request.POST.dict(), "epoch": str(switch.epoch)}


def _to_open_request(switch: Switch) -> HttpResponse:
    """A double click, a second tab or somebody else was quicker: their request is the one that counts. Where it was
    answered meanwhile, the switch's page says so."""
    asked = selectors.open_loosenings([switch]).get(switch.pk)
    if asked is None:
        return redirect("admin:switchboard_switch", switch_id=switch.pk)
    return redirect("admin:loosening", request_id=asked.pk)


def _ask_page(request: HttpRequest, switch: Switch, form: LoosenForm, refusal: ServiceError | None) -> HttpResponse:
    names = names_of([(switch.changed_by_type, switch.changed_by_id)])
    return show(
        request,
        "switchboard/ask.html",
        title="Ask to resume",
        status=refusal.status if refusal else 200,
        switch=switch,
        place=place_of(switch.node),
        words=words.MODES[mode_of(switch)],
        reason=words.reason(switch.reason_code),
        by=names[switch.changed_by_type, switch.changed_by_id],
        form=form,
        refusal=refusal,
        is_passed=isinstance(refusal, EpochPassed),
        approvers=[each for each in who_can(Act.SWITCH_LOOSEN, scope_of(switch.node))[1] if each != viewer(request)],
    )


# --- one request ------------------------------------------------------------------------------------------------------
@page
@require_safe
def request_page(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """A request: who asks for what, why, what changed since, what would happen."""
    return _page(request, _visible(request, request_id))


@page
@factor_asked
@require_POST
def approve(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Be the second person."""
    found = _visible(request, request_id)
    try:
        change = approve_loosening(actor=rights.as_actor(viewer(request)), request_id=request_id)
    except SAID as error:
        return _page(request, _visible(request, found.pk), error)
    return redirect("admin:switchboard_change", change_id=change.pk)


@page
@factor_asked
@require_POST
def refuse(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Say no."""
    found, form = _visible(request, request_id), RefusalForm(request.POST)
    note = form.cleaned_data["note"] if form.is_valid() else ""
    try:
        refuse_loosening(actor=rights.as_actor(viewer(request)), request_id=found.pk, note=note)
    except SAID as error:
        return _page(request, _visible(request, found.pk), error)
    return redirect("admin:loosening", request_id=found.pk)


@page
@require_POST
def withdraw(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Not ask any more."""
    found = _visible(request, request_id)
    try:
        withdraw_loosening(actor=rights.as_actor(viewer(request)), request_id=found.pk)
    except SAID as error:
        return _page(request, _visible(request, found.pk), error)
    return redirect("admin:loosening", request_id=found.pk)


def _visible(request: HttpRequest, request_id: uuid.UUID) -> LooseningRequest:
    found = LooseningRequest.objects.select_related("switch").filter(pk=request_id).first()
    if found is None or not Sight.of(viewer(request), found.switch).is_there:
        raise LooseningNotFound()
    return found


def _page(request: HttpRequest, found: LooseningRequest, refusal: ServiceError | None = None) -> HttpResponse:
    switch, person = found.switch, viewer(request)
    names = names_of([("person", found.requested_by_id), ("person", found.decided_by_id)])
    status, tone = words.REQUEST_STATUS[found.status]
    return show(
        request,
        "switchboard/request.html",
        title="Request to resume",
        status=refusal.status if refusal else 200,
        asked=found,
        switch=switch,
        place=place_of(switch.node),
        words=words.MODES[Mode(found.mode)],
        now_words=words.MODES[mode_of(switch)],
        reason=words.reason(found.reason_code),
        by=names["person", found.requested_by_id],
        decided_by=names["person", found.decided_by_id],
        request_status=status,
        tone=tone,
        refusal=refusal,
        form=RefusalForm(),
        **_standing(found, person),
    )


def _standing(found: LooseningRequest, person: Person) -> dict[str, Any]:
    """Whether it still counts, what changed since, what it would do, and what whoever looks can do about it."""
    switch, scope = found.switch, scope_of(found.switch.node)
    counts = found.pk in {each.pk for each in selectors.open_loosenings([switch]).values()}
    since = selectors.changes_since(switch.node, found.epoch)
    is_mine = found.requested_by_id == person.pk
    may_approve = counts and rights.may_approve(person, Act.SWITCH_LOOSEN, scope, requested_by=found.requested_by_id)
    return {
        "counts": counts,
        "is_passed": switch.epoch != found.epoch,
        "is_expired": found.status == LooseningRequest.Status.OPEN and found.expires_at <= timezone.now(),
        "since": [(each, words.MODES[Mode(each.to_mode)], place_of(each.switch.node)) for each in since],
        "breaches": Sight.of(person, switch).breaches(),
        "after": _after(found) if counts else None,
        "may_approve": may_approve,
        "may_withdraw": counts and is_mine,
        "is_mine": is_mine,
        "approvers": [each for each in who_can(Act.SWITCH_LOOSEN, scope)[1] if each.pk != found.requested_by_id],
    }


def _after(found: LooseningRequest) -> words.ModeWords:
    """The mode in force at that place, were it approved: another switch may still say more."""
    node = found.switch.node
    control = selectors.standing_control([node.system_id] if node.system_id else None)
    return words.MODES[selectors.mode_at(selectors.control_without(control, found.switch, Mode(found.mode)), node)]


# --- one person, in an emergency --------------------------------------------------------------------------------------
@page
@factor_asked
@require_http_methods(["GET", "HEAD", "POST"])
def emergency(request: HttpRequest, switch_id: uuid.UUID) -> HttpResponse:
    """Take a stopped AI system to review, alone."""
    switch = visible_switch(request, switch_id)
    rights.require(viewer(request), Act.SWITCH_EMERGENCY_CLEAR, scope_of(switch.node))
    form = EmergencyForm(request.POST or None, initial={"epoch": str(switch.epoch)})
    refusal: ServiceError | None = None
    if form.is_bound and form.is_valid():
        try:
            change = emergency_clear(actor=rights.as_actor(viewer(request)), switch_id=switch_id, **form.cleaned_data)
            return redirect("admin:switchboard_change", change_id=change.pk)
        except SAID as error:
            refusal, form = error, EmergencyForm(_again(request, switch))
    return show(
        request,
        "switchboard/emergency.html",
        title="Emergency clear",
        status=refusal.status if refusal else 200,
        switch=switch,
        place=place_of(switch.node),
        form=form,
        refusal=refusal,
        is_passed=isinstance(refusal, EpochPassed),
    )
