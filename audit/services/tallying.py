"""Counting decisions by minute, so that overviews never count over the record.

A decision becomes visible a moment after its `recorded_at`, so the last minutes are counted again each time.
"""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Max
from django.utils import timezone

from audit.flags import Flag
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

# a decision is counted to the card that was in force when it was recorded: for the second or two until every process
# knew of a new one, its entry may still name the one before
COUNT_BY_CARD = """
    INSERT INTO audit_cardtally (minute, system_id, card, count, outside)
    SELECT date_trunc('minute', d.recorded_at), d.system_id, c.number, count(*),
           count(*) FILTER (WHERE d.flags @> ARRAY[%s]::varchar[])
    FROM audit_decision d JOIN governance_systemcard c ON c.system_id = d.system_id
         AND d.recorded_at >= c.published_at AND d.recorded_at < coalesce(c.superseded_at, 'infinity')
    WHERE d.recorded_at >= %s AND d.recorded_at < %s
    GROUP BY 1, 2, 3
    ON CONFLICT (minute, system_id, card) DO UPDATE SET count = excluded.count, outside = excluded.outside
"""
ROLL_UP = """
    WITH old AS (
        DELETE FROM audit_cardtally WHERE minute < %s AND minute <> date_trunc('hour', minute) RETURNING *
    )
    INSERT INTO audit_cardtally (minute, system_id, card, count, outside)
    SELECT date_trunc('hour', minute), system_id, card, sum(count), sum(outside) FROM old GROUP BY 1, 2, 3
    ON CONFLICT (minute, system_id, card)
    DO UPDATE SET count = audit_cardtally.count + excluded.count, outside = audit_cardtally.outside + excluded.outside
"""


def tally_decisions(*, actor: Actor, now: datetime | None = None) -> datetime:
    """Count what was recorded since the last time, at most a day and a bit; returns up to when is counted.

    The server's own work: no right is asked and nothing sealed, since nothing of it is evidence.
    """
    now = now or timezone.now()
    start, end = _start(now), now + MINUTE
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [start, end])
        cursor.execute(COUNT_BY_CARD, [Flag.OUTSIDE_SCOPE, start, end])
    return end


def forget_old_tallies(*, actor: Actor, now: datetime | None = None) -> int:
    """Delete counts that no page shows any more; those of cards are kept, by the hour."""
    before = (now or timezone.now()) - KEPT
    with connection.cursor() as cursor:
        cursor.execute(ROLL_UP, [before.replace(minute=0, second=0, microsecond=0)])
    deleted, _ = DecisionTally.objects.filter(minute__lt=before).delete()
    return deleted


def _start(now: datetime) -> datetime:
    last = DecisionTally.objects.aggregate(at=Max("minute"))["at"]
    first = now - FIRST_LOOK if last is None else max(last - COUNTED_AGAIN, now - FIRST_LOOK)
    return first.replace(second=0, microsecond=0)
