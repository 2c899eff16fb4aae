"""The tree in the database: leaf hashes stand with the entries, tiles with their roots; the rest is cut from those."""

import uuid
from collections.abc import Iterable, Sequence
from itertools import groupby

from django.db import connection

from ledger.tlog.hashes import HASH_SIZE
from ledger.tlog.tree import Node, TileRoot, fold_perfect

TILE_WIDTH = 256
TILE_HEIGHT = 8

Row = tuple[int, int]
"""(level, index): a hash of a tile level. Level 0 are leaf hashes, level n the roots of full tiles of level n-1."""


LEAF_HASHES = (
    "SELECT string_agg(leaf_hash, ''::bytea ORDER BY leaf_index) FROM ledger_entry"
    " WHERE log_id = %(log)s AND leaf_index >= t.index * 256 AND leaf_index < (t.index + 1) * 256"
)
TILE_ROOTS = (
    "SELECT string_agg(root, ''::bytea ORDER BY index) FROM ledger_tile"
    " WHERE log_id = %(log)s AND level = %(level)s - 1 AND index >= t.index * 256 AND index < (t.index + 1) * 256"
)


def write_tiles(log_id: uuid.UUID, roots: Sequence[TileRoot]) -> None:
    """Store the full tiles that an append completed, lowest level first. Its entries must have been written."""
    for level, tiles in groupby(sorted(roots), key=lambda tile: tile.level):
        indexes, found = zip(*((tile.index, tile.root) for tile in tiles), strict=True)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO ledger_tile (log_id, level, index, data, root)"  # noqa: S608 - constants only
                f" SELECT %(log)s, %(level)s, t.index, ({TILE_ROOTS if level else LEAF_HASHES}), t.root"
                " FROM unnest(%(indexes)s::int8[], %(roots)s::bytea[]) AS t(index, root)",
                {"log": log_id, "level": level, "indexes": list(indexes), "roots": list(found)},
            )


class TreeReader:
    """Reads nodes of one log's tree (`ledger.tlog.HashReader`), with at most three queries for a whole proof."""

    def __init__(self, log_id: uuid.UUID) -> None:
        self.log_id = log_id

    def read(self, nodes: Sequence[Node], /) -> list[bytes]:
        """The hash of each node. Errors: `LookupError` where the database lacks one that must exist."""
        spans = [_span(node) for node in nodes]
        hashes = self.hashes(spans)
        return [fold_perfect([hashes[level, index] for index in range(first, end)]) for level, first, end in spans]

    def hashes(self, spans: Iterable[tuple[int, int, int]]) -> dict[Row, bytes]:
        """The hashes of spans (level, first, end) of tile levels, each span within one tile."""
        wanted = {(level, first // TILE_WIDTH): (first, end) for level, first, end in spans}
        for level, first, end in spans:
            low, high = wanted[level, first // TILE_WIDTH]
            wanted[level, first // TILE_WIDTH] = (min(low, first), max(high, end))
        found = self._from_full_tiles(wanted.keys())
        missing = {tile: span for tile, span in wanted.items() if (tile[0], span[0]) not in found}
        found |= self._from_entries([span for (level, _), span in missing.items() if level == 0])
        found |= self._from_tile_roots([(level, *span) for (level, _), span in missing.items() if level > 0])
        return found

    def _from_full_tiles(self, tiles: Iterable[Row]) -> dict[Row, bytes]:
        levels, indexes = zip(*tiles, strict=True) if tiles else ((), ())
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT t.level, t.index, t.data FROM unnest(%s::int2[], %s::int8[]) AS w(level, index)"
                " JOIN ledger_tile t ON t.log_id = %s AND t.level = w.level AND t.index = w.index",
                [list(levels), list(indexes), self.log_id],
            )
            rows = cursor.fetchall()
        return {
            (level, index * TILE_WIDTH + place): bytes(data[place * HASH_SIZE : (place + 1) * HASH_SIZE])
            for level, index, data in rows
            for place in range(TILE_WIDTH)
        }

    def _from_entries(self, spans: Sequence[tuple[int, int]]) -> dict[Row, bytes]:
        return self._ranges(
            "SELECT 0, e.leaf_index, e.leaf_hash FROM unnest(%s::int8[], %s::int8[]) AS w(first, past)"
            " JOIN ledger_entry e ON e.log_id = %s AND e.leaf_index >= w.first AND e.leaf_index < w.past",
            spans,
        )

    def _from_tile_roots(self, spans: Sequence[tuple[int, int, int]]) -> dict[Row, bytes]:
        return self._ranges(
            "SELECT t.level + 1, t.index, t.root"
            " FROM unnest(%s::int2[], %s::int8[], %s::int8[]) AS w(level, first, past)"
            " JOIN ledger_tile t ON t.log_id = %s AND t.level = w.level - 1"
            " AND t.index >= w.first AND t.index < w.past",
            spans,
        )

    def _ranges(self, query: str, spans: Sequence[tuple[int, ...]]) -> dict[Row, bytes]:
        if not spans:
            return {}
        with connection.cursor() as cursor:
            cursor.execute(query, [*map(list, zip(*spans, strict=True)), self.log_id])
            return {(level, index): bytes(digest) for level, index, digest in cursor.fetchall()}


def _span(node: Node) -> tuple[int, int, int]:
    level, depth = divmod(node.height, TILE_HEIGHT)
    return level, node.index << depth, (node.index + 1) << depth


def tile_hashes(log_id: uuid.UUID, level: int, index: int, width: int) -> bytes:
    """The bytes of a tile, or of its first `width` hashes. Errors: `LookupError` where the log is not that large."""
    first = index * TILE_WIDTH
    hashes = TreeReader(log_id).hashes([(level, first, first + width)])
    return b"".join(hashes[level, place] for place in range(first, first + width))
