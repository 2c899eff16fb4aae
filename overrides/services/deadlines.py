"""What becomes of reviews that nobody decides: told in time, and in the end what their rule says. The server's own
work: no right is asked, each is sealed."""

import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from itertools import islice, takewhile

from django.db.models import Count, DateTimeField, DurationField, ExpressionWrapper, F, Value
from django.utils import timezone

from audit.errors import DecisionNotFound
from audit.selectors import SealedDecision, decision_by_id, decisions_by_ids
from governance.models import AISystem
from ledger.entries import SERVER, Actor
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing
from notices.models import Alert
from notices.outbox import announce, tell
from notices.services import open_alert
from overrides import memory
from overrides.models import OPEN, OnTimeout, Review, ReviewQueue, is_held
from overrides.review_kinds import REVIEW_OVERFLOWED, REVIEW_TIMED_OUT, REVIEW_WITHDRAWN
from overrides.services.rules import MAY_ALLOW
from overrides.services.sweeping import each_by_itself
from overrides.services.work import Work, answerable_person, detach_all, locked_review, write_review
from overrides.standing import InFlight, Mode, SwitchState

AT_ONCE = 200
GIVEN_UP = {
    Review.Closing.DEADLINE: (Review.Status.TIMED_OUT, REVIEW_TIMED_OUT),
    Review.Closing.QUEUE_FULL: (Review.Status.OVERFLOWED, REVIEW_OVERFLOWED),
}
STAGES = (80, 50)
"""Percent of its time after which somebody is told."""


def tell_of_deadlines(*, actor: Actor, now: datetime | None = None) -> int:
    """Tell who answers for reviews that half, or four fifths, of the time has run. Once an hour and queue, not a flood.
    After four fifths whoever holds one is told too, once.

    Returns for how many reviews it was due.
    """
    now, due = now or timezone.now(), 0
    for stage in STAGES:
        span = ExpressionWrapper((F("deadline_at") - F("opened_at")) * Value(stage / 100), DurationField())
        ran = ExpressionWrapper(F("opened_at") + span, DateTimeField())
        found = Review.objects.filter(status__in=OPEN, told_share__lt=stage, deadline_at__gt=now)
        reviews = list(found.annotate(ran_at=ran).filter(ran_at__lte=now).select_related("queue")[:AT_ONCE])
        due += each_by_itself("review-due", partial(_tell_once, stage=stage, now=now), reviews)
    return due


def apply_deadlines(*, actor: Actor, now: datetime | None = None) -> int:
    """Apply what the rule says to reviews that nobody decided in time. It is an outcome of its own: nobody refused.

    Returns how many.
    """
    now, missed = now or timezone.now(), 0
    overdue = Review.objects.filter(status__in=OPEN, deadline_at__lte=now).order_by("deadline_at")

    def give_up(review_id: uuid.UUID) -> bool:
        nonlocal missed
        is_missed = _give_up(actor, review_id, Review.Closing.DEADLINE, now)
        missed += is_missed
        return is_missed

    # as many as are done, not as are tried: those in trouble stay the oldest, and would be all that is ever tried
    ids = overdue.values_list("pk", flat=True).iterator(chunk_size=AT_ONCE)
    return each_by_itself("review-overdue", give_up, takewhile(lambda _: missed < AT_ONCE, ids))


def apply_capacity(*, actor: Actor, now: datetime | None = None) -> int:
    """Of queues with more than they can take: what came last and nobody has begun is dealt with as the queue says."""
    now, dealt_with = now or timezone.now(), 0
    full = ReviewQueue.objects.exclude(when_full=ReviewQueue.WhenFull.ACCEPT).filter(capacity__isnull=False)

    def overflow(review_id: uuid.UUID) -> bool:
        return _give_up(actor, review_id, Review.Closing.QUEUE_FULL, now)

    held = full.annotate(held=Count("reviews", filter=is_held("reviews__")))
    for queue in held.filter(held__gt=F("capacity")):
        last = queue.reviews.filter(status=Review.Status.OPEN, phase="proposed").order_by("-opened_at")
        beyond = queue.held - (queue.capacity or 0)
        ids = list(last.values_list("pk", flat=True)[: min(beyond, AT_ONCE)])
        dealt_with += each_by_itself("review-beyond", overflow, ids)
    return dealt_with


