"""Sealing: acknowledged means sealed.

`sealing()` opens the one transaction of a service and flushes the entries added to it just before COMMIT:

    the services' own locks and writes
    lock the log rows, in id order
    (a new statement) read their heads          -> step "lock"
    compare with the head store
    COPY the entries                            -> step "copies"
    full tiles                                  -> step "tiles"
    one head row a log                          -> step "head_row"
    COMMIT                                      -> steps "before_commit", "committed"
    advance the head store                      -> step "head_store"
    sign                                        -> step "signature"

A crash before COMMIT leaves nothing. A crash after it leaves entries that are sealed but not acknowledged: the
caller's retry finds them by id. READ COMMITTED, so that the statement after the lock sees the last holder's commit.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import chain
from struct import Struct
from typing import Protocol

from django.db import connection, transaction

from ledger.copying import Copies
from ledger.entries import Draft
from ledger.errors import CONTRADICTED, HeadMissing, HeadPresent, LedgerRolledBack, LogClosed, LogNotFound
from ledger.heads import StoredHead, head_store
from ledger.kinds import Kind
from ledger.models import Entry
from ledger.selectors import had_tree
from ledger.signing import SignedCheckpoint, sign_head, signing_seeds
from ledger.tlog import EMPTY_ROOT, Frontier
from ledger.tree_store import write_tiles


def _no_step(name: str) -> None:
    """Production does nothing between the steps; the fault tests put their own function here."""


step: Callable[[str], None] = _no_step


class Sealable(Protocol):
    """What can be placed in a log: a `Draft`, or a decision whose bytes were made on the hot path."""

    @property
    def leaf_hash(self) -> bytes: ...

    @property
    def row_tail(self) -> bytes: ...


@dataclass(slots=True)
class OpenLog:
    """A log whose lock this transaction holds."""

    id: uuid.UUID
    origin: str
    frontier: Frontier
    drafts: list[Sealable] = field(default_factory=list)

    @property
    def next_index(self) -> int:
        return self.frontier.size + len(self.drafts)


class Seal:
    """The entries of one transaction. Made by `sealing()`, never by hand."""

    def __init__(self) -> None:
        self._waiting: dict[uuid.UUID, list[Sealable]] = defaultdict(list)
        self._open: dict[uuid.UUID, OpenLog] = {}
        self.checkpoints: dict[uuid.UUID, SignedCheckpoint] = {}

    def add(self, log_id: uuid.UUID, draft: Sealable) -> None:
        """Add one entry to a log; it gets its index when the log is locked."""
        self._waiting[log_id].append(draft)

    def lock(self, *log_ids: uuid.UUID) -> dict[uuid.UUID, OpenLog]:
        """Take the locks of logs, all in one statement and in id order, and read their heads.

        For services that must know what a log holds before they write. Whoever locks twice must go upwards, or two
        transactions could wait for each other. Errors: `LogNotFound`, `LogClosed`, `HeadMissing`, `LedgerRolledBack`.
        """
        wanted = sorted(set(log_ids) - self._open.keys())
        if wanted:
            if self._open and wanted[0] < max(self._open):
                raise RuntimeError("logs are locked in id order: lock all that are needed at once")
            for log in _take(wanted):
                _compare_with_head_store(log)
                self._open[log.id] = log
        return {log_id: self._open[log_id] for log_id in log_ids}

    def lock_without_head(self, log_id: uuid.UUID) -> OpenLog:
        """Take the lock of a log of which this host has no head, for whoever verifies it whole before COMMIT.

        The head store gets the head after COMMIT, as always: a crash in between leaves this host without one, and the
        same can be done again. Errors: `LogNotFound`, `LogClosed`, `LedgerRolledBack`, `HeadPresent`.
        """
        (log,) = _take([log_id])
        if head_store().head(log_id) is not None:
            raise HeadPresent(log.origin)
        self._open[log_id] = log
        return log

    def place(self, log_id: uuid.UUID, drafts: Sequence[Sealable]) -> int:
        """Give entries their place in a log this transaction has locked; returns the first one's leaf index."""
        log = self._open[log_id]
        first = log.next_index
        log.drafts.extend(drafts)
        return first

    def _waiting_about(self, about_ids: Collection[uuid.UUID], kinds: Collection[str]) -> Iterator[bytes]:
        placed = (log.drafts for log in self._open.values())
        for draft in chain.from_iterable((*placed, *self._waiting.values())):
            if isinstance(draft, Draft) and draft.about_id in about_ids and draft.kind in kinds:
                yield draft.data

    def _flush(self) -> None:
        late = self._waiting.keys() - self._open.keys()
        if late:
            self.lock(*late)
        for log_id, drafts in self._waiting.items():
            self.place(log_id, drafts)
        self._waiting.clear()
        grown = [log for _, log in sorted(self._open.items()) if log.drafts]
        if grown:
            _copy_entries(grown)
            step("copies")
        for log in grown:
            _write_head(log)

    def _publish(self) -> None:
        store = head_store()
        for log in self._open.values():
            head = store.advance(log.id, log.frontier.size, log.frontier.root())
            step("head_store")
            self.checkpoints[log.id] = sign_head(log.origin, head)
            step("signature")


_current: ContextVar[Seal | None] = ContextVar("seal", default=None)


@contextmanager
def sealing() -> Iterator[Seal]:
    """The transaction of a service and the entries it adds; joins an outer one.

    After the outermost block ends, its entries are durable, under the new root, and `checkpoints` holds the signed
    checkpoint of each log that it locked. Inside an outer block, an exception rolls back to where the inner block began
    and drops the entries it added. Errors: `Unavailable` kinds from `ledger.errors`, database errors as they come.
    """
    outer = _current.get()
    if outer is not None:
        with _joined(outer):
            yield outer
        return
    seal = Seal()
    token = _current.set(seal)
    try:
        with transaction.atomic(durable=True):
            yield seal
            seal._flush()
            step("before_commit")
    finally:
        _current.reset(token)
    step("committed")
    seal._publish()


