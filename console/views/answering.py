"""Who answered for an AI system at a moment of the past, in every role, with what was sealed about it."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from config.errors import InvalidInput, ServiceError
from console.accountability.forms import NoteForm
from console.moments import LocalMoment, moment_text
from console.pages import page, show, viewer
from console.register import visible_systems
from governance.answering import Answering, answering_at
from governance.errors import AssignmentNotFound, SystemNotFound
from governance.models import AccountabilityNote, AISystem, Assignment
from governance.reauthentication import factor_asked
from governance.rights import as_actor
from governance.services.terms import may_note, note_past


class MomentForm(forms.Form):
    """Of which AI system, and when."""

    system = forms.ModelChoiceField(
        AISystem.objects.none(), label="AI system", empty_label="Choose one", to_field_name="slug"
    )
    at = forms.DateTimeField(required=False, label="At; left empty: now", widget=LocalMoment())

    def __init__(self, *args: Any, systems: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen: Any = self.fields["system"]
        chosen.queryset = systems


@page
@factor_asked
@require_http_methods(["GET", "HEAD", "POST"])
def note(request: HttpRequest) -> HttpResponse:
    """Put a note beside who answered then."""
    system, about = _noted(request)
    form = NoteForm(request.POST if request.method == "POST" else None, initial={"since": request.GET.get("at")})
    made = _written(request, form, system, about) if form.is_bound and form.is_valid() else None
    if made is not None:
        messages.success(request, "It stands beside that time from now on.")
        then = {"system": system.slug, "at": moment_text(made.since)}
        return redirect(f"{reverse('admin:answering')}?{urlencode(then)}")
    return show(
        request,
        "accountability/note.html",
        title="A note beside the past",
        status=422 if form.errors else 200,
        form=form,
        system=system,
        assignment=about,
    )


def _noted(request: HttpRequest) -> tuple[AISystem, Assignment | None]:
    """What it is about. Errors: `SystemNotFound`, `AssignmentNotFound`, the same for what is out of reach."""
    given = request.POST if request.method == "POST" else request.GET
    person = viewer(request)
    system = visible_systems(person).filter(slug=given.get("system", "")).first()
    if system is None:
        raise SystemNotFound()
    about = _assignment(system, given.get("assignment", ""))
    if not may_note(as_actor(person), system.pk, about):
        raise AssignmentNotFound() if about else SystemNotFound()
    return system, about


def _assignment(system: AISystem, text: str) -> Assignment | None:
    if not text:
        return None
    try:
        found = system.assignments.select_related("person").filter(pk=uuid.UUID(text)).first()
    except ValueError as error:
        raise AssignmentNotFound() from error
    if found is None:
        raise AssignmentNotFound()
    return found


def _written(
    request: HttpRequest, form: NoteForm, system: AISystem, about: Assignment | None
) -> AccountabilityNote | None:
    assignment_id = about.pk if about else None
    try:
        return note_past(
            actor=as_actor(viewer(request)), system_id=system.pk, assignment_id=assignment_id, **form.cleaned_data
        )
    except ServiceError as refusal:
        form.refuse(refusal)
    return None


@page
@require_safe
def answering(request: HttpRequest) -> HttpResponse:
    form = MomentForm(request.GET or None, systems=visible_systems(viewer(request)))
    found = _answer(form) if form.is_bound and form.is_valid() else None
    return show(
        request,
        "accountability/answering.html",
        title="Who answered",
        status=422 if form.errors else 200,
        form=form,
        found=found,
        may_note=found is not None and may_note(as_actor(viewer(request)), found.system.pk),
        viewer_id=viewer(request).pk,
        now=timezone.now(),
    )


def _answer(form: MomentForm) -> Answering | None:
    try:
        return answering_at(form.cleaned_data["system"], form.cleaned_data["at"])
    except InvalidInput as refusal:
        form.add_error("at", refusal.errors[0].detail)
        return None
