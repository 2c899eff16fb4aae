"""System cards in the making: written, submitted, and published by a second person."""

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.errors import Conflict, Forbidden, InvalidInput, ServiceError
from console.cards.forms import MORE, CardForm
from console.cards.showing import shown_card, shown_differences
from console.cards.story import story_of
from console.pages import page, show, viewer
from console.views.cards import may, names_by_id, visible_to
from governance import rights
from governance.acts import Act
from governance.cards.completeness import gaps_of
from governance.cards.content import Content, checked_content, read_document
from governance.cards.errors import CardDraftChanged, CardDraftNotFound, CardNotSubmitted
from governance.cards.registered import named_in
from governance.errors import ApprovalForbidden
from governance.models import AISystem, CardSave, Person, SystemCard
from governance.reauthentication import factor_asked
from governance.rights import as_actor
from governance.scopes import Scope
from governance.selectors import card_in_force, last_save, open_card
from governance.services.cards import (
    may_publish,
    publish_card,
    return_card,
    save_draft,
    start_card,
    submit_card,
    withdraw_card,
    writers_of,
)

SAID = (Conflict, InvalidInput, Forbidden, ApprovalForbidden)
"""Refusals that the page they come from explains better than a page of their own."""
SAVES_SHOWN = 20


class WordsForm(forms.Form):
    """What one says with an act."""

    note = forms.CharField(required=False, max_length=2000)
    reason = forms.CharField(required=False, max_length=2000)
    base = forms.IntegerField(required=False, min_value=1)
    content_digest = forms.CharField(required=False, max_length=80)


def _open(request: HttpRequest, system_id: uuid.UUID) -> tuple[AISystem, SystemCard]:
    """Errors: `SystemNotFound`; `CardDraftNotFound`, also for those who may not write it."""
    system = visible_to(request, system_id)
    card = open_card(system.pk) if may(request, Act.CARD_EDIT, system) else None
    if card is None:
        raise CardDraftNotFound()
    return system, card


@page
@require_POST
def start(request: HttpRequest, system_id: uuid.UUID) -> HttpResponse:
    """Begin the next card; where somebody did already, go on with that."""
    system = visible_to(request, system_id)
    if open_card(system.pk) is None or not may(request, Act.CARD_EDIT, system):
        start_card(actor=as_actor(viewer(request)), system_id=system.pk, blank="blank" in request.POST)
    return redirect("admin:card_edit", system_id=system.pk)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, system_id: uuid.UUID) -> HttpResponse:
    """The form. Saving keeps one on the page; what somebody else saved meanwhile stands beside what was typed."""
    system = visible_to(request, system_id)
    card = open_card(system.pk) if may(request, Act.CARD_EDIT, system) else None
    if card is None:
        return _nothing_open(request, system)
    if card.status != SystemCard.Status.DRAFT and request.method != "POST":
        return redirect("admin:card_draft", system_id=system.pk)
    last = last_save(card)
    content = read_document(last.content)
    form = CardForm(request.POST or None, content=content, base=last.number)
    if not form.is_bound or MORE in request.POST:
        return _edit_page(request, system, card, last, form)
    if not form.is_valid():
        return _edit_page(request, system, card, last, form, status=422)
    return _saved(request, system, card, form)


def _nothing_open(request: HttpRequest, system: AISystem) -> HttpResponse:
    """It was published or given up while somebody was typing: what they typed stays with them."""
    if not may(request, Act.CARD_EDIT, system):
        raise CardDraftNotFound()
    if request.method != "POST":
        messages.info(request, "Nobody is writing a card just now. Begin the next one here.")
        return redirect("admin:cards", system.pk)
    gone = CardDraftNotFound(
        "It was published or given up meanwhile. Begin the next card in another window, then save this."
    )
    return _edit_page(request, system, None, None, CardForm(request.POST, content={}, base=1), refusal=gone, status=409)


def _saved(request: HttpRequest, system: AISystem, card: SystemCard, form: CardForm) -> HttpResponse:
    typed, base = form.content(), form.cleaned_data["base"]
    try:
        save_draft(actor=as_actor(viewer(request)), system_id=system.pk, content=typed, base=base)
    except CardDraftChanged as error:
        return _beside_theirs(request, system, card, typed, error)
    except SAID as error:
        return _edit_page(request, system, card, last_save(card), form, refusal=error, status=error.status)
    if "look" in request.POST:
        return redirect("admin:card_draft", system_id=system.pk)
    return redirect(f"{request.path}?saved=1")


def _beside_theirs(
    request: HttpRequest, system: AISystem, card: SystemCard, typed: Content, refusal: ServiceError
) -> HttpResponse:
    """What was typed, on top of what was saved meanwhile: whoever saves now has seen both."""
    last = last_save(card)
    sent = {**request.POST.dict(), "base": str(last.number)}
    form = CardForm(sent, content=read_document(last.content), base=last.number)
    differing = shown_differences(read_document(last.content), checked_content(typed))
    return _edit_page(request, system, card, last, form, refusal=refusal, theirs=differing, status=refusal.status)


