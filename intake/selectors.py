"""Reading what waits in quarantine."""

from django.db.models import Q, QuerySet

from intake.models import QuarantineCase, QuarantinedRecord

Status = QuarantineCase.Status
OPEN = (Status.WAITING, Status.DISMISSAL_REQUESTED)
COUNTED_AT_MOST = 10_000


def in_state(state: QuarantineCase.Status) -> Q:
    """Records in a state. One that nobody has acted on has no case, and waits; an erased one waits no more."""
    with_case = Q(case__status=state)
    untouched = Q(case=None, original__isnull=False)
    return with_case | untouched if state == Status.WAITING else with_case


def waiting_records() -> QuerySet[QuarantinedRecord]:
    """Records that somebody must still do something about."""
    return QuarantinedRecord.objects.filter(Q(case__status__in=OPEN) | Q(case=None), original__isnull=False).order_by()


def count_bounded(records: QuerySet[QuarantinedRecord]) -> int:
    """How many, looking at no more than `COUNTED_AT_MOST`: pages and scrapes must stay cheap in a flood."""
    return records[:COUNTED_AT_MOST].count()
