"""How many decisions were recorded under a card, and which share of them outside its scope."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Sum
from django.db.models.functions import TruncDay
from django.utils import timezone

from audit.models import CardTally

SHOWN_DAYS = 14


@dataclass(frozen=True, slots=True)
class Counted:
    """Some decisions under one card."""

    count: int
    outside: int
    day: datetime | None = None

    @property
    def share(self) -> float:
        return self.outside / self.count if self.count else 0.0

    @property
    def share_words(self) -> str:
        """So that a few of many are not called none."""
        return "less than 0.1%" if 0 < self.share < 0.001 else f"{self.share:.1%}"


@dataclass(frozen=True, slots=True)
class CardCounts:
    """All of a card's, and its last days one by one, the newest first."""

    total: Counted
    days: list[Counted]


def counted_under(system_id: UUID, number: int) -> CardCounts:
    """Two queries over tallies; up to the last minute or so."""
    rows = CardTally.objects.filter(system_id=system_id, card=number)
    total = rows.aggregate(count=Sum("count"), outside=Sum("outside"))
    since = timezone.now() - timedelta(days=SHOWN_DAYS)
    days = rows.filter(minute__gte=since).annotate(day=TruncDay("minute")).values("day")
    summed = days.annotate(n=Sum("count"), out=Sum("outside")).order_by("-day")
    return CardCounts(
        Counted(int(total["count"] or 0), int(total["outside"] or 0)),
        [Counted(int(row["n"]), int(row["out"]), row["day"]) for row in summed],
    )


def outside_by_number(system_id: UUID, numbers: Iterable[int]) -> dict[int, Counted]:
    """The same totals for several cards, in one query."""
    rows = CardTally.objects.filter(system_id=system_id, card__in=list(numbers)).values("card")
    summed = rows.annotate(n=Sum("count"), out=Sum("outside"))
    return {row["card"]: Counted(int(row["n"]), int(row["out"])) for row in summed}
