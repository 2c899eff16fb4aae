"""A spool: records on disk until the service has sealed them.

One SQLite file holds one counter: a record's number in it is its `source.seq`, given out in the same commit that
stores it, so what `record()` returned for has a number, is sent in that order, and a gap that the server sees is a
record that is missing. Every call into SQLite happens under one lock, which is also what makes `os.fork` safe (see
`_process`).

What a commit survives: with `durability="process"` the end of this process at any point (kill -9 too), since the
operating system has the pages; with `"power"` also that of the machine, for an fsync each.
"""

import ctypes
import sqlite3
import threading
import time
import uuid
import weakref
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from answerable._locks import FileLock

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, body BLOB NOT NULL, made_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS records_id ON records (id);
CREATE TABLE IF NOT EXISTS effects (
    number INTEGER PRIMARY KEY AUTOINCREMENT, decision_id TEXT NOT NULL, body BLOB NOT NULL, made_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS dead_letters (
    seq INTEGER, kind TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL, reason TEXT NOT NULL,
    quarantine_id TEXT, at REAL NOT NULL);
"""
OPENING = threading.RLock()
"""Held while a file is opened or closed: no fork may come in between."""
OPEN: "weakref.WeakSet[Spool]" = weakref.WeakSet()
"""All that are open in this process, those of dead processes that are being emptied too."""
OVERHEAD = 120
"""Bytes of a row beside its body, about."""


def _boot_id() -> str:
    """Names this run of the machine, empty where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class Waiting(NamedTuple):
    """A record that has not been sealed yet."""

    seq: int
    id: str
    body: bytes


class Effect(NamedTuple):
    """A confirmation that has not been told yet."""

    number: int
    decision_id: str
    body: bytes


@dataclass(frozen=True)
class DeadLetter:
    """What was turned away, with the reason; kept until somebody retries or forgets it."""

    kind: str
    """`record` or `effect`."""
    id: str
    body: bytes
    reason: str
    quarantine_id: str | None
    """Under which the server keeps it, and would record it after a correction."""
    at: float


def _spans(seqs: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges that cover rising numbers and nothing else: a batch is mostly one."""
    first = last = None
    for seq in seqs:
        if last is not None and seq == last + 1:
            last = seq
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = seq
    if first is not None and last is not None:
        yield first, last


class Spool:
    """One file, owned by one process. Errors of every method: `sqlite3.Error`, `OSError`."""

    def __init__(self, path: Path | None, *, power_safe: bool = False, lock: FileLock | None = None) -> None:
        self.path = path
        """None: in memory only."""
        self._file_lock = lock
        self.lock = threading.RLock()
        self.upkeep_lock = threading.RLock()
        self._second: sqlite3.Connection | None = None
        self._is_over = False
        with OPENING:
            self._database = sqlite3.connect(
                str(path or ":memory:"), isolation_level=None, check_same_thread=False, timeout=5, cached_statements=64
            )
            try:
                self._prepare(power_safe)
            except BaseException:
                self._database.close()
                raise
            OPEN.add(self)

    def _prepare(self, power_safe: bool) -> None:
        run = self._database.execute
        if self.path is not None:
            self.path.chmod(0o600)
        if run("PRAGMA auto_vacuum").fetchone()[0] == 0:
            run("PRAGMA auto_vacuum = INCREMENTAL")  # counts only before anything else is written
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA wal_autocheckpoint = 0")  # its fsync would hit a caller of add(); see upkeep
        run(f"PRAGMA synchronous = {'FULL' if power_safe else 'NORMAL'}")
        self._database.executescript(SCHEMA)
        if run("SELECT 1 FROM meta WHERE name = 'source'").fetchone() is None:
            run("INSERT INTO meta VALUES ('source', ?)", (f"py-{uuid.uuid4().hex}",))
        self.count: int
        self.bytes: int
        self.effects: int
        self.dead: int
        self.source: str = run("SELECT value FROM meta WHERE name = 'source'").fetchone()[0]
        run("DELETE FROM records WHERE id = ''")  # of an older version, which numbered what is missing in two commits
        self.may_go_on = self._is_counter_whole(power_safe)
        self._count_anew()
        found = run("SELECT seq FROM sqlite_sequence WHERE name = 'records'").fetchone()
        self.last_seq: int = found[0] if found else 0

    def _is_counter_whole(self, power_safe: bool) -> bool:
        """False once the machine may have forgotten numbers that were given out, and for good: by losing power."""
        run = self._database.execute
        known = dict(run("SELECT name, value FROM meta").fetchall())
        boot, safe = _boot_id(), str(int(power_safe))
        if known.get("boot", boot) != boot and known.get("power_safe") != "1":
            known["ended"] = "1"
        now = {**known, "boot": boot, "power_safe": safe}
        for name, value in now.items() - run("SELECT name, value FROM meta").fetchall():
            # only what is new: a file that is merely looked at must not become a younger one
            run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
        return "ended" not in now

    @property
    def is_empty(self) -> bool:
        """Whether all that was given has been sealed or told."""
        return not (self.count or self.effects)

    # --- records --------------------------------------------------------------------------------------------------
    def add(self, decision_id: str, body: bytes) -> int:
        """Store a record; its number."""
        with self.lock:
            cursor = self._database.execute(
                "INSERT INTO records (id, body, made_at) VALUES (?, ?, ?)", (decision_id, body, time.time())
            )
            self.last_seq = int(cursor.lastrowid or 0)
            self.count += 1
            self.bytes += len(body) + OVERHEAD
            return self.last_seq

    def skip(self) -> None:
        """Give out a number for a record that is not kept, so that the server sees that one is missing."""
        with self.lock:
            run = self._database.execute
            run("BEGIN IMMEDIATE")  # in one commit: an empty row that outlives a kill would be no record
            try:
                seq = int(run("INSERT INTO records (id, body, made_at) VALUES ('', x'', 0)").lastrowid or 0)
                run("DELETE FROM records WHERE seq = ?", (seq,))
                run("COMMIT")
            except BaseException:
                run("ROLLBACK")
                raise
            self.last_seq = seq

    def first(
        self, limit: int, limit_bytes: int, *, but: Collection[int] = (), but_ids: Collection[str] = (), after: int = 0
    ) -> list[Waiting]:
        """The oldest records, in order, at least one where there is one."""
        found: list[Waiting] = []
        size = 0
        with self.lock:
            rows = self._database.execute("SELECT seq, id, body FROM records WHERE seq > ? ORDER BY seq", (after,))
            for row in rows:
                if row[0] in but or row[1] in but_ids:
                    continue
                size += len(row[2])
                if found and (size > limit_bytes or len(found) >= limit):
                    break
                found.append(Waiting(*row))
            rows.close()
        return found

    def remove(self, seqs: Sequence[int]) -> None:
        """Forget records that are sealed (or given up). Of one that is gone already nothing is counted."""
        with self.lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                freed = [self._drop(*span) for span in _spans(seqs)]
                self._database.execute("COMMIT")
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self.count -= sum(number for number, _ in freed)
            self.bytes -= sum(size for _, size in freed)

    def _drop(self, first: int, last: int) -> tuple[int, int]:
        """Rows and bytes of a range that is gone now."""
        run = self._database.execute
        number, size = run(
            "SELECT count(*), coalesce(sum(length(body) + ?), 0) FROM records WHERE seq BETWEEN ? AND ?",
            (OVERHEAD, first, last),
        ).fetchone()
        run("DELETE FROM records WHERE seq BETWEEN ? AND ?", (first, last))
        return number, size

    def has(self, decision_id: str) -> bool:
        """Whether that decision still waits here."""
        with self.lock:
            found = self._database.execute("SELECT 1 FROM records WHERE id = ? LIMIT 1", (decision_id,)).fetchone()
        return found is not None

    def date_anew(self, *, before: float, after: float, now: float) -> None:
        """Take records whose time cannot be right as made now."""
        with self.lock:
            self._database.execute(
                "UPDATE records SET made_at = ? WHERE made_at < ? OR made_at > ?", (now, before, after)
            )

    def older_than(self, moment: float) -> list[int]:
        """Numbers of records made before, in Unix seconds of our clock."""
        with self.lock:
            rows = self._database.execute(
                "SELECT seq FROM records WHERE made_at < ? ORDER BY seq LIMIT 10000", (moment,)
            )
            return [row[0] for row in rows]

    def oldest_at(self) -> float | None:
        """When the record that waits longest was made."""
        with self.lock:
            found = self._database.execute("SELECT made_at FROM records ORDER BY seq LIMIT 1").fetchone()
        return found[0] if found else None

    # --- effects --------------------------------------------------------------------------------------------------
    def add_effect(self, decision_id: str, body: bytes) -> None:
        with self.lock:
            self._database.execute(
                "INSERT INTO effects (decision_id, body, made_at) VALUES (?, ?, ?)", (decision_id, body, time.time())
            )
            self.effects += 1
            self.bytes += len(body) + OVERHEAD

    def ready_effects(self, limit: int) -> list[Effect]:
        """Those whose decision has been sealed, as far as this file knows."""
        with self.lock:
            rows = self._database.execute(
                "SELECT number, decision_id, body FROM effects WHERE NOT EXISTS "
                "(SELECT 1 FROM records WHERE records.id = effects.decision_id) ORDER BY number LIMIT ?",
                (limit,),
            ).fetchall()
        return [Effect(*row) for row in rows]

    def remove_effect(self, number: int) -> None:
        with self.lock:
            run = self._database.execute
            found = run("SELECT length(body) FROM effects WHERE number = ?", (number,)).fetchone()
            if found is not None:
                run("DELETE FROM effects WHERE number = ?", (number,))
                self.effects -= 1
                self.bytes -= found[0] + OVERHEAD

    # --- dead letters ---------------------------------------------------------------------------------------------
    def bury(self, record: Waiting, reason: str, quarantine_id: str | None) -> None:
        """Set a record aside that was turned away."""
        row = (record.seq, "record", record.id, record.body, reason, quarantine_id, time.time())
        with self.lock:
            self._database.execute("INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            self.dead += 1
            self.remove([record.seq])

    def bury_effect(self, effect: Effect, reason: str) -> None:
        row = (None, "effect", effect.decision_id, effect.body, reason, None, time.time())
        with self.lock:
            self._database.execute("INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            self.dead += 1
            self.remove_effect(effect.number)

    def dead_letters(self) -> list[DeadLetter]:
        with self.lock:
            rows = self._database.execute(
                "SELECT kind, id, body, reason, quarantine_id, at FROM dead_letters ORDER BY at"
            ).fetchall()
        return [DeadLetter(*row) for row in rows]

    def retry_dead(self) -> int:
        """Send all of them again, records under their old numbers; how many."""
        with self.lock:
            run = self._database.execute
            run("BEGIN IMMEDIATE")
            try:
                run(
                    "INSERT OR IGNORE INTO records (seq, id, body, made_at) "
                    "SELECT seq, id, body, ? FROM dead_letters WHERE kind = 'record'", (time.time(),)
                )  # fmt: skip
                run(
                    "INSERT INTO effects (decision_id, body, made_at) "
                    "SELECT id, body, ? FROM dead_letters WHERE kind = 'effect'", (time.time(),)
                )  # fmt: skip
                moved = run("DELETE FROM dead_letters").rowcount
                run("COMMIT")
            except BaseException:
                run("ROLLBACK")
                raise
            self._count_anew()
        return moved

    def forget_dead(self, ids: Iterable[str] | None = None) -> int:
        """Drop dead letters, all of them or those of these decisions; how many."""
        with self.lock:
            if ids is None:
                dropped = self._database.execute("DELETE FROM dead_letters").rowcount
            else:
                dropped = sum(
                    self._database.execute("DELETE FROM dead_letters WHERE id = ?", (each,)).rowcount for each in ids
                )
            self.dead -= dropped
        return dropped

    def _count_anew(self) -> None:
        run = self._database.execute
        self.count, self.bytes = run(
            "SELECT count(*), coalesce(sum(length(body) + ?), 0) FROM records", (OVERHEAD,)
        ).fetchone()
        self.effects, size = run(
            "SELECT count(*), coalesce(sum(length(body) + ?), 0) FROM effects", (OVERHEAD,)
        ).fetchone()
        self.bytes += size
        self.dead = run("SELECT count(*) FROM dead_letters").fetchone()[0]

    # --- the file -------------------------------------------------------------------------------------------------
    def upkeep(self) -> None:
        """Move SQLite's log into the file, on a connection of its own so that `add` need not wait; give space back."""
        if self.path is None:
            return
        with self.upkeep_lock:
            if self._is_over:
                return
            if self._second is None:
                self._second = sqlite3.connect(str(self.path), isolation_level=None, check_same_thread=False)
            self._second.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        with self.lock:
            if self.count == 0 and not self._is_over:
                self._database.execute("PRAGMA incremental_vacuum(500)").fetchall()

    def _shut(self) -> None:
        self._is_over = True
        OPEN.discard(self)
        with self.upkeep_lock:
            if self._second is not None:
                self._second.close()
        self._database.close()

    def close(self) -> None:
        with OPENING, self.lock:
            self._shut()
            if self._file_lock is not None:
                self._file_lock.leave()

    def destroy(self) -> None:
        """Close and remove it: everything in it was sealed. The lock goes last, so nobody takes half of it."""
        with OPENING, self.lock:
            self._shut()
            if self.path is not None:
                for name in (self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))):
                    name.unlink(missing_ok=True)
                self.path.with_suffix(".lock").unlink(missing_ok=True)
            if self._file_lock is not None:
                self._file_lock.leave()

    def abandon(self) -> None:
        """In the child of a fork: never touch the file again, which is the parent's.

        SQLite must not even close its handle here (it would remove the log beside the file), so the handle is leaked.
        """
        for each in (self._database, self._second):
            if each is not None:
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(each))
        if self._file_lock is not None:
            self._file_lock.leave()
