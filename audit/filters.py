"""What a list of decisions can be narrowed to. Subjects, labels and text are not here: they stand in no address."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from audit.models import Decision
from audit.reach import Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFilter:
    """All conditions hold together; None asks nothing. `since` and `until` are by `recorded_at`, our clock."""

    system_id: uuid.UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    environment: str | None = None
    model_version: str | None = None
    outcome: str | None = None
    confidence_min: float | None = None
    confidence_max: float | None = None
    adverse: bool | None = None
    flagged: bool | None = None
    flag: str | None = None
    directive: str | None = None
    also: Q | None = None
    """A condition of a floor above, which this one knows nothing of."""

    def condition(self) -> Q | None:
        """What the index on time does not answer; None where there is no such condition."""
        equal = {
            "environment": self.environment,
            "model_version": self.model_version,
            "outcome": self.outcome,
            "adverse": self.adverse,
            "directive_action": self.directive,
            "confidence__gte": self.confidence_min,
            "confidence__lte": self.confidence_max,
        }
        found = Q(**{name: value for name, value in equal.items() if value is not None})
        if self.flagged is not None:
            found &= ~Q(flags=[]) if self.flagged else Q(flags=[])
        if self.flag:
            found &= Q(flags__contains=[self.flag])
        if self.also is not None:
            found &= self.also
        return found or None


@dataclass(frozen=True, slots=True)
class Question:
    """A filter within a reach, in two halves: `indexed` walks an index in order, `remaining` is asked of each row."""

    indexed: QuerySet[Decision]
    remaining: Q | None

    @classmethod
    def of(cls, asked: DecisionFilter, reach: Reach) -> "Question":
        rows = Decision.objects.all()
        remaining = asked.condition() or Q()
        only = _only_system(asked, reach)
        if only is not None:
            rows = rows.filter(system_id=only)
            remaining &= Reach(system_ids=None, environment=reach.environment).condition()
        else:
            remaining &= reach.condition()
        if asked.since:
            rows = rows.filter(recorded_at__gte=asked.since)
        if asked.until:
            rows = rows.filter(recorded_at__lt=asked.until)
        if reach.hidden:
            # left out, not blanked: a filter by outcome would tell by whether a blank row is there
            rows = rows.exclude(id__in=reach.hidden)
        if reach.is_empty or not _reaches(asked, reach):
            rows = rows.none()
        return cls(rows, remaining or None)


def _only_system(asked: DecisionFilter, reach: Reach) -> uuid.UUID | None:
    if asked.system_id:
        return asked.system_id
    if reach.system_ids is not None and len(reach.system_ids) == 1:
        return next(iter(reach.system_ids))
    return None


def _reaches(asked: DecisionFilter, reach: Reach) -> bool:
    return asked.system_id is None or reach.system_ids is None or asked.system_id in reach.system_ids
