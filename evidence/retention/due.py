"""What is due, place by place, for people to see before it goes: how many, when, and under which class.

Most of it goes by a purge, which is announced (`planning`). Records of quarantine go by themselves, hour by hour: of
them is shown what goes within the days that a purge is announced ahead.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count

from audit.erasing import held_texts
from audit.models import DataKind, Purge, RetentionClass
from audit.retention import Terms, terms_in_force, terms_of
from evidence.retention.planning import LOOKED_AT, due_at
from intake.expiry import past_their_time
from ledger.entries import timestamp

Part = dict[str, Any]
"""`kind`, `system` (None: of none), `class` (None: the default), `before`, `count`, `kept`, as a purge has them;
`class_name`, `floor_days`, `floor_source`, `ceiling_days` and `purpose` of what holds there; of what is due `goes_at`
and `by_itself`, too. Of quarantine `ends_at`: when the next of it reaches its ceiling, whatever keeps it."""


def everything_due(at: datetime) -> list[Part]:
    """What is due at a moment. `goes_at`: when the first of it goes, by the purge that was announced or by itself;
    None where no purge is announced, or all that was looked at is kept back."""
    announced = Purge.objects.filter(status__in=[Purge.Status.ANNOUNCED, Purge.Status.RUNNING]).first()
    purged = [each.said() | {"by_itself": False} for each in due_at(at)]
    return [*(part | {"goes_at": _goes_at(part, announced)} for part in ruled(purged)), *_quarantine(at)]


def _goes_at(part: Part, purge: Purge | None) -> datetime | None:
    if purge is None or part["system"] in purge.stopped:
        return None
    places = {(each["kind"], each["system"], each["class"]) for each in purge.parts}
    return purge.runs_at if (part["kind"], part["system"], part["class"]) in places else None


def ruled(parts: Iterable[Part]) -> list[Part]:
    """Parts of purges with the words of their classes, which never change but may be erased. One query."""
    found = list(parts)
    classes = RetentionClass.objects.in_bulk({uuid.UUID(part["class"]) for part in found})
    return [part | _rule(classes.get(uuid.UUID(part["class"]))) for part in found]


def _rule(held: RetentionClass | None) -> Part:
    if held is None:
        return {"class_name": "", "floor_days": None, "floor_source": "", "ceiling_days": None, "purpose": ""}
    return {
        "class_name": held.name,
        "floor_days": held.floor_days,
        "floor_source": held.floor_source,
        "ceiling_days": held.ceiling_days,
        "purpose": held.purpose,
    }


# --- quarantine -------------------------------------------------------------------------------------------------------
def _quarantine(at: datetime) -> list[Part]:
    """Records that go by themselves within the days of notice, by AI system; None: of one that nobody could tell."""
    until, known = at + timedelta(days=settings.PURGE_NOTICE_DAYS), terms_in_force()
    rows = past_their_time(until).order_by()
    counts = rows.values("system_id").annotate(number=Count("pk")).values_list("system_id", "number")
    found = []
    for system_id, count in sorted(counts, key=lambda each: str(each[0])):
        terms = terms_of(DataKind.QUARANTINE, system_id, known)
        first = list(
            rows.filter(system_id=system_id).order_by("received_at", "pk")[:LOOKED_AT].values_list("pk", "received_at")
        )
        kept = held_texts([pk for pk, _ in first])
        goes = next((_end(came, terms) for pk, came in first if pk not in kept), None)
        ends = next((end for _, came in first if (end := _end(came, terms)) > at), None)
        counted = {"count": count, "kept": len(kept), "goes_at": goes, "ends_at": ends}
        found.append(_record_part(system_id, terms, until) | counted)
    return found


def _end(came: datetime, terms: Terms) -> datetime:
    return came + timedelta(days=max(terms.floor, terms.ceiling or 0))


def _record_part(system_id: uuid.UUID | None, terms: Terms, until: datetime) -> Part:
    before, rule = terms.due_before(until, timedelta(0)), terms.rule
    return {
        "kind": str(DataKind.QUARANTINE),
        "system": str(system_id) if system_id else None,
        "class": str(rule.retention_class_id) if rule else None,
        "before": timestamp(before) if before else None,
        "by_itself": True,
    } | (_rule(rule.retention_class) if rule else _default(terms))


def _default(terms: Terms) -> Part:
    """What holds where no class was put in force: the source of a default without a floor is its purpose."""
    said = {"class_name": "", "floor_days": terms.floor, "floor_source": "", "ceiling_days": terms.ceiling}
    return said | {"purpose": terms.source}
