"""Decisions out of cases: some by their ids, all that one act put in, or all that the case's list is narrowed to."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from audit.case_access import systems_seen
from audit.case_errors import FilterTooSlow, NotAttached
from audit.case_kinds import CASE_DETACHED
from audit.case_selectors import CaseFilter, narrowed
from audit.models import Case, CaseAttachment, CaseDecision
from audit.reach import Reach
from audit.scanning import TooSlow, limited_to
from audit.services.attaching import PUT_LIMIT_MS, attachment_facts, few, recount
from audit.services.case_writing import case_to_work_on, made_before, text_of, write_part
from config.errors import FieldProblem, InvalidInput
from governance.actors import person_id_of
from ledger.entries import Actor
from ledger.sealing import sealing

By = CaseAttachment.By
TAKE_OUT = """
    WITH gone AS (
        INSERT INTO audit_casedetachment (attached_by_id, decision_id, attachment_id)
        SELECT attachment_id, decision_id, %s FROM ({rows}) held RETURNING decision_id)
    SELECT count(*), encode(sha256(string_agg(uuid_send(decision_id), ''::bytea ORDER BY decision_id)), 'hex') FROM gone
"""
SUBTRACT = """
    UPDATE audit_casetally t SET count = t.count - c.count FROM ({counted}) c
    WHERE (t.case_id, t.system_id, t.model_version, t.outcome, t.is_accepted)
        = (c.case_id, c.system_id, c.model_version, c.outcome, c.is_accepted)
        AND t.accountable_id IS NOT DISTINCT FROM c.accountable_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Which ones: one of these is given."""

    ids: tuple[uuid.UUID, ...] = ()
    attachment_id: uuid.UUID | None = None
    """The act that put them in."""
    within: CaseFilter | None = None

    @property
    def by(self) -> CaseAttachment.By:
        return By.CHOICE if self.ids else By.ATTACHMENT if self.attachment_id else By.FILTER

    @property
    def question(self) -> dict[str, Any]:
        if self.attachment_id:
            return {"attachment": str(self.attachment_id)}
        return self.within.said() if self.within and not self.ids else {}


def detach_decisions(
    *, actor: Actor, reach: Reach, case_id: uuid.UUID, taken: Taken, why: str, key: uuid.UUID | None = None
) -> CaseAttachment:
    """Take decisions out of a case again, all or none; that they were in it stays. A legal hold keeps covering them.

    What the actor may not know of is not in the case for them. Errors: `CaseNotFound`, `Forbidden`, `CaseClosed`,
    `InvalidInput` without a reason, `NotAttached`, `FilterTooSlow`.
    """
    why = text_of("why", why, ask="Write why they do not belong here.")
    with sealing() as seal:
        case = case_to_work_on(actor, case_id)
        if known := made_before(CaseAttachment, actor, key, case_id=case_id):
            return known
        held = _held(actor, reach, case, taken)
        row = _row(actor, case, taken, why, key)
        row.count, row.digest = _within_time(held, row.pk, len(set(taken.ids)))
        gone = CaseDecision.objects.filter(decision_id__in=row.detached.values("decision_id"), case_id=case_id)
        row.system_ids = sorted(set(gone.values_list("system_id", flat=True)))
        recount(SUBTRACT, "audit_casedetachment", case.pk, row.pk)
        case.tallies.filter(count=0).delete()
        write_part(seal, actor, CASE_DETACHED, row, case, attachment_facts(row))
    return row


def _held(actor: Actor, reach: Reach, case: Case, taken: Taken) -> QuerySet[CaseDecision]:
    """Those that are meant, as far as the actor may know: what is hidden from them is answered as what is not there."""
    rows = CaseDecision.current().filter(case_id=case.pk).exclude(decision_id__in=reach.hidden)
    if (seen := systems_seen(actor, case)) is not None:
        rows = rows.filter(system_id__in=seen)
    if taken.ids:
        return rows.filter(decision_id__in=few(taken.ids))
    if taken.attachment_id:
        return rows.filter(attachment_id=taken.attachment_id)
    if taken.within is None or taken.within.condition() is None:
        detail = "Name decisions, an act that put some in, or what the list is to be narrowed to."
        raise InvalidInput(errors=[FieldProblem(pointer="/decision_ids", detail=detail)])
    return narrowed(rows, taken.within)


def _row(actor: Actor, case: Case, taken: Taken, why: str, key: uuid.UUID | None) -> CaseAttachment:
    return CaseAttachment(
        key=key,
        case=case,
        act=CaseAttachment.Act.DETACHED,
        by=taken.by,
        question=taken.question,
        person_id=person_id_of(actor),
        why=why,
    )


def _within_time(held: QuerySet[CaseDecision], detachment_id: uuid.UUID, wanted: int) -> tuple[int, str]:
    try:
        with limited_to(PUT_LIMIT_MS):
            return _take_out(held, detachment_id, wanted)
    except TooSlow as error:
        raise FilterTooSlow() from error


def _take_out(held: QuerySet[CaseDecision], detachment_id: uuid.UUID, wanted: int) -> tuple[int, str]:
    """`wanted`: how many they must be; 0: as many as there are."""
    text, values = held.values_list("attachment_id", "decision_id").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(TAKE_OUT.format(rows=text), [detachment_id, *values])
        count, digest = cursor.fetchone()
    if not count or (wanted and count != wanted):
        raise NotAttached()
    return count, digest
