"""Counting decisions by minute, so that overviews never count over the record.

A decision becomes visible a moment after its `recorded_at`, so the last minutes are counted again each time.
"""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Max
from django.utils import timezone

from audit.models import DecisionTally
from ledger.entries import Actor

COUNTED_AGAIN = timedelta(minutes=5)
FIRST_LOOK = timedelta(hours=26)
KEPT = timedelta(days=35)
MINUTE = timedelta(minutes=1)

COUNT = """
    INSERT INTO audit_decisiontally (minute, system_id, outcome, count, adverse, held)
    SELECT date_trunc('minute', recorded_at), system_id, outcome, count(*),
           count(*) FILTER (WHERE adverse), count(*) FILTER (WHERE directive_action <> 'proceed')
    FROM audit_decision WHERE recorded_at >= %s AND recorded_at < %s
    GROUP BY 1, 2, 3
    ON CONFLICT (minute, system_id, outcome)
    DO UPDATE SET count = excluded.count, adverse = excluded.adverse, held = excluded.held
"""


def tally_decisions(*, actor: Actor, now: datetime | None = None) -> datetime:
    """Count what was recorded since the last time, at most a day and a bit; returns up to when is counted.

    The server's own work: no right is asked and nothing sealed, since nothing of it is evidence.
    """
    now = now or timezone.now()
    start, end = _start(now), now + MINUTE
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [start, end])
    return end


def forget_old_tallies(*, actor: Actor, now: datetime | None = None) -> int:
    """Delete counts that no page shows any more."""
    deleted, _ = DecisionTally.objects.filter(minute__lt=(now or timezone.now()) - KEPT).delete()
    return deleted


def _start(now: datetime) -> datetime:
    last = DecisionTally.objects.aggregate(at=Max("minute"))["at"]
    first = now - FIRST_LOOK if last is None else max(last - COUNTED_AGAIN, now - FIRST_LOOK)
    return first.replace(second=0, microsecond=0)
