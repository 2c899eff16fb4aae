"""Taking reviews: for a while, by one person a place, given back by itself where nothing is done."""

import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from audit.errors import PartNotSent
from audit.selectors import SealedDecision, decision_by_id
from audit.services.disclosure import DisclosedPart, scope_of, view_payload
from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.errors import PersonNotFound
from governance.locks import hold
from governance.models import Person
from ledger.entries import Actor
from ledger.sealing import Seal, sealing
from notices.outbox import tell
from overrides.claimable import claimable
from overrides.eligibility import ON_A_CLAIMED_ITEM, may_judge
from overrides.models import OPEN, Review, ReviewAssignment
from overrides.reasons import checked_reason
from overrides.review_errors import (
    ClaimLost,
    NotForReviewer,
    ReviewNotFound,
    ReviewNotOpen,
    ReviewTaken,
    TooManyClaims,
)
from overrides.review_kinds import (
    REVIEW_CLAIMED,
    REVIEW_DECLINED,
    REVIEW_HELD,
    REVIEW_OFFERED,
    REVIEW_RELEASED,
    REVIEW_SHOWN,
)
from overrides.services.sweeping import each_by_itself
from overrides.services.work import (
    MAX_NOTE,
    MAX_OUTPUT_BYTES,
    end_lapsed,
    free_seat,
    lease_of,
    live_work,
    locked_review,
    locked_work,
    settle,
    touch,
    write_work,
)

Work = ReviewAssignment.Status
CLAIMS_PER_PERSON = 5
OFFER_STANDS = timedelta(hours=24)
LONGEST_HOLD = timedelta(hours=24)
LOOKED_AT = 50
"""So many candidates are tried by `claim_next`: each costs two or three look-ups."""
AT_ONCE = 500
MAX_DRAFT_BYTES = 2 * MAX_OUTPUT_BYTES + 6 * MAX_NOTE + 2_000
"""As JSON the longest answer there may be: of an output each character is escaped once, of a note each byte."""
BEFORE_JUDGING = ("input", "context", "refs")
"""What a blind reviewer is shown: an explanation tells what it explains."""
ALL_PARTS = ("input", "output", "explanation", "context", "refs")


def claim(*, actor: Actor, review_id: uuid.UUID) -> ReviewAssignment:
    """Take a review. Who has it already gets the same work again.

    Errors: `ReviewNotFound`, `ReviewNotOpen`, `NotForReviewer`, `ReviewTaken`, `TooManyClaims`.
    """
    with sealing() as seal:
        hold(f"reviewer:{person_id_of(actor)}")
        review = locked_review(review_id)
        decision = decision_by_id(review.decision_id)
        _require_sight(actor, decision)
        return _take(seal, actor, review, decision)


def claim_next(*, actor: Actor, queue_id: uuid.UUID | None = None) -> ReviewAssignment | None:
    """Take the review that is due first among those one may judge; None where there is none.

    Reviews that somebody else is just taking are passed over. Taking the next one leaves the time in which the last
    decision can be undone: the next one is there at once. Errors: `TooManyClaims`.
    """
    with sealing() as seal:
        hold(f"reviewer:{person_id_of(actor)}")
        if offered := _offered_to(actor, queue_id):
            review = locked_review(offered.review_id)
            return _take(seal, actor, review, decision_by_id(review.decision_id))
        for review in _candidates(actor, queue_id):
            decision = decision_by_id(review.decision_id)
            if may_judge(actor, review, decision):
                return _take(seal, actor, review, decision)
    return None


def show_item(
    *, actor: Actor, token: uuid.UUID
) -> tuple[Review, ReviewAssignment, SealedDecision, list[DisclosedPart]]:
    """What is to be judged, as far as it may be seen yet. The lease runs anew; the first time is noted for good.

    Errors: `ReviewNotFound`, `ClaimLost`, `PayloadErased`, `PayloadRestricted`.
    """
    review, work, decision = begin_item(actor=actor, token=token)
    return review, work, decision, parts_to_judge(actor, work, decision)


def begin_item(*, actor: Actor, token: uuid.UUID) -> tuple[Review, ReviewAssignment, SealedDecision]:
    """The item without its payload, which may have been erased. Errors: `ReviewNotFound`, `ClaimLost`."""
    with sealing() as seal:
        review, work = live_work(actor, token)
        if work.shown_at is None:
            work.shown_at = timezone.now()
            write_work(seal, actor, REVIEW_SHOWN, review, work)
        touch(review, work)
    return review, work, decision_by_id(review.decision_id)


def parts_to_judge(actor: Actor, work: ReviewAssignment, decision: SealedDecision) -> list[DisclosedPart]:
    """Of the payload what may be seen yet; the look is sealed. Nothing where nothing of it was sent.

    Errors: `PayloadErased`, `PayloadRestricted`.
    """
    names = BEFORE_JUDGING if work.is_unseen else ALL_PARTS
    try:
        return view_payload(actor=actor, decision=decision, parts=names, given=ON_A_CLAIMED_ITEM)
    except PartNotSent:
        return []


