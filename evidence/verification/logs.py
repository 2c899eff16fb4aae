"""Which logs there are, what their rows and stored checkpoints say, and what the registry log says of them."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.db.models import Subquery
from django.db.models.functions import Coalesce
from psycopg import sql

from evidence.log_standing import logs_lost_whole
from evidence.verification.findings import Finding
from evidence.verification.trees import StoredEntry, as_uuid, said_by
from evidence.verification.walks import Slice, Walk, rows_of
from governance.models import AISystem
from ledger.heads import StoredHead
from ledger.key_history import LogKeys, public_key_in, read_history
from ledger.kinds import CHECKPOINT_RECORDED, KEY_ANNOUNCED, LOG_OPENED, REGISTRY_OPENED, SYSTEM_LOG_OPENED
from ledger.models import Checkpoint, Entry, Head, Log, LogClosure
from ledger.selectors import root_at
from ledger.tlog import Frontier, NoteError, open_checkpoint

RootAt = Callable[[int], bytes]
LOGS, CHECKPOINTS, CLOSURES = (model._meta.db_table for model in (Log, Checkpoint, LogClosure))


def check_identity(log: Log, first: Sequence[StoredEntry]) -> Iterator[Finding]:
    """The log's row says what its entry 0 says, and the registry log knows of it."""
    said = first[0].body if first else {}
    expected = REGISTRY_OPENED if log.kind == Log.Kind.REGISTRY else LOG_OPENED
    opened = bool(first) and first[0].kind == expected.name
    repeated = (said.get("origin"), said.get("system")) == (log.origin, _text(log.system_id))
    if not opened or not repeated or not _continues_what_it_says(log, said):
        yield Finding("log-altered", log.origin, table=LOGS, row=str(log.id))
    if log.kind == Log.Kind.SYSTEM and not _announced(log):
        yield Finding("log-unannounced", log.origin, table=LOGS, row=str(log.id))


def _continues_what_it_says(log: Log, said: dict[str, Any]) -> bool:
    """Whether the row names the predecessor that entry 0 names, and counts on from it."""
    named = said.get("predecessor")
    if log.predecessor_id is None:
        return named is None and log.sequence == 0
    # looked up, not followed: the row may name a log that is not there
    before = Log.objects.filter(pk=log.predecessor_id).first()
    if before is None or not isinstance(named, dict):
        return False
    return (named.get("origin"), before.sequence + 1) == (before.origin, log.sequence)


def _text(value: uuid.UUID | None) -> str | None:
    return str(value) if value else None


def _announced(log: Log) -> bool:
    announced = Entry.objects.filter(about_id=log.id, kind=SYSTEM_LOG_OPENED.name, log__kind=Log.Kind.REGISTRY)
    return announced.exists()


def check_checkpoints(log: Log, before: Frontier, hashes: Sequence[bytes]) -> Iterator[Finding]:
    """Each stored checkpoint whose size lies within these entries states their tree, signed by a key then in force."""
    first = before.size + 1 if before.size else 0
    stored = Checkpoint.objects.filter(log=log, tree_size__gte=first, tree_size__lte=before.size + len(hashes))
    frontier, keys = before, LogKeys.of(log)
    for checkpoint in stored.order_by("tree_size", "id").iterator():
        frontier = frontier.extend(hashes[frontier.size - before.size : checkpoint.tree_size - before.size])
        if not _is_genuine(keys, checkpoint, {checkpoint.tree_size: frontier.root()}.__getitem__):
            yield Finding("checkpoint-altered", log.origin, table=CHECKPOINTS, row=str(checkpoint.id))


def checkpoints_beyond(log: Log) -> Iterator[Finding]:
    """Checkpoints of a tree that the log never had. (One statement: logs grow, and are signed for, meanwhile.)"""
    newest = Head.objects.filter(log=log).order_by("-tree_size").values("tree_size")[:1]
    beyond = Checkpoint.objects.filter(log=log, tree_size__gt=Coalesce(Subquery(newest), -1))
    for checkpoint_id in beyond.values_list("id", flat=True)[:100]:
        yield Finding("checkpoint-altered", log.origin, table=CHECKPOINTS, row=str(checkpoint_id))


def _is_genuine(keys: LogKeys, checkpoint: Checkpoint, root_at: RootAt) -> bool:
    try:
        opened = open_checkpoint(checkpoint.note, origin=keys.origin, log_verifiers=keys.verifiers)
    except NoteError:
        return False
    signed = opened.checkpoint
    if not any(keys.in_force(each.key_id, signed.tree_size) for each in opened.log_signatures):
        return False
    stated = (signed.tree_size, signed.root_hash)
    return (
        stated == (checkpoint.tree_size, bytes(checkpoint.root_hash)) == (signed.tree_size, root_at(signed.tree_size))
    )


def check_announcements(log: Log, entries: Sequence[StoredEntry]) -> Iterator[Finding]:
    """The keys it announces are the installation's; of the registry log: logs and checkpoints it names are there."""
    yield from _check_keys(log, entries)
    if log.kind != Log.Kind.REGISTRY:
        return
    opened = [entry for entry in entries if entry.kind == SYSTEM_LOG_OPENED.name]
    announced = {entry.about_id: entry for entry in opened if entry.about_id}
    for entry in opened:
        if not entry.about_id:
            yield Finding("entry-mislabelled", log.origin, entry.index)
    there = {str(found) for found in Log.objects.filter(pk__in=announced).values_list("pk", flat=True)}
    for missing in announced.keys() - there:
        place = _whose(announced[missing])
        yield Finding("log-missing", log.origin, announced[missing].index, table=LOGS, row=missing, detail=place)
    recorded = {entry.id: entry for entry in entries if entry.kind == CHECKPOINT_RECORDED.name}
    kept = {str(checkpoint.id): checkpoint for checkpoint in Checkpoint.objects.filter(pk__in=recorded)}
    for entry_id, entry in recorded.items():
        if entry_id not in kept:
            yield Finding("checkpoint-missing", log.origin, entry.index, table=CHECKPOINTS, row=entry_id)
        elif not _repeats(kept[entry_id], entry):
            yield Finding("checkpoint-altered", log.origin, entry.index, table=CHECKPOINTS, row=entry_id)


