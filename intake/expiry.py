"""When records of quarantine go by themselves: for the sweep that erases them, and to be shown before it does."""

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from audit.models import DataKind
from audit.retention import Terms, terms_in_force, terms_of
from intake.models import QuarantinedRecord


def past_their_time(at: datetime) -> QuerySet[QuarantinedRecord]:
    """The records that are kept and past their ceiling at a moment, whatever became of them and whatever holds them.

    Of an AI system that has a class in force by that one, of all others by the default.
    """
    known = terms_in_force()
    systems = [system_id for kind, system_id in known if kind == DataKind.QUARANTINE]
    over = _older(terms_of(DataKind.QUARANTINE, None, {}), at)
    old = over & ~Q(system_id__in=systems) | over & Q(system_id=None) if systems else over
    for system_id in systems:
        old |= Q(system_id=system_id) & _older(known[DataKind.QUARANTINE, system_id], at)
    return QuarantinedRecord.objects.filter(old, original__isnull=False)


def _older(terms: Terms, at: datetime) -> Q:
    before = terms.due_before(at, timedelta(0))
    return Q(received_at__lt=before) if before else Q(pk__in=[])
