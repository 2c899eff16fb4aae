"""What this host remembers to have been erased, outside PostgreSQL: an older database that comes back holds it again.

One SQLite file beside the head store, of ids alone: they stand in the entries of the logs as well, and say nothing of
anybody. Nobody is erased by it. It tells what is to be asked for again, and two people agree to that again.
"""

import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from evidence.erasure.errors import MemoryUnavailable

NAME = "erased.sqlite3"
BUSY_SECONDS = 5.0
AT_ONCE = 5_000
TABLES = (
    "CREATE TABLE IF NOT EXISTS requests (id BLOB PRIMARY KEY, kind TEXT NOT NULL, basis TEXT NOT NULL,"
    " system_id BLOB) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS erased (request_id BLOB NOT NULL, item_id BLOB NOT NULL, place TEXT NOT NULL,"
    " row_id BLOB NOT NULL, PRIMARY KEY (request_id, item_id)) WITHOUT ROWID",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of which something was erased: what it erased and why, as codes; of which AI system, if of one."""

    id: uuid.UUID
    kind: str
    basis: str
    system_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Gone:
    """What was erased: a decision, a person, or what was found by its words; `row_id`: the row that it was of."""

    request_id: uuid.UUID
    item_id: uuid.UUID
    place: str
    row_id: uuid.UUID


class ErasureMemory:
    """The file. Nothing is ever taken out of it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def remember(self, asked: Asked, gone: Sequence[Gone]) -> None:
        """Add what a request erased. Errors: `MemoryUnavailable`, and nothing of it was added."""
        of = asked.system_id.bytes if asked.system_id else None
        head = (asked.id.bytes, asked.kind, asked.basis, of)
        rows = [(each.request_id.bytes, each.item_id.bytes, each.place, each.row_id.bytes) for each in gone]
        with self._open(make=True) as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT OR IGNORE INTO requests VALUES (?, ?, ?, ?)", head)
            db.executemany("INSERT OR IGNORE INTO erased VALUES (?, ?, ?, ?)", rows)
            db.execute("COMMIT")

    def counts(self) -> dict[uuid.UUID, int]:
        """Of each request how much of it is remembered. Errors: `MemoryUnavailable`."""
        with self._open() as db:
            rows = db.execute("SELECT request_id, count(*) FROM erased GROUP BY request_id").fetchall()
        return {uuid.UUID(bytes=request_id): number for request_id, number in rows}

    def asked(self) -> dict[uuid.UUID, Asked]:
        """The requests. Errors: `MemoryUnavailable`."""
        with self._open() as db:
            rows = db.execute("SELECT id, kind, basis, system_id FROM requests ORDER BY id").fetchall()
        found = [Asked(uuid.UUID(bytes=key), kind, basis, _id(of)) for key, kind, basis, of in rows]
        return {each.id: each for each in found}

    def slices(self) -> Iterator[list[Gone]]:
        """All that is remembered, some at a time, each slice of one request. Errors: `MemoryUnavailable`."""
        for request_id in self.asked():
            after = b""
            while rows := self._after(request_id, after):
                yield rows
                after = rows[-1].item_id.bytes

    def _after(self, request_id: uuid.UUID, after: bytes) -> list[Gone]:
        with self._open() as db:
            rows = db.execute(
                "SELECT item_id, place, row_id FROM erased WHERE request_id = ? AND item_id > ?"
                " ORDER BY item_id LIMIT ?",
                (request_id.bytes, after, AT_ONCE),
            ).fetchall()
        return [Gone(request_id, uuid.UUID(bytes=item), place, uuid.UUID(bytes=row)) for item, place, row in rows]

    def learn(self, other: "ErasureMemory") -> None:
        """Take over what another one remembers. Errors: `MemoryUnavailable`."""
        asked = other.asked()
        for rows in other.slices():
            self.remember(asked[rows[0].request_id], rows)

    def copy_to(self, target: Path) -> None:
        """Write it as it stands into a new file, whoever adds to it meanwhile. Errors: `MemoryUnavailable`; `OSError`
        and `sqlite3.Error` of the new file."""
        with self._open() as db:
            db.execute("SELECT count(*) FROM requests").fetchone()  # what cannot be read is our fault, not the copy's
            with closing(sqlite3.connect(target, isolation_level=None)) as copy:
                db.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a journal beside it

    @contextmanager
    def _open(self, *, make: bool = False) -> Iterator[sqlite3.Connection]:
        # where nothing was ever erased, looking leaves no file behind
        place = self.path if make or self.path.exists() else ":memory:"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(place, timeout=BUSY_SECONDS, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous=FULL")  # few writes, of what nobody else remembers
                for table in TABLES:
                    db.execute(table)
                yield db
        except (sqlite3.Error, OSError) as error:
            raise MemoryUnavailable(f"{self.path.name}: {error}") from error


def _id(given: bytes | None) -> uuid.UUID | None:
    return uuid.UUID(bytes=given) if given else None


def erasure_memory() -> ErasureMemory:
    """This host's."""
    return ErasureMemory(Path(settings.HEAD_STORE).with_name(NAME))


def batched(ids: Iterable[uuid.UUID]) -> Iterator[list[uuid.UUID]]:
    """Ids in slices that a statement can take."""
    left = list(ids)
    yield from (left[start : start + AT_ONCE] for start in range(0, len(left), AT_ONCE))
