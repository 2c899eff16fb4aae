"""A colleague who reviews what has waited for a while: a demonstration that is left alone would miss each deadline.

What is young is left to whoever looks at the demonstration. Everything is done by services, as a person would.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from django.db import Error, close_old_connections
from django.utils import timezone

from config.errors import ServiceError
from console.demo.cast import COLLEAGUE, DOMAIN
from console.demo.stream import chance
from governance.models import Person
from governance.rights import as_actor
from ledger.entries import Actor
from overrides.models import Review, ReviewAssignment
from overrides.services.claiming import claim, show_item
from overrides.services.deciding import Answer, judge_blind, submit

log = structlog.get_logger(__name__)

BEGINS_AFTER = timedelta(minutes=8)
LOOKS_FOR_S = (6.0, 14.0)
"""Between them; longer than a glance, and quicker than new ones come."""
CONFIRM = Answer(decision="confirm")
CORRECT = Answer(decision="modify", reason_code="missed-circumstances", note="Spoke to the customer.")
REJECT = Answer(decision="reject", reason_code="wrong-input", note="The statement of income is of last year.")
SHARES = (17, 2, 1)


class Colleague:
    """One item at a time: claimed, looked at for some seconds, decided."""

    def __init__(self) -> None:
        self.work: ReviewAssignment | None = None
        self.busy_until = timezone.now()

    def look(self) -> None:
        """Go on where it is time to. What somebody else was quicker with, or the database missed, is left alone."""
        now = timezone.now()
        if now < self.busy_until:
            return
        self.busy_until = now + timedelta(seconds=chance.uniform(*LOOKS_FOR_S))
        try:
            self._go_on(now)
        except (ServiceError, Error) as error:
            log.info("demo.colleague_left_it", exception=type(error).__qualname__)
            self.work = None
            close_old_connections()

    def _go_on(self, now: datetime) -> None:
        work, self.work = self.work, None
        if work is not None:
            _decide(work)
        waiting = Review.objects.filter(status=Review.Status.OPEN, escalated_at=None, opened_at__lt=now - BEGINS_AFTER)
        review = waiting.order_by("deadline_at").first()
        if review is not None:
            self.work = claim(actor=_actor(), review_id=review.pk)
            show_item(actor=_actor(), token=self.work.token)


def _decide(work: ReviewAssignment) -> None:
    review, seen, decision, _ = show_item(actor=_actor(), token=work.token)
    if seen.is_unseen:
        judge_blind(actor=_actor(), token=work.token, outcome=decision.body.outcome)
        review, *_ = show_item(actor=_actor(), token=work.token)
    submit(actor=_actor(), token=work.token, version=review.version, answer=_answer(review, decision.body.outcome))


def _answer(review: Review, outcome: str) -> Answer:
    """What took effect already is confirmed: no service of the demonstration would carry out anything else."""
    answer = chance.choices((CONFIRM, CORRECT, REJECT), SHARES)[0] if review.phase == "proposed" else CONFIRM
    return replace(answer, outcome="refused" if outcome == "approved" else "approved") if answer is CORRECT else answer


def _actor() -> Actor:
    return as_actor(Person.objects.get(email=f"{COLLEAGUE}@{DOMAIN}"))
