"""Drills that are due: quarterly for high risk, yearly for all others. What is overdue is shown, and alerted once."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, QuerySet
from django.utils import timezone

from governance.models import AISystem
from ledger.entries import SERVER, timestamp
from notices.models import Alert
from notices.services import open_alert
from overrides.models import Drill

QUARTERLY, YEARLY = timedelta(days=92), timedelta(days=366)
RiskClass = AISystem.RiskClass
OFTEN = frozenset({RiskClass.HIGH, RiskClass.PROHIBITED, RiskClass.UNCLASSIFIED})
"""Of what is not classified the worst is assumed."""


@dataclass(frozen=True, slots=True)
class Debt:
    """When the next drill of a live AI system is due. Probes do not count: nobody practises anything."""

    system: AISystem
    last_at: datetime | None
    due_at: datetime
    planned_at: datetime | None

    def is_overdue(self, now: datetime) -> bool:
        return self.due_at < now


def drill_debts(systems: frozenset[uuid.UUID] | None = None) -> Sequence[Debt]:
    """Of live AI systems (of these, or of all), the most urgent first."""
    rows = AISystem.objects.filter(status=AISystem.Status.LIVE)
    if systems is not None:
        rows = rows.filter(pk__in=systems)
    held = Drill.objects.exclude(type=Drill.Type.PROBE)
    last = _latest(held.filter(status=Drill.Status.CONCLUDED), "ended_at")
    planned = _latest(held.filter(status__in=[Drill.Status.PLANNED, Drill.Status.APPROVED]), "starts_at")
    found = [debt_of(row, last.get(row.pk), planned.get(row.pk)) for row in rows]
    return sorted(found, key=lambda each: each.due_at)


def debt_of(system: AISystem, last_at: datetime | None, planned_at: datetime | None) -> Debt:
    """When the next drill is due, by when the last one ended (None: none was held yet) and the next one is planned."""
    every = QUARTERLY if system.risk_class in OFTEN else YEARLY
    return Debt(system, last_at, (last_at or system.created_at) + every, planned_at)


def alert_overdue() -> int:
    """Tell the accountable person of each AI system whose drill is overdue, once. Returns how many are."""
    now = timezone.now()
    overdue = [each for each in drill_debts() if each.is_overdue(now)]
    for debt in overdue:
        open_alert(
            actor=SERVER,
            kind="drill.overdue",
            severity=Alert.Severity.WARNING,
            fingerprint=f"drill.overdue:{debt.system.pk}:{debt.due_at:%Y-%m-%d}",
            system_id=debt.system.pk,
            facts={"due_at": timestamp(debt.due_at)},
            once=True,
        )
    return len(overdue)


def _latest(drills: QuerySet[Drill], column: str) -> dict[uuid.UUID, datetime]:
    return dict(drills.values("system_id").annotate(at=Max(column)).values_list("system_id", "at"))
