"""Retention: classes and where they hold, what is due, purges before and after they run."""

import uuid
from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit.models import DataKind, Purge, RetentionRule
from audit.models.retention import OF_THE_ORGANISATION
from audit.retention import Terms, terms_in_force, terms_of
from config.errors import Forbidden, ServiceError
from console.erasure.forms import AnswerForm, ClassForm, RuleForm, StopForm
from console.erasure.story import story_of
from console.pages import page, show, viewer
from console.views.erasures import signed
from evidence.erasure.errors import RetentionNotFound
from evidence.retention.due import everything_due, ruled
from evidence.retention.fixed import FIXED
from evidence.retention.planning import COUNTED
from evidence.retention.reading import (
    may_have_report,
    may_stop_purge,
    may_view,
    parts_told,
    place_of_rule,
    require_report,
    stops_all,
    visible_classes,
    visible_purges,
    visible_rules,
)
from evidence.retention.reports import report_of
from evidence.services.purges import hold_purge
from evidence.services.retention import (
    approve_rule,
    archive_class,
    refuse_rule,
    register_class,
    request_rule,
    withdraw_rule,
)
from governance import rights
from governance.acts import Act
from governance.admin.pages import add_refusal
from governance.models import AISystem, Person
from governance.reauthentication import interruption
from governance.rights import as_actor

Status = RetentionRule.Status
PURGES_SHOWN, SYSTEMS_SHOWN = 20, 200


@page
@require_http_methods(["GET", "HEAD", "POST"])
def retention(request: HttpRequest) -> HttpResponse:
    """All of it; posted, a new class or a request that one hold somewhere."""
    if not may_view(as_actor(viewer(request))):
        raise Forbidden()
    is_rule = "class_id" in request.POST
    made, asked = ClassForm(), RuleForm()
    if request.method == "POST":
        form: ClassForm | RuleForm = RuleForm(request.POST) if is_rule else ClassForm(request.POST)
        if form.is_valid() and _written(request, form):
            return redirect("admin:retention")
        made, asked = (made, form) if isinstance(form, RuleForm) else (form, asked)
    return _page(request, made, asked)


def _written(request: HttpRequest, form: ClassForm | RuleForm) -> bool:
    actor = as_actor(viewer(request))
    try:
        if isinstance(form, RuleForm):
            request_rule(actor=actor, **form.said())
            messages.success(request, "It is asked for. It holds once a second person agrees.")
        else:
            register_class(actor=actor, **form.cleaned_data)
            messages.success(request, "The class is there to choose from. It holds nowhere yet.")
    except ServiceError as refusal:
        add_refusal(form, refusal)
    return not form.errors


@page
@require_POST
def archive(request: HttpRequest, class_id: uuid.UUID) -> HttpResponse:
    form = forms.Form(request.POST)
    try:
        archive_class(actor=as_actor(viewer(request)), class_id=class_id)
    except ServiceError as refusal:
        form.full_clean()
        add_refusal(form, refusal)
        return _page(request, ClassForm(), RuleForm(), refused=form)
    messages.success(request, "It is chosen no more.")
    return redirect("admin:retention")


@page
@require_POST
def answer(request: HttpRequest, rule_id: uuid.UUID, name: str) -> HttpResponseBase:
    """Agree, say no, or take a request back."""
    services: dict[str, Any] = {"approve": approve_rule, "refuse": refuse_rule, "withdraw": withdraw_rule}
    if name not in services:
        raise RetentionNotFound()
    if name == "approve" and (asking := interruption(request)):
        return asking
    form: forms.Form = forms.Form(request.POST) if name == "withdraw" else AnswerForm(request.POST)
    if form.is_valid():
        try:
            services[name](actor=as_actor(viewer(request)), rule_id=rule_id, **form.cleaned_data)
        except ServiceError as refusal:
            add_refusal(form, refusal)
    if form.errors:
        return _page(request, ClassForm(), RuleForm(), refused=form)
    messages.success(request, "Done.")
    return redirect("admin:retention")


@page
@require_safe
def purge(request: HttpRequest, purge_id: uuid.UUID) -> HttpResponse:
    """What one takes, or took."""
    return _purge_page(request, _purge(request, purge_id))


@page
@require_POST
def stop(request: HttpRequest, purge_id: uuid.UUID) -> HttpResponse:
    """Stop one that was announced, or that goes on."""
    row, form = _purge(request, purge_id), StopForm(request.POST)
    if form.is_valid():
        try:
            hold_purge(actor=as_actor(viewer(request)), purge_id=purge_id, **form.cleaned_data)
        except ServiceError as refusal:
            add_refusal(form, refusal)
    if form.errors:
        return _purge_page(request, row, form)
    row.refresh_from_db()
    is_all = row.status == Purge.Status.HELD
    messages.success(request, f"It is stopped. Nothing more of {'it' if is_all else 'your AI systems'} goes.")
    return redirect("admin:purge", purge_id=purge_id)


