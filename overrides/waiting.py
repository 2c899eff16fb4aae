"""What waits in queues, as one reviewer finds it: what they could take, and why they may not take the rest."""

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Case, CharField, Count, Exists, Min, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from ledger.entries import Actor
from overrides.claimable import with_free_place
from overrides.eligibility import skills_of
from overrides.models import OPEN, Appeal, Override, Review, ReviewAssignment, ReviewQueue, is_held
from overrides.selectors import reviews_for

Work = ReviewAssignment.Status
LOOKED_AT = 2_000
"""So many open reviews are looked at, those due first: beyond that a page says "more than"."""

FREE = "free"
WHY_NOT = {
    "yours": "with you already",
    "declined": "you declined",
    "judged": "you have judged",
    "part": "you had a part in the decision",
    "escalated": "escalated to who answers for the AI system",
    "skill": "ask for a skill you were not given",
    "taken": "with others",
}


@dataclass(slots=True, kw_only=True)
class QueueWaits:
    """One queue (None: those of no queue) as somebody finds it."""

    queue: ReviewQueue | None
    waiting: int = 0
    free: int = 0
    oldest_at: datetime | None = None
    next_deadline_at: datetime | None = None
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def why_not(self) -> list[tuple[str, int]]:
        """In the words of a page, most of them first."""
        return [(WHY_NOT[reason], number) for reason, number in self.refused.most_common()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    queues: list[QueueWaits]
    is_cut: bool

    @property
    def free(self) -> int:
        return sum(each.free for each in self.queues)


def what_waits(actor: Actor) -> Waiting:
    """By queue, the one due first first. Two queries and the rights', whatever waits.

    Rights to one capability or model version alone, and who replayed a record, are asked when a review is taken.
    """
    due = reviews_for(actor).filter(status__in=OPEN).order_by("deadline_at").values("pk")[:LOOKED_AT]
    looked_at = Review.objects.filter(pk__in=due).order_by()
    grouped = _with_standing(looked_at, actor).values("queue_id", "standing")
    rows = list(grouped.annotate(n=Count("pk"), oldest=Min("opened_at"), due=Min("deadline_at")))
    queues = ReviewQueue.objects.in_bulk({row["queue_id"] for row in rows if row["queue_id"]})
    found: dict[uuid.UUID | None, QueueWaits] = {}
    for row in rows:
        waits = found.setdefault(row["queue_id"], QueueWaits(queue=queues.get(row["queue_id"])))
        waits.waiting += row["n"]
        waits.oldest_at = min(filter(None, [waits.oldest_at, row["oldest"]]))
        waits.next_deadline_at = min(filter(None, [waits.next_deadline_at, row["due"]]))
        if row["standing"] == FREE:
            waits.free += row["n"]
        else:
            waits.refused[row["standing"]] += row["n"]
    queued = sorted(found.values(), key=lambda each: each.next_deadline_at or timezone.now())
    return Waiting(queues=queued, is_cut=sum(each.waiting for each in queued) >= LOOKED_AT)


def owned_queues(person_id: uuid.UUID) -> Any:
    """The queues somebody answers for: what waits, what of it is held, what is worked on, the deadline next."""
    is_open, held = Q(reviews__status__in=OPEN), is_held("reviews__")
    live = Q(status=Work.CLAIMED, lease_until__gt=timezone.now())
    worked_on = ReviewAssignment.objects.filter(live, review__queue_id=OuterRef("pk")).order_by()
    counted = worked_on.values("review__queue_id").annotate(n=Count("pk")).values("n")
    people = worked_on.values("review__queue_id").annotate(n=Count("person_id", distinct=True)).values("n")
    mine = ReviewQueue.objects.filter(owner_id=person_id, archived_at=None)
    return mine.annotate(
        waiting=Count("reviews", filter=is_open),
        held=Count("reviews", filter=held),
        afterwards=Count("reviews", filter=is_open & ~held),
        next_deadline_at=Min("reviews__deadline_at", filter=is_open),
        claimed=counted,
        people=people,
    ).order_by("slug")


def _with_standing(reviews: QuerySet[Review], actor: Actor) -> Any:
    person_id = person_id_of(actor)
    mine = ReviewAssignment.objects.filter(person_id=person_id, review_id=OuterRef("pk"))
    live = mine.filter(status__in=[Work.CLAIMED, Work.OFFERED], lease_until__gt=timezone.now())
    earlier = ReviewAssignment.objects.filter(
        person_id=person_id, review__decision_id=OuterRef("decision_id"), status=Work.SUBMITTED
    )
    overrode = Override.objects.filter(
        Q(person_id=person_id) | Q(second_person_id=person_id), decision_id=OuterRef("decision_id")
    )
    contested = Appeal.objects.filter(
        Q(opened_by_id=person_id) | Q(decided_by_id=person_id), decision_id=OuterRef("decision_id")
    )
    return with_free_place(reviews, timezone.now()).annotate(
        standing=Case(
            When(Exists(live), then=Value("yours")),
            When(Exists(mine.filter(status=Work.DECLINED)), then=Value("declined")),
            When(Exists(mine.filter(status=Work.SUBMITTED)), then=Value("judged")),
            When(Exists(earlier) | Exists(overrode) | Exists(contested), then=Value("part")),
            When(_left_to_others(actor), then=Value("escalated")),
            When(~Q(required_skill__in=["", *skills_of(person_id)]), then=Value("skill")),
            When(has_place=False, then=Value("taken")),
            default=Value(FREE),
            output_field=CharField(),
        )
    )


def _left_to_others(actor: Actor) -> Q:
    escalated = Q(escalated_at__isnull=False)
    answers_for = rights.systems_where(actor, Act.DECISION_CONFIRM)
    return Q(pk=None) if answers_for is None else escalated & ~Q(system_id__in=answers_for)


__all__ = ["LOOKED_AT", "QueueWaits", "Waiting", "owned_queues", "what_waits"]
