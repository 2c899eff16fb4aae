"""Which reviews somebody could take now. Read alone: taking one asks again, with it locked."""

import uuid
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from ledger.entries import Actor
from overrides.eligibility import ON_A_CLAIMED_ITEM, skills_of
from overrides.models import ONE_DECIDES, OPEN, Review, ReviewAssignment

Work = ReviewAssignment.Status


def claimable(actor: Actor, queue_id: uuid.UUID | None = None) -> QuerySet[Review]:
    """Open reviews within somebody's reach with a free place, none of theirs, the one due first first.

    Rights to a part of an AI system and parts they had in it are asked of each (`may_judge`).
    """
    now = timezone.now()
    whole = rights.systems_where(actor, Act.DECISION_CONFIRM, given=ON_A_CLAIMED_ITEM)
    found = Review.objects.filter(status__in=OPEN, deadline_at__gt=now)
    if whole is not None:
        part = rights.systems_in_part(actor, Act.DECISION_CONFIRM, given=ON_A_CLAIMED_ITEM)
        found = found.filter(system_id__in=whole | part)
    if queue_id:
        found = found.filter(queue_id=queue_id)
    found = _within_skills(found, actor)
    had = [Work.DECLINED, Work.SUBMITTED, Work.CLAIMED, Work.OFFERED]
    mine = ReviewAssignment.objects.filter(person_id=person_id_of(actor), status__in=had).values("review_id")
    return with_free_place(found.exclude(pk__in=mine), now).filter(has_place=True).order_by("deadline_at", "id")


def _within_skills(reviews: QuerySet[Review], actor: Actor) -> QuerySet[Review]:
    """Without those that need a skill they lack, or were left to those who answer for the AI system."""
    reviews = reviews.filter(required_skill__in=["", *skills_of(person_id_of(actor))])
    whole = rights.systems_where(actor, Act.DECISION_CONFIRM)
    if whole is None:
        return reviews
    answered_for = whole | rights.systems_in_part(actor, Act.DECISION_CONFIRM)
    return reviews.filter(Q(escalated_at=None) | Q(system_id__in=answered_for))


def with_free_place(reviews: QuerySet[Review], now: datetime) -> QuerySet[Any]:
    """Annotated with `has_place`: whether one more could work on each."""
    busy = Q(status=Work.SUBMITTED) & ~Q(decision__in=["escalate", "abstain"])
    busy |= Q(status__in=[Work.CLAIMED, Work.OFFERED], lease_until__gt=now)
    taken = ReviewAssignment.objects.filter(busy, review_id=OuterRef("pk")).order_by()
    places = taken.values("review_id").annotate(places=Count("pk")).values("places")
    by_one = Q(status=Review.Status.CONFLICT) | Q(escalated_at__isnull=False)
    free = (by_one & ~Exists(taken.filter(seat=ONE_DECIDES))) | (~by_one & Q(taken__lt=F("reviews_required")))
    has_place = Case(When(free, then=Value(True)), default=Value(False))
    return reviews.annotate(taken=Coalesce(Subquery(places), 0)).annotate(has_place=has_place)
