"""Templates of explanation letters: which there are, writing one, trying it with a decision, publishing it."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from config.errors import Conflict, InvalidInput, ServiceError
from console.letters.forms import LanguageForm, TemplateForm
from console.pages import page, show, viewer
from console.views.cards import may, visible_to
from evidence.services.letters import try_template
from governance import rights
from governance.acts import Act
from governance.admin.pages import add_refusal
from governance.errors import ApprovalForbidden
from governance.letter_templates.errors import LetterTemplateNotFound
from governance.letter_templates.facts import FACT_NAMES
from governance.letter_templates.languages import TAG, base_of, direction_of, language_words
from governance.letter_templates.text import blocks_of
from governance.letter_templates.wording import DEFAULTS
from governance.models import AISystem, LetterTemplate, Person
from governance.reauthentication import factor_asked
from governance.rights import as_actor
from governance.scopes import Scope
from governance.selectors import draft_template, letter_templates, template_in_force
from governance.services.letter_templates import (
    may_publish_template,
    publish_letter_template,
    return_letter_template,
    save_letter_template,
    submit_letter_template,
    withdraw_letter_template,
)
from ledger.entries import Actor

SAID = (Conflict, InvalidInput, ApprovalForbidden)
MAX_WORDS = 2_000


@page
@require_http_methods(["GET", "HEAD"])
def template_list(request: HttpRequest, system_id: uuid.UUID) -> HttpResponse:
    """By language: the one in force, those before it, and the draft for those who may see it."""
    system = visible_to(request, system_id)
    form = LanguageForm(request.GET if "language" in request.GET else None)
    if form.is_bound and form.is_valid() and _may_write(request, system):
        return redirect("admin:letter_template_edit", system.pk, form.cleaned_data["language"])
    rows = list(letter_templates(system.pk)[:200])
    open_ones = LetterTemplate.objects.filter(system=system, status__in=LetterTemplate.OPEN)
    return show(
        request,
        "letters/templates.html",
        title="Templates of letters",
        status=422 if form.errors else 200,
        system=system,
        rows=rows,
        drafts=list(open_ones) if _sees_drafts(request, system) else [],
        people=_people(*rows),
        ours=[language_words(each) for each in sorted(DEFAULTS)],
        may_write=_may_write(request, system),
        form=form,
    )


@page
@require_http_methods(["GET", "HEAD"])
def template(request: HttpRequest, system_id: uuid.UUID, language: str) -> HttpResponse:
    """The one in force, and the draft with what can be done with it."""
    return _page(request, visible_to(request, system_id), _tag(language))


@page
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, system_id: uuid.UUID, language: str) -> HttpResponse:
    """The form. What somebody else saved meanwhile is not overwritten."""
    system = visible_to(request, system_id)
    if not _may_write(request, system):
        raise LetterTemplateNotFound()
    draft = draft_template(system.pk, _tag(language))
    if draft and draft.status == LetterTemplate.Status.SUBMITTED and request.method != "POST":
        return redirect("admin:letter_template", system.pk, language)
    form = TemplateForm(request.POST or None, initial=_initial(system, language, draft))
    if request.method == "POST" and form.is_valid() and _saved(request, system, language, form):
        messages.success(request, "Saved.")
        return redirect("admin:letter_template", system.pk, language)
    return show(
        request,
        "letters/edit.html",
        title=f"Template of letters: {language_words(language)}",
        status=422 if form.errors else 200,
        system=system,
        language=language,
        direction=direction_of(language),
        draft=draft,
        form=form,
        facts=FACT_NAMES,
        is_ours=base_of(language) in DEFAULTS,
    )


def _initial(system: AISystem, language: str, draft: LetterTemplate | None) -> dict[str, Any]:
    """The draft; else what is in force; else ours."""
    source = draft or template_in_force(system.pk, language)
    if source is not None:
        return TemplateForm.of(source) | {"base": draft.revision if draft else None}
    return {"text": DEFAULTS.get(base_of(language), "")}


def _saved(request: HttpRequest, system: AISystem, language: str, form: TemplateForm) -> bool:
    actor, base = as_actor(viewer(request)), form.cleaned_data["base"]
    try:
        save_letter_template(actor=actor, system_id=system.pk, language=language, content=form.content(), base=base)
    except SAID as refusal:
        add_refusal(form, refusal)
    return not form.errors


# --- what is done with a draft ----------------------------------------------------------------------------------------
@page
@require_POST
def attempt(request: HttpRequest, system_id: uuid.UUID, language: str) -> HttpResponse:
    """What it makes of one decision. The look at that decision's payload is sealed."""
    system = visible_to(request, system_id)
    found = _shown_draft(request, system, language) or template_in_force(system.pk, language)
    if found is None:
        raise LetterTemplateNotFound()
    asked = request.POST.get("decision", "").strip()
    try:
        decision_id = uuid.UUID(asked)
        tried = try_template(actor=as_actor(viewer(request)), template=found, decision_id=decision_id)
    except ValueError:
        return _page(request, system, language, asked=asked, problem="This is no id of a decision.", status=422)
    except ServiceError as refusal:
        return _page(request, system, language, asked=asked, problem=refusal.detail, status=refusal.status)
    return _page(request, system, language, tried=tried, blocks=blocks_of(tried.filled.text))


