"""What a witness has cosigned: for each log the largest tree, in one SQLite file that outlives a power failure.

Comparing with what is known and writing down what is new are one transaction, on disk before anything is answered: of
two requests at once the second finds what the first wrote, and a witness that is killed has forgotten nothing it said.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.tlog import EMPTY_ROOT

BUSY_SECONDS = 10.0
KEPT_REFUSALS = 1_000
MOST_LOGS = 10_000

SCHEMA = """
    CREATE TABLE IF NOT EXISTS witness (vkey TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS heads (
        origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, root_hash BLOB NOT NULL,
        note TEXT NOT NULL, cosigned_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS refusals (
        id INTEGER PRIMARY KEY, origin TEXT NOT NULL, at INTEGER NOT NULL, status INTEGER NOT NULL,
        old_size INTEGER NOT NULL, note TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS alarms (
        id INTEGER PRIMARY KEY, origin TEXT NOT NULL, at INTEGER NOT NULL, what TEXT NOT NULL,
        known TEXT NOT NULL, found TEXT NOT NULL, UNIQUE (origin, what, found)
    );
    CREATE TABLE IF NOT EXISTS acknowledged (alarm INTEGER PRIMARY KEY, at INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS grown (
        origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, since INTEGER NOT NULL
    ) WITHOUT ROWID;
"""


class MemoryLost(Exception):
    """The memory is not there, or is another witness's. Under this key nothing may be signed any more."""


class MemoryFull(Exception):
    """More logs than one witness keeps."""


@dataclass(frozen=True, slots=True)
class Known:
    """The largest tree of a log that was cosigned; `note` has the cosignature. Size 0 and no note: none yet."""

    tree_size: int = 0
    root_hash: bytes = EMPTY_ROOT
    note: str = ""
    cosigned_at: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A signed checkpoint that was not cosigned, kept because it may prove that the log misbehaved."""

    origin: str
    at: int
    status: int
    old_size: int
    note: str


class Memory:
    """The file. One connection, which its users take turns on; other processes wait for each other at `changing`."""

    def __init__(self, path: Path, *, vkey: str) -> None:
        if not path.exists():
            raise MemoryLost(f"{path} is not there. A witness that forgot what it signed must not sign again.")
        self.path = path
        self._turn = threading.RLock()
        self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        # FULL: each commit is on disk before it returns, in WAL mode too
        self._db.execute("PRAGMA synchronous=FULL")
        found = self._db.execute("SELECT vkey FROM witness").fetchone()
        if found is None or found[0] != vkey:
            raise MemoryLost(f"{path} is the memory of another witness than the key's.")
        self._db.executescript(SCHEMA)  # of an earlier version of this program

    @staticmethod
    def create(path: Path, *, vkey: str) -> None:
        """Make an empty memory for a new key. Errors: FileExistsError."""
        path.touch(mode=0o600, exist_ok=False)
        db = sqlite3.connect(path, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.executescript(SCHEMA)
            db.execute("INSERT INTO witness VALUES (?)", (vkey,))
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            db.close()

    def close(self) -> None:
        with self._turn:
            self._db.close()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """A transaction that nobody else writes beside; on disk when the block has ended, undone when it raises."""
        with self._turn:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def known(self, origin: str) -> Known:
        """The largest tree of a log that was cosigned."""
        with self._turn:
            row = self._db.execute(
                "SELECT tree_size, root_hash, note, cosigned_at FROM heads WHERE origin = ?", (origin,)
            ).fetchone()
        return Known(*row) if row else Known()

    def remember(self, origin: str, known: Known) -> None:
        """Put a larger tree in the place of the last. Inside `changing`. Errors: `MemoryFull`."""
        row = self._db.execute("SELECT count(*), sum(origin = ?) FROM heads", (origin,)).fetchone()
        if row[0] >= MOST_LOGS and not row[1]:
            raise MemoryFull
        self._db.execute(
            "INSERT INTO heads VALUES (?, ?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE"
            " SET tree_size = excluded.tree_size, root_hash = excluded.root_hash,"
            " note = excluded.note, cosigned_at = excluded.cosigned_at",
            (origin, known.tree_size, known.root_hash, known.note, known.cosigned_at),
        )
        # a log that has the same tree cosigned again has not grown
        self._db.execute(
            "INSERT INTO grown VALUES (?, ?, ?) ON CONFLICT (origin) DO UPDATE"
            " SET tree_size = excluded.tree_size, since = excluded.since WHERE excluded.tree_size > grown.tree_size",
            (origin, known.tree_size, known.cosigned_at),
        )

    def since(self, origin: str) -> int | None:
        """When a log had the tree that is known for the first time, in POSIX seconds; None where nobody knows."""
        with self._turn:
            row = self._db.execute("SELECT since FROM grown WHERE origin = ?", (origin,)).fetchone()
        return int(row[0]) if row else None

    def refuse(self, refusal: Refusal) -> None:
        """Keep a refused checkpoint; the newest thousand are kept."""
        with self.changing():
            self._db.execute(
                "INSERT INTO refusals (origin, at, status, old_size, note) VALUES (?, ?, ?, ?, ?)",
                (refusal.origin, refusal.at, refusal.status, refusal.old_size, refusal.note),
            )
            self._db.execute("DELETE FROM refusals WHERE id <= (SELECT max(id) FROM refusals) - ?", (KEPT_REFUSALS,))

    def alarm(self, origin: str, *, at: int, what: str, known: str, found: str) -> bool:
        """Keep what a log must never have signed, with both notes. Returns whether it is new."""
        with self.changing():
            done = self._db.execute(
                "INSERT OR IGNORE INTO alarms (origin, at, what, known, found) VALUES (?, ?, ?, ?, ?)",
                (origin, at, what, known, found),
            )
            return done.rowcount > 0

    def origins(self) -> list[str]:
        """The logs of which something was cosigned."""
        with self._turn:
            return [row[0] for row in self._db.execute("SELECT origin FROM heads ORDER BY origin")]

    def refusals(self) -> list[Refusal]:
        """What was refused, the newest first."""
        with self._turn:
            rows = self._db.execute("SELECT origin, at, status, old_size, note FROM refusals ORDER BY id DESC")
            return [Refusal(*row) for row in rows]

    def alarms(self) -> list[tuple[str, int, str, bool]]:
        """What was found by watching, the newest first: log, when, what, whether somebody has acknowledged it."""
        with self._turn:
            rows = self._db.execute(
                "SELECT origin, a.at, what, k.at IS NOT NULL FROM alarms a LEFT JOIN acknowledged k ON k.alarm = a.id"
                " ORDER BY a.id DESC"
            ).fetchall()
        return [(origin, at, what, bool(is_known)) for origin, at, what, is_known in rows]

    def acknowledge(self, *, at: int) -> None:
        """Note that somebody has looked at every alarm there is."""
        with self.changing():
            self._db.execute("INSERT OR IGNORE INTO acknowledged SELECT id, ? FROM alarms", (at,))

    def is_acknowledged(self, origin: str, what: str, found: str) -> bool:
        """Whether somebody has looked at an alarm."""
        with self._turn:
            row = self._db.execute(
                "SELECT 1 FROM alarms a JOIN acknowledged k ON k.alarm = a.id"
                " WHERE a.origin = ? AND a.what = ? AND a.found = ?",
                (origin, what, found),
            ).fetchone()
        return row is not None
