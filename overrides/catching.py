"""What a review rule would have caught: asked before somebody puts it in force."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from audit.models import Decision
from overrides.conditions import compile_condition

LOOKED_AT = 10_000
SPAN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class _Facts:
    outcome: str
    confidence: float | None
    adverse: bool | None
    capability: str | None
    phase: str | None
    labels: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """`number` of the `looked_at` decisions of the last seven days; of the newest so many where there are more."""

    number: int
    looked_at: int
    is_cut: bool
    is_most: bool
    """A label is no column of the record, so it was not asked for: at most so many."""

    @property
    def words(self) -> str:
        among = f"the newest {self.looked_at:,}" if self.is_cut else f"{self.looked_at:,}"
        most = "at most " if self.is_most else ""
        return f"{most}{self.number:,} of {among} decisions of the last 7 days"

    @property
    def share(self) -> float:
        return self.number / self.looked_at if self.looked_at else 0.0


def would_catch(
    system_id: uuid.UUID,
    environment: str,
    condition: Mapping[str, Any],
    *,
    hidden: frozenset[uuid.UUID] = frozenset(),
) -> Caught:
    """How many decisions a condition would have caught, whatever rules stood before it. One bounded query.

    `hidden`: decisions that whoever asks is judging blind. The count would tell what the model decided, so they are
    left out.
    """
    asked = {name: value for name, value in condition.items() if name != "label"}
    tests = compile_condition(asked)
    rows = Decision.objects.filter(system_id=system_id, recorded_at__gte=timezone.now() - SPAN)
    rows = rows.filter(environment=environment) if environment else rows
    rows = rows.exclude(id__in=hidden) if hidden else rows
    names = ("outcome", "confidence", "adverse", "capability", "phase", "model_version", "id")
    found = list(rows.order_by("-recorded_at", "-id").values_list(*names)[:LOOKED_AT])
    caught = sum(all(test(_Facts(*row[:5]), row[5], row[6]) for test in tests) for row in found)
    return Caught(number=caught, looked_at=len(found), is_cut=len(found) == LOOKED_AT, is_most="label" in condition)
