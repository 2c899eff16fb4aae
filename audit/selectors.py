"""Reading the record. What people see must be what was sealed: every value shown is the entry's, not the row's."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import msgspec
import structlog
from django.db.models import Func, IntegerField

from audit.entries import DecisionBody, DecisionEntry, read_entry
from audit.errors import DecisionNotFound
from audit.filters import DecisionFilter, Question
from audit.kinds import DECISION_RECORDED
from audit.models import Decision, Payload
from audit.reach import Reach
from audit.scanning import Scan, Slice
from ledger.models import Entry

PARTS = ("input", "output", "explanation", "context", "refs")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SealedDecision:
    """A decision as its entry says it."""

    id: uuid.UUID
    log_id: uuid.UUID
    leaf_index: int
    recorded_at: datetime
    occurred_at: datetime
    system_id: uuid.UUID
    service_account_id: uuid.UUID | None
    """Who sent it, also where a person replayed it from quarantine later."""
    body: DecisionBody
    data: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPage:
    """Some decisions, newest first. `unsealed`: ids of rows that no entry vouches for, never shown as decisions."""

    items: list[SealedDecision]
    unsealed: list[uuid.UUID]
    next_cursor: str | None
    previous_cursor: str | None
    searched_to: datetime | None
    is_older: bool = True
    """Whether it was looked back, and not forth."""


def list_decisions(
    asked: DecisionFilter, reach: Reach, *, cursor: str | None = None, limit: int = 50, scope: str = ""
) -> DecisionPage:
    """A page of the decisions that answer a filter, newest first. Errors: `InvalidCursor`."""
    scan = Scan(question=Question.of(asked, reach), limit=limit, cursor=cursor, scope=scope)
    return sealed_page(scan.run())


def sealed_page(found: Slice) -> DecisionPage:
    """A slice of rows as their entries say it, in the same order: one query more."""
    entries = Entry.objects.filter(id__in=[row.id for row in found.items], kind=DECISION_RECORDED.name)
    by_id = {entry.id: decision for entry in entries if (decision := _read(entry))}
    unsealed = [row.id for row in found.items if row.id not in by_id]
    if unsealed:
        log.error("record.row_without_entry", ids=[str(each) for each in unsealed[:10]])
    return DecisionPage(
        items=[by_id[row.id] for row in found.items if row.id in by_id],
        unsealed=unsealed,
        next_cursor=found.next_cursor,
        previous_cursor=found.previous_cursor,
        searched_to=found.searched_to,
        is_older=found.is_older,
    )


def decision_by_id(decision_id: uuid.UUID) -> SealedDecision:
    """A decision as sealed, whoever asks. Errors: `DecisionNotFound`."""
    entry = Entry.objects.filter(id=decision_id, kind=DECISION_RECORDED.name).first()
    decision = _read(entry) if entry else None
    if decision is None:
        raise DecisionNotFound()
    return decision


def decisions_by_ids(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, SealedDecision]:
    """Those of these decisions that can be read, as sealed, whoever asks. One query."""
    entries = Entry.objects.filter(id__in=ids, kind=DECISION_RECORDED.name)
    found = ((entry.id, _read(entry)) for entry in entries)
    return {decision_id: decision for decision_id, decision in found if decision}


def visible_decision(decision_id: uuid.UUID, reach: Reach) -> SealedDecision:
    """A decision within reach. Errors: `DecisionNotFound`, the same for one that exists elsewhere."""
    decision = decision_by_id(decision_id)
    if decision_id in reach.hidden or not reach.covers(decision.system_id, decision.body.environment):
        raise DecisionNotFound()
    return decision


def payload_sizes(decision_id: uuid.UUID) -> dict[str, int | None] | None:
    """The length of each part in bytes, None for one that was not sent; None altogether once erased.

    Says nothing of what is in them, so it is no view of the payload.
    """
    lengths = {f"{part}_length": Func(part, function="octet_length", output_field=IntegerField()) for part in PARTS}
    kept = Payload.objects.filter(id=decision_id, secret__isnull=False)
    row = kept.values(**lengths).first()
    return {part: row[f"{part}_length"] for part in PARTS} if row else None


def trail_of(decision_id: uuid.UUID, *, limit: int = 200) -> list[Entry]:
    """The entries about a decision: who looked, conflicts, and what later floors add. Oldest first."""
    # sorted here: asked for in order, the planner may walk the index on id over all entries instead
    about = Entry.objects.filter(about_id=decision_id).order_by()
    return sorted(about[:limit], key=lambda entry: entry.id)


def differing_columns(decision: SealedDecision) -> list[str]:
    """Columns of the stored row that do not say what the entry says; `["row"]` where there is no row."""
    row = Decision.objects.filter(id=decision.id).first()
    if row is None:
        return ["row"]
    body, directive = decision.body, decision.body.directive
    expected = {
        "log_id": decision.log_id,
        "leaf_index": decision.leaf_index,
        "system_id": decision.system_id,
        "recorded_at": decision.recorded_at,
        "occurred_at": decision.occurred_at,
        "environment": body.environment,
        "model_version": body.model_version,
        "outcome": body.outcome,
        "confidence": body.confidence,
        "score": body.score,
        "threshold": body.threshold,
        "adverse": body.adverse,
        "phase": body.phase,
        "ai_role": body.ai_role,
        "accountable_id": _uuid(body.accountable.person if body.accountable else None),
        "assignment_id": _uuid(body.accountable.assignment if body.accountable else None),
        "directive_action": directive.action,
        "flags": body.flags,
    }
    return [name for name, value in expected.items() if getattr(row, name) != value]


def _uuid(text: str | None) -> uuid.UUID | None:
    return uuid.UUID(text) if text else None


def _read(entry: Entry) -> SealedDecision | None:
    """None where the stored bytes are not a decision's entry of this id: somebody changed them."""
    data = bytes(entry.data)
    try:
        said = read_entry(data)
        if said.id != str(entry.id):
            return None
        return _sealed(entry, said, data)
    except (msgspec.DecodeError, ValueError):
        return None


def _sealed(entry: Entry, said: DecisionEntry, data: bytes) -> SealedDecision:
    return SealedDecision(
        id=entry.id,
        log_id=entry.log_id,
        leaf_index=entry.leaf_index,
        recorded_at=datetime.fromisoformat(said.at),
        occurred_at=datetime.fromisoformat(said.body.occurred_at),
        system_id=uuid.UUID(said.body.system),
        service_account_id=_uuid(said.body.account or said.actor.id),
        body=said.body,
        data=data,
        leaf_hash=bytes(entry.leaf_hash),
    )
