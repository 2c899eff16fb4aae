"""System cards: written by those who know the AI system, published by a second person.

A draft is saved as often as its writers like, each save on top of the one they had before them. What was submitted is
not changed any more; what is published is exactly what the second person looked at.
"""

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Max
from django.utils import timezone

from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.cards.comparing import differences
from governance.cards.completeness import blocking
from governance.cards.content import Content, canonical, checked_content, digest_of, read_document
from governance.cards.errors import (
    CardDraftChanged,
    CardDraftExists,
    CardDraftNotFound,
    CardIncomplete,
    CardNotSubmitted,
    CardSubmittedAnew,
    CardUnchanged,
    CardWaits,
)
from governance.changes import write
from governance.errors import ApprovalForbidden
from governance.kinds import (
    CARD_DRAFTED,
    CARD_PUBLISHED,
    CARD_RETURNED,
    CARD_SUBMITTED,
    CARD_SUPERSEDED,
    CARD_WITHDRAWN,
)
from governance.models import CardSave, SystemCard
from governance.scopes import Scope
from governance.selectors import card_in_force, last_save, open_card
from governance.services.systems import locked_system
from ledger.commitments import commitment, new_secret, part_key
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing

Status = SystemCard.Status
CONTENT_PART = "content"


def start_card(*, actor: Actor, system_id: uuid.UUID, blank: bool = False) -> CardSave:
    """Begin the next card: with the content of the one in force, or with nothing. Returns its first save.

    Errors: `Forbidden`, `PersonNeeded`, `SystemNotFound`, `CardDraftExists`.
    """
    rights.require(actor, Act.CARD_EDIT, Scope.system(system_id))
    person_id, now = person_id_of(actor), timezone.now()
    with sealing() as seal:
        system = locked_system(system_id)
        if open_card(system_id):
            raise CardDraftExists()
        source = None if blank else card_in_force(system_id)
        card = SystemCard(system=system, begun_by_id=person_id, begun_from=source.number if source else None)
        _write(seal, actor, CARD_DRAFTED, card, now)
        document = source.content if source else canonical({}).decode()
        return CardSave.objects.create(card=card, number=1, content=document, saved_by_id=person_id, saved_at=now)


def save_draft(*, actor: Actor, system_id: uuid.UUID, content: Mapping[str, Any], base: int) -> CardSave:
    """Save the draft on top of the save that its writer had before them, number `base`.

    The same content again by the same person is no new save; by another one it is theirs from then on. Errors:
    `Forbidden`, `PersonNeeded`, `CardDraftNotFound`, `CardWaits`, `InvalidInput` with all that is wrong,
    `CardDraftChanged` with the places at which the two differ.
    """
    rights.require(actor, Act.CARD_EDIT, Scope.system(system_id))
    person_id, checked = person_id_of(actor), checked_content(content)
    with sealing():
        card = _locked_draft(system_id)
        last = last_save(card)
        document = canonical(checked).decode()
        if document == last.content and last.saved_by_id == person_id:
            return last
        if last.number != base:
            raise CardDraftChanged(errors=_places(checked, read_document(last.content)))
        return CardSave.objects.create(card=card, number=base + 1, content=document, saved_by_id=person_id)


def submit_card(*, actor: Actor, system_id: uuid.UUID, base: int, note: str = "") -> SystemCard:
    """Ask a second person to publish the draft as it was saved last.

    Errors: `Forbidden`, `PersonNeeded`, `CardDraftNotFound`, `CardWaits`, `CardDraftChanged`, `CardIncomplete` with
    what lacks, `CardUnchanged`.
    """
    rights.require(actor, Act.CARD_PUBLISH, Scope.system(system_id))
    person_id, now = person_id_of(actor), timezone.now()
    with sealing() as seal:
        card = _locked_draft(system_id)
        last = last_save(card)
        if last.number != base:
            raise CardDraftChanged()
        _refuse_incomplete(last.content)
        _refuse_unchanged(card, last.content)
        _put_content(card, last)
        card.status, card.note, card.answer = Status.SUBMITTED, note, ""
        card.submitted_by_id, card.submitted_at = person_id, now
        _write(seal, actor, CARD_SUBMITTED, card, now)
    return card


def publish_card(*, actor: Actor, system_id: uuid.UUID, content_digest: str) -> SystemCard:
    """Publish what was submitted, as the second person: it gets the next number and is in force at once.

    `content_digest`: of what this person looked at. Nobody who saved or submitted it can. Errors:
    `ApprovalForbidden`, `CardNotSubmitted`, `CardSubmittedAnew`, `CardIncomplete`, `RequestVoid` where whoever
    submitted it may not any more: sent back, it is submitted anew.
    """
    now = timezone.now()
    with sealing() as seal:
        card = _locked_submitted(actor, system_id)
        rights.require_asker(card.submitted_by_id, Act.CARD_PUBLISH, Scope.system(system_id))
        if card.content_digest != content_digest:
            raise CardSubmittedAnew()
        _refuse_incomplete(card.content)
        _supersede(seal, actor, system_id, now)
        card.status, card.number = Status.PUBLISHED, _next_number(system_id)
        card.published_by_id, card.published_at = person_id_of(actor), now
        _write(seal, actor, CARD_PUBLISHED, card, now)
        card.saves.all().delete()
    return card