def _whose(announced: StoredEntry) -> str:
    """The AI system of a log that is announced, as people call it."""
    system_id = as_uuid(announced.body.get("system"))
    if system_id is None:
        return ""
    named = AISystem.objects.filter(pk=system_id).values_list("slug", flat=True).first()
    return f"AI system {named or system_id}"


def _check_keys(log: Log, entries: Sequence[StoredEntry]) -> Iterator[Finding]:
    announcing = [entry for entry in entries if entry.kind in (KEY_ANNOUNCED.name, SYSTEM_LOG_OPENED.name)]
    if not announcing:
        return
    history = read_history()
    for entry in announcing:
        if public_key_in(entry.body) not in history.keys or (log.id, entry.index) in history.unsigned:
            yield Finding("key-unsigned", log.origin, entry.index)


def _repeats(checkpoint: Checkpoint, entry: StoredEntry) -> bool:
    said = (entry.body.get("log"), entry.body.get("tree_size"), entry.body.get("root_hash"))
    return said == (str(checkpoint.log_id), checkpoint.tree_size, bytes(checkpoint.root_hash).hex())


def is_declared_lost(log: Log, signed: StoredHead | None) -> bool:
    """Whether the log is closed, and its successor's entry 0 states the very tree this host signed last; or, where this
    host has no head of it, that nobody knows its tail."""
    successor = log.successors.first()
    opening = Entry.objects.filter(log=successor, leaf_index=0).first() if successor else None
    if opening is None or not LogClosure.objects.filter(log=log, entry_id=opening.id).exists():
        return False
    said = _predecessor(opening)
    if signed is None:
        return bool(said.get("tail") == "unknown")
    return (said.get("tree_size"), said.get("root_hash")) == (signed.tree_size, signed.root_hash.hex())


def _predecessor(opening: Entry) -> dict[str, Any]:
    """What entry 0 says of the log before, empty where it says nothing that could be read."""
    said = said_by(opening.data).get("predecessor")
    return said if isinstance(said, dict) else {}


def unsealed_closures() -> Iterator[Finding]:
    """Logs that were closed without a successor whose entry 0 says so, with this origin and this last tree."""
    for closure in LogClosure.objects.select_related("log"):
        opening = Entry.objects.filter(id=closure.entry_id, leaf_index=0, log__predecessor=closure.log).first()
        said = _predecessor(opening) if opening else {}
        if (said.get("origin"), said.get("found")) != (closure.log.origin, closure.tree_size):
            yield Finding("log-closure-unsealed", closure.log.origin, table=CLOSURES)
        elif _root_of(closure) not in (None, bytes(closure.root_hash)):
            yield Finding("log-closure-altered", closure.log.origin, table=CLOSURES, detail=f"size {closure.tree_size}")
    for log in Log.objects.filter(closure=None, successors__isnull=False).distinct().order_by("id"):
        yield Finding("log-closure-missing", log.origin, table=CLOSURES)


def _root_of(closure: LogClosure) -> bytes | None:
    """The root of the log at the size it was closed with; None where it does not reach so far: found elsewhere."""
    try:
        return root_at(closure.log_id, closure.tree_size)
    except LookupError:
        return None


def check_closed(log: Log, tree_size: int, root_hash: bytes) -> Iterator[Finding]:
    """A closed log stays as it was found: the head store, which holds more, cannot tell whether it lost yet more."""
    closure = LogClosure.objects.get(log=log)
    if (closure.tree_size, bytes(closure.root_hash)) != (tree_size, root_hash):
        yield Finding("rolled-back", log.origin, detail=f"{closure.tree_size} when it was closed, {tree_size} there")


def registry_missing() -> Iterator[Finding]:
    """No registry log at all."""
    if not Log.objects.filter(kind=Log.Kind.REGISTRY, sequence=0).exists():
        yield Finding("log-missing", detail="the registry log")


def lost_whole() -> Iterator[Finding]:
    """Logs that this host has signed for and that are gone with all their rows: nothing in the database names them."""
    for lost in logs_lost_whole():
        detail = f"{lost.words}, {lost.signed.tree_size} entries signed"
        yield Finding("log-missing", table=LOGS, row=str(lost.log_id), detail=detail)


def walks() -> list[Walk]:
    """Every row of the ledger's own tables that an entry must lead to."""
    return [Walk("checkpoints", "ledger_checkpoint", "id", _checkpoints_without_entries)]


def _checkpoints_without_entries(part: Slice) -> Iterator[Finding]:
    """Stored checkpoints that no entry leads to. (The id of a recorded one is its entry's; of others none is sealed:
    their signature and their tree are verified with the log.)"""
    query = sql.SQL(
        "SELECT c.id FROM ledger_checkpoint c"
        " WHERE {} AND (c.purpose = 'recorded') <> EXISTS (SELECT FROM ledger_entry e WHERE e.id = c.id) LIMIT 100"
    )
    for (checkpoint_id,) in rows_of(query.format(part.holds("c", "id"))):
        yield Finding("checkpoint-without-entry", table=CHECKPOINTS, row=str(checkpoint_id))
