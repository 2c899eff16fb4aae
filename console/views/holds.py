"""Legal holds: those one could place, lift or audit, and placing one on an AI system's decisions of a span."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from audit.case_errors import CasePartNotFound
from audit.case_selectors import holds_for
from audit.models import LegalHold
from audit.restricted_texts import for_reading
from audit.services.holds import approve_lift, place_of_hold, place_span_hold, refuse_lift, request_lift
from config.errors import ServiceError
from config.pagination import keyset_page
from console.cases.forms import CaseForm, MayReasonForm, ReasonForm, long_text, moment
from console.pages import page, show, viewer
from governance import rights
from governance.acts import Act
from governance.admin.pages import add_refusal
from governance.models import AISystem, Person
from governance.reauthentication import interruption
from governance.rights import as_actor

PAGE_SIZE = 50
Status = LegalHold.Status
ACTS: dict[str, tuple[Any, type[forms.Form]]] = {
    "lift": (request_lift, ReasonForm),
    "approve": (approve_lift, CaseForm),
    "refuse": (refuse_lift, MayReasonForm),
}


class SpanForm(CaseForm):
    """All decisions of an AI system that were recorded within a span."""

    ASKS = "Place the legal hold"
    system = forms.ModelChoiceField(AISystem.objects.none(), label="AI system", empty_label="Choose")
    since = moment("Recorded from", required=True)
    until = moment("To, not included", required=True)
    reason = long_text("Why they must be kept", rows=3)

    def __init__(self, *args: Any, systems: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["system"].queryset = systems  # type: ignore[attr-defined]


@page
@require_http_methods(["GET", "HEAD", "POST"])
def holds(request: HttpRequest) -> HttpResponse:
    """The list; posted, places one on a span."""
    form = SpanForm(request.POST or None, systems=_systems(viewer(request)))
    if request.method == "POST" and form.is_valid() and _placed(request, form):
        messages.success(request, "The legal hold is in force.")
        return redirect("admin:holds")
    return _page(request, form)


@page
@require_POST
def act(request: HttpRequest, hold_id: uuid.UUID, name: str) -> HttpResponseBase:
    """Ask to lift one, agree, or say no. A refusal stands above the list."""
    if name not in ACTS:
        raise CasePartNotFound()
    if name == "approve" and (asking := interruption(request)):
        return asking
    service, kind = ACTS[name]
    form = kind(request.POST)
    if form.is_valid():
        try:
            service(actor=as_actor(viewer(request)), hold_id=hold_id, **form.cleaned_data)
        except ServiceError as refusal:
            add_refusal(form, refusal)
    if not form.errors:
        messages.success(request, "Done.")
        return redirect("admin:holds")
    return _page(request, SpanForm(systems=_systems(viewer(request))), refused=form)


def _placed(request: HttpRequest, form: SpanForm) -> bool:
    said = dict(form.cleaned_data)
    try:
        place_span_hold(actor=as_actor(viewer(request)), system_id=said.pop("system").pk, **said)
    except ServiceError as refusal:
        add_refusal(form, refusal)
    return not form.errors


def _page(request: HttpRequest, form: SpanForm, *, refused: forms.Form | None = None) -> HttpResponse:
    person = viewer(request)
    found = keyset_page(_visible(person), cursor=request.GET.get("cursor"), limit=PAGE_SIZE, scope="holds")
    rows = for_reading(as_actor(person), found.items)
    systems = AISystem.objects.in_bulk({row.system_id for row in rows if row.system_id})
    people = Person.objects.in_bulk({row.placed_by_id for row in rows if row.placed_by_id})
    return show(
        request,
        "cases/holds.html",
        title="Legal holds",
        status=422 if form.errors or refused else 200,
        rows=[_row(person, row, systems.get(row.system_id), people.get(row.placed_by_id)) for row in rows],
        found=found,
        form=form,
        refused=refused,
        may_place=form.fields["system"].queryset.exists(),  # type: ignore[attr-defined]
        lift=ReasonForm(),
        refusing=MayReasonForm(),
    )


def _visible(person: Person) -> Any:
    reads = any(rights.can_anywhere(person, act) for act in (Act.HOLD_PLACE, Act.CASE_READ))
    return holds_for(as_actor(person)) if reads else LegalHold.objects.none()


def _row(person: Person, hold: LegalHold, system: AISystem | None, placed_by: Person | None) -> dict[str, Any]:
    place, asked = place_of_hold(hold), hold.status == Status.LIFT_REQUESTED
    by = hold.lift_requested_by_id
    return {
        "hold": hold,
        "system": system,
        "placed_by": placed_by,
        "may_ask": hold.status == Status.IN_FORCE and rights.can(person, Act.HOLD_LIFT, place),
        "may_agree": asked and rights.may_approve(person, Act.HOLD_LIFT, place, requested_by=by),
        "is_mine": asked and by == person.pk,
    }


def _systems(person: Person) -> Any:
    systems, allowed = AISystem.objects.order_by("slug"), rights.systems_where(person, Act.HOLD_PLACE)
    return systems if allowed is None else systems.filter(pk__in=allowed)
