"""What people did about a decision: what holds now, who said so, what the caller did, and what may be done next."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from audit.restricted_texts import NOTICE, for_reading
from audit.selectors import SealedDecision
from audit.services.disclosure import may_read_payload, scope_of
from console.sayings import SOURCE_WORDS
from governance import rights
from governance.acts import Act, Condition
from governance.models import Person, ServiceAccount
from governance.rights import as_actor
from ledger.entries import Actor
from monitoring.models import Outcome
from monitoring.selectors import outcomes_of
from overrides.effective import Effective, effective_of
from overrides.eligibility import ON_A_CLAIMED_ITEM, SECOND_ASKED, had_part
from overrides.models import Appeal, Override, ReportedOverride, Review, ReviewAssignment
from overrides.reasons import reasons_in_force
from overrides.selectors import has_live_claim, is_output_barred, may_override
from overrides.services.appeals import NO_PART

NONE: frozenset[Condition] = frozenset()
STATUS_WORDS = {"final": "final", "pending": "waits for people", "frozen": "frozen by a stop"}
REVIEW_WORDS = {
    Review.Status.CONFLICT: "Two reviewers disagree: a third decides",
    Review.Status.ADJUDICATED: "A third person decided between two",
    Review.Status.OVERFLOWED: "Not taken: the queue was full",
    Review.Status.SUPERSEDED: "Not needed any more: the decision was overridden",
}
"""Of states whose own name says too little."""
STATUS_TONES = {"final": "ok", "pending": "warn", "frozen": "bad"}
EFFECT_TONES = {"confirmed": "ok", "unconfirmed": "warn", "mismatch": "bad", "failed": "warn"}
EFFECT_WORDS = {
    "confirmed": "the caller says it did this",
    "unconfirmed": "the caller has not said that it did this",
    "mismatch": "the caller says it did something else",
    "failed": "the caller says it failed to carry it out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleSaid:
    """For the panel of a decision's page."""

    holds: Effective
    output: str | None
    """The corrected output, or a notice in its place."""
    overrides: list[tuple[Override, Person | None, Person | None]]
    reported: list[ReportedOverride]
    appeals: list[tuple[Appeal, Person | ServiceAccount | None]]
    judged: list[tuple[ReviewAssignment, Person]]
    outcomes: list[Outcome]
    waiting: Override | None
    """An override that waits for its second reviewer."""
    may_agree: bool
    may_take_back: bool
    may_override: bool
    may_appeal: bool
    may_read: bool
    """Whether notes and corrected outputs are shown: to those who may read the payload, of a claimed item too."""
    reasons: list[dict[str, Any]]

    @property
    def _status(self) -> str:
        return "final" if self.holds.status == "frozen" and not self.holds.is_held_back else self.holds.status

    @property
    def status_words(self) -> str:
        return STATUS_WORDS[self._status]

    @property
    def source_words(self) -> str:
        """Whose word it is; where a review ended without one, why."""
        review = self.holds.review
        if self.holds.source == "model" and review and review.closing:
            return review.get_closing_display()
        return SOURCE_WORDS[self.holds.source]

    @property
    def review_words(self) -> str:
        review = self.holds.review
        return REVIEW_WORDS.get(Review.Status(review.status), review.get_status_display()) if review else ""

    @property
    def waiting_until(self) -> datetime | None:
        return self.waiting.at + Override.REQUEST_COUNTS if self.waiting else None

    @property
    def status_tone(self) -> str:
        return STATUS_TONES[self._status]

    @property
    def effect_tone(self) -> str:
        return EFFECT_TONES[self.holds.effect.status]

    @property
    def effect_words(self) -> str:
        return EFFECT_WORDS[self.holds.effect.status]

    @property
    def has_changed(self) -> bool:
        return self.holds.effective_outcome != self.holds.original_outcome


def what_people_did(person: Person, decision: SealedDecision) -> PeopleSaid:
    """A fixed number of queries. Whether this person may see the decision at all was asked before."""
    actor = as_actor(person)
    holds = effective_of(decision.id, decision=decision)
    overrides = for_reading(actor, Override.objects.filter(decision_id=decision.id).order_by("at", "id"))
    appeals = for_reading(actor, Appeal.objects.filter(decision_id=decision.id).order_by("received_at"))
    people = _people(
        [*[who for each in overrides for who in (each.person_id, each.second_person_id)], *_openers(appeals)]
    )
    accounts = ServiceAccount.objects.in_bulk([each.account_id for each in appeals if each.account_id])
    waiting = next((each for each in overrides if each.waits), None)
    scope = scope_of(decision)
    return PeopleSaid(
        holds=holds,
        overrides=[(each, people.get(each.person_id), people.get(each.second_person_id)) for each in overrides],
        reported=for_reading(actor, ReportedOverride.objects.filter(decision_id=decision.id).order_by("occurred_at")),
        appeals=[(each, people.get(each.opened_by_id) or accounts.get(each.account_id)) for each in appeals],
        judged=_judged(actor, decision),
        output=NOTICE if is_output_barred(actor, holds) else holds.output,
        outcomes=for_reading(actor, outcomes_of(decision.id)[:20]),
        waiting=waiting,
        may_agree=waiting is not None
        and rights.may_approve(actor, Act.DECISION_OVERRIDE, scope, requested_by=waiting.person_id, given=SECOND_ASKED),
        may_take_back=waiting is not None and waiting.person_id == person.pk,
        may_override=waiting is None and may_override(actor, decision),
        may_appeal=rights.can(actor, Act.APPEAL_OPEN, scope) and not any(each.status == "open" for each in appeals),
        may_read=may_read_payload(
            actor, decision, ON_A_CLAIMED_ITEM if has_live_claim(person.pk, decision.id) else NONE
        ),
        reasons=reasons_in_force(holds.review.queue_id if holds.review else None),
    )


def may_decide_appeal(person: Person, decision: SealedDecision) -> bool:
    """Whether they review there and had no part in it."""
    if had_part(person.pk, decision.id):
        return False
    return rights.can(as_actor(person), Act.APPEAL_DECIDE, scope_of(decision), given=NO_PART)


def _judged(actor: Actor, decision: SealedDecision) -> list[tuple[ReviewAssignment, Person]]:
    """What reviewers handed in, once their review is over and cannot be taken back: till then it is theirs alone."""
    work = ReviewAssignment.objects.filter(
        review__decision_id=decision.id,
        status=ReviewAssignment.Status.SUBMITTED,
        review__closed_at__isnull=False,
        review__visible_at__lte=timezone.now(),
    )
    rows = work.select_related("person", "review").order_by("ended_at")
    return [(each, each.person) for each in for_reading(actor, rows)]


def _openers(appeals: list[Appeal]) -> list[uuid.UUID | None]:
    return [who for each in appeals for who in (each.opened_by_id, each.decided_by_id)]


def _people(ids: list[uuid.UUID | None]) -> dict[uuid.UUID | None, Person]:
    return dict(Person.objects.in_bulk({each for each in ids if each}))
