"""Reading the ledger for an export: small statements, each a transaction of its own, a few megabytes at a time."""

import uuid
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import psycopg
from django.db import connection

from ledger.tlog import HASH_SIZE, TILE_WIDTH, Tile
from ledger.tree_store import tile_hashes

Rows = list[tuple[Any, ...]]
BYTES_AT_ONCE = 2 << 20
"""About so many are read by one statement."""
FIRST, MOST, FEWEST = 512, 4_096, 64
TILES_AT_ONCE = 128


class RecordDamaged(Exception):
    """What is in the database is not what was sealed: nothing of it is exported. The self-audit says where."""


def fetched(query: str, values: Sequence[Any]) -> Rows:
    """Rows in PostgreSQL's binary form, which is half the bytes and none of the parsing."""
    connection.ensure_connection()
    # Django's own cursors put values into the text of a statement, and such take no binary answers
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(query, values, binary=True)
        found: Rows = cursor.fetchall()
    return found


class Batches:
    """How many rows the next statement asks for, by how large the last ones were."""

    def __init__(self) -> None:
        self.size = min(FIRST, MOST)

    def saw(self, rows: int, size: int) -> None:
        if rows:
            fits = BYTES_AT_ONCE * rows // max(size, 1)
            self.size = max(FEWEST, min(MOST, fits, self.size * 2))


ENTRIES = (
    "SELECT data, leaf_hash FROM ledger_entry"
    " WHERE log_id = %s AND leaf_index >= %s AND leaf_index < %s ORDER BY leaf_index"
)


def entries_between(log_id: uuid.UUID, first: int, end: int) -> list[bytes]:
    """The bytes of the entries of a range, each compared with its leaf hash. Errors: `RecordDamaged`."""
    return _checked(fetched(ENTRIES, [log_id, first, end]), end - first)


PLACES = (
    "SELECT e.data, e.leaf_hash FROM unnest(%s::int8[]) AS w(leaf_index)"
    " JOIN ledger_entry e ON e.log_id = %s AND e.leaf_index = w.leaf_index ORDER BY e.leaf_index"
)


def entries_at(log_id: uuid.UUID, indexes: Sequence[int]) -> list[bytes]:
    """The bytes of the entries at these places, in ascending order. Errors: `RecordDamaged`."""
    return _checked(fetched(PLACES, [list(indexes), log_id]), len(indexes))


def _checked(rows: Rows, count: int) -> list[bytes]:
    if len(rows) != count:
        raise RecordDamaged("entries are missing")
    lines: list[bytes] = [line for line, _ in rows]
    if [sha256(b"\0" + line).digest() for line in lines] != [leaf_hash for _, leaf_hash in rows]:
        raise RecordDamaged("an entry does not hash to its leaf hash")
    if any(b"\n" in line for line in lines):
        raise RecordDamaged("an entry is not one line")
    return lines


def full_tiles(log_id: uuid.UUID, level: int, first: int, end: int) -> list[bytes]:
    """The bytes of the full tiles [first, end) of a level. Errors: `RecordDamaged`."""
    found = fetched(
        "SELECT data FROM ledger_tile WHERE log_id = %s AND level = %s AND index >= %s AND index < %s ORDER BY index",
        [log_id, level, first, end],
    )
    if len(found) != end - first or any(len(data) != TILE_WIDTH * HASH_SIZE for (data,) in found):
        raise RecordDamaged("a tile is missing")
    return [data for (data,) in found]


def tile_of(log_id: uuid.UUID, tile: Tile) -> bytes:
    """The bytes of one tile, partial ones too. Errors: `RecordDamaged`."""
    try:
        return tile_hashes(log_id, tile.level, tile.index, tile.width)
    except LookupError as error:
        raise RecordDamaged("a tile is missing") from error