def save_draft(*, actor: Actor, token: uuid.UUID, draft: Mapping[str, Any]) -> ReviewAssignment:
    """Keep what somebody is writing. It is kept even where the claim is lost, and `ClaimLost` says that it is.

    Errors: `ReviewNotFound`, `ClaimLost`, `InvalidInput`.
    """
    if len(json.dumps(draft, ensure_ascii=False).encode()) > MAX_DRAFT_BYTES:
        detail = f"A draft has at most {MAX_DRAFT_BYTES:,} bytes."
        raise InvalidInput(errors=[FieldProblem(pointer="/draft", detail=detail)])
    with transaction.atomic():
        review, work = locked_work(actor, token)
        is_live = work.is_live(timezone.now())
        if work.status != Work.SUBMITTED:
            work.draft, work.draft_saved_at = dict(draft), timezone.now()
            ReviewAssignment.objects.filter(pk=work.pk).update(draft=work.draft, draft_saved_at=work.draft_saved_at)
        if is_live:
            touch(review, work)
    if not is_live:
        raise ClaimLost()
    return work


def hold_review(*, actor: Actor, token: uuid.UUID, until: datetime) -> ReviewAssignment:
    """Keep a review for longer, to ask somebody: at most 24 h from the claim, and not past its deadline.

    Errors: `ReviewNotFound`, `ClaimLost`, `InvalidInput`.
    """
    with sealing() as seal:
        review, work = live_work(actor, token)
        latest = min((work.claimed_at or timezone.now()) + LONGEST_HOLD, review.deadline_at)
        if not timezone.now() < until <= latest:
            problem = FieldProblem(
                pointer="/until", detail="Within 24 hours of the claim, and before the review's deadline."
            )
            raise InvalidInput(errors=[problem])
        work.held_until = work.lease_until = until
        write_work(seal, actor, REVIEW_HELD, review, work)
    return work


def release(*, actor: Actor, token: uuid.UUID) -> None:
    """Give a review back. What has ended already changes nothing. Errors: `ReviewNotFound`."""
    with sealing() as seal:
        review, work = locked_work(actor, token)
        if work.status not in (Work.CLAIMED, Work.OFFERED):
            return
        work.status, work.ended_at = Work.RELEASED, timezone.now()
        write_work(seal, actor, REVIEW_RELEASED, review, work)
        settle(seal, actor, review)


def decline(*, actor: Actor, review_id: uuid.UUID, reason_code: str) -> None:
    """Say that one will not judge this. It stays so, whoever offers it again. Errors: `ReviewNotFound`,
    `ReviewNotOpen`, `NotForReviewer`, `InvalidInput`."""
    with sealing() as seal:
        hold(f"reviewer:{actor.id}")
        review = locked_review(review_id)
        decision = decision_by_id(review.decision_id)
        _require_sight(actor, decision)
        mine = review.assignments.select_for_update(no_key=True, of=("self",)).filter(
            person_id=person_id_of(actor), status__in=[Work.OFFERED, Work.CLAIMED, Work.DECLINED]
        )
        work = mine.first() or ReviewAssignment(review=review, person_id=person_id_of(actor), seat=0)
        if work.status == Work.DECLINED:
            return
        if work._state.adding and not may_judge(actor, review, decision):
            raise NotForReviewer()
        _require_open(review)
        work.reason_code = checked_reason(reason_code, "decline", review.queue_id)
        work.status, work.ended_at = Work.DECLINED, timezone.now()
        write_work(seal, actor, REVIEW_DECLINED, review, work)
        settle(seal, actor, review)


def hand_over(*, actor: Actor, token: uuid.UUID, to_person_id: uuid.UUID) -> ReviewAssignment:
    """Give a review to a named person, who finds it first among theirs. It is theirs alone for 24 hours.

    Errors: `ReviewNotFound`, `ClaimLost`, `PersonNotFound`, `NotForReviewer` where they may not judge it.
    """
    with sealing() as seal:
        hold(f"reviewer:{actor.id}", f"reviewer:{to_person_id}")
        review, work = live_work(actor, token)
        if not Person.objects.filter(pk=to_person_id, is_active=True).exists():
            raise PersonNotFound()
        receiver, decision = Actor("person", to_person_id), decision_by_id(review.decision_id)
        has_it = review.assignments.filter(person_id=to_person_id, status__in=[Work.CLAIMED, Work.OFFERED]).exists()
        if has_it or not may_judge(receiver, review, decision):
            raise NotForReviewer("They may not judge this, or work on it already.")
        now = timezone.now()
        work.status, work.ended_at = Work.RELEASED, now
        write_work(seal, actor, REVIEW_RELEASED, review, work, {"to": str(to_person_id)})
        offered = ReviewAssignment(
            review=review,
            person_id=to_person_id,
            seat=work.seat,
            status=Work.OFFERED,
            is_blind=_blind_for(receiver, review),
            offered_by_id=actor.id,
            lease_until=now + OFFER_STANDS,
        )
        write_work(seal, actor, REVIEW_OFFERED, review, offered, {"to": str(to_person_id)})
        settle(seal, actor, review)
        facts = {"review": str(review.pk), "decision": str(review.decision_id)}
        tell(person_id=to_person_id, kind="review.offered", fingerprint=f"review.offered:{offered.pk}", facts=facts)
    return offered