def said_about(about_ids: Collection[uuid.UUID], kinds: Collection[Kind]) -> list[bytes]:
    """The bytes of the entries of some kinds about some rows: those sealed, then those this transaction will seal."""
    names = {kind.name for kind in kinds}
    sealed = Entry.objects.filter(about_id__in=about_ids, kind__in=names).order_by("id").values_list("data", flat=True)
    found = [bytes(data) for data in sealed]
    seal = _current.get()
    return found if seal is None else [*found, *seal._waiting_about(about_ids, names)]


@contextmanager
def _joined(seal: Seal) -> Iterator[None]:
    waiting = {log_id: len(drafts) for log_id, drafts in seal._waiting.items()}
    placed = {log_id: len(log.drafts) for log_id, log in seal._open.items()}
    try:
        with transaction.atomic():
            yield
    except BaseException:
        for log_id, drafts in seal._waiting.items():
            del drafts[waiting.get(log_id, 0) :]
        for log_id, log in seal._open.items():
            del log.drafts[placed.get(log_id, 0) :]
        raise


LOCK = "SELECT id FROM ledger_log WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
HEADS = """
    SELECT l.id, l.origin, h.frontier, h.root_hash, c.log_id,
        (SELECT max(leaf_index) + 1 FROM ledger_entry WHERE log_id = l.id),
        EXISTS (SELECT FROM ledger_contradiction WHERE log_id = l.id)
    FROM ledger_log l
    LEFT JOIN LATERAL
        (SELECT frontier, root_hash FROM ledger_head WHERE log_id = l.id ORDER BY tree_size DESC LIMIT 1) h ON true
    LEFT JOIN ledger_logclosure c ON c.log_id = l.id WHERE l.id = ANY(%s) ORDER BY l.id
"""


def _take(log_ids: Sequence[uuid.UUID]) -> list[OpenLog]:
    signing_seeds()  # what cannot be signed afterwards is not committed either
    opened = _lock_and_read_heads(log_ids)
    step("lock")
    # a decision without an id would be sealed anew at each retry, as long as nothing can be signed
    head_store().check_after_failure()
    return opened


def _lock_and_read_heads(log_ids: Sequence[uuid.UUID]) -> list[OpenLog]:
    """Two statements in one round trip. Each has a snapshot of its own, so the second sees the last holder's commit."""
    wanted = list(log_ids)
    with connection.cursor() as cursor:
        cursor.execute(f"{LOCK}; {HEADS}", [wanted, wanted])
        if len(cursor.fetchall()) != len(wanted):
            raise LogNotFound()
        cursor.nextset()
        return [_open_log(*row) for row in cursor.fetchall()]


def _open_log(
    log_id: uuid.UUID,
    origin: str,
    frontier: bytes | None,
    root_hash: bytes | None,
    closed: uuid.UUID | None,
    entries: int | None,
    is_contradicted: bool,
) -> OpenLog:
    if closed:
        raise LogClosed(f"{origin} takes no more entries")
    if is_contradicted:
        raise LedgerRolledBack(f"{origin}: {CONTRADICTED}")
    log = OpenLog(log_id, origin, Frontier.from_bytes(bytes(frontier)) if frontier else Frontier())
    # a head is only a row: it must be one of these entries, or we would build on somebody's invention
    if log.frontier.size != (entries or 0) or (root_hash and log.frontier.root() != bytes(root_hash)):
        raise LedgerRolledBack(f"{origin}: the newest head is not that of the entries")
    return log


def _compare_with_head_store(log: OpenLog) -> None:
    """The database must continue what this host signed; else somebody restored or rewrote it."""
    stored = head_store().head(log.id)
    size = log.frontier.size
    if stored is None:
        if size:
            raise HeadMissing(f"{log.origin} has {size} entries; see `manage.py adopt_head`")
        head_store().introduce(log.id, EMPTY_ROOT)
    elif stored.tree_size > size:
        raise LedgerRolledBack(f"{log.origin} has {size} entries, {stored.tree_size} were signed")
    elif not _holds(log, stored):
        raise LedgerRolledBack(f"{log.origin}: the root at size {stored.tree_size} is not the one that was signed")


def _holds(log: OpenLog, stored: StoredHead) -> bool:
    if stored.tree_size == log.frontier.size:
        return log.frontier.root() == stored.root_hash
    return had_tree(log.id, stored.tree_size, stored.root_hash)


_place = Struct(">hi16siq").pack
ENTRY_COLUMNS = "log_id, leaf_index, id, kind, about_id, data, leaf_hash"


def _copy_entries(logs: Sequence[OpenLog]) -> None:
    """One COPY for the entries of all logs."""
    rows = (
        _place(7, 16, log.id.bytes, 8, index) + draft.row_tail
        for log in logs
        for index, draft in enumerate(log.drafts, log.frontier.size)
    )
    with Copies() as copies:
        copies.add("ledger_entry", ENTRY_COLUMNS, rows)


def _write_head(log: OpenLog) -> None:
    log.frontier, tile_roots = log.frontier.extend_with_tile_roots([draft.leaf_hash for draft in log.drafts])
    write_tiles(log.id, tile_roots)
    step("tiles")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_head (log_id, tree_size, root_hash, frontier) VALUES (%s, %s, %s, %s)",
            [log.id, log.frontier.size, log.frontier.root(), log.frontier.to_bytes()],
        )
    step("head_row")
