"""By when something has to be done because of an incident, since when that is so, and whether it was in time.

Late is what was recorded after the earliest deadline that ever stood: one that moved later, or was taken away, is shown
with its reason and excuses nothing by itself, and neither does what a report says of when it was sent.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Case as Switch
from django.db.models import DateTimeField, Exists, ExpressionWrapper, F, OuterRef, QuerySet, Value, When
from django.db.models.functions import Least
from django.utils import timezone

from audit.models import Case, Clock, Incident, IncidentExtension, IncidentNotice, IncidentReport
from audit.models.incidents import BREACH_TIME

Stage = IncidentReport.Stage
EARLY_OF_A_PLAN = timedelta(days=3)
"""People set these by themselves: so long before, they are told."""
PART_LEFT = 4
"""Of a time that the law sets they are told when a quarter is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """One clock of an incident."""

    clock: Clock
    due_at: datetime | None
    """None: it was taken away."""
    first_due_at: datetime
    """The earliest that ever stood."""
    early: timedelta
    done: IncidentReport | IncidentNotice | None = None

    @property
    def is_late(self) -> bool:
        """Whether it was recorded too late, or was not and it is too late by now."""
        return (self.done.created_at if self.done else timezone.now()) > self.first_due_at

    @property
    def is_over(self) -> bool:
        """Nothing was recorded, and the time that stands now is over."""
        return self.done is None and self.due_at is not None and timezone.now() > self.due_at

    @property
    def is_near(self) -> bool:
        return self.done is None and self.due_at is not None and timezone.now() >= self.due_at - self.early

    @property
    def done_at(self) -> datetime | None:
        """When it was done, by what was said when it was recorded."""
        if self.done is None:
            return None
        return self.done.told_at if isinstance(self.done, IncidentNotice) else self.done.reported_at


def times_of(incident: Incident) -> dict[Clock, datetime]:
    """When each is due, as the incident stands: those that have a time at all."""
    found = {
        Clock.INITIAL: incident.due_at,
        Clock.FOLLOW_UP: incident.follow_up_due_at,
        Clock.FINAL: incident.final_due_at,
        Clock.DATA_PROTECTION: incident.breach_due_at,
    }
    return {clock: due_at for clock, due_at in found.items() if due_at}


def deadlines_of(incident: Incident) -> list[Deadline]:
    """All that have a time, or had one that was taken away, in the order of the list. Three queries."""
    reports, notices = list(incident.reports.all()), list(incident.notices.all())
    moved, times = list(incident.extensions.all()), times_of(incident)
    found = {clock: _stood(clock, times.get(clock), moved, _since(clock, reports)) for clock in Clock}
    return [
        Deadline(
            clock=clock,
            due_at=times.get(clock),
            first_due_at=min(stood),
            early=_early(clock, incident),
            done=_done(clock, reports, notices),
        )
        for clock, stood in found.items()
        if stood
    ]


def deadline_of(incident: Incident, clock: Clock) -> Deadline | None:
    return next((each for each in deadlines_of(incident) if each.clock == clock), None)


def _stood(
    clock: Clock, due_at: datetime | None, moved: Iterable[IncidentExtension], since: datetime | None
) -> list[datetime]:
    """When it is due, and when it was before it moved later or was taken away."""
    before = [each.was_due_at for each in moved if each.clock == clock and (since is None or each.created_at > since)]
    return [due_at, *before] if due_at else before


def _since(clock: Clock, reports: list[IncidentReport]) -> datetime | None:
    """Each follow-up report begins another span: what moved before it counts no more."""
    made = [each.created_at for each in reports if each.stage == Stage.FOLLOW_UP]
    return max(made) if clock == Clock.FOLLOW_UP and made else None


def _done(
    clock: Clock, reports: list[IncidentReport], notices: list[IncidentNotice]
) -> IncidentReport | IncidentNotice | None:
    if clock == Clock.DATA_PROTECTION:
        return next((each for each in notices if each.to == IncidentNotice.To.DATA_PROTECTION), None)
    # the time of a follow-up goes when one is recorded; what still stands is settled by the final report
    stage = Stage.FINAL if clock == Clock.FOLLOW_UP else Stage(clock.value)
    return next((each for each in reports if each.stage == stage), None)


def _early(clock: Clock, incident: Incident) -> timedelta:
    lawful = {Clock.INITIAL: timedelta(days=incident.days), Clock.DATA_PROTECTION: BREACH_TIME}
    return lawful[clock] / PART_LEFT if clock in lawful else EARLY_OF_A_PLAN


# --- all incidents ----------------------------------------------------------------------------------------------------
def next_due(cases: QuerySet[Case], most: int) -> dict[UUID, datetime]:
    """By case, when the next thing is due: of so many, the one due first first."""
    rows: QuerySet[Any] = awaited().filter(case__in=cases)[:most]
    return {row.case_id: row.next_due_at for row in rows}


def awaited() -> QuerySet[Incident]:
    """Incidents of which something is still to be done: `next_due_at` by when, `next_clock` what; due first first."""
    told = IncidentNotice.objects.filter(incident_id=OuterRef("pk"), to=IncidentNotice.To.DATA_PROTECTION)
    breach_due_at = ExpressionWrapper(F("breach_aware_at") + Value(BREACH_TIME), DateTimeField())
    times = {
        Clock.INITIAL: Switch(When(~Exists(_reports(Stage.INITIAL)), then=F("due_at"))),
        Clock.FOLLOW_UP: Switch(When(~Exists(_reports(Stage.FINAL)), then=F("follow_up_due_at"))),
        Clock.FINAL: Switch(When(~Exists(_reports(Stage.FINAL)), then=F("final_due_at"))),
        Clock.DATA_PROTECTION: Switch(When(~Exists(told), then=breach_due_at), output_field=DateTimeField()),
    }
    rows = Incident.objects.annotate(**{f"{clock}_at": time for clock, time in times.items()})
    rows = rows.annotate(next_due_at=Least(*(f"{clock}_at" for clock in times), output_field=DateTimeField()))
    next_clock = Switch(*(When(**{f"{clock}_at": F("next_due_at")}, then=Value(clock.value)) for clock in times))
    rows = rows.annotate(next_clock=next_clock).filter(next_due_at__isnull=False)
    rows = rows.exclude(case__status=Case.Status.CLOSED)  # nothing can be recorded there
    return rows.select_related("case").order_by("next_due_at")


def _reports(stage: str) -> QuerySet[IncidentReport]:
    return IncidentReport.objects.filter(incident_id=OuterRef("pk"), stage=stage)