def return_card(*, actor: Actor, system_id: uuid.UUID, reason: str) -> SystemCard:
    """Send what was submitted back to be worked on, as the second person; or take one's own back.

    Errors: `ApprovalForbidden`, `CardNotSubmitted`, `InvalidInput` without a reason.
    """
    with sealing() as seal:
        locked_system(system_id)
        card = open_card(system_id)
        is_own = card is not None and actor.type == "person" and actor.id == card.submitted_by_id
        if not is_own:
            _require_second(actor, system_id, card)
        card = _submitted(card)
        if not reason.strip():
            raise InvalidInput(errors=[FieldProblem(pointer="/reason", detail="Say what is to be changed, or why.")])
        card.status, card.answer = Status.DRAFT, reason
        _write(seal, actor, CARD_RETURNED, card, timezone.now())
    return card


def withdraw_card(*, actor: Actor, system_id: uuid.UUID, reason: str = "") -> SystemCard:
    """Give a card up that is not published yet; its text stays in its history.

    Errors: `Forbidden`, `PersonNeeded`, `CardDraftNotFound`.
    """
    rights.require(actor, Act.CARD_EDIT, Scope.system(system_id))
    person_id_of(actor)
    with sealing() as seal:
        locked_system(system_id)
        card = _there(open_card(system_id))
        _put_content(card, last_save(card))
        card.status = Status.WITHDRAWN
        _write(seal, actor, CARD_WITHDRAWN, card, timezone.now(), reason)
        card.saves.all().delete()
    return card


def return_cards_of(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    """Inside the act by which somebody leaves, which locked the AI systems: what they submitted is a draft again.

    Returns how many.
    """
    waiting = SystemCard.objects.select_for_update(no_key=True, of=("self",)).filter(status=Status.SUBMITTED)
    found = list(waiting.filter(submitted_by_id=person_id).order_by("pk"))
    for card in found:
        card.status, card.answer = Status.DRAFT, "Whoever submitted it has left."
        _write(seal, actor, CARD_RETURNED, card, timezone.now())
    return len(found)


def may_publish(actor: Actor, card: SystemCard) -> bool:
    """Whether this person may be the second one: neither who submitted it, nor anybody who wrote of it."""
    scope = Scope.system(card.system_id)
    return all(
        rights.may_approve(actor, Act.CARD_PUBLISH, scope, requested_by=other)
        for other in {card.submitted_by_id, *card.written_by}
    )


def writers_of(card: SystemCard) -> list[uuid.UUID]:
    """Everybody who saved an open card, in the order of their first save. What it began with is nobody's."""
    saves = card.saves.filter(number__gt=1).order_by("number")
    return list(dict.fromkeys(saves.values_list("saved_by_id", flat=True)))


def _require_second(actor: Actor, system_id: uuid.UUID, card: SystemCard | None) -> None:
    """The right first: whether a card waits is not told to others."""
    rights.require_approval(actor, Act.CARD_PUBLISH, Scope.system(system_id), requested_by=None)
    if card is not None and not may_publish(actor, card):
        raise ApprovalForbidden()


def _locked_submitted(actor: Actor, system_id: uuid.UUID) -> SystemCard:
    locked_system(system_id)
    card = open_card(system_id)
    _require_second(actor, system_id, card)
    return _submitted(card)


def _submitted(card: SystemCard | None) -> SystemCard:
    if card is None or card.status != Status.SUBMITTED:
        raise CardNotSubmitted()
    return card


def _locked_draft(system_id: uuid.UUID) -> SystemCard:
    locked_system(system_id)
    card = _there(open_card(system_id))
    if card.status != Status.DRAFT:
        raise CardWaits()
    return card


def _there(card: SystemCard | None) -> SystemCard:
    if card is None:
        raise CardDraftNotFound()
    return card


def _put_content(card: SystemCard, last: CardSave) -> None:
    card.content, card.content_digest, card.drafted_by_id = last.content, digest_of(last.content), last.saved_by_id
    card.written_by = writers_of(card)
    secret = new_secret()
    card.check_key = part_key(secret, CONTENT_PART).hex()
    card.digest = commitment(secret, CONTENT_PART, last.content.encode()).hex()


def _refuse_incomplete(document: str) -> None:
    if found := blocking(read_document(document)):
        raise CardIncomplete(errors=[gap.as_problem() for gap in found])


def _refuse_unchanged(card: SystemCard, document: str) -> None:
    held = card_in_force(card.system_id)
    if held is not None and held.content == document:
        raise CardUnchanged()


def _supersede(seal: Seal, actor: Actor, system_id: uuid.UUID, at: datetime) -> None:
    held = card_in_force(system_id)
    if held is not None:
        held.status, held.superseded_at = Status.SUPERSEDED, at
        _write(seal, actor, CARD_SUPERSEDED, held, at)


def _next_number(system_id: uuid.UUID) -> int:
    return (SystemCard.objects.filter(system_id=system_id).aggregate(last=Max("number"))["last"] or 0) + 1


def _places(mine: Content, theirs: Content) -> Iterator[FieldProblem]:
    for each in differences(theirs, mine):
        yield FieldProblem(pointer=each.pointer, detail=f"{each.label}: the draft says something else by now.")


def _write(seal: Seal, actor: Actor, kind: Kind, card: SystemCard, at: datetime, reason: str = "") -> None:
    facts: dict[str, Any] = {"status": str(card.status)}
    if card.number:
        facts["card"] = card.number
    if card.digest:
        facts["digest"] = card.digest
    write(seal, actor=actor, kind=kind, row=card, system_id=card.system_id, facts=facts, reason=reason, at=at)
