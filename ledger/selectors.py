"""Reading the ledger."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

from ledger.errors import CONTRADICTED, EntryNotFound, HeadMissing, LedgerRolledBack, LogClosed, LogNotFound
from ledger.heads import StoredHead, head_store
from ledger.key_history import key_of, read_history
from ledger.models import Checkpoint, Contradiction, Entry, Log, LogClosure
from ledger.signing import SignedCheckpoint, sign_head, verifier_keys
from ledger.tlog import EMPTY_ROOT, MalformedNote, fold, split_note, subtree_nodes
from ledger.tree_store import TreeReader


@dataclass(frozen=True, slots=True)
class LogHead:
    """The newest head of a log in the database."""

    tree_size: int
    root_hash: bytes


def registry_log() -> Log:
    """The organisation's open registry log. Errors: `LogNotFound` before the database was set up."""
    log = Log.objects.filter(kind=Log.Kind.REGISTRY, closure=None).order_by("-sequence").first()
    if log is None:
        raise LogNotFound("the registry log is missing: run `manage.py setup_database`")
    return log


def open_log(system_id: uuid.UUID) -> Log:
    """The log an AI system's entries go to now. Errors: `LogNotFound`."""
    log = Log.objects.filter(system_id=system_id, closure=None).order_by("-sequence").first()
    if log is None:
        raise LogNotFound("this AI system has no open log")
    return log


def origins_of(log_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The origins of logs, in one query."""
    return dict(Log.objects.filter(pk__in=set(log_ids)).values_list("pk", "origin"))


def latest_head(log_id: uuid.UUID) -> LogHead:
    """The newest head in the database, size 0 for an empty log."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tree_size, root_hash FROM ledger_head WHERE log_id = %s ORDER BY tree_size DESC LIMIT 1", [log_id]
        )
        row = cursor.fetchone()
    return LogHead(row[0], bytes(row[1])) if row else LogHead(0, EMPTY_ROOT)


def root_at(log_id: uuid.UUID, tree_size: int) -> bytes:
    """The root of a log when it had `tree_size` entries, derived from leaf hashes and tile roots."""
    if tree_size == 0:
        return EMPTY_ROOT
    return fold(TreeReader(log_id).read(subtree_nodes(0, tree_size)))


def latest_checkpoint(log: Log) -> SignedCheckpoint:
    """Sign the newest tree of a log, after comparing it with what this host signed before.

    Of a closed log it is the newest stored checkpoint that the database still reaches: nothing new is signed for it.
    Errors: `HeadMissing`, `LedgerRolledBack`, `HeadStoreUnavailable`, `SigningKeyUnavailable`, `LogClosed` where a
    closed log has no such checkpoint.
    """
    if closure := LogClosure.objects.filter(log=log).first():
        return _last_stored_checkpoint(log, closure)
    if Contradiction.objects.filter(log=log).exists():
        raise LedgerRolledBack(f"{log.origin}: {CONTRADICTED}")
    head = latest_head(log.id)
    stored = head_store().head(log.id)
    if stored is None and head.tree_size:
        raise HeadMissing(f"{log.origin} has {head.tree_size} entries; see `manage.py adopt_head`")
    if stored and stored.tree_size < head.tree_size and not had_tree(log.id, stored.tree_size, stored.root_hash):
        raise LedgerRolledBack(f"{log.origin}: the root at size {stored.tree_size} is not the one that was signed")
    if (stored is None or stored.tree_size != head.tree_size) and not had_tree(log.id, head.tree_size, head.root_hash):
        raise LedgerRolledBack(f"{log.origin}: the newest head is not that of the entries")
    kept = head_store().advance(log.id, head.tree_size, head.root_hash)
    if kept.tree_size > head.tree_size and latest_head(log.id).tree_size < kept.tree_size:
        raise LedgerRolledBack(f"{log.origin} has {head.tree_size} entries, {kept.tree_size} were signed")
    return sign_head(log.origin, StoredHead(kept.tree_size, kept.root_hash))


def had_tree(log_id: uuid.UUID, tree_size: int, root_hash: bytes) -> bool:
    """Whether the entries lead to this tree: a head is only a row, so that is asked before it is signed."""
    try:
        return root_at(log_id, tree_size) == root_hash
    except LookupError:
        return False


def _last_stored_checkpoint(log: Log, closure: LogClosure) -> SignedCheckpoint:
    stored = Checkpoint.objects.filter(log=log, tree_size__lte=closure.tree_size).order_by("-tree_size").first()
    if stored is None:
        raise LogClosed(f"{log.origin} was closed before a checkpoint of it was stored")
    return SignedCheckpoint(stored.tree_size, bytes(stored.root_hash), stored.note)


def vkeys_of(log: Log) -> list[str]:
    """The verifier keys (`vkey`) of a log, those that sign now first.

    Of a closed log also those that signed its last checkpoint, whatever became of them: nothing new is signed for it,
    so only they verify it once the key was replaced.
    """
    keys, closure = verifier_keys(log.origin), getattr(log, "closure", None)
    if closure is None:
        return keys
    try:
        _, lines = split_note(_last_stored_checkpoint(log, closure).note)
    except (LogClosed, MalformedNote):
        return keys  # there is none, which whoever asks for it is told
    signed = {(line.name, line.key_id) for line in lines}
    earlier = (key_of(log.origin, key) for key in reversed(read_history().keys))
    return keys + [each.vkey for each in earlier if (each.name, each.key_id) in signed and each.vkey not in keys]


def discontinued_logs() -> list[str]:
    """Origins of the open logs that the database does not continue as this host signed them, or has no head of.

    Compares sizes, and roots where the sizes are equal; sealing compares the roots of what lies further back. The head
    store is read first: what is sealed meanwhile makes the database's head newer, never older. A log that a checkpoint
    in somebody else's hands contradicts is among them.
    """
    signed = head_store().heads()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.id, l.origin, h.tree_size, h.root_hash,"
            " EXISTS (SELECT FROM ledger_contradiction d WHERE d.log_id = l.id) FROM ledger_log l"
            " LEFT JOIN LATERAL (SELECT tree_size, root_hash FROM ledger_head WHERE log_id = l.id"
            " ORDER BY tree_size DESC LIMIT 1) h ON true"
            " WHERE NOT EXISTS (SELECT FROM ledger_logclosure c WHERE c.log_id = l.id) ORDER BY l.origin"
        )
        rows = cursor.fetchall()
    return [
        origin
        for log_id, origin, size, root, is_contradicted in rows
        if is_contradicted
        or not _continues(LogHead(size or 0, bytes(root) if root else EMPTY_ROOT), signed.get(log_id))
    ]


def _continues(head: LogHead, signed: StoredHead | None) -> bool:
    if signed is None:
        return head.tree_size == 0
    if signed.tree_size == head.tree_size:
        return signed.root_hash == head.root_hash
    return signed.tree_size < head.tree_size


def entry_by_id(entry_id: uuid.UUID) -> Entry:
    """An entry of any log. Errors: `EntryNotFound`."""
    entry = Entry.objects.filter(id=entry_id).first()
    if entry is None:
        raise EntryNotFound()
    return entry
