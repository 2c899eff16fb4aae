"""Which floor and ceiling hold for what: of a class that two people put in force, else the default.

A floor is the time before which nothing is erased, a ceiling the one by which it is gone. A legal hold wins over both.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings

from audit.models import DataKind, RetentionRule
from audit.models.retention import DEFAULT_FLOORS, LEGAL_SOURCE, QUARANTINE_PURPOSE

Place = tuple[DataKind, uuid.UUID | None]


@dataclass(frozen=True, slots=True)
class Terms:
    """How long something is kept, in days. `ceiling` None: nothing goes by itself."""

    floor: int
    ceiling: int | None = None
    rule: RetentionRule | None = field(default=None, compare=False)
    source: str = field(default="", compare=False)
    """Of a default: the law that asks for the floor, or what the ceiling's purpose is. A class has its own."""

    def due_before(self, at: datetime, ahead: timedelta) -> datetime | None:
        """What is older than this goes at a moment: its floor is over, and before the next time its ceiling would be.

        `ahead`: how long it is until the next time. None: nothing ever goes.
        """
        if self.ceiling is None:
            return None
        return min(at - timedelta(days=self.floor), at + ahead - timedelta(days=self.ceiling))


def default_terms(kind: DataKind) -> Terms:
    """Where no class was put in force."""
    if kind == DataKind.QUARANTINE:
        return Terms(DEFAULT_FLOORS[kind], settings.QUARANTINE_DAYS, source=QUARANTINE_PURPOSE)
    floor = DEFAULT_FLOORS[kind]
    return Terms(floor, source=LEGAL_SOURCE if floor else "")


def terms_in_force(system_id: uuid.UUID | None = None) -> Mapping[Place, Terms]:
    """Of each place that has a class in force its terms; `system_id`: of that AI system's alone. One query."""
    rules = RetentionRule.objects.filter(status=RetentionRule.Status.IN_FORCE).select_related("retention_class")
    rules = rules if system_id is None else rules.filter(system_id=system_id)
    return {
        (DataKind(rule.kind), rule.system_id): Terms(
            rule.retention_class.floor_days, rule.retention_class.ceiling_days, rule
        )
        for rule in rules
    }


def terms_of(kind: DataKind, system_id: uuid.UUID | None, known: Mapping[Place, Terms] | None = None) -> Terms:
    """The terms of one place. `known`: as `terms_in_force` gave them."""
    held = terms_in_force() if known is None else known
    return held.get((kind, system_id)) or default_terms(kind)
