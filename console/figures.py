"""Figures for overviews: from the tallies and by index, never counted over the record."""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Max, Q, Sum
from django.utils import timezone

from audit.models import DecisionTally

DAY = timedelta(days=1)
SPARK_MINUTES = 60
STALE = timedelta(minutes=10)

# the newest decision of each system by its index, whatever the number of decisions
LAST_DECISIONS = """
    SELECT system.id, (
        SELECT recorded_at FROM audit_decision WHERE system_id = system.id ORDER BY recorded_at DESC, id DESC LIMIT 1
    ) FROM unnest(%s::uuid[]) AS system (id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The last hour, minute by minute, of one AI system."""

    per_minute: list[int]

    @property
    def now(self) -> float:
        """Decisions a minute over the last five whole minutes."""
        return sum(self.per_minute[-5:]) / 5

    @property
    def path(self) -> str:
        """An SVG path in a box of 100 by 20."""
        highest = max(*self.per_minute, 1)
        width = 100 / (len(self.per_minute) - 1)
        points = (f"{at * width:.1f},{19 - 18 * count / highest:.1f}" for at, count in enumerate(self.per_minute))
        return "M" + " L".join(points)


def last_decisions(system_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, datetime | None]:
    """When each AI system decided last."""
    with connection.cursor() as cursor:
        cursor.execute(LAST_DECISIONS, [list(system_ids)])
        return dict(cursor.fetchall())


def rates(system_ids: Iterable[uuid.UUID], now: datetime | None = None) -> dict[uuid.UUID, Rates]:
    """The last whole hour of each AI system: one query."""
    end = (now or timezone.now()).replace(second=0, microsecond=0)
    start = end - timedelta(minutes=SPARK_MINUTES)
    wanted = list(system_ids)
    counted = DecisionTally.objects.filter(system_id__in=wanted, minute__gte=start, minute__lt=end)
    found = {system_id: [0] * SPARK_MINUTES for system_id in wanted}
    for system_id, minute, count in counted.values_list("system_id", "minute").annotate(Sum("count")):
        found[system_id][int((minute - start).total_seconds() // 60)] = count
    return {system_id: Rates(per_minute=counts) for system_id, counts in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What was decided in 24 hours."""

    outcomes: Mapping[str, int]
    adverse: int
    held: int
    counted_to: datetime | None

    @property
    def total(self) -> int:
        return sum(self.outcomes.values())

    @property
    def is_stale(self) -> bool:
        """The counting lags: no decision was counted lately. Where there are none to count, this says so too."""
        return self.counted_to is None or timezone.now() - self.counted_to > STALE


def last_day(visible: Q) -> Day:
    """Sums of the last 24 hours over the AI systems that `visible` lets through: two queries."""
    counted = DecisionTally.objects.filter(visible, minute__gte=timezone.now() - DAY)
    outcomes: Counter[str] = Counter()
    adverse = held = 0
    for outcome, count, bad, stopped in counted.values_list("outcome").annotate(
        Sum("count"), Sum("adverse"), Sum("held")
    ):
        outcomes[outcome] += count
        adverse, held = adverse + bad, held + stopped
    counted_to = DecisionTally.objects.filter(visible).aggregate(at=Max("minute"))["at"]
    return Day(outcomes=dict(outcomes.most_common()), adverse=adverse, held=held, counted_to=counted_to)


def recent_outcomes(visible: Q, limit: int = 50) -> list[str]:
    """The outcomes of the last 24 hours, to choose from in a filter."""
    counted = DecisionTally.objects.filter(visible, minute__gte=timezone.now() - DAY)
    return list(counted.order_by("outcome").values_list("outcome", flat=True).distinct()[:limit])