def _edit_page(
    request: HttpRequest, system: AISystem, card: SystemCard | None, last: CardSave | None, form: CardForm, **rest: Any
) -> HttpResponse:
    return show(
        request,
        "cards/edit.html",
        title="Write the card",
        system=system,
        card=card,
        last=last,
        form=form,
        sections=form.sections(),
        focus=form.asks_for_row(),
        just_saved="saved" in request.GET and not form.is_bound,
        would_publish=card is not None and _would_publish(request, card),
        **{"refusal": None, "theirs": [], "status": 200} | rest,
    )


def _would_publish(request: HttpRequest, card: SystemCard) -> bool:
    """Whether saving takes from this person the part of the second one, which they have as yet."""
    person, scope = viewer(request), Scope.system(card.system_id)
    if person.pk in writers_of(card):
        return False
    return rights.may_approve(person, Act.CARD_PUBLISH, scope, requested_by=None)


# --- the draft as a whole ---------------------------------------------------------------------------------------------
@page
@require_safe
def draft(request: HttpRequest, system_id: uuid.UUID) -> HttpResponse:
    """What was written so far, what it lacks, what is new in it, and what can be done with it."""
    return _draft_page(request, *_open(request, system_id))


@page
@require_POST
def submit(request: HttpRequest, system_id: uuid.UUID) -> HttpResponse:
    """Ask a second person."""
    return _act(
        request,
        system_id,
        lambda said: submit_card(
            actor=as_actor(viewer(request)), system_id=system_id, base=said["base"] or 0, note=said["note"]
        ),
    )


@page
@factor_asked
@require_POST
def publish(request: HttpRequest, system_id: uuid.UUID) -> HttpResponse:
    """Be the second person."""
    return _act(
        request,
        system_id,
        lambda said: publish_card(
            actor=as_actor(viewer(request)), system_id=system_id, content_digest=said["content_digest"]
        ),
    )


@page
@require_POST
def send_back(request: HttpRequest, system_id: uuid.UUID) -> HttpResponse:
    """As the second person, or taking one's own back."""
    return _act(
        request,
        system_id,
        lambda said: return_card(actor=as_actor(viewer(request)), system_id=system_id, reason=said["reason"]),
    )


@page
@require_POST
def give_up(request: HttpRequest, system_id: uuid.UUID) -> HttpResponse:
    """Before it is published."""
    return _act(
        request,
        system_id,
        lambda said: withdraw_card(actor=as_actor(viewer(request)), system_id=system_id, reason=said["reason"]),
    )


def _act(request: HttpRequest, system_id: uuid.UUID, carry_out: Callable[[dict[str, Any]], SystemCard]) -> HttpResponse:
    """What is refused stands on the page, with what was typed; what is open no more leads to the list."""
    system = visible_to(request, system_id)
    form = WordsForm(request.POST)
    said = form.cleaned_data if form.is_valid() else dict.fromkeys(form.fields, "")
    try:
        card = carry_out(said)
    except CardNotSubmitted:
        # a second click, or somebody was quicker: the list says how it stands
        return redirect("admin:cards", system_id=system.pk)
    except SAID as error:
        if open_card(system.pk) is None or not may(request, Act.CARD_EDIT, system):
            raise
        return _draft_page(request, *_open(request, system_id), refusal=error, typed=request.POST.dict())
    if card.number:
        return redirect("admin:card", system_id=system.pk, number=card.number)
    if card.status in SystemCard.OPEN:
        return redirect("admin:card_draft", system_id=system.pk)
    return redirect("admin:cards", system_id=system.pk)


def _draft_page(
    request: HttpRequest,
    system: AISystem,
    card: SystemCard,
    *,
    refusal: ServiceError | None = None,
    typed: dict[str, str] | None = None,
) -> HttpResponse:
    saves = list(card.saves.order_by("-number")[:SAVES_SHOWN])
    last, held = saves[0], card_in_force(system.pk)
    content, actor, person = read_document(last.content), as_actor(viewer(request)), viewer(request)
    waits = card.status == SystemCard.Status.SUBMITTED
    missing = gaps_of(content)
    scope = Scope.system(system.pk)
    can_publish, writers = rights.holders(Act.CARD_PUBLISH, scope, approving=True), writers_of(card)
    return show(
        request,
        "cards/draft.html",
        title="The next card",
        status=refusal.status if refusal else 200,
        system=system,
        card=card,
        last=last,
        saves=saves,
        people=names_by_id(card) | _savers(saves),
        sections=shown_card(content),
        named=named_in(system.pk, content),
        blocking=[gap for gap in missing if gap.blocks],
        advised=[gap for gap in missing if not gap.blocks],
        held=held,
        differences=shown_differences(read_document(held.content), content) if held else [],
        waits=waits,
        may_submit=not waits and rights.can(actor, Act.CARD_PUBLISH, scope),
        may_publish=waits and may_publish(actor, card),
        may_return=waits and (may_publish(actor, card) or card.submitted_by_id == person.pk),
        is_mine=card.submitted_by_id == person.pk,
        askers=rights.holders(Act.CARD_PUBLISH, scope),
        story=story_of(card, with_words=True),
        publishers=[each for each in can_publish if each.pk not in writers],
        barred=[each for each in can_publish if each.pk in writers],
        refusal=refusal,
        typed=typed or {},
    )


def _savers(saves: list[CardSave]) -> dict[uuid.UUID, Person]:
    return Person.objects.in_bulk({each.saved_by_id for each in saves})
