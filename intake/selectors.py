"""Reading what waits in quarantine."""

import uuid
from collections.abc import Collection

from django.db.models import Q, QuerySet

from governance.models import ServiceKey
from governance.scopes import AnyOf, Place, Scope
from intake.models import QuarantineCase, QuarantinedRecord

Status = QuarantineCase.Status
OPEN = (Status.WAITING, Status.DISMISSAL_REQUESTED)
COUNTED_AT_MOST = 10_000


def in_state(state: QuarantineCase.Status) -> Q:
    """Records in a state. One that nobody has acted on has no case, and waits; an erased one waits no more."""
    with_case = Q(case__status=state)
    untouched = Q(case=None, original__isnull=False)
    return with_case | untouched if state == Status.WAITING else with_case


def scope_of(record: QuarantinedRecord) -> Place:
    """Where rights to a quarantined record are looked for: its AI system, else any that the sending key reaches."""
    if record.system_id:
        return Scope.system(record.system_id)
    key = ServiceKey.objects.filter(pk=record.key_row_id).first()
    return AnyOf(frozenset(key.system_ids if key else ()))


def of_systems(system_ids: Collection[uuid.UUID]) -> Q:
    """Records that `scope_of` places in one of these AI systems."""
    keys = ServiceKey.objects.filter(AnyOf(frozenset(system_ids)).within_reach())
    return Q(system_id__in=system_ids) | Q(system_id=None, key_row_id__in=keys.values("pk"))


def waiting_records() -> QuerySet[QuarantinedRecord]:
    """Records that somebody must still do something about."""
    return QuarantinedRecord.objects.filter(Q(case__status__in=OPEN) | Q(case=None), original__isnull=False).order_by()


def count_bounded(records: QuerySet[QuarantinedRecord]) -> int:
    """How many, looking at no more than `COUNTED_AT_MOST`: pages and scrapes must stay cheap in a flood."""
    return records[:COUNTED_AT_MOST].count()
