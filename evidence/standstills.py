"""What of the server's own work on exports, purges and erasures stands still: the same for metrics and for alerts."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Min, Q
from django.db.models.functions import Greatest
from django.utils import timezone

from audit.models import ErasureRequest, Purge
from config.ids import time_of_id
from evidence.exports.models import Export, ExportWork
from evidence.exports.running import SILENT
from ledger.models import Entry

FAILED_BY_OURS = ("storage_full", "storage_away", "record_damaged", "interrupted", "fault")
"""Failures that are for whoever runs the service to look into, and not about the question."""
IN_VAIN = 3
"""Beginnings in a row that failed, from which on it is said."""
LATELY = timedelta(days=1)
UNMADE, UNDELETED, STILL = timedelta(minutes=10), timedelta(hours=1), timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Standing:
    """How many of a kind stand still, and since when the first of them; None where none does."""

    number: int = 0
    since: datetime | None = None


def oldest_waiting() -> datetime | None:
    """Since when the export that waits longest could be made and nobody is at it."""
    now = timezone.now()
    waits = ExportWork.objects.filter(export__status=Export.Status.QUEUED, not_before__lte=now)
    waits = waits.filter(Q(worker=None) | Q(worked_at__lte=now - SILENT))
    found: datetime | None = waits.aggregate(at=Min(Greatest(F("not_before"), F("worked_at"))))["at"]
    return found


def unmade_exports() -> Standing:
    """Exports that wait while no worker was at any of them for a while: none is there."""
    now, since = timezone.now(), oldest_waiting()
    works = ExportWork.objects.filter(export__status=Export.Status.QUEUED)
    if since is None or since > now - UNMADE or works.filter(worked_at__gt=now - UNMADE).exists():
        return Standing()
    return Standing(works.filter(not_before__lte=now).count(), since)


def failing_exports() -> Standing:
    """Exports that are tried again and again, and those that failed within a day for what whoever asked cannot help."""
    tried = ExportWork.objects.filter(export__status=Export.Status.QUEUED, attempts__gte=IN_VAIN).exclude(trouble="")
    failed = Export.objects.filter(status=Export.Status.FAILED, failure__in=FAILED_BY_OURS)
    failed = failed.filter(ended_at__gt=timezone.now() - LATELY)
    moments = [tried.aggregate(at=Min("begun_at"))["at"], failed.aggregate(at=Min("ended_at"))["at"]]
    return Standing(tried.count() + failed.count(), min(filter(None, moments), default=None))


def undeleted_exports() -> Standing:
    """Files whose time is over for a while, and that are still kept."""
    due = Export.objects.filter(status=Export.Status.FINISHED, expires_at__lte=timezone.now() - UNDELETED)
    return Standing(due.count(), due.aggregate(at=Min("expires_at"))["at"])


def still_purges() -> Standing:
    """Purges whose time has come, and of which nothing went for hours."""
    moments = [
        purge.runs_at if purge.status == Purge.Status.ANNOUNCED else max(purge.runs_at, _said_last_of(purge.pk))
        for purge in Purge.objects.filter(status__in=(Purge.Status.ANNOUNCED, Purge.Status.RUNNING))
    ]
    return _standing(moments)


def still_erasures() -> Standing:
    """Erasures whose time has come, and of which nothing went for hours: not those that wait for floors or holds."""
    due = (ErasureRequest.Status.WAITING, ErasureRequest.Status.RUNNING)
    moments = list[datetime]()
    for request in ErasureRequest.objects.filter(status__in=due, runs_at__isnull=False):
        assert request.runs_at is not None
        at = request.runs_at
        if request.status == ErasureRequest.Status.RUNNING:
            at = max(at, _said_last_of(request.pk))
            step = request.steps.order_by("-entry_id").values_list("entry_id", flat=True).first()
            at = max(at, time_of_id(step)) if step else at
        moments.append(at)
    return _standing(moments)


def _said_last_of(row_id: uuid.UUID) -> datetime:
    return time_of_id(Entry.objects.filter(about_id=row_id).latest("id").id)


def _standing(moments: list[datetime]) -> Standing:
    long = [at for at in moments if at <= timezone.now() - STILL]
    return Standing(len(long), min(long, default=None))
