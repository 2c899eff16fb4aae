"""Trees to test against, computed the slow way: straight from the recursive definitions of RFC 6962."""

import json
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger.tlog import Node, Tile, TileReader, encode_tile, fold_perfect

VECTORS = Path(__file__).parents[2] / "vectors"


def vector(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


@cache
def leaf(index: int) -> bytes:
    return sha256(b"\x00entry %d" % index).digest()


def leaves(size: int) -> list[bytes]:
    return [leaf(index) for index in range(size)]


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    k = 1
    while k * 2 < size:
        k *= 2
    return k


@cache
def mth(start: int, end: int) -> bytes:
    """MTH(D[start:end]) of the leaves above, RFC 6962 section 2.1."""
    if start == end:
        return sha256(b"").digest()
    if end - start == 1:
        return leaf(start)
    split = start + _split(end - start)
    return _node(mth(start, split), mth(split, end))


def naive_inclusion(index: int, start: int, end: int) -> list[bytes]:
    """PATH(m, D[n]), RFC 6962 section 2.1.1."""
    if end - start == 1:
        return []
    split = start + _split(end - start)
    if index < split:
        return [*naive_inclusion(index, start, split), mth(split, end)]
    return [*naive_inclusion(index, split, end), mth(start, split)]


def naive_consistency(old: int, start: int, end: int, known: bool = True) -> list[bytes]:
    """SUBPROOF(m, D[n], b), RFC 6962 section 2.1.2; `old` is an absolute index here."""
    if old == end:
        return [] if known else [mth(start, end)]
    split = start + _split(end - start)
    if old <= split:
        return [*naive_consistency(old, start, split, known), mth(split, end)]
    return [*naive_consistency(old, split, end, False), mth(start, split)]


class NaiveReader:
    """A reader that hashes everything anew, and counts how often it was asked."""

    calls = 0

    def read(self, nodes: Sequence[Node], /) -> list[bytes]:
        self.calls += 1
        return [mth(node.index << node.height, (node.index + 1) << node.height) for node in nodes]


class ListReader:
    """A reader over leaf hashes held in memory."""

    def __init__(self, hashes: Sequence[bytes]) -> None:
        self.hashes = hashes

    def read(self, nodes: Sequence[Node], /) -> list[bytes]:
        return [fold_perfect(self.hashes[n.index << n.height : (n.index + 1) << n.height]) for n in nodes]


class StoredTiles:
    """A log as it is stored: tiles by path, and every fetch remembered."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.fetches: list[list[Tile]] = []

    def fetch(self, tiles: Sequence[Tile]) -> list[bytes]:
        self.fetches.append(list(tiles))
        return [tile_bytes(tile) for tile in tiles]

    def reader(self) -> TileReader:
        return TileReader(self.size, self.fetch)


@cache
def tile_bytes(tile: Tile) -> bytes:
    """The formula of tlog-tiles: MTH(D[(256n+i) * 256^l : (256n+i+1) * 256^l]) for i below the width."""
    step = 256**tile.level
    first = tile.index * 256
    return encode_tile([mth(i * step, (i + 1) * step) for i in range(first, first + tile.width)])
