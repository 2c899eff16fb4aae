"""Explanation letters: written from a decision's page, looked at as they will be printed, issued, read, withdrawn."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from audit.restricted_texts import to_read
from audit.restrictions import is_barred
from audit.selectors import SealedDecision
from audit.services.disclosure import may_read_payload
from config.errors import Conflict, Forbidden, InvalidInput, ServiceError
from console.letters.forms import BeginForm, LetterForm, WithdrawForm
from console.pages import page, show, viewer
from console.views.decision import download, visible
from evidence.letters.drafts import snapshot_of
from evidence.letters.errors import LetterDraftNotFound
from evidence.letters.footer import footer_of
from evidence.letters.reading import languages_for, letters_about, may_write_letters, place_of, visible_letter
from evidence.models import ExplanationLetter, LetterDraft
from evidence.services.letter_drafts import (
    begin_letter,
    draft_of,
    give_up_letter_draft,
    issue_draft,
    look_again,
    note_draft_opened,
    save_letter_draft,
)
from evidence.services.letters import read_letter, withdraw_letter
from governance.admin.pages import add_refusal
from governance.letter_templates.facts import BY_NAME
from governance.letter_templates.languages import direction_of
from governance.letter_templates.text import blocks_of, left_in
from governance.models import AISystem, Person
from governance.rights import as_actor
from ledger.entries import Actor

SAID = (Conflict, InvalidInput)
"""Refusals that the page they come from explains better than a page of their own."""


def _actor(request: HttpRequest) -> Actor:
    return as_actor(viewer(request))


def _writable(request: HttpRequest, decision_id: uuid.UUID) -> SealedDecision:
    decision = visible(request, decision_id)
    if not may_write_letters(_actor(request), decision):
        raise Forbidden("Letters are written by those who answer for the AI system, and may read the decision's input.")
    return decision


# --- writing ----------------------------------------------------------------------------------------------------------
@page
@require_http_methods(["GET", "HEAD", "POST"])
def write(request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
    """The draft with every fact beside it; without one, the choice to begin."""
    decision = _writable(request, decision_id)
    draft = draft_of(_actor(request), decision_id)
    if draft is None or "anew" in request.GET:
        return _begin(request, decision, draft)
    form = LetterForm(request.POST or None, initial={"text": draft.text, "addressee": draft.addressee})
    if request.method == "POST" and form.is_valid() and _saved(request, decision_id, form):
        return redirect("admin:letter_look" if "look" in request.POST else "admin:letter_write", decision_id)
    note_draft_opened(actor=_actor(request), decision=decision)  # what is saved shows nothing: the next page does
    return _write_page(request, decision, draft, form)


def _begin(request: HttpRequest, decision: SealedDecision, draft: LetterDraft | None) -> HttpResponse:
    letters = list(letters_about(decision.id)[:100])
    form = BeginForm(request.POST or None, languages=languages_for(decision.system_id), letters=letters)
    if request.method == "POST" and form.is_valid() and _begun(request, decision.id, form):
        return redirect("admin:letter_write", decision.id)
    return show(
        request,
        "letters/begin.html",
        title="Write an explanation letter",
        status=422 if form.errors else 200,
        decision=decision,
        system=AISystem.objects.get(pk=decision.system_id),
        form=form,
        draft=draft,
    )


def _begun(request: HttpRequest, decision_id: uuid.UUID, form: BeginForm) -> bool:
    said = form.cleaned_data
    replaces = said.get("replaces_id")
    return _done(
        form,
        lambda: begin_letter(
            actor=_actor(request),
            decision_id=decision_id,
            language=said["language"],
            replaces_id=uuid.UUID(replaces) if replaces else None,
        ),
    )


def _saved(request: HttpRequest, decision_id: uuid.UUID, form: LetterForm) -> bool:
    return _done(form, lambda: save_letter_draft(actor=_actor(request), decision_id=decision_id, **form.cleaned_data))


def _done(form: Any, act: Callable[[], object]) -> bool:
    """Whether it was; what was refused stands in the form."""
    try:
        act()
    except SAID as refusal:
        add_refusal(form, refusal)
    return not form.errors


def _write_page(request: HttpRequest, decision: SealedDecision, draft: LetterDraft, form: LetterForm) -> HttpResponse:
    snapshot = snapshot_of(draft)
    return show(
        request,
        "letters/write.html",
        title="Explanation letter",
        status=422 if form.errors else 200,
        decision=decision,
        system=AISystem.objects.get(pk=decision.system_id),
        draft=draft,
        form=form,
        snapshot=snapshot,
        facts=[(fact, BY_NAME[fact.name]) for fact in snapshot.facts if fact.name in BY_NAME],
        left=list(left_in(draft.text)) if not form.is_bound else [],
        replaced=ExplanationLetter.objects.filter(pk=draft.replaces_id).first() if draft.replaces_id else None,
    )


# --- looking at it and issuing ----------------------------------------------------------------------------------------
@page
@require_http_methods(["GET", "HEAD"])
def look(request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
    """The draft as it will be printed, and what keeps it from being issued."""
    decision, draft = _writable(request, decision_id), _draft(request, decision_id)
    note_draft_opened(actor=_actor(request), decision=decision)
    return _look_page(request, decision, draft)


@page
@require_POST
def issue(request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
    """Issue the draft that was looked at. Where something changed meanwhile, the page says what."""
    decision, draft_id = _writable(request, decision_id), _uuid(request.POST.get("draft"))
    try:
        letter = issue_draft(actor=_actor(request), decision_id=decision_id, draft_id=draft_id)
    except SAID as refusal:
        note_draft_opened(actor=_actor(request), decision=decision)
        return _look_page(request, decision, _draft(request, decision_id), refusal=refusal)
    messages.success(request, f"Letter {letter} is issued and sealed.")
    return redirect("admin:letter", letter.pk)


@page
@require_POST
def again(request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
    """The facts as they are now; what was written stays."""
    look_again(actor=_actor(request), decision_id=_writable(request, decision_id).id)
    return redirect("admin:letter_write", decision_id)


@page
@require_POST
def give_up(request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
    give_up_letter_draft(actor=_actor(request), decision_id=_writable(request, decision_id).id)
    messages.success(request, "The draft is forgotten.")
    return redirect("admin:decision", decision_id)


def _draft(request: HttpRequest, decision_id: uuid.UUID) -> LetterDraft:
    draft = draft_of(_actor(request), decision_id)
    if draft is None:
        raise LetterDraftNotFound()
    return draft


def _look_page(
    request: HttpRequest, decision: SealedDecision, draft: LetterDraft, *, refusal: ServiceError | None = None
) -> HttpResponse:
    return show(
        request,
        "letters/look.html",
        title="Explanation letter",
        status=refusal.status if refusal else 200,
        decision=decision,
        system=AISystem.objects.get(pk=decision.system_id),
        draft=draft,
        refusal=refusal,
        blocks=blocks_of(draft.text),
        left=list(left_in(draft.text)),
        snapshot=snapshot_of(draft),
        direction=direction_of(draft.language),
        replaced=ExplanationLetter.objects.filter(pk=draft.replaces_id).first() if draft.replaces_id else None,
    )


# --- issued letters ---------------------------------------------------------------------------------------------------
@page
@require_http_methods(["GET", "HEAD", "POST"])
def letter(request: HttpRequest, letter_id: uuid.UUID) -> HttpResponse:
    """What there is to know of a letter. What it says is asked for by a button, and the look is sealed."""
    if request.method == "POST":
        return _letter_page(request, read_letter(actor=_actor(request), letter_id=letter_id), is_read=True)
    return _letter_page(request, visible_letter(_actor(request), letter_id)[0])


@page
@require_POST
def text_file(request: HttpRequest, letter_id: uuid.UUID) -> HttpResponse:
    """The text byte for byte as its digest was made, to hand out for checking. Posted, since it appends an entry."""
    found = read_letter(actor=_actor(request), letter_id=letter_id)
    return download(found.text.encode(), f"{found}.txt", "text/plain; charset=utf-8")


@page
@require_POST
def withdraw(request: HttpRequest, letter_id: uuid.UUID) -> HttpResponse:
    found, _ = visible_letter(_actor(request), letter_id)
    form = WithdrawForm(request.POST)
    if form.is_valid() and _done(
        form, lambda: withdraw_letter(actor=_actor(request), letter_id=letter_id, reason=form.cleaned_data["reason"])
    ):
        messages.success(request, f"Letter {found} is withdrawn.")
        return redirect("admin:letter", letter_id)
    return _letter_page(request, found, form=form)


def _letter_page(
    request: HttpRequest, found: ExplanationLetter, *, is_read: bool = False, form: WithdrawForm | None = None
) -> HttpResponse:
    _, decision = visible_letter(_actor(request), found.pk)
    place, shown = place_of(found), to_read(_actor(request), found)
    return show(
        request,
        "letters/letter.html",
        title=f"Letter {found}",
        status=422 if form and form.errors else 200,
        letter=found,
        shown=shown,
        decision=decision,
        system=AISystem.objects.get(pk=found.system_id),
        is_read=is_read,
        blocks=blocks_of(found.text) if is_read else [],
        may_read=may_read_payload(_actor(request), decision) and not shown.covered,
        is_restricted=bool(shown.covered) or is_barred(_actor(request), decision.id),
        may_write=may_write_letters(_actor(request), decision),
        place=place,
        footer=footer_of(found, place),
        direction=direction_of(found.language),
        people=Person.objects.in_bulk([each for each in (found.issued_by_id, found.withdrawn_by_id) if each]),
        replaced_by=getattr(found, "replaced_by", None),
        form=form or WithdrawForm(),
    )


def _uuid(text: str | None) -> uuid.UUID:
    try:
        return uuid.UUID(text or "")
    except ValueError as error:
        raise LetterDraftNotFound() from error
