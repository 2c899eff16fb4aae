"""Overriding and contesting a decision from its page; appeals and effects that wait for somebody."""

import uuid
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST, require_safe

from audit.restricted_texts import to_read
from audit.restrictions import is_barred
from audit.selectors import SealedDecision, decision_by_id
from audit.services.disclosure import may_read_payload, may_see, scope_of
from config.errors import FieldProblem, InvalidInput, ServiceError
from config.problems import as_service_error
from console.pages import page, show, viewer
from console.people_said import may_decide_appeal
from console.views.decision import decision_page, visible
from governance import rights
from governance.acts import Act
from governance.models import AISystem, Person
from governance.rights import as_actor
from overrides.effective import unconfirmed_effects
from overrides.eligibility import had_part
from overrides.models import Appeal, Override
from overrides.reasons import reasons_in_force
from overrides.review_errors import AppealNotFound, OverrideNotFound
from overrides.selectors import appeals_to_decide, hidden_from, require_unhidden
from overrides.services.appeals import confirm_remedy, decide_appeal, open_appeal
from overrides.services.overriding import agree_to_override, override_decision, refuse_override

SHOWN = 200


# --- from a decision's page -------------------------------------------------------------------------------------------
@page
@require_POST
def override(request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
    """Put another outcome in its place."""
    visible(request, decision_id)
    typed = {name: request.POST.get(name, "").strip() for name in ("outcome", "reason_code", "output", "note")}
    try:
        made = override_decision(actor=as_actor(viewer(request)), decision_id=decision_id, **typed)
    except (ServiceError, ValidationError) as error:
        return _again(request, decision_id, error, typed | {"act": "override"})
    waits = made.status == Override.Status.REQUESTED
    messages.success(request, "It waits for a second reviewer." if waits else "It is in force. The caller is told.")
    return redirect("admin:decision", decision_id=decision_id)


@page
@require_POST
def appeal_against(request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
    """Contest it, for whoever it is about."""
    visible(request, decision_id)
    typed = {name: request.POST.get(name, "").strip() for name in ("ground_code", "statement", "received_at")}
    try:
        opened = open_appeal(
            actor=as_actor(viewer(request)),
            decision_id=decision_id,
            ground_code=typed["ground_code"],
            statement=typed["statement"],
            received_at=_moment(typed["received_at"]),
        )
    except (ServiceError, ValidationError) as error:
        return _again(request, decision_id, error, typed | {"act": "appeal"})
    messages.success(request, "The appeal is open. It goes to a reviewer who had no part in the decision.")
    return redirect("admin:appeal", appeal_id=opened.pk)


@page
@require_POST
def second_opinion(request: HttpRequest, override_id: uuid.UUID, answer: str) -> HttpResponse:
    """The second reviewer agrees or refuses; who asked takes it back."""
    if answer not in ("agree", "refuse"):
        raise Http404
    made = Override.objects.filter(pk=override_id).first()
    if made is None:
        raise OverrideNotFound()
    visible(request, made.decision_id)
    act = agree_to_override if answer == "agree" else refuse_override
    try:
        done = act(actor=as_actor(viewer(request)), override_id=override_id)
    except ServiceError as error:
        return _again(request, made.decision_id, error, {})
    agreed = done.status == Override.Status.IN_FORCE
    messages.success(request, "It is in force. The caller is told." if agreed else "It does not take effect.")
    return redirect("admin:decision", decision_id=made.decision_id)


# --- appeals ----------------------------------------------------------------------------------------------------------
@page
@require_safe
def appeals(request: HttpRequest) -> HttpResponse:
    """What one may decide, what waits for its remedy, and what others must decide."""
    person = viewer(request)
    mine = appeals_to_decide(as_actor(person))
    systems = rights.systems_where(person, Act.DECISION_VIEW)
    waiting = Appeal.objects.filter(status__in=["open", "overturned"]).order_by("received_at")
    waiting = waiting if systems is None else waiting.filter(system_id__in=systems)
    others = list(
        waiting.exclude(pk__in=[each.pk for each in mine]).exclude(decision_id__in=hidden_from(person.pk))[:SHOWN]
    )
    names = AISystem.objects.in_bulk({each.system_id for each in [*mine, *others]})
    return show(
        request,
        "reviews/appeals.html",
        title="Appeals",
        mine=[(each, names.get(each.system_id)) for each in mine],
        remedies=[(each, names.get(each.system_id)) for each in others if each.status == "overturned"],
        others=[(each, names.get(each.system_id)) for each in others if each.status == "open"],
    )


@page
@require_safe
def appeal(request: HttpRequest, appeal_id: uuid.UUID) -> HttpResponse:
    return _appeal_page(request, *_seen(request, appeal_id))


@page
@require_POST
def decide(request: HttpRequest, appeal_id: uuid.UUID) -> HttpResponse:
    """Uphold or overturn."""
    found, decision = _seen(request, appeal_id)
    names = ("verdict", "reason_code", "outcome", "output", "finding")
    typed = {name: request.POST.get(name, "").strip() for name in names}
    if typed["verdict"] == "upheld":
        typed["outcome"] = typed["output"] = ""
    try:
        decide_appeal(actor=as_actor(viewer(request)), appeal_id=appeal_id, **typed)
    except ServiceError as refusal:
        return _appeal_page(request, found, decision, refusal=refusal, typed=typed)
    messages.success(request, "It is decided. An overturned decision stays open until the remedy is confirmed.")
    return redirect("admin:appeal", appeal_id=appeal_id)


@page
@require_POST
def remedy(request: HttpRequest, appeal_id: uuid.UUID) -> HttpResponse:
    """Say how it was put right, where no service can."""
    found, decision = _seen(request, appeal_id)
    note = request.POST.get("note", "")
    try:
        confirm_remedy(actor=as_actor(viewer(request)), appeal_id=appeal_id, note=note)
    except ServiceError as refusal:
        return _appeal_page(request, found, decision, refusal=refusal, typed={"note": note})
    messages.success(request, "The remedy is confirmed: the appeal is closed.")
    return redirect("admin:appeal", appeal_id=appeal_id)


def _seen(request: HttpRequest, appeal_id: uuid.UUID) -> tuple[Appeal, SealedDecision]:
    person, found = viewer(request), Appeal.objects.filter(pk=appeal_id).first()
    if found is None:
        raise AppealNotFound()
    decision = decision_by_id(found.decision_id)
    if not may_see(as_actor(person), decision):
        raise AppealNotFound()
    require_unhidden(as_actor(person), decision.id)
    return found, decision


def _appeal_page(
    request: HttpRequest,
    found: Appeal,
    decision: SealedDecision,
    *,
    refusal: ServiceError | None = None,
    typed: dict[str, str] | None = None,
) -> HttpResponse:
    person, is_open = viewer(request), found.status == Appeal.Status.OPEN
    may_decide = is_open and may_decide_appeal(person, decision)
    barred = is_barred(as_actor(person), decision.id)
    reads = may_decide or found.opened_by_id == person.pk or may_read_payload(as_actor(person), decision)
    return show(
        request,
        "reviews/appeal.html",
        title="Appeal",
        status=refusal.status if refusal else 200,
        refusal=refusal,
        typed=typed or {},
        appeal=to_read(as_actor(person), found),
        decision=decision,
        system=AISystem.objects.filter(pk=found.system_id).first(),
        decided_by=Person.objects.filter(pk=found.decided_by_id).first() if found.decided_by_id else None,
        reads=reads and not barred,
        is_restricted=barred,
        may_decide=may_decide,
        has_part=is_open and had_part(person.pk, decision.id),
        may_remedy=found.status == Appeal.Status.OVERTURNED
        and rights.can(person, Act.DECISION_OVERRIDE, scope_of(decision)),
        reasons=[each for each in reasons_in_force(None) if "appeal" in each["for"]],
    )


# --- effects ----------------------------------------------------------------------------------------------------------
@page
@require_safe
def effects(request: HttpRequest) -> HttpResponse:
    """Decisions that people changed, whose caller has not said that it did it."""
    person = viewer(request)
    found = unconfirmed_effects(rights.systems_where(person, Act.DECISION_VIEW), limit=SHOWN)
    hidden = hidden_from(person.pk)
    shown = [each for each in found if each["decision_id"] not in hidden]
    names = AISystem.objects.in_bulk({each["system_id"] for each in shown})
    rows: list[dict[str, Any]] = [each | {"system": names.get(each["system_id"])} for each in shown]
    return show(request, "reviews/effects.html", title="Unconfirmed effects", rows=rows, is_cut=len(found) == SHOWN)


# --- parts of the above -----------------------------------------------------------------------------------------------
def _again(request: HttpRequest, decision_id: uuid.UUID, error: Exception, typed: dict[str, str]) -> HttpResponse:
    refusal = as_service_error(error)
    if refusal is None:
        raise error
    return decision_page(request, decision_id=decision_id, refusal=refusal, typed=typed)


def _moment(text: str) -> datetime | None:
    """A local time as the browser's field has it. Errors: `InvalidInput`."""
    try:
        read = parse_datetime(text) if text else None
    except ValueError:
        read = None
    if text and read is None:
        raise InvalidInput(errors=[FieldProblem(pointer="/received_at", detail="This is no date and time.")])
    return timezone.make_aware(read) if read and timezone.is_naive(read) else read
