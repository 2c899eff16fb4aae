"""What all acts on a review share: locks in one order, rows with their entries, places and their ends.

Order of locks: the reviewer (by name), the review, its assignments, the log.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from governance.changes import write
from governance.selectors import accountable_of
from ledger.entries import SERVER, Actor
from ledger.kinds import Kind
from ledger.sealing import Seal
from overrides.models import ONE_DECIDES, Review, ReviewAssignment
from overrides.review_errors import ClaimLost, ReviewNotFound
from overrides.review_kinds import REVIEW_DETACHED, REVIEW_ENTERED, REVIEW_LAPSED

Status, Work = Review.Status, ReviewAssignment.Status
JUDGEMENTS = ("confirm", "modify", "reject")
LEASE_S = 600
MAX_OUTPUT_BYTES = 1_048_576
MAX_NOTE = 10_000
LONGEST_CLAIM = timedelta(hours=2)


def locked_review(review_id: uuid.UUID) -> Review:
    """Errors: `ReviewNotFound`."""
    review = Review.objects.select_for_update(no_key=True, of=("self",)).filter(pk=review_id).first()
    if review is None:
        raise ReviewNotFound()
    return review


def locked_work(actor: Actor, token: uuid.UUID) -> tuple[Review, ReviewAssignment]:
    """A person's own work and its review, whatever their state. Errors: `ReviewNotFound`, the same for others' work."""
    found = ReviewAssignment.objects.filter(token=token).values_list("review_id", "person_id").first()
    if found is None or actor.type != "person" or found[1] != actor.id:
        raise ReviewNotFound()
    review = locked_review(found[0])
    return review, ReviewAssignment.objects.select_for_update(no_key=True, of=("self",)).get(token=token)


def live_work(actor: Actor, token: uuid.UUID) -> tuple[Review, ReviewAssignment]:
    """A person's own work that can still be handed in. Errors: `ReviewNotFound`, `ClaimLost`."""
    review, work = locked_work(actor, token)
    if not work.is_live(timezone.now()):
        raise ClaimLost()
    return review, work


def write_review(
    seal: Seal, actor: Actor, kind: Kind, review: Review, facts: dict[str, Any] | None = None, reason: str = ""
) -> None:
    said = {"decision": str(review.decision_id), "status": str(review.status)} | (facts or {})
    write(seal, actor=actor, kind=kind, row=review, system_id=review.system_id, facts=said, reason=reason)


def write_work(
    seal: Seal, actor: Actor, kind: Kind, review: Review, work: ReviewAssignment, facts: dict[str, Any] | None = None
) -> None:
    said = {"review": str(review.pk), "decision": str(review.decision_id), "seat": work.seat} | (facts or {})
    write(seal, actor=actor, kind=kind, row=work, system_id=review.system_id, facts=said)


def lease_of(review: Review) -> timedelta:
    return timedelta(seconds=review.queue.lease_s if review.queue else LEASE_S)


def renewed(review: Review, work: ReviewAssignment, now: datetime) -> datetime:
    """Until when work lasts that somebody has just done something about: never beyond its cap, nor cut short."""
    began = work.claimed_at or now
    last = work.held_until or began + LONGEST_CLAIM
    return max(work.lease_until or now, min(now + lease_of(review), last))


def touch(review: Review, work: ReviewAssignment) -> None:
    """Somebody did something about it: the lease runs anew."""
    work.lease_until = renewed(review, work, timezone.now())
    ReviewAssignment.objects.filter(pk=work.pk).update(lease_until=work.lease_until)


def end_lapsed(seal: Seal, review: Review, now: datetime) -> int:
    """Free the places of claims and offers whose time has run out, or whose person has left. Drafts stay."""
    lapsed = review.assignments.select_for_update(no_key=True, of=("self",)).filter(
        Q(lease_until__lte=now) | Q(person__is_active=False), status__in=[Work.CLAIMED, Work.OFFERED]
    )
    ended = 0
    for work in lapsed:
        work.status, work.ended_at = Work.EXPIRED, now
        write_work(seal, SERVER, REVIEW_LAPSED, review, work)
        ended += 1
    return ended


def detach_all(seal: Seal, actor: Actor, review: Review, now: datetime) -> None:
    """The review has ended: so does all work on it. Drafts stay with who wrote them."""
    live = review.assignments.select_for_update(no_key=True, of=("self",)).filter(
        status__in=[Work.CLAIMED, Work.OFFERED]
    )
    for work in live:
        work.status, work.ended_at = Work.WITHDRAWN, now
        write_work(seal, actor, REVIEW_DETACHED, review, work)


def settle(seal: Seal, actor: Actor, review: Review) -> None:
    """Open or in review, by whether somebody works on it or has handed in. A conflict stays one."""
    if not review.is_open or review.status == Status.CONFLICT:
        return
    busy = review.assignments.filter(status=Work.CLAIMED).exists() or judgements(review)
    wanted = Status.IN_REVIEW if busy else Status.OPEN
    if review.status != wanted:
        review.status = wanted
        write_review(seal, actor, REVIEW_ENTERED, review)


def judgements(review: Review) -> list[ReviewAssignment]:
    """What reviewers have handed in, in order; abstentions and escalations are none."""
    found = review.assignments.filter(status=Work.SUBMITTED, decision__in=JUDGEMENTS)
    return list(found.order_by("ended_at", "id"))


def free_seat(review: Review) -> int | None:
    """The first place nobody has."""
    by_one = review.status == Status.CONFLICT or review.escalated_at
    seats = [ONE_DECIDES] if by_one else list(range(1, review.reviews_required + 1))
    held = review.assignments.filter(status__in=[Work.OFFERED, Work.CLAIMED, Work.SUBMITTED])
    taken = set(held.exclude(decision__in=["escalate", "abstain"]).values_list("seat", flat=True))
    return next((seat for seat in seats if seat not in taken), None)


def answerable_person(review: Review) -> uuid.UUID | None:
    """Who answers for a review being looked at: the queue's owner, else who is accountable for the AI system."""
    if review.queue:
        return review.queue.owner_id
    found = accountable_of(review.system_id)
    return found.person_id if found else None
