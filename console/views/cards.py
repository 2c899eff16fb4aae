"""System cards to read: the one in force, all numbers, what differs between two, and what is being written."""

import uuid
from datetime import datetime, time
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.flags import Flag
from console.cards.counting import counted_under, outside_by_number
from console.cards.showing import shown_card, shown_differences
from console.cards.story import story_of
from console.pages import page, show, viewer
from console.register import visible_systems
from governance import rights
from governance.acts import Act
from governance.cards.completeness import gaps_of
from governance.cards.content import read_document
from governance.cards.days import days_of
from governance.cards.errors import CardNotFound
from governance.cards.registered import named_in
from governance.cards.scope import scope_of
from governance.errors import SystemNotFound
from governance.models import AISystem, Person, SystemCard
from governance.scopes import Scope
from governance.selectors import card_in_force, open_card, published_cards, withdrawn_cards


class DayForm(forms.Form):
    """On which day."""

    on = forms.DateField(label="In force on", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))


def visible_to(request: HttpRequest, system_id: uuid.UUID) -> AISystem:
    """Errors: `SystemNotFound`, the same for one out of sight and for none."""
    found = visible_systems(viewer(request)).filter(pk=system_id).first()
    if found is None:
        raise SystemNotFound()
    return found


def may(request: HttpRequest, act: Act, system: AISystem) -> bool:
    return rights.can(viewer(request), act, Scope.system(system.pk))


def names_by_id(*cards: SystemCard) -> dict[uuid.UUID, Person]:
    """Whoever had a part in these cards: one query."""
    ids = {
        person_id
        for card in cards
        for person_id in (card.begun_by_id, card.drafted_by_id, card.submitted_by_id, card.published_by_id)
        if person_id
    }
    return Person.objects.in_bulk(ids)


@page
@require_safe
def card_list(request: HttpRequest, system_id: uuid.UUID) -> HttpResponse:
    """All cards of an AI system, the newest first; with a day, the one that was in force at its end."""
    system = visible_to(request, system_id)
    form = DayForm(request.GET if "on" in request.GET else None)
    then: SystemCard | None = None
    if form.is_bound and form.is_valid():
        then = card_in_force(system.pk, _end_of(form.cleaned_data["on"]))
    cards = list(published_cards(system.pk)[:200])
    sees_counts = may(request, Act.DECISION_VIEW, system)
    counts = outside_by_number(system.pk, [each.number for each in cards if each.number]) if sees_counts else {}
    return show(
        request,
        "cards/list.html",
        title="System cards",
        system=system,
        rows=[(each, counts.get(each.number or 0)) for each in cards],
        sees_counts=sees_counts,
        people=names_by_id(*cards),
        form=form,
        asked=form.is_bound and form.is_valid(),
        then=then,
        **_writing(request, system),
    )


def _end_of(day: Any) -> datetime:
    """The last moment of a day, in the viewer's zone."""
    return timezone.make_aware(datetime.combine(day, time.max))


def _writing(request: HttpRequest, system: AISystem) -> dict[str, Any]:
    may_edit = may(request, Act.CARD_EDIT, system)
    if not may_edit:
        return {"may_edit": False, "open": None, "given_up": []}
    return {"may_edit": True, "open": open_card(system.pk), "given_up": withdrawn_cards(system.pk)[:20]}


@page
@require_safe
def in_force(request: HttpRequest, system_id: uuid.UUID) -> HttpResponse:
    """Leads to the card in force, or to the list where there is none."""
    system = visible_to(request, system_id)
    held = card_in_force(system.pk)
    if held is None:
        return redirect("admin:cards", system_id=system.pk)
    return redirect("admin:card", system_id=system.pk, number=held.number)


def published(system: AISystem, number: int) -> SystemCard:
    """Errors: `CardNotFound`."""
    found = published_cards(system.pk).filter(number=number).first()
    if found is None:
        raise CardNotFound()
    return found


@page
@require_safe
def card(request: HttpRequest, system_id: uuid.UUID, number: int) -> HttpResponse:
    """One published card, to read and to print."""
    system = visible_to(request, system_id)
    found = published(system, number)
    content = read_document(found.content)
    scope = scope_of(content)
    sees_counts = may(request, Act.DECISION_VIEW, system)
    return show(
        request,
        "cards/card.html",
        title=f"Card {number}",
        system=system,
        card=found,
        sections=shown_card(content),
        days=days_of(found),
        named=named_in(system.pk, content),
        people=names_by_id(found),
        scope=scope,
        counts=counted_under(system.pk, number) if sees_counts else None,
        flag=Flag.OUTSIDE_SCOPE.value,
        before=published_cards(system.pk).filter(number__lt=number).first(),
        gaps=gaps_of(content) if found.content else [],
        story=story_of(found, with_words=may(request, Act.CARD_EDIT, system)),
        **_writing(request, system),
    )


@page
@require_safe
def given_up(request: HttpRequest, system_id: uuid.UUID, card_id: uuid.UUID) -> HttpResponse:
    """A card that was given up, for those who may write cards."""
    system = visible_to(request, system_id)
    found = withdrawn_cards(system.pk).filter(pk=card_id).first() if may(request, Act.CARD_EDIT, system) else None
    if found is None:
        raise CardNotFound()
    return show(
        request,
        "cards/given_up.html",
        title="A card that was given up",
        system=system,
        sections=shown_card(read_document(found.content)),
        story=story_of(found, with_words=True),
    )


@page
@require_safe
def card_file(request: HttpRequest, system_id: uuid.UUID, number: int) -> HttpResponse:
    """The card's exact document: its digest is the one in the sealed entry."""
    system = visible_to(request, system_id)
    found = published(system, number)
    headers = {"Content-Disposition": f'attachment; filename="{system.slug}-card-{number}.json"'}
    return HttpResponse(found.content.encode(), content_type="application/json", headers=headers)


@page
@require_safe
def compare(request: HttpRequest, system_id: uuid.UUID, number: int, other: int) -> HttpResponse:
    """What differs between two cards of one AI system."""
    system = visible_to(request, system_id)
    after, before = published(system, number), published(system, other)
    return show(
        request,
        "cards/compare.html",
        title=f"Cards {other} and {number}",
        system=system,
        before=before,
        after=after,
        differences=shown_differences(read_document(before.content), read_document(after.content)),
        cards=published_cards(system.pk)[:200],
    )
