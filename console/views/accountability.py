"""Who answers for what: AI systems by roles, with the gaps in red, and the acts that change it."""

import uuid
from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.errors import ServiceError
from console.accountability.acts import WORDS, acts_on, assignable, place_for
from console.accountability.forms import AssignForm, EndForm, MoveForm, ServiceRefusals, TermsForm
from console.banners import missing_people
from console.pages import page, show, viewer
from console.register import MATRIX_ROLES, clashes_seen, matrix, visible_systems
from governance import rights
from governance.acts import PRIVILEGED, Role, role_names
from governance.admin.stale import show_what_stands
from governance.errors import AssignmentNotFound, AssignmentNotOpen, SystemNotFound, TermsNotSeen
from governance.models import AISystem, Assignment
from governance.reauthentication import factor_asked
from governance.rights import as_actor
from governance.scopes import Scope
from governance.selectors import waiting_for
from governance.services.answering import carried_by
from governance.services.assignments import (
    delegate_assignment,
    end_assignment,
    giving,
    hand_over_assignment,
)
from governance.services.offers import OPEN
from governance.services.terms import update_terms
from governance.terms import Terms
from overrides.services.appointing import accept_assignments, offer_role

ROWS = 50
"""AI systems on a page of the matrix."""
BACK = {"mine": "admin:mine"}
"""Where an act leads back to, other than the matrix."""
EXPLAINED = {
    "terms": "What {holder} is to do in this role, what shows that they can, and when it is looked at again. It is "
    "sealed with the role.",
    "delegate": "They stand beside {holder} once they accept; {holder} keeps the responsibility. A delegate of the "
    "accountable person is a deputy.",
    "hand-over": "It stays with {holder} until the moment the successor accepts, so there is no gap. What {holder} has "
    "delegated ends with it.",
    "end": "It counts no more from now on, and what was delegated from it ends too. The past stays as it was.",
}

CHANGED = "What goes with one of these roles was changed a moment ago. Read it, then accept."
BUTTONS = {"terms": "Write it down"}
ASKED = "They are asked. It counts once they accept."
DONE = {"delegate": ASKED, "hand-over": ASKED, "end": "It has ended.", "terms": "Written down, and sealed."}


@page
@require_safe
def accountability(request: HttpRequest) -> HttpResponse:
    person = viewer(request)
    systems = visible_systems(person).exclude(status=AISystem.Status.RETIRED)
    rows = matrix(list(systems))
    only_gaps, asked = request.GET.get("show") == "gaps", request.GET.get("q", "").strip()[:100]
    found = [row for row in rows if (row.lacks_somebody or not only_gaps) and _is_named(row.system, asked)]
    shown = Paginator(found, ROWS).get_page(request.GET.get("page"))
    return show(
        request,
        "accountability/matrix.html",
        title="Accountability",
        more=missing_people(),
        rows=shown,
        asked=asked,
        only_gaps=only_gaps,
        is_long=len(rows) > ROWS,
        roles=MATRIX_ROLES,
        gaps=sum(row.has_gap for row in rows),
        mine=list(waiting_for(person).order_by("id")),
        held=rights.held_by(person),
        clashes=clashes_seen(person),
    )


def _is_named(system: AISystem, asked: str) -> bool:
    return asked.casefold() in f"{system.name} {system.slug}".casefold()


@page
@factor_asked
@require_POST
def accept(request: HttpRequest) -> HttpResponse:
    """Accept the chosen offers, all or none."""
    chosen = _chosen(request)
    try:
        if chosen:
            accept_assignments(actor=as_actor(viewer(request)), assignment_ids=list(chosen), revisions=chosen)
    except TermsNotSeen:
        messages.error(request, f"Nothing was accepted. {CHANGED}")
    except ServiceError as refusal:
        messages.error(request, f"Nothing was accepted. {refusal.detail}")
    else:
        _say_accepted(request, len(chosen))
    return _back(request)


@page
@factor_asked
@require_http_methods(["GET", "HEAD", "POST"])
def assign(request: HttpRequest) -> HttpResponse:
    """Ask somebody to take a role for an AI system."""
    system, roles = _giving(request)
    given = request.POST if request.method == "POST" else None
    form = AssignForm(given, system=system, roles=roles, but=viewer(request), initial=_asked(request, system))
    if form.is_bound and form.is_valid() and _carried_out(form, lambda: _offer(request, system, form.cleaned_data)):
        messages.success(request, _offered_words(form.cleaned_data))
        return _back(request)
    explanation = "It starts when they accept, never before."
    if PRIVILEGED.intersection(roles):
        explanation += f" To these a second administrator agrees first: {role_names(PRIVILEGED.intersection(roles))}."
    return _form_page(request, form, title="Assign", about=str(system), words="Ask them", explanation=explanation)


