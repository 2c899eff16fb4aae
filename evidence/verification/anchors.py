"""Cosignatures and time-stamps: each is still what was verified when it came, over a checkpoint that is still there.

What was deleted is not missed by anybody here: no entry says that it came. Whoever relies on one keeps it. Nor whose a
time-stamp is: the name beside it is the operator's, and its certificates are for whoever knows them from elsewhere.
Of what contradicts a log the registry log has an entry: that is missed.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet

from evidence.exports.verifier import verifier
from evidence.kinds import CHECKPOINT_CONTRADICTED
from evidence.models import Cosignature, Timestamp
from evidence.verification.findings import Finding
from evidence.verification.trees import StoredEntry
from evidence.verification.walks import Slice, Walk
from evidence.witnessing.authorities import stamped_in
from ledger.models import Checkpoint, Contradiction, Log
from ledger.tlog import Checkpoint as Noted
from ledger.tlog import NoteError, Verifier, read_cosignatures, split_note

ROWS_AT_ONCE = 2_000
STAMPS_AT_ONCE = 20
"""Of each a signature is verified, by the program that whoever gets it in a bundle will use, which takes its time."""
CONTRADICTIONS = Contradiction._meta.db_table


def contradictions(log: Log) -> Iterator[Finding]:
    """What somebody outside holds of an open log, and the database does not continue. A closed one's is stated."""
    if hasattr(log, "closure"):
        return
    for each in Contradiction.objects.filter(log=log).order_by("id"):
        yield Finding("contradicted", log.origin, detail=f"size {each.tree_size}, held by {each.witness}")


def check_contradictions(log: Log, entries: Sequence[StoredEntry]) -> Iterator[Finding]:
    """What these entries say that somebody outside holds against a log is there, and is that."""
    about = [entry for entry in entries if entry.kind == CHECKPOINT_CONTRADICTED.name]
    said = {entry.about_id: entry for entry in about if entry.about_id}
    for entry in about:
        if not entry.about_id:
            yield Finding("entry-mislabelled", log.origin, entry.index)
    kept = {str(row.pk): row for row in Contradiction.objects.filter(pk__in=said)}
    for row_id, entry in said.items():
        if row_id not in kept:
            yield Finding("contradiction-missing", log.origin, entry.index, table=CONTRADICTIONS, row=row_id)
        elif not _is_as_said(kept[row_id], entry):
            yield Finding("contradiction-altered", log.origin, entry.index, table=CONTRADICTIONS, row=row_id)


def _is_as_said(row: Contradiction, entry: StoredEntry) -> bool:
    """Whether row and note are of the tree that the entry names. (Its signature may be by a lost key.)"""
    said = {
        **{"log": str(row.log_id), "tree_size": row.tree_size, "found": row.found_size},
        **{"root_hash": bytes(row.root_hash).hex(), "witness": entry.body.get("witness") and row.witness},
    }
    if any(entry.body.get(name) != value for name, value in said.items()):
        return False
    try:
        noted = Noted.from_text(split_note(row.note)[0])
    except NoteError:
        return False
    stated = (entry.body.get("origin"), row.tree_size, bytes(row.root_hash))
    return (noted.origin, noted.tree_size, noted.root_hash) == stated


def walks() -> list[Walk]:
    """Both tables, whose rows no entry leads to: their proof is their own signature."""
    return [
        Walk("cosignatures", "evidence_cosignature", "id", _cosignatures, ROWS_AT_ONCE),
        Walk("timestamps", "evidence_timestamp", "id", _timestamps, STAMPS_AT_ONCE),
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
    """Whether it is over this checkpoint, at this time, and signed by the certificate inside."""
    try:
        text = split_note(checkpoint.note)[0].encode()
        if stamped_in(bytes(row.token)) != (hashlib.sha256(text).digest(), row.stamped_at):
            return False
        verifier().check_timestamp(bytes(row.token), text)
    except verifier().Unsupported:  # stored before it was asked for this: whoever gets it needs another program
        return True
    except (NoteError, ValueError):
        return False
    return True


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
