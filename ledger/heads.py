"""The head store: what this host has signed, kept outside PostgreSQL so that a rolled-back database is noticed.

One SQLite file in WAL mode per host, shared by its processes. A head is a lower bound: losing the last writes to a
power failure loses vigilance, never correctness, so `synchronous=NORMAL` is enough.
"""

import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from ledger.errors import HeadStoreUnavailable, LedgerRolledBack

BUSY_SECONDS = 2.0
PROBE = b"probe"
"""A row that belongs to no log (their ids have 16 bytes), for writes that try whether writing works."""


@dataclass(frozen=True, slots=True)
class StoredHead:
    """The largest tree of a log that this host has signed (size 0: the log is known, nothing signed)."""

    tree_size: int
    root_hash: bytes


@dataclass(frozen=True, slots=True)
class NamedSystem:
    """The AI system of a log, as it is called: kept here, since its row goes with a database that is put back."""

    system_id: uuid.UUID
    slug: str


class HeadStore:
    """The file and its connections, one for each thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._failed = False

    def head(self, log_id: uuid.UUID) -> StoredHead | None:
        """The stored head of a log, None where this host has never heard of it. Errors: `HeadStoreUnavailable`."""
        with self._connection() as db:
            row = db.execute("SELECT tree_size, root_hash FROM heads WHERE log_id = ?", (log_id.bytes,)).fetchone()
        return StoredHead(*row) if row else None

    def introduce(self, log_id: uuid.UUID, empty_root: bytes) -> None:
        """Make a new log known before its first commit, so that a crash right after does not orphan it."""
        with self._connection() as db:
            db.execute("INSERT OR IGNORE INTO heads VALUES (?, 0, ?)", (log_id.bytes, empty_root))

    def name_system(self, log_id: uuid.UUID, system: NamedSystem) -> None:
        """Keep whose log it is, before its first commit: what is lost can then be named.

        Errors: `HeadStoreUnavailable`.
        """
        with self._connection() as db:
            db.execute(
                "INSERT OR REPLACE INTO systems VALUES (?, ?, ?)", (log_id.bytes, system.system_id.bytes, system.slug)
            )

    def systems(self) -> dict[uuid.UUID, NamedSystem]:
        """Whose the logs are, of those that were named. Errors: `HeadStoreUnavailable`."""
        with self._connection() as db:
            rows = db.execute("SELECT log_id, system_id, slug FROM systems").fetchall()
        return {uuid.UUID(bytes=log_id): NamedSystem(uuid.UUID(bytes=of), slug) for log_id, of, slug in rows}

    def advance(self, log_id: uuid.UUID, tree_size: int, root_hash: bytes) -> StoredHead:
        """Compare-and-set to the larger tree; returns the head that now stands, which covers `tree_size`.

        Errors: `LedgerRolledBack` where a tree of this size was signed with another root, `HeadStoreUnavailable`.
        """
        with self._connection(noting_failure=True) as db:
            db.execute(
                "INSERT INTO heads VALUES (?, ?, ?) ON CONFLICT (log_id) DO UPDATE"
                " SET tree_size = excluded.tree_size, root_hash = excluded.root_hash"
                " WHERE excluded.tree_size > heads.tree_size",
                (log_id.bytes, tree_size, root_hash),
            )
            row = db.execute("SELECT tree_size, root_hash FROM heads WHERE log_id = ?", (log_id.bytes,)).fetchone()
        head = StoredHead(*row)
        if head.tree_size == tree_size and head.root_hash != root_hash:
            raise LedgerRolledBack(f"log {log_id}: size {tree_size} was signed with another root")
        return head

    def heads(self) -> dict[uuid.UUID, StoredHead]:
        """The stored heads of all logs. Errors: `HeadStoreUnavailable`."""
        with self._connection() as db:
            rows = db.execute("SELECT log_id, tree_size, root_hash FROM heads WHERE log_id != ?", (PROBE,)).fetchall()
        return {uuid.UUID(bytes=log_id): StoredHead(size, root) for log_id, size, root in rows}

    def copy_to(self, target: Path) -> None:
        """Write the heads as they stand at one moment into a new file, whoever else writes meanwhile.

        Errors: `HeadStoreUnavailable`, `OSError` and `sqlite3.Error` of the new file.
        """
        with self._connection() as db:
            db.execute("SELECT count(*) FROM heads").fetchone()  # what cannot be read is our fault, not the copy's
            source = db
        with closing(sqlite3.connect(target, isolation_level=None)) as copy:
            source.backup(copy)
            copy.execute("DELETE FROM heads WHERE log_id = ?", (PROBE,))
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a journal beside it

    def check_writable(self) -> None:
        """Raise `HeadStoreUnavailable` unless a write goes through.

        It is committed: only then does SQLite write to the file, so only then is a full disk noticed.
        """
        with self._connection() as db:
            db.execute("INSERT OR REPLACE INTO heads VALUES (?, 0, ?)", (PROBE, bytes(32)))

    def check_after_failure(self) -> None:
        """Where an `advance` failed, try whether writing works again, before more is committed that nobody is told of.

        Errors: `HeadStoreUnavailable`.
        """
        if self._failed:
            self.check_writable()
            self._failed = False

    @contextmanager
    def _connection(self, *, noting_failure: bool = False) -> Iterator[sqlite3.Connection]:
        try:
            yield self._open()
        except (sqlite3.Error, OSError) as error:
            self._failed |= noting_failure
            self.close()
            raise HeadStoreUnavailable(f"{self.path.name}: {error}") from error

    def _open(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS heads"
                " (log_id BLOB PRIMARY KEY, tree_size INTEGER NOT NULL, root_hash BLOB NOT NULL) WITHOUT ROWID"
            )
            connection.execute(
                "CREATE TABLE IF NOT EXISTS systems"
                " (log_id BLOB PRIMARY KEY, system_id BLOB NOT NULL, slug TEXT NOT NULL) WITHOUT ROWID"
            )
            self._local.connection = connection
        return connection

    def close(self) -> None:
        """Close this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()


_stores: dict[Path, HeadStore] = {}


def head_store() -> HeadStore:
    """This host's head store."""
    path = Path(settings.HEAD_STORE)
    return _stores.setdefault(path, HeadStore(path))