def end_lapsed_claims(*, actor: Actor, now: datetime | None = None) -> int:
    """Give back what was claimed and not worked on, or by people who have left. The server's own work; returns how
    many."""
    now = now or timezone.now()
    over = Q(lease_until__lte=now) | Q(person__is_active=False)
    lapsed = ReviewAssignment.objects.filter(over, status__in=[Work.CLAIMED, Work.OFFERED])
    review_ids = set(lapsed.values_list("review_id", flat=True)[:AT_ONCE])
    return each_by_itself("claim-lapsed", partial(_end_lapsed, actor, now=now), review_ids)


# --- parts of the above -----------------------------------------------------------------------------------------------
def tell_now(actor: Actor) -> None:
    """Callers are told at once of what this person has decided: handing in the next one ends the time to undo it."""
    now = timezone.now()
    decided = Review.objects.filter(
        assignments__pk=F("decisive_id"), assignments__person_id=person_id_of(actor), visible_at__gt=now
    )
    # by id: an UPDATE over the join would lock nothing else, but Django asks for a sub-select
    Review.objects.filter(pk__in=list(decided.values_list("pk", flat=True))).update(visible_at=now)


def _end_lapsed(actor: Actor, review_id: uuid.UUID, *, now: datetime) -> int:
    with sealing() as seal:
        review = locked_review(review_id)
        ended = end_lapsed(seal, review, now)
        settle(seal, actor, review)
    return ended


def _take(seal: Seal, actor: Actor, review: Review, decision: SealedDecision) -> ReviewAssignment:
    _require_open(review)
    now = timezone.now()
    end_lapsed(seal, review, now)
    mine = review.assignments.select_for_update(no_key=True, of=("self",)).filter(
        person_id=person_id_of(actor), status__in=[Work.CLAIMED, Work.OFFERED]
    )
    work = mine.first()
    if work and work.status == Work.CLAIMED:
        touch(review, work)
        return work
    if not may_judge(actor, review, decision):
        raise NotForReviewer()
    work = work or _new_work(actor, review)
    _refuse_too_many(actor, review, now)
    work.status, work.claimed_at, work.lease_until = Work.CLAIMED, now, now + lease_of(review)
    work.draft = _earlier_draft(actor, review)
    write_work(seal, actor, REVIEW_CLAIMED, review, work, {"blind": work.is_blind})
    settle(seal, actor, review)
    return work


def _new_work(actor: Actor, review: Review) -> ReviewAssignment:
    seat = free_seat(review)
    if seat is None:
        raise ReviewTaken()
    return ReviewAssignment(review=review, person_id=person_id_of(actor), seat=seat, is_blind=_blind_for(actor, review))


def _blind_for(actor: Actor, review: Review) -> bool:
    """Whoever has judged blind before and was shown the rest is not blind any more."""
    judged = review.assignments.filter(person_id=person_id_of(actor), first_at__isnull=False).exists()
    return review.is_blind and not judged


def _refuse_too_many(actor: Actor, review: Review, now: datetime) -> None:
    most = review.queue.claims_per_person if review.queue else CLAIMS_PER_PERSON
    held = ReviewAssignment.objects.filter(
        person_id=person_id_of(actor), status=Work.CLAIMED, lease_until__gt=now, review__queue_id=review.queue_id
    )
    if held.count() >= most:
        raise TooManyClaims(f"This queue allows {most} at a time.")


def _earlier_draft(actor: Actor, review: Review) -> Any:
    earlier = (
        review.assignments.filter(person_id=person_id_of(actor), draft__isnull=False)
        .order_by("-draft_saved_at")
        .first()
    )
    return earlier.draft if earlier else None


def _require_open(review: Review) -> None:
    if not review.is_open or review.deadline_at <= timezone.now():
        raise ReviewNotOpen()


def _require_sight(actor: Actor, decision: SealedDecision) -> None:
    if not rights.can(actor, Act.DECISION_CONFIRM, scope_of(decision), given=ON_A_CLAIMED_ITEM):
        raise ReviewNotFound()


def _offered_to(actor: Actor, queue_id: uuid.UUID | None) -> ReviewAssignment | None:
    offered = ReviewAssignment.objects.filter(
        person_id=person_id_of(actor),
        status=Work.OFFERED,
        lease_until__gt=timezone.now(),
        review__status__in=OPEN,
        review__deadline_at__gt=timezone.now(),
    )
    return (offered.filter(review__queue_id=queue_id) if queue_id else offered).order_by("created_at").first()


def _candidates(actor: Actor, queue_id: uuid.UUID | None) -> Iterator[Review]:
    """One after the other, each locked; those that are locked already are passed over."""
    passed: list[uuid.UUID] = []
    for _ in range(LOOKED_AT):
        found = claimable(actor, queue_id).exclude(pk__in=passed)
        review = found.select_for_update(no_key=True, skip_locked=True, of=("self",)).first()
        if review is None:
            return
        passed.append(review.pk)
        yield review
