"""Decisions into cases: some by their ids, or as many as a filter finds, each act sealed as one."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from audit.case_conflicts import refuse_conflict
from audit.case_errors import FilterTooSlow, NothingToAttach
from audit.case_kinds import CASE_ATTACHED, CASE_UPDATED
from audit.filters import DecisionFilter, Question
from audit.models import Case, CaseAttachment, CaseDecision, Decision, SearchRun
from audit.reach import Reach
from audit.scanning import TooSlow, limited_to
from audit.search_terms import Terms
from audit.services.authority import settle_authority
from audit.services.case_writing import (
    case_to_add_to,
    made_before,
    text_of,
    write_case,
    write_part,
)
from audit.services.disclosure import visible_among
from audit.services.searching import question_of_search
from config.errors import FieldProblem, Forbidden, InvalidInput
from config.ids import new_id
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from ledger.entries import Actor
from ledger.sealing import Seal, sealing

AT_A_TIME = 50_000
"""A filter that finds more takes the newest, says so, and can be asked again for the rest."""
CHOSEN_AT_A_TIME = 1_000
PUT_LIMIT_MS, COUNT_LIMIT_MS = 20_000, 2_000
Done, By = CaseAttachment.Act, CaseAttachment.By
WIDENS = (
    "Some of these are of an AI system that the case is not about, and about which you may not open one. Choose those "
    "of its own AI systems, or ask somebody who investigates there."
)

PUT = """
    WITH found AS MATERIALIZED ({rows}), put AS (
        INSERT INTO audit_casedecision (attachment_id, decision_id, case_id, system_id, recorded_at)
        SELECT %s, id, %s, system_id, recorded_at FROM found ORDER BY recorded_at DESC, id DESC LIMIT %s
        RETURNING decision_id, system_id)
    SELECT (SELECT count(*) FROM found), count(*), array_agg(DISTINCT system_id),
        encode(sha256(string_agg(uuid_send(decision_id), ''::bytea ORDER BY decision_id)), 'hex') FROM put
"""
COUNTED = """
    SELECT %s::uuid AS case_id, d.system_id, d.model_version, d.outcome, d.accountable_id,
        d.accountable_accepted AS is_accepted, count(*) AS count
    FROM audit_decision d WHERE d.id IN (SELECT decision_id FROM {of} WHERE attachment_id = %s)
    GROUP BY d.system_id, d.model_version, d.outcome, d.accountable_id, d.accountable_accepted
