"""How the logs are doing, from one query and the head store. Nothing is verified here, only put side by side."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from ledger.errors import CONTRADICTED, HeadStoreUnavailable
from ledger.heads import StoredHead, head_store

# the newest head of each log by index, and how far the self-audit has come
LOGS = """
    SELECT log.id, log.origin, log.kind, log.system_id, log.sequence, closure.closed_at,
           coalesce(head.tree_size, 0), head.root_hash, head.recorded_at,
           progress.next_index, progress.pass_started_at, progress.pass_finished_at,
           coalesce(progress.findings, '[]'::jsonb)::text,
           closure.log_id IS NULL AND EXISTS (SELECT FROM ledger_contradiction WHERE log_id = log.id)
    FROM ledger_log log
    LEFT JOIN LATERAL (
        SELECT tree_size, root_hash, recorded_at FROM ledger_head WHERE log_id = log.id ORDER BY tree_size DESC LIMIT 1
    ) head ON true
    LEFT JOIN ledger_logclosure closure ON closure.log_id = log.id
    LEFT JOIN evidence_auditprogress progress ON progress.log_id = log.id
    ORDER BY log.kind, log.origin, log.sequence
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogState:
    """A log's size, when it grew last, how far it is verified, and what is wrong with it (nothing, mostly)."""

    id: uuid.UUID
    origin: str
    kind: str
    system_id: uuid.UUID | None
    sequence: int
    closed_at: datetime | None
    tree_size: int
    root_hash: bytes | None
    grew_at: datetime | None
    audited: int | None
    audit_started_at: datetime | None
    audit_finished_at: datetime | None
    findings: list[dict[str, Any]]
    trouble: str

    @property
    def is_well(self) -> bool:
        return not self.trouble and not self.findings

    @property
    def is_registry(self) -> bool:
        return self.system_id is None

    @property
    def audit_share(self) -> int:
        return round(100 * (self.audited or 0) / self.tree_size) if self.tree_size else 0


def log_states() -> list[LogState]:
    """All logs, each compared with what this host has signed."""
    # the head store first: it is advanced after the commit, so whatever it has is in the database by then
    signed = _signed()
    with connection.cursor() as cursor:
        cursor.execute(LOGS)
        return [_state(row, signed) for row in cursor.fetchall()]


def _signed() -> dict[uuid.UUID, StoredHead] | None:
    """None: it cannot be read."""
    try:
        return head_store().heads()
    except HeadStoreUnavailable:
        return None


def troubled_logs() -> list[LogState]:
    return [log for log in log_states() if not log.is_well]


def _state(row: tuple[Any, ...], signed: dict[uuid.UUID, StoredHead] | None) -> LogState:
    log_id, size, root = row[0], row[6], bytes(row[7]) if row[7] else None
    findings = json.loads(row[12])  # as text: Django's connections leave JSON to its fields
    return LogState(
        id=log_id,
        origin=row[1],
        kind=row[2],
        system_id=row[3],
        sequence=row[4],
        closed_at=row[5],
        tree_size=size,
        root_hash=root,
        grew_at=row[8],
        audited=row[9],
        audit_started_at=row[10],
        audit_finished_at=row[11],
        findings=findings,
        # what a closed log has lost was stated; whether it lost yet more, the self-audit finds
        trouble=("" if row[5] else (CONTRADICTED if row[13] else "") or _trouble(log_id, size, root, signed))
        or (f"the self-audit found {len(findings)} mismatch{'' if len(findings) == 1 else 'es'}" if findings else ""),
    )


def _trouble(log_id: uuid.UUID, size: int, root: bytes | None, signed: dict[uuid.UUID, StoredHead] | None) -> str:
    unreadable = "the head store cannot be read, so nothing can be sealed"
    if signed is None:
        return unreadable
    try:
        # a log that was opened since the store was read is not among them
        return _difference(signed.get(log_id) or head_store().head(log_id), size, root)
    except HeadStoreUnavailable:
        return unreadable


def _difference(signed: StoredHead | None, size: int, root: bytes | None) -> str:
    if signed is None:
        return f"this host has no head for a log of {size:,} entries" if size else ""
    if signed.tree_size > size:
        return f"{signed.tree_size:,} entries were signed, the database holds {size:,}: it was rolled back"
    if signed.tree_size == size and root and signed.root_hash != root:
        return "the root in the database is not the one that was signed: it was rewritten"
    return ""
