"""What is looked at again before an erasure or a purge is said to be done, whatever the clocks said meanwhile:
finished files that hold some of it, and lists of the decisions of somebody whose name is gone.
"""

import uuid
from collections.abc import Collection

from django.db import connection
from django.db.models import Q, QuerySet

from evidence.exports.erasing import AT_ONCE, _Looker, is_of_another_cluster
from evidence.exports.models import Export, ExportWork
from evidence.exports.plans import Plan

Status = Export.Status
LATER_BY = (
    "SELECT row_id FROM ledger_erasure WHERE entry_id = ANY(%s)"
    " AND NOT pg_visible_in_snapshot(transaction::text::xid8, %s::pg_snapshot)"
)


class SubjectErased(Exception):
    """Whom it is about was erased: nothing can be asked for by that name any more."""


def is_of_nobody(export: Export) -> bool:
    """Whether it asks for what is kept of somebody whose name was erased: its list of decisions was theirs."""
    if export.question != Export.Question.SUBJECT:
        return False
    return Export.objects.filter(pk=export.pk, subject="").exists()


def must_go(work: ExportWork, entry_ids: Collection[uuid.UUID]) -> bool:
    """Whether its file is of nobody any more, or holds what these entries erased after it was planned."""
    if work.plan is None:
        return False
    if is_of_nobody(work.export):
        return True
    return bool(work.export.parts) and (is_of_another_cluster(work) or _holds(work, sorted(entry_ids)))


def _holds(work: ExportWork, entry_ids: list[uuid.UUID]) -> bool:
    plan = Plan.of(work.plan)
    looker = _Looker(work.export, plan)
    slices = (entry_ids[start : start + AT_ONCE] for start in range(0, len(entry_ids), AT_ONCE))
    return any(looker.may_hold(_erased_by(each, plan.snapshot)) for each in slices)


def _erased_by(entry_ids: list[uuid.UUID], snapshot: str) -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(LATER_BY, [entry_ids, snapshot])
        return [row_id for (row_id,) in cursor.fetchall()]


def works_with_something(*statuses: Export.Status) -> QuerySet[ExportWork]:
    """What may hold something: contents, or the list of somebody's decisions."""
    works = ExportWork.objects.filter(plan__isnull=False, export__status__in=statuses).select_related("export")
    return works.exclude(~Q(export__question=Export.Question.SUBJECT), export__parts=[]).order_by("pk")