@page
@factor_asked
@require_http_methods(["GET", "HEAD", "POST"])
def act(request: HttpRequest, assignment_id: uuid.UUID, name: str) -> HttpResponse:
    """Delegate, hand over or end an assignment."""
    assignment = _actable(request, assignment_id, name)
    form = _form(request, assignment, name)

    def carry_out() -> Assignment:
        return _act(request, assignment, name, form.cleaned_data)

    if form.is_bound and form.is_valid() and _carried_out(form, carry_out):
        messages.success(request, DONE[name])
        return _back(request)
    return _form_page(
        request,
        form,
        title=WORDS[name],
        about=f"{assignment.get_role_display()}, {assignment.place}",
        words=BUTTONS.get(name, WORDS[name]),
        explanation=EXPLAINED[name].format(holder=assignment.person),
        assignment=assignment,
    )


def _chosen(request: HttpRequest) -> dict[uuid.UUID, int]:
    """What was ticked, as it was shown. Something else was typed by nobody: it is not there."""
    ticked = [each.partition(":") for each in request.POST.getlist("offer")]
    try:
        return {uuid.UUID(name): int(revision) for name, _, revision in ticked}
    except ValueError as error:
        raise AssignmentNotFound() from error


def _say_accepted(request: HttpRequest, number: int) -> None:
    if number:
        messages.success(request, f"{number} accepted. From now on {'they are' if number > 1 else 'it is'} yours.")
    else:
        messages.warning(request, "Nothing was chosen.")


def _giving(request: HttpRequest) -> tuple[AISystem, list[Assignment.Role]]:
    """Errors: `SystemNotFound`, the same for one out of sight and for who may give no role there."""
    person = viewer(request)
    try:
        wanted = uuid.UUID(request.POST.get("system") or request.GET.get("system") or "")
    except ValueError as error:
        raise SystemNotFound() from error
    system = visible_systems(person).filter(pk=wanted).first()
    roles = assignable(system, rights.held_by(person)) if system else []
    if system is None or not roles:
        raise SystemNotFound()
    return system, roles


def _asked(request: HttpRequest, system: AISystem) -> dict[str, Any]:
    return {"system": system.pk, "role": request.GET.get("role", "")}


def _offer(request: HttpRequest, system: AISystem, given: dict[str, Any]) -> Assignment:
    return offer_role(
        actor=as_actor(viewer(request)),
        person=given["person"],
        role=given["role"],
        scope=place_for(given["role"], system),
        ends_at=given["ends_at"],
        reason=given["reason"],
        terms=Terms(**{name: given[name] for name in Terms.__slots__}),
    )


def _offered_words(given: dict[str, Any]) -> str:
    if giving(given["role"]) is giving(Role.ADMINISTRATOR):
        return "A second administrator is asked to agree; then it is offered."
    return f"{given['person']} is asked. It counts once they accept."


def _actable(request: HttpRequest, assignment_id: uuid.UUID, name: str) -> Assignment:
    """Errors: `AssignmentNotFound`, the same for one that is none of theirs; `AssignmentNotOpen` of one that is."""
    held = rights.held_by(viewer(request))
    rows = Assignment.objects.select_related("person", "system", "model_version")
    found = rows.filter(pk=assignment_id).first()
    if found is None or name not in WORDS:
        raise AssignmentNotFound()
    if any(link.name == name for link in acts_on(found, held)):
        return found
    is_theirs = found.person_id == held.person_id or held.can(giving(Role(found.role)), Scope.of(found))
    raise AssignmentNotOpen() if is_theirs and found.status not in OPEN else AssignmentNotFound()


def _form(request: HttpRequest, assignment: Assignment, name: str) -> ServiceRefusals:
    given = request.POST if request.method == "POST" else None
    if name == "end":
        return EndForm(given, left=carried_by([assignment]))
    if name == "terms":
        return TermsForm(given, initial=asdict(Terms.of(assignment)) | {"revision": assignment.revision})
    return MoveForm(given, but=assignment.person)


def _act(request: HttpRequest, assignment: Assignment, name: str, given: dict[str, Any]) -> Assignment:
    actor = as_actor(viewer(request))
    if name == "end":
        return end_assignment(actor=actor, assignment_id=assignment.pk, **given)
    if name == "terms":
        rest = {name: given.pop(name) for name in ("revision", "reason")}
        return update_terms(actor=actor, assignment_id=assignment.pk, changes=given, **rest)
    move = delegate_assignment if name == "delegate" else hand_over_assignment
    to = given["person"]
    return move(actor=actor, assignment_id=assignment.pk, to=to, ends_at=given["ends_at"], reason=given["reason"])


def _carried_out(form: ServiceRefusals, carry_out: Any) -> bool:
    try:
        carry_out()
    except ServiceError as refusal:
        form.refuse(refusal)
        show_what_stands(form, form.initial)
    return not form.errors


def _back(request: HttpRequest) -> HttpResponse:
    return redirect(BACK.get(_from(request), "admin:accountability"))


def _from(request: HttpRequest) -> str:
    return request.POST.get("back") or request.GET.get("back") or ""


def _form_page(request: HttpRequest, form: Any, *, title: str, about: str, words: str, **said: Any) -> HttpResponse:
    return show(
        request,
        "accountability/act.html",
        title=title,
        status=422 if form.is_bound else 200,
        form=form,
        about=about,
        words=words,
        back=_from(request),
        leads_back=BACK.get(_from(request), "admin:accountability"),
        **said,
    )
