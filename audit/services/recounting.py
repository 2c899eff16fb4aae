"""Putting right what pages count of a case. The counts are derived: what is in the case is not touched."""

import uuid
from dataclasses import dataclass

from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from audit.case_errors import CaseNotFound
from audit.case_kinds import CASE_RECOUNTED
from audit.models import Case
from config.errors import Forbidden
from ledger.entries import Actor, draft_entry
from ledger.sealing import sealing
from ledger.selectors import registry_log

Line = tuple[uuid.UUID, str, str, uuid.UUID | None, bool, int]
COLUMNS = ("system_id", "model_version", "outcome", "accountable_id", "is_accepted", "count")
COUNTED = """
    SELECT d.system_id, d.model_version, d.outcome, d.accountable_id, d.accountable_accepted, count(*)
    FROM audit_casedecision c JOIN audit_decision d ON d.id = c.decision_id
    WHERE c.case_id = %s AND NOT EXISTS (SELECT FROM audit_casedetachment g
        WHERE g.attached_by_id = c.attachment_id AND g.decision_id = c.decision_id)
    GROUP BY 1, 2, 3, 4, 5
"""


@dataclass(frozen=True, slots=True)
class Recount:
    """How many decisions a case was said to hold, and how many it holds."""

    was: int
    count: int
    is_changed: bool


def recount_case(*, actor: Actor, case_id: uuid.UUID) -> Recount:
    """Derive the counts of a case from the decisions in it, as verification does. For the host's command line.

    Where they are right, nothing is written. Errors: `Forbidden`, `CaseNotFound`.
    """
    if actor.type != "command":
        raise Forbidden("Counts are put right at the host's command line.")
    with sealing() as seal:
        case = Case.objects.select_for_update(no_key=True).filter(pk=case_id).first()
        if case is None:
            raise CaseNotFound()
        shown, counted = set(case.tallies.filter(count__gt=0).values_list(*COLUMNS)), _counted(case)
        was = case.tallies.aggregate(total=Sum("count"))["total"] or 0
        done = Recount(was, sum(line[-1] for line in counted), shown != counted)
        if done.is_changed:
            _put(case, counted)
            body = {"case": case.reference, "was": done.was, "count": done.count}
            draft = draft_entry(kind=CASE_RECOUNTED, actor=actor, at=timezone.now(), body=body, about_id=case.pk)
            seal.add(registry_log().id, draft)
    return done


def _counted(case: Case) -> set[Line]:
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, [case.pk])
        return set(cursor.fetchall())


def _put(case: Case, counted: set[Line]) -> None:
    case.tallies.all().delete()
    case.tallies.bulk_create(case.tallies.model(case=case, **dict(zip(COLUMNS, line, strict=True))) for line in counted)