@page
@factor_asked
@require_POST
def publish(request: HttpRequest, system_id: uuid.UUID, language: str) -> HttpResponse:
    system, base = visible_to(request, system_id), request.POST.get("base", "")
    try:
        made = publish_letter_template(
            actor=as_actor(viewer(request)),
            system_id=system.pk,
            language=language,
            base=int(base) if base.isascii() and base.isdigit() else 0,
        )
    except SAID as refusal:
        if not _sees_drafts(request, system):
            raise
        return _page(request, system, language, refusal=refusal, status=refusal.status)
    messages.success(request, f"{made} is in force.")
    return redirect("admin:letter_template", system.pk, language)


@page
@require_POST
def submit(request: HttpRequest, system_id: uuid.UUID, language: str) -> HttpResponse:
    """Ask a second person."""
    given, base = request.POST, request.POST.get("base", "")
    return _act(
        request,
        system_id,
        language,
        lambda actor: submit_letter_template(
            actor=actor,
            system_id=system_id,
            language=language,
            base=int(base) if base.isascii() and base.isdigit() else 0,
            note=given.get("note", "")[:MAX_WORDS],
        ),
        "It waits for a second person.",
    )


@page
@require_POST
def send_back(request: HttpRequest, system_id: uuid.UUID, language: str) -> HttpResponse:
    """As the second person, or taking one's own back."""
    reason = request.POST.get("reason", "")[:MAX_WORDS]
    return _act(
        request,
        system_id,
        language,
        lambda actor: return_letter_template(actor=actor, system_id=system_id, language=language, reason=reason),
        "It is a draft again.",
    )


def _act(
    request: HttpRequest, system_id: uuid.UUID, language: str, carry_out: Callable[[Actor], object], done: str
) -> HttpResponse:
    system = visible_to(request, system_id)
    try:
        carry_out(as_actor(viewer(request)))
    except SAID as refusal:
        if not _sees_drafts(request, system):
            raise
        return _page(request, system, language, refusal=refusal, status=refusal.status)
    messages.success(request, done)
    return redirect("admin:letter_template", system.pk, language)


@page
@require_POST
def withdraw(request: HttpRequest, system_id: uuid.UUID, language: str) -> HttpResponse:
    system = visible_to(request, system_id)
    withdraw_letter_template(actor=as_actor(viewer(request)), system_id=system.pk, language=language)
    messages.success(request, "The draft is given up.")
    return redirect("admin:letter_templates", system.pk)


# --- parts of the above -----------------------------------------------------------------------------------------------
def _tag(language: str) -> str:
    if not TAG.fullmatch(language):
        raise LetterTemplateNotFound()
    return language


def _may_write(request: HttpRequest, system: AISystem) -> bool:
    return may(request, Act.LETTER_TEMPLATE_EDIT, system)


def _sees_drafts(request: HttpRequest, system: AISystem) -> bool:
    scope = Scope.system(system.pk)
    approves = rights.may_approve(viewer(request), Act.LETTER_TEMPLATE_PUBLISH, scope, requested_by=None)
    return approves or _may_write(request, system)


def _shown_draft(request: HttpRequest, system: AISystem, language: str) -> LetterTemplate | None:
    return draft_template(system.pk, language) if _sees_drafts(request, system) else None


def _people(*rows: LetterTemplate | None) -> dict[uuid.UUID, Person]:
    ids = {each for row in rows if row for each in (row.saved_by_id, row.submitted_by_id, row.published_by_id) if each}
    return Person.objects.in_bulk(ids)


def _waiting(request: HttpRequest, draft: LetterTemplate | None) -> dict[str, Any]:
    """What can be done with a draft, by its state."""
    if draft is None:
        return {"waits": False, "may_publish": False, "may_return": False, "may_submit": False}
    actor, waits = as_actor(viewer(request)), draft.status == LetterTemplate.Status.SUBMITTED
    may_publish, is_own = waits and may_publish_template(actor, draft), draft.submitted_by_id == actor.id
    asks = rights.can(actor, Act.LETTER_TEMPLATE_PUBLISH, Scope.system(draft.system_id))
    return {
        "waits": waits,
        "may_publish": may_publish,
        "is_own": is_own,
        "may_return": waits and (may_publish or is_own),
        "may_submit": asks and not waits,
    }


def _publishers(scope: Scope, draft: LetterTemplate | None) -> list[Person]:
    found = rights.holders(Act.LETTER_TEMPLATE_PUBLISH, scope, approving=True)
    return [each for each in found if draft is None or each.pk not in draft.written_by]


def _page(request: HttpRequest, system: AISystem, language: str, *, status: int = 200, **more: Any) -> HttpResponse:
    held, draft = template_in_force(system.pk, language), _shown_draft(request, system, language)
    scope = Scope.system(system.pk)
    if held is None and draft is None:
        raise LetterTemplateNotFound()
    shown: dict[str, Any] = {"refusal": None, "tried": None, "asked": "", "problem": "", "blocks": []}
    return show(
        request,
        "letters/template.html",
        title=f"Template of letters: {language_words(language)}",
        status=status,
        system=system,
        language=language,
        direction=direction_of(language),
        held=held,
        draft=draft,
        people=_people(held, draft),
        may_write=_may_write(request, system),
        **_waiting(request, draft),
        publishers=_publishers(scope, draft),
        **shown | more,
    )
