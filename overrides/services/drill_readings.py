"""What each expected instance did during a drill, as the server first heard it; and the measures made of that."""

from collections.abc import Sequence
from datetime import datetime
from statistics import median
from typing import Any

from django.db import connection

from overrides.models import ClientInstance, Drill, DrillReading
from overrides.standing import Epoch, Mode


def readings_of(drill: Drill) -> Sequence[DrillReading]:
    """Of each expected instance: what was kept, and of a running drill also what is known just now. Writes nothing."""
    kept = list(drill.readings.order_by("instance", "id"))
    epoch = drill.epoch
    if epoch is None or drill.status != Drill.Status.RUNNING:
        return kept
    found = {each.instance_id: each for each in kept}
    for instance in ClientInstance.objects.filter(pk__in=drill.expected.get("instances", [])):
        new = DrillReading(drill=drill, instance_id=instance.pk, instance=instance.instance)
        _add(found.setdefault(instance.pk, new), drill, epoch, instance)
    return sorted(found.values(), key=lambda each: (each.instance, each.id))


def _add(reading: DrillReading, drill: Drill, epoch: Epoch, instance: ClientInstance) -> None:
    """The first time of each counts: the rows of instances move on with the next epoch."""
    if instance.seen_epoch >= epoch:
        reading.seen_at = reading.seen_at or instance.seen_at
    if instance.applied_epoch >= epoch and (not drill.is_live or instance.obeys(Mode(drill.mode))):
        reading.applied_at = reading.applied_at or instance.applied_at
        reading.drained_at = reading.drained_at or instance.drained_at


def keep_readings(drill: Drill) -> Sequence[DrillReading]:
    """Write down what `readings_of` a running drill says, before the rows of instances move on."""
    found = readings_of(drill)
    if drill.status == Drill.Status.RUNNING and found:
        # of two sweeps at once each may know something that the other one does not
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO overrides_drillreading AS r"
                " (id, drill_id, instance_id, instance, seen_at, applied_at, drained_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (drill_id, instance_id) DO UPDATE SET"
                " seen_at = coalesce(r.seen_at, excluded.seen_at),"
                " applied_at = coalesce(r.applied_at, excluded.applied_at),"
                " drained_at = coalesce(r.drained_at, excluded.drained_at)",
                [
                    (row.id, drill.pk, row.instance_id, row.instance, row.seen_at, row.applied_at, row.drained_at)
                    for row in sorted(found, key=lambda each: each.instance_id)
                ],
            )
    return found


def measures_of(drill: Drill, readings: Sequence[DrillReading]) -> dict[str, Any]:
    """How many of the expected saw, applied and drained, after how many seconds; and who was silent."""
    expected = drill.expected.get("instances", [])
    said: dict[str, Any] = {
        "expected": len(expected),
        "ungoverned": len(drill.expected.get("ungoverned", [])),
        "reading": len(drill.expected.get("reading", [])),
        "silent": sorted(each.instance for each in readings if each.seen_at is None),
    }
    for name in ("seen", "applied", "drained"):
        moments = [at for each in readings if (at := getattr(each, f"{name}_at")) is not None]
        said[name] = len(moments)
        if moments and drill.requested_at:
            said[f"{name}_s"] = _spread(drill.requested_at, moments)
    return said


def _spread(since: datetime, moments: Sequence[datetime]) -> dict[str, float]:
    seconds = sorted(max(0.0, (at - since).total_seconds()) for at in moments)
    return {"first": round(seconds[0], 3), "median": round(median(seconds), 3), "last": round(seconds[-1], 3)}
