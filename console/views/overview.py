"""The overview: what decides, who answers for it, what needs somebody now, and whether the ledger is well."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from console.attention import attention_for
from console.banners import missing_people
from console.blind import countable
from console.charts import decisions_by_outcome
from console.figures import Rates, last_day, last_decisions, rates
from console.ledger_health import LogState, log_states
from console.pages import page, show, viewer
from console.register import MatrixRow, matrix, visible_systems
from console.switchboard.words import MODES, ModeWords
from evidence.anchors import is_anchored
from evidence.exposure import exposures
from governance import rights
from governance.acts import Act
from governance.models import Person
from intake.selectors import count_bounded, of_systems, silent_sources, waiting_records
from notices.selectors import alerts_for, not_closed
from overrides.selectors import hidden_from
from overrides.standing import Mode
from overrides.switch_selectors import strictest_modes

SHOWN_ALERTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemLine:
    """One AI system in the overview."""

    row: MatrixRow
    rates: Rates
    last: datetime | None
    alerts: int
    mode: Mode
    words: ModeWords


@page
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    person = viewer(request)
    systems = list(visible_systems(person))
    visible = countable(Q(system_id__in=[system.pk for system in systems]), hidden_from(person.pk))
    alerts = not_closed(alerts_for(person))
    open_alerts = list(alerts.values_list("system_id", flat=True))
    reached = {system.pk: str(system) for system in systems}
    logs = [log for log in log_states() if log.system_id is None or log.system_id in reached]
    rows = matrix(systems)
    return show(
        request,
        "overview.html",
        title="Overview",
        more=missing_people(),
        lines=_lines(rows, open_alerts),
        gap_count=sum(row.has_gap for row in rows),
        day=last_day(visible),
        chart=decisions_by_outcome(visible),
        attention=attention_for(person, list(reached)),
        alerts=alerts[:SHOWN_ALERTS],
        alert_count=len(open_alerts),
        quarantine=_quarantine(person),
        silent=silent_sources(rights.systems_where(person, Act.SYSTEM_VIEW)).count(),
        logs=logs,
        entries=sum(log.tree_size for log in logs),
        system_names=reached,
        troubled=sum(not log.is_well for log in logs),
        exposed={each.log_id: each for each in exposures()},
        is_anchored=is_anchored(),
        verified_at=_verified_at(logs),
    )


def _lines(rows: list[MatrixRow], open_alerts: Sequence[uuid.UUID | None]) -> list[SystemLine]:
    ids = [row.system.pk for row in rows]
    rated, last = rates(ids), last_decisions(ids)
    modes = strictest_modes(ids)
    return [
        SystemLine(
            row=row,
            rates=rated[row.system.pk],
            last=last.get(row.system.pk),
            alerts=open_alerts.count(row.system.pk),
            mode=modes[row.system.pk],
            words=MODES[modes[row.system.pk]],
        )
        for row in rows
    ]


def _quarantine(person: Person) -> int | None:
    """How many refused records wait; None for whoever may not see them."""
    systems = rights.systems_where(person, Act.QUARANTINE_VIEW)
    if systems is not None and not systems:
        return None
    waiting = waiting_records()
    return count_bounded(waiting if systems is None else waiting.filter(of_systems(systems)))


def _verified_at(logs: list[LogState]) -> datetime | None:
    """When the log that was verified longest ago was; None while one was never verified whole."""
    finished = [log.audit_finished_at for log in logs if log.tree_size]
    known = [at for at in finished if at is not None]
    return min(known) if known and len(known) == len(finished) else None
