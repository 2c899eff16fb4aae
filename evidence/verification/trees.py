"""Entries, leaf hashes, tiles and heads of one log."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec
from django.db import connection

from evidence.verification.findings import Finding
from ledger.key_history import UNREADABLE
from ledger.models import Entry, Head, Log, Tile
from ledger.tlog import HASH_SIZE, Frontier, TileRoot, leaf_hash, node_hash
from ledger.tree_store import TILE_WIDTH

decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry's row and what its bytes say (None where they are not an entry at all)."""

    index: int
    id: str
    kind: str
    about_id: str | None
    data: bytes
    leaf_hash: bytes
    said: dict[str, Any] | None

    @property
    def body(self) -> dict[str, Any]:
        body = (self.said or {}).get("body")
        return body if isinstance(body, dict) else {}


def read_entries(log: Log, start: int, end: int) -> list[StoredEntry]:
    """The entries [start, end) that are there, in order of their index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT leaf_index, id, kind, about_id, data, leaf_hash FROM ledger_entry"
            " WHERE log_id = %s AND leaf_index >= %s AND leaf_index < %s ORDER BY leaf_index",
            [log.id, start, end],
        )
        return [_stored(*row) for row in cursor]


def stored(entry: Entry) -> StoredEntry:
    """One entry, as it was read."""
    data, digest = bytes(entry.data), bytes(entry.leaf_hash)
    return _stored(entry.leaf_index, entry.id, entry.kind, entry.about_id, data, digest)


def _stored(index: int, id_: uuid.UUID, kind: str, about: uuid.UUID | None, data: bytes, digest: bytes) -> StoredEntry:
    data = bytes(data)
    return StoredEntry(index, str(id_), kind, str(about) if about else None, data, bytes(digest), _said(data))


def _said(data: bytes) -> dict[str, Any] | None:
    try:
        said = decode(data)
    except UNREADABLE:
        return None
    return said if isinstance(said, dict) else None


def said_by(data: bytes | memoryview) -> dict[str, Any]:
    """The body that an entry's bytes hold, empty where they hold none."""
    body = (_said(bytes(data)) or {}).get("body")
    return body if isinstance(body, dict) else {}


def said_at(data: bytes | memoryview) -> str | None:
    """When an entry's bytes say that it was, as entries write times; None where they say none."""
    at = (_said(bytes(data)) or {}).get("at")
    return at if isinstance(at, str) else None


def as_uuid(value: object) -> uuid.UUID | None:
    """The id that something in an entry is, None where it is none: an entry may say anything, if somebody wrote it."""
    try:
        return uuid.UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def check_entries(log: Log, entries: Sequence[StoredEntry], start: int, end: int) -> Iterator[Finding]:
    """Every index is there once, every leaf hash is that of the bytes, every column repeats what the bytes say."""
    for first, last in _gaps([entry.index for entry in entries], start, end):
        yield Finding("entry-missing", log.origin, first, detail=f"to {last}" if last > first else "")
    for entry in entries:
        if leaf_hash(entry.data) != entry.leaf_hash:
            yield Finding("entry-altered", log.origin, entry.index)
        elif not _columns_agree(entry):
            yield Finding("entry-mislabelled", log.origin, entry.index)


def _gaps(present: Sequence[int], start: int, end: int) -> Iterator[tuple[int, int]]:
    """The runs of indexes of [start, end) that are not among the ascending ones: each its first and its last."""
    for before, after in pairwise((start - 1, *present, end)):
        if after - before > 1:
            yield before + 1, after - 1


def _columns_agree(entry: StoredEntry) -> bool:
    said = entry.said
    if said is None or said.get("id") != entry.id or said.get("kind") != entry.kind:
        return False
    return entry.body.get("about") == entry.about_id


def derived_hash(entry: StoredEntry) -> bytes:
    """The stored leaf hash, so that one altered entry is one finding; where that is no hash at all, the right one."""
    return entry.leaf_hash if len(entry.leaf_hash) == HASH_SIZE else leaf_hash(entry.data)


def is_sound(entry: StoredEntry) -> bool:
    """Whether the entry is what it was hashed as: only then is it worth holding rows against it."""
    return leaf_hash(entry.data) == entry.leaf_hash and _columns_agree(entry)


def check_tiles(log: Log, hashes: Sequence[bytes], start: int, roots: Sequence[TileRoot]) -> Iterator[Finding]:
    """The full tiles that the entries from `start` on complete, against the hashes derived from those entries."""
    stored = {
        (tile.level, tile.index): tile
        for level in {root.level for root in roots}
        for tile in Tile.objects.filter(
            log=log, level=level, index__in=[root.index for root in roots if root.level == level]
        )
    }
    for root in roots:
        tile = stored.get((root.level, root.index))
        place = f"{root.level}/{root.index}"
        if tile is None:
            yield Finding("tile-missing", log.origin, detail=place)
        elif bytes(tile.root) != root.root or bytes(tile.data) != _tile_data(log, hashes, start, root):
            yield Finding("tile-altered", log.origin, detail=place)


def _tile_data(log: Log, hashes: Sequence[bytes], start: int, tile: TileRoot) -> bytes:
    first = tile.index * TILE_WIDTH
    if tile.level == 0 and first >= start:
        return b"".join(hashes[first - start : first - start + TILE_WIDTH])
    below = Tile.objects.filter(log=log, level=tile.level - 1, index__gte=first, index__lt=first + TILE_WIDTH)
    joined = [bytes(root) for root in below.order_by("index").values_list("root", flat=True)]
    # Lower roots were derived and compared in their turn; that they fold to this root binds them once more.
    return b"".join(joined) if len(joined) == TILE_WIDTH and _fold(joined) == tile.root else b""


def _fold(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def check_newest_head(log: Log, verified: int) -> Iterator[Finding]:
    """The newest head, where entries were missing before its size was reached: whether it is a head at all."""
    head = Head.objects.filter(log=log, tree_size__gt=verified).order_by("-tree_size").first()
    if head is not None and not _is_of_itself(head):
        yield Finding("head-altered", log.origin, detail=f"size {head.tree_size}")


def _is_of_itself(head: Head) -> bool:
    """Whether its frontier is of its size and folds to its root."""
    try:
        frontier = Frontier.from_bytes(bytes(head.frontier))
    except ValueError:
        return False
    return (frontier.size, frontier.root()) == (head.tree_size, bytes(head.root_hash))


def check_heads(log: Log, before: Frontier, hashes: Sequence[bytes]) -> Iterator[Finding]:
    """Each head whose size lies within these entries, against the root and frontier derived from them."""
    heads = Head.objects.filter(log=log, tree_size__gt=before.size, tree_size__lte=before.size + len(hashes))
    frontier = before
    for head in heads.order_by("tree_size").iterator():
        frontier = frontier.extend(hashes[frontier.size - before.size : head.tree_size - before.size])
        if bytes(head.root_hash) != frontier.root() or bytes(head.frontier) != frontier.to_bytes():
            yield Finding("head-altered", log.origin, detail=f"size {head.tree_size}")
