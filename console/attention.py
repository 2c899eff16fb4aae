"""What needs a person now: reviews that wait, stops nobody confirmed, acts against them, requests, drills."""

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Prefetch, Q, Sum
from django.utils import timezone

from console.requests import Asked, to_loosen
from governance import rights
from governance.models import Person, SystemCard
from governance.services.cards import may_publish
from overrides.models import (
    OPEN,
    BreachCount,
    Parameter,
    ParameterVersion,
    Review,
    SwitchChange,
)
from overrides.parameters import standing_of
from overrides.services.drill_debts import Debt, drill_debts

DAY = timedelta(days=1)
Change = SwitchChange.Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Figures for the systems that somebody may see."""

    reviews: int
    oldest: datetime | None
    missed: int
    """Reviews that ended in the last day without anybody's decision."""
    unconfirmed: int
    breaches: int
    requests: int
    """Open requests to loosen something that wait for this person's agreement."""
    cards: list[SystemCard]
    """Those that wait for this person to publish them."""
    overdue: list[Debt]

    @property
    def waits(self) -> bool:
        return bool(self.unconfirmed or self.breaches or self.requests or self.cards or self.overdue or self.missed)


def attention_for(person: Person, systems: Collection[uuid.UUID]) -> Attention:
    """A few queries, each by an index, whatever the number of decisions."""
    now = timezone.now()
    waiting = Review.objects.filter(system_id__in=systems, status__in=OPEN).aggregate(
        n=Count("pk"), at=Min("opened_at")
    )
    missed = Review.objects.filter(
        system_id__in=systems, status=Review.Status.TIMED_OUT, opened_at__gte=now - 2 * DAY, closed_at__gte=now - DAY
    )
    breaches = BreachCount.objects.filter(system_id__in=systems, last_at__gte=now - DAY).aggregate(n=Sum("count"))
    return Attention(
        reviews=waiting["n"],
        oldest=waiting["at"],
        missed=missed.count(),
        unconfirmed=_unconfirmed(systems),
        breaches=breaches["n"] or 0,
        requests=sum(1 for _ in _requests(person, now)),
        cards=_cards(person, systems),
        overdue=[debt for debt in drill_debts(frozenset(systems)) if debt.is_overdue(now)],
    )


def _unconfirmed(systems: Collection[uuid.UUID]) -> int:
    """Changes of which it was told that not every client has confirmed them, and that still count."""
    found = SwitchChange.objects.filter(
        Q(switch__system_id__in=systems) | Q(switch__system_id=None),
        settled_at=None,
        reported_at__isnull=False,
        status__in=[Change.PARTIAL, Change.UNCONFIRMED],
    )
    return found.count()


def _cards(person: Person, systems: Collection[uuid.UUID]) -> list[SystemCard]:
    waiting = SystemCard.objects.filter(system_id__in=systems, status=SystemCard.Status.SUBMITTED)
    return [card for card in waiting.select_related("system") if may_publish(rights.as_actor(person), card)]


def _requests(person: Person, now: datetime) -> Iterator[Asked]:
    """Every open request to loosen something that this person may agree to."""
    held = rights.held_by(person)
    for asked in to_loosen(now):
        if asked.by and held.may_approve(asked.act, asked.scope, requested_by=asked.by):
            yield asked


@dataclass(frozen=True, slots=True)
class InForce:
    """What a parameter says now."""

    parameter: Parameter
    value: Any
    lapses_at: datetime | None


def parameters_in_force(system_id: uuid.UUID) -> list[InForce]:
    """Two queries."""
    now, in_force = timezone.now(), ParameterVersion.objects.filter(status=ParameterVersion.Status.IN_FORCE)
    rows = Parameter.objects.filter(system_id=system_id, retired_at=None).prefetch_related(
        Prefetch("versions", in_force)
    )
    found = ((row, standing_of(row.versions.all(), now)[0]) for row in rows.order_by("name", "environment"))
    return [InForce(row, version.value, version.expires_at) for row, version in found]