@page
@require_safe
def report(request: HttpRequest, purge_id: uuid.UUID) -> HttpResponse:
    """The signed report: to keep, or, with `print`, to see and print."""
    row = _purge(request, purge_id)
    require_report(as_actor(viewer(request)), row)
    return signed(request, report_of(row), f"purge-{purge_id}.txt")


# --- the pages --------------------------------------------------------------------------------------------------------
def _page(request: HttpRequest, made: ClassForm, asked: RuleForm, *, refused: forms.Form | None = None) -> HttpResponse:
    person = viewer(request)
    actor = as_actor(person)
    if not may_view(actor):
        raise Forbidden()
    rules = list(visible_rules(actor).filter(status__in=[Status.IN_FORCE, Status.REQUESTED]).order_by("kind", "pk"))
    systems = AISystem.objects.in_bulk({rule.system_id for rule in rules if rule.system_id})
    may_change = rights.can(actor, Act.RETENTION_CHANGE)
    return show(
        request,
        "retention/retention.html",
        title="Retention",
        status=422 if made.errors or asked.errors or refused else 200,
        refused=refused,
        classes=list(visible_classes(actor).filter(archived_at=None)),
        rules=[_rule(person, rule, systems) for rule in rules],
        places=_places(person),
        fixed=FIXED,
        due=_named(parts_told(actor, everything_due(timezone.now()))),
        purges=list(visible_purges(actor)[:PURGES_SHOWN]),
        counted=COUNTED,
        notice_days=settings.PURGE_NOTICE_DAYS,
        may_change=may_change,
        class_form=made,
        rule_form=asked,
    )


def _rule(person: Person, rule: RetentionRule, systems: dict[uuid.UUID, AISystem]) -> dict[str, Any]:
    waits = rule.status == Status.REQUESTED
    return {
        "rule": rule,
        "system": systems.get(rule.system_id) if rule.system_id else None,
        "waits": waits,
        "may_answer": waits
        and rights.may_approve(person, Act.RETENTION_CHANGE, place_of_rule(rule), requested_by=rule.requested_by_id),
        "may_take_back": waits and rights.can(person, Act.RETENTION_CHANGE),
        **AnswerForm.pair(rule.pk),
    }


def _places(person: Person) -> list[dict[str, Any]]:
    """What holds where: each AI system within sight by kind, then the organisation."""
    held, reach = terms_in_force(), rights.systems_where(person, Act.RETENTION_VIEW)
    systems = AISystem.objects.order_by("slug")
    systems = systems if reach is None else systems.filter(pk__in=reach)
    kinds = [kind for kind in DataKind if kind not in OF_THE_ORGANISATION]
    rows = [
        {"name": str(system), "system": system, "terms": [(kind, terms_of(kind, system.pk, held)) for kind in kinds]}
        for system in systems[:SYSTEMS_SHOWN]
    ]
    of_all: list[tuple[DataKind, Terms]] = [(kind, terms_of(kind, None, held)) for kind in sorted(OF_THE_ORGANISATION)]
    return [*rows, {"name": "The organisation", "system": None, "terms": of_all}]


def _purge(request: HttpRequest, purge_id: uuid.UUID) -> Purge:
    row = visible_purges(as_actor(viewer(request))).filter(pk=purge_id).first()
    if row is None:
        raise RetentionNotFound()
    return row


def _purge_page(request: HttpRequest, row: Purge, refused: forms.Form | None = None) -> HttpResponse:
    actor = as_actor(viewer(request))
    is_open = row.status in (Purge.Status.ANNOUNCED, Purge.Status.RUNNING)
    return show(
        request,
        "retention/purge.html",
        title="Purge",
        status=422 if refused else 200,
        row=row,
        parts=[
            part | {"is_kept_out": part["system"] in row.stopped}
            for part in _named(parts_told(actor, ruled(row.done or row.parts)))
        ],
        stops_all=stops_all(actor),
        held_by=Person.objects.filter(pk=row.held_by_id).first() if row.held_by_id else None,
        story=story_of(row),
        counted=COUNTED,
        may_have_report=row.status == Purge.Status.DONE and may_have_report(actor, row),
        may_stop=is_open and may_stop_purge(actor, row),
        stop_form=refused or StopForm(),
    )


def _named(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With words for what they name."""
    systems = AISystem.objects.in_bulk({uuid.UUID(part["system"]) for part in parts if part["system"]})
    return [
        part
        | {
            "words": DataKind(part["kind"]).label,
            "place": systems.get(uuid.UUID(part["system"])) if part["system"] else None,
            "before_at": datetime.fromisoformat(part["before"]),
        }
        for part in parts
    ]
