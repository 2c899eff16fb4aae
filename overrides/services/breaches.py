"""Decisions that took effect against a switch: counted as they are sealed, told by a sweep, once a change."""

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import F

from config.ids import new_id
from ledger.entries import SERVER
from notices.models import Alert
from notices.outbox import announce
from notices.services import open_alert
from overrides.models import BreachCount
from overrides.services.sweeping import each_by_itself
from overrides.standing import SwitchState

AT_ONCE = 200


class Breach(NamedTuple):
    """One decision against one switch."""

    decision_id: str
    system_id: uuid.UUID
    switch: SwitchState
    recorded_at: datetime


def count_breaches(breaches: Sequence[Breach]) -> None:
    """Inside the sealing of a group of decisions: one row a change of a switch, whatever the number of decisions."""
    counts = Counter((each.system_id, each.switch.id, each.switch.epoch) for each in breaches)
    first = {(each.system_id, each.switch.id, each.switch.epoch): each for each in reversed(breaches)}
    with connection.cursor() as cursor:
        for place in sorted(counts):
            system_id, switch_id, epoch = place
            cursor.execute(
                "INSERT INTO overrides_breachcount AS b (id, system_id, switch_id, generation, number, count,"
                " alerted_count, first_decision_id, first_at, last_at) VALUES (%s, %s, %s, %s, %s, %s, 0, %s, %s, %s)"
                " ON CONFLICT (system_id, switch_id, generation, number) DO UPDATE"
                " SET count = b.count + excluded.count, last_at = greatest(b.last_at, excluded.last_at)",
                [
                    new_id(),
                    system_id,
                    switch_id,
                    *epoch,
                    counts[place],
                    first[place].decision_id,
                    first[place].recorded_at,
                    first[place].recorded_at,
                ],
            )


def alert_breaches() -> int:
    """Open, or count up, one alert for each AI system and change of a switch. Returns how many have news."""
    untold = list(BreachCount.objects.exclude(count=F("alerted_count")).order_by("id")[:AT_ONCE])
    return each_by_itself("breach", _alert, untold)


def _alert(found: BreachCount) -> bool:
    facts = {
        "system": str(found.system_id),
        "switch": str(found.switch_id),
        "epoch": f"{found.generation}.{found.number}",
        "decision": str(found.first_decision_id),
    }
    open_alert(
        actor=SERVER,
        kind="switch.breached",
        severity=Alert.Severity.CRITICAL,
        fingerprint=f"switch.breached:{found.system_id}:{found.switch_id}:{found.generation}.{found.number}",
        system_id=found.system_id,
        about_id=found.switch_id,
        facts=facts,
        occurrences=found.count,
    )
    with transaction.atomic():
        # of two sweeps at once, or of one that was killed and the next one, one says so
        told = BreachCount.objects.filter(pk=found.pk, alerted_count=found.alerted_count)
        if told.update(alerted_count=found.count) and not found.alerted_count:
            announce(event="switch.breached", system_id=found.system_id, about_id=found.switch_id, facts=facts)
    return True