def withdraw_stopped(*, actor: Actor, now: datetime | None = None) -> int:
    """End reviews of decisions that a stop has cancelled: there is nothing to decide any more. Returns how many."""
    now, control, ended = now or timezone.now(), memory.current().control, 0
    waiting = Review.objects.filter(status__in=OPEN, phase="proposed").order_by("id")
    if not _any_cancels(control.everywhere):
        waiting = waiting.filter(system_id__in=[key for key, found in control.by_system.items() if _any_cancels(found)])

    def withdraw(review: Review) -> bool:
        if (decision := decisions.get(review.decision_id)) is None:
            raise DecisionNotFound()
        switch = control.in_force(review.system_id, review.environment, *_part_of(decision))
        return _cancels(switch) and _withdraw(actor, review.pk, Review.Closing.STOPPED, now)

    for chunk in _chunks(waiting.iterator(chunk_size=AT_ONCE)):
        decisions = decisions_by_ids([review.decision_id for review in chunk])
        ended += each_by_itself("review-stopped", withdraw, chunk)
    return ended


def withdraw_review(*, actor: Actor, decision_id: uuid.UUID) -> bool:
    """The caller took the decision back: nobody needs to look. The edge has checked that the key reaches it.

    Returns whether there was one to withdraw.
    """
    review_id = Review.objects.filter(decision_id=decision_id, status__in=OPEN).values_list("pk", flat=True).first()
    return review_id is not None and _withdraw(actor, review_id, Review.Closing.CALLER, timezone.now())


def announce_decided(*, actor: Actor, now: datetime | None = None) -> int:
    """Tell webhook endpoints what was decided, once it cannot be taken back any more. Returns how many."""
    now = now or timezone.now()
    due = Review.objects.filter(visible_at__lte=now, announced_at=None).order_by("visible_at")
    ids = list(due.values_list("pk", flat=True)[:AT_ONCE])
    return each_by_itself("review-decided", lambda review_id: _announce(review_id, now), ids)


# --- parts of the above -----------------------------------------------------------------------------------------------
def _give_up(actor: Actor, review_id: uuid.UUID, closing: Review.Closing, now: datetime) -> bool:
    with sealing() as seal:
        review = locked_review(review_id)
        is_due = closing == Review.Closing.QUEUE_FULL or review.deadline_at <= now
        if not review.is_open or not is_due or (closing == Review.Closing.QUEUE_FULL and _has_begun(review)):
            return False
        review.action = _action(review, closing)
        status, kind = GIVEN_UP[closing]
        _end(seal, actor, review, status, closing, kind, now)
        if closing == Review.Closing.DEADLINE:
            _alert_missed(review)
    return True


def _withdraw(actor: Actor, review_id: uuid.UUID, closing: Review.Closing, now: datetime) -> bool:
    with sealing() as seal:
        review = locked_review(review_id)
        if not review.is_open:
            return False
        _end(seal, actor, review, Review.Status.WITHDRAWN, closing, REVIEW_WITHDRAWN, now)
    return True


def _end(
    seal: Seal,
    actor: Actor,
    review: Review,
    status: Review.Status,
    closing: Review.Closing,
    kind: Kind,
    now: datetime,
) -> None:
    review.status, review.closing = status, closing
    review.closed_at = review.visible_at = now
    review.version += 1
    facts = {"closing": str(closing)} | ({"action": review.action} if review.action else {})
    write_review(seal, actor, kind, review, facts)
    detach_all(seal, actor, review, now)


