"""Cosignatures and time-stamps: each is still what was verified when it came, over a checkpoint that is still there.

What was deleted is not missed by anybody here: no entry says that it came. Whoever relies on one keeps it.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet

from evidence.models import Cosignature, Timestamp
from evidence.verification.findings import Finding
from evidence.verification.walks import Slice, Walk
from evidence.witnessing.authorities import stamped_in
from ledger.models import Checkpoint, Contradiction, Log
from ledger.tlog import NoteError, Verifier, read_cosignatures, split_note

ROWS_AT_ONCE = 2_000


def contradictions(log: Log) -> Iterator[Finding]:
    """What somebody outside holds of an open log, and the database does not continue. A closed one's is stated."""
    if hasattr(log, "closure"):
        return
    for each in Contradiction.objects.filter(log=log).order_by("id"):
        yield Finding("contradicted", log.origin, detail=f"size {each.tree_size}, held by {each.witness}")


def walks() -> list[Walk]:
    """Both tables, whose rows no entry leads to: their proof is their own signature."""
    return [
        Walk("cosignatures", "evidence_cosignature", "id", _cosignatures, ROWS_AT_ONCE),
        Walk("timestamps", "evidence_timestamp", "id", _timestamps, ROWS_AT_ONCE),
    ]


def _cosignatures(part: Slice) -> Iterator[Finding]:
    for row, checkpoint in _rows(Cosignature.objects, part):
        if checkpoint is None or not (_is_of(row, checkpoint) and _cosigns(row, checkpoint)):
            yield Finding("cosignature-altered", table="evidence_cosignature", row=str(row.pk))


def _cosigns(row: Cosignature, checkpoint: Checkpoint) -> bool:
    try:
        [found] = read_cosignatures(checkpoint.note, row.line, [Verifier.from_vkey(row.vkey)])
        return datetime.fromtimestamp(found.timestamp, UTC) == row.cosigned_at
    except (NoteError, ValueError, OverflowError):
        return False


def _timestamps(part: Slice) -> Iterator[Finding]:
    for row, checkpoint in _rows(Timestamp.objects, part):
        if checkpoint is None or not (_is_of(row, checkpoint) and _stamps(row, checkpoint)):
            yield Finding("timestamp-altered", table="evidence_timestamp", row=str(row.pk))


def _stamps(row: Timestamp, checkpoint: Checkpoint) -> bool:
    """Whether it is over this checkpoint, at this time. Its signature was verified when it came."""
    try:
        text = split_note(checkpoint.note)[0]
        return stamped_in(bytes(row.token)) == (hashlib.sha256(text.encode()).digest(), row.stamped_at)
    except (NoteError, ValueError):
        return False


def _is_of(row: Any, checkpoint: Checkpoint) -> bool:
    return (row.log_id, row.tree_size) == (checkpoint.log_id, checkpoint.tree_size)


def _rows(every: Any, part: Slice) -> Iterator[tuple[Any, Checkpoint | None]]:
    """Each row, and its checkpoint: None where somebody made it refer to none."""
    found: QuerySet[Any] = every.order_by("id")
    found = found.filter(id__gt=part.after) if part.after else found
    rows = list(found.filter(id__lte=part.upto) if part.upto else found)
    there = Checkpoint.objects.in_bulk({row.checkpoint_id for row in rows})
    for row in rows:
        yield row, there.get(row.checkpoint_id)