"""
ADD = """
    INSERT INTO audit_casetally (case_id, system_id, model_version, outcome, accountable_id, is_accepted, count)
    {counted}
    ON CONFLICT (case_id, system_id, model_version, outcome, accountable_id, is_accepted)
    DO UPDATE SET count = audit_casetally.count + excluded.count
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which decisions: those of some ids, what a filter finds (`asked`), or a search of one's own within a filter."""

    ids: tuple[uuid.UUID, ...] = ()
    asked: DecisionFilter | None = None
    search: SearchRun | None = None

    @property
    def by(self) -> CaseAttachment.By:
        if self.search is not None:
            return By.SEARCH
        return By.CHOICE if self.asked is None else By.FILTER

    @property
    def question(self) -> dict[str, Any]:
        """In clear values; of a search its entry, which has a commitment to what was searched for."""
        said = self.asked.said() if self.asked else {}
        return said | ({"search": str(self.search.entry_id)} if self.search else {})

    @property
    def is_whole(self) -> bool:
        """Whether nothing more will be found: a search of payloads that has not come to its end may have more."""
        run = self.search
        return run is None or run.is_whole or not Terms.of(run.terms).look_into_payloads


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """What was put into a case, before its row is written."""

    attachment_id: uuid.UUID
    count: int
    digest: str
    system_ids: list[uuid.UUID]
    is_all: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many a filter would attach. `is_more`: so many, and then some; None: it took too long to count."""

    number: int | None
    is_more: bool = False


def attach_decisions(
    *, actor: Actor, reach: Reach, case_id: uuid.UUID, chosen: Chosen, why: str = "", key: uuid.UUID | None = None
) -> CaseAttachment:
    """Put decisions into a case: those of the ids, or the newest 50,000 at a time that the filter finds.

    `reach`: what the actor may know of; nothing beyond it is attached. Those in the case already are left as they are.
    `key` makes a repeat the same act. The attachment says how many there were and whether that was all. Errors:
    `CaseNotFound`, `Forbidden` also where the case would come to be about an AI system in which the actor may not open
    one, `CaseClosed`, `DecisionNotFound` where one of the ids cannot be seen (nothing is
    attached then), `NothingToAttach`, `FilterTooSlow`, `LeadHasConflict` where the lead answers for one of the systems.
    """
    why = text_of("why", why)
    with sealing() as seal:
        case = case_to_add_to(actor, case_id)
        if known := made_before(CaseAttachment, actor, key, case_id=case_id):
            return known
        put = put_into(actor, reach, case, chosen)
        refuse_conflict(case, case.lead_id, put.system_ids)
        _widen(seal, actor, case, put.system_ids)
        return record_attachment(seal, actor, case, put, chosen, why=why, key=key)


def count_attachable(
    *,
    actor: Actor,
    reach: Reach,
    asked: DecisionFilter,
    search: SearchRun | None = None,
    case_id: uuid.UUID | None = None,
) -> Count:
    """How many decisions a filter or search would put into a case, up to what is taken at a time, within two seconds.

    Errors: those of the search.
    """
    rows = _attachable(_found_by(actor, reach, asked, search), case_id)[: AT_A_TIME + 1]
    try:
        with limited_to(COUNT_LIMIT_MS):
            found = rows.count()
    except TooSlow:
        return Count(number=None)
    return Count(number=min(found, AT_A_TIME), is_more=found > AT_A_TIME)


# --- the steps of attaching, for whoever opens a case with decisions --------------------------------------------------
def put_into(actor: Actor, reach: Reach, case: Case, chosen: Chosen) -> Put:
    """Write the decisions of an attachment, and count them; its row must follow in this transaction.

    Errors: `Forbidden` where some are of an AI system about which the actor may not open a case, unless this one is
    about it already. It is asked before anything is written.
    """
    attachment_id, case_id = new_id(), case.pk
    rows = _attachable(_question(actor, reach, chosen), case_id).order_by("-recorded_at", "-id")
    try:
        with limited_to(PUT_LIMIT_MS):
            _refuse_beyond(actor, case, rows[:AT_A_TIME])
            found, count, system_ids, digest = _put(rows[: AT_A_TIME + 1], attachment_id, case_id)
    except TooSlow as error:
        raise FilterTooSlow() from error
    if not count:
        raise NothingToAttach()
    recount(ADD, "audit_casedecision", case_id, attachment_id)
    systems = sorted(system_ids)
    is_all = found == count and chosen.is_whole
    return Put(attachment_id=attachment_id, count=count, digest=digest, system_ids=systems, is_all=is_all)


def record_attachment(
    seal: Seal, actor: Actor, case: Case, put: Put, chosen: Chosen, *, why: str = "", key: uuid.UUID | None = None
) -> CaseAttachment:
    """The sealed row of what `put_into` wrote."""
    row = CaseAttachment(
        id=put.attachment_id,
        key=key,
        case=case,
        by=chosen.by,
        question=chosen.question,
        is_all=put.is_all,
        count=put.count,
        digest=put.digest,
        system_ids=put.system_ids,
        person_id=person_id_of(actor),
        why=why,
    )
    write_part(seal, actor, CASE_ATTACHED, row, case, attachment_facts(row))
    return row


def attachment_facts(row: CaseAttachment) -> dict[str, Any]:
    return {"count": row.count, "digest": row.digest, "systems": [str(each) for each in row.system_ids]}


def _question(actor: Actor, reach: Reach, chosen: Chosen) -> Question:
    if chosen.asked is not None:
        return _found_by(actor, reach, chosen.asked, chosen.search)
    ids = few(chosen.ids)
    visible_among(actor, reach, ids)
    return Question.over(Decision.objects.filter(id__in=ids))


def _found_by(actor: Actor, reach: Reach, asked: DecisionFilter, search: SearchRun | None) -> Question:
    if search is None:
        return Question.of(asked, reach)
    return question_of_search(actor=actor, reach=reach, run=search, within=asked)


def few(ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise NothingToAttach("Name at least one decision.")
    if len(wanted) > CHOSEN_AT_A_TIME:
        detail = f"Up to {CHOSEN_AT_A_TIME:,} ids at a time; for more, use a filter."
        raise InvalidInput(errors=[FieldProblem(pointer="/decision_ids", detail=detail)])
    return wanted


def _attachable(question: Question, case_id: uuid.UUID | None) -> QuerySet[Decision]:
    rows = question.rows()
    if case_id is None:
        return rows
    return rows.filter(~Exists(CaseDecision.current().filter(case_id=case_id, decision_id=OuterRef("id"))))


def _refuse_beyond(actor: Actor, case: Case, rows: QuerySet[Decision]) -> None:
    """A case does not open what somebody could not have opened a case about. Errors: `Forbidden`."""
    opens = rights.systems_where(actor, Act.CASE_OPEN)
    if opens is None:
        return
    allowed = opens | set(case.system_ids or ())  # a new one is about nothing yet
    chosen = Decision.objects.filter(pk__in=rows.values("pk"))
    if chosen.exclude(system_id__in=allowed).exists():
        raise Forbidden(WIDENS if case.system_ids else "")


def _put(rows: QuerySet[Decision], attachment_id: uuid.UUID, case_id: uuid.UUID) -> Any:
    try:
        text, values = rows.values_list("id", "system_id", "recorded_at").query.sql_with_params()
    except EmptyResultSet:  # Django knows that there can be none: nothing is within reach
        return 0, 0, [], ""
    with connection.cursor() as cursor:
        cursor.execute(PUT.format(rows=text), [*values, attachment_id, case_id, AT_A_TIME])
        return cursor.fetchone()


def recount(statement: str, of: str, case_id: uuid.UUID, attachment_id: uuid.UUID) -> None:
    """Bring the tallies of a case up to an act. `of`: the table of its decisions."""
    with connection.cursor() as cursor:
        cursor.execute(statement.format(counted=COUNTED.format(of=of)), [case_id, attachment_id])


def _widen(seal: Seal, actor: Actor, case: Case, system_ids: Collection[uuid.UUID]) -> None:
    """The case is about these AI systems too, from here on."""
    more = set(system_ids) - set(case.system_ids)
    if more:
        case.system_ids = sorted({*case.system_ids, *more})
        write_case(seal, actor, CASE_UPDATED, case, facts={"systems": [str(each) for each in case.system_ids]})
        settle_authority(case)