def _announce(review_id: uuid.UUID, now: datetime) -> bool:
    with sealing():
        review = locked_review(review_id)
        if review.announced_at or review.visible_at is None or review.visible_at > now:
            return False  # told meanwhile, or taken back
        Review.objects.filter(pk=review_id).update(announced_at=now)
        facts = {"review": str(review.pk), "status": str(review.status), "verdict": review.verdict or review.action}
        announce(event="review.decided", system_id=review.system_id, about_id=review.decision_id, facts=facts)
    return True


def _cancels(switch: SwitchState | None) -> bool:
    if switch is None or switch.drill_id is not None:
        return False
    return switch.mode is Mode.STOP and switch.in_flight is InFlight.CANCEL


def _any_cancels(switches: Iterable[SwitchState]) -> bool:
    return any(map(_cancels, switches))


def _part_of(decision: SealedDecision) -> tuple[str, str]:
    return decision.body.model_version, decision.body.capability or ""


def _chunks(reviews: Iterator[Review]) -> Iterator[list[Review]]:
    while chunk := list(islice(reviews, AT_ONCE)):
        yield chunk


def _has_begun(review: Review) -> bool:
    return review.assignments.filter(status__in=[Work.CLAIMED, Work.OFFERED, Work.SUBMITTED]).exists()


def _action(review: Review, closing: Review.Closing) -> str:
    """What is applied, as far as it may be by now; nothing where nothing is held."""
    if review.phase != "proposed":
        return ""
    is_full = closing == Review.Closing.QUEUE_FULL and review.queue is not None
    wanted = review.queue.when_full if is_full and review.queue else review.on_timeout
    system = AISystem.objects.get(pk=review.system_id)
    if wanted == OnTimeout.ALLOW:
        wanted = _allowed(review, system)
    if wanted == OnTimeout.FALLBACK and not system.fallback_kind:
        return OnTimeout.BLOCK
    return wanted


def _allowed(review: Review, system: AISystem) -> str:
    """Unseen only where the risk is low and no switch says more than run."""
    if system.risk_class not in MAY_ALLOW:
        return OnTimeout.BLOCK
    part = _part_of(decision_by_id(review.decision_id))
    mode = memory.current().control.mode(review.system_id, review.environment, *part)
    return {Mode.RUN: OnTimeout.ALLOW, Mode.FALLBACK: OnTimeout.FALLBACK}.get(mode, OnTimeout.BLOCK)


def _tell_once(review: Review, stage: int, now: datetime) -> bool:
    _tell(review, stage, now)
    if stage == STAGES[0]:
        _tell_holders(review, now)
    return bool(Review.objects.filter(pk=review.pk).update(told_share=stage))


def _tell(review: Review, stage: int, now: datetime) -> None:
    person_id = answerable_person(review)
    if person_id is None:
        return
    place = review.queue_id or review.system_id
    hour = now.strftime("%Y-%m-%dT%H")
    facts = {"review": str(review.pk), "share": stage, "queue": review.queue.slug if review.queue else None}
    tell(person_id=person_id, kind="reviews.due", fingerprint=f"reviews.due:{place}:{stage}:{hour}", facts=facts)


def _tell_holders(review: Review, now: datetime) -> None:
    held = review.assignments.filter(status__in=[Work.CLAIMED, Work.OFFERED], lease_until__gt=now)
    for work in held:
        facts = {"review": str(review.pk), "decision": str(review.decision_id)}
        tell(person_id=work.person_id, kind="review.due", fingerprint=f"review.due:{work.pk}", facts=facts)


def _alert_missed(review: Review) -> None:
    """One alert a queue, which counts: a night without reviewers is one matter, not a thousand."""
    place = review.queue_id or review.system_id
    open_alert(
        actor=SERVER,
        kind="review.deadline_missed",
        severity=Alert.Severity.WARNING,
        fingerprint=f"review.deadline_missed:{review.system_id}:{place}",
        system_id=review.system_id,
        about_id=review.decision_id,
        owner_id=answerable_person(review),
        facts={"queue": review.queue.slug if review.queue else None, "review": str(review.pk)},
    )
