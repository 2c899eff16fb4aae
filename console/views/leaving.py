"""Leaving: what it will do, who takes over; then everything at once."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from config.errors import ServiceError
from console.accountability.forms import LONGEST_REASON, ServiceRefusals
from console.pages import page, show, viewer
from console.people_field import PersonField, active_people
from evidence.services.leaving import Leaving, leave, preview_leaving
from governance import rights
from governance.acts import Role
from governance.reauthentication import factor_asked
from governance.rights import as_actor


class LeavingForm(ServiceRefusals):
    """Who takes over, and why they leave."""

    successor = PersonField(
        label="Takes over",
        empty_label="Choose somebody",
        help_text="Service accounts, review queues, data sources, corrective actions and alerts become theirs.",
    )
    heir = PersonField(
        label="Is asked to be accountable in their place",
        empty_label="Nobody yet",
        required=False,
        help_text="Nobody answers before they accept.",
    )
    investigator = PersonField(
        label="Leads their cases",
        empty_label="Choose an investigator",
        help_text="Nobody who had a part in one of them, or answers for its AI system.",
    )
    accepts_gap = forms.BooleanField(required=False)
    reason = forms.CharField(
        label="Why", required=False, max_length=LONGEST_REASON, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, found: Leaving, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        others = active_people(but=found.person)
        fields["successor"].offer(others)
        fields["heir"].offer(others)
        fields["investigator"].offer(others.filter(pk__in=_investigators()))
        fields["successor"].required = found.needs_successor
        names = ", ".join(str(system) for system in found.left_open)
        fields["accepts_gap"].label = f"I know that nobody answers for {names} from then on"
        fields["reason"].required = bool(found.left_open)
        for name in _not_asked(found):
            del fields[name]


def _investigators() -> Any:
    return rights.in_force().filter(role=Role.INVESTIGATOR).values("person_id")


def _not_asked(found: Leaving) -> list[str]:
    """What there is nothing to decide about."""
    asked = {
        "successor": found.needs_successor or bool(found.alerts),
        "heir": bool(found.answering),
        "investigator": bool(found.cases),
        "accepts_gap": bool(found.left_open),
    }
    return [name for name, is_asked in asked.items() if not is_asked]


@page
@factor_asked
@require_http_methods(["GET", "HEAD", "POST"])
def leaving(request: HttpRequest, person_id: uuid.UUID) -> HttpResponse:
    found = preview_leaving(actor=as_actor(viewer(request)), person_id=person_id)
    form = LeavingForm(request.POST if request.method == "POST" else None, found=found)
    if form.is_bound and form.is_valid() and _left(request, found, form):
        messages.success(request, f"{found.person} has left. Everything they held has ended.")
        return redirect("admin:governance_person_change", person_id)
    return show(
        request,
        "leaving.html",
        title=f"{found.person} leaves",
        status=422 if form.errors else 200,
        found=found,
        form=form,
    )


def _left(request: HttpRequest, found: Leaving, form: LeavingForm) -> bool:
    try:
        leave(actor=as_actor(viewer(request)), person_id=found.person.pk, **form.cleaned_data)
    except ServiceError as refusal:
        form.refuse(refusal)
    return not form.errors
