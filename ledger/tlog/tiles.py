"""Tiles of height 8 and entry bundles: how a log is laid out for reading (C2SP tlog-tiles v1).

Tile `(level, index)` holds up to 256 hashes; hash i is Node(8 * level, 256 * index + i). Level 0 holds
leaf hashes, each level above the roots of the full tiles below it. An entry bundle holds the entries
whose leaf hashes are in the level 0 tile of its index.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.tlog.hashes import HASH_SIZE
from ledger.tlog.tree import TILE_HEIGHT, Node, check_size, fold_perfect

TILE_WIDTH: Final = 1 << TILE_HEIGHT
"""Hashes in a full tile, entries in a full bundle."""

MAX_ENTRY_SIZE: Final = 65_535
"""Bytes of the largest entry: its length is a uint16 in the bundle."""

_MAX_LEVEL = 63
# Three-digit groups, all but the last with an x; a leading group of zeroes would be a second spelling.
# Seven groups hold any index of a tree of 2^63 leaves.
_INDEX = r"(?:x(?!000)[0-9]{3}/(?:x[0-9]{3}/){0,5})?[0-9]{3}"
_WIDTH = r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
_TILE_PATH = re.compile(rf"tile/(?P<level>0|[1-9][0-9]?)/(?P<index>{_INDEX}){_WIDTH}")
_BUNDLE_PATH = re.compile(rf"tile/entries/(?P<index>{_INDEX}){_WIDTH}")


class MalformedTile(ValueError):
    """A path, tile or bundle from outside is not of the form that tlog-tiles prescribes."""


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A tile by level, index in that level, and width in hashes: 256 if full, 1..255 if partial."""

    level: int
    index: int
    width: int = TILE_WIDTH


@dataclass(frozen=True, slots=True, order=True)
class TileRange:
    """Where a node is found: `count` hashes from `offset` of tile `(level, index)` fold into it."""

    level: int
    index: int
    offset: int
    count: int


def locate_node(node: Node) -> TileRange:
    """Tell which hashes of which tile fold (`fold_perfect`) into a node.

    In: height and index. Out: with L = h div 8 and d = h mod 8, the 2^d hashes from offset
    (j * 2^d) mod 256 of tile (j * 2^d) div 256 at level L. Source: tlog-tiles, "Merkle Tree".
    """
    level, depth = divmod(node.height, TILE_HEIGHT)
    index, offset = divmod(node.index << depth, TILE_WIDTH)
    return TileRange(level, index, offset, 1 << depth)


def partial_width(level: int, size: int) -> int:
    """Width of the partial tile at `level` of a tree of `size` leaves: floor(s / 256^l) mod 256.

    Out: 0..255; 0 means that there is none and none may be served. Source: tlog-tiles, "Partial Tiles".
    """
    return (size >> (TILE_HEIGHT * level)) % TILE_WIDTH


def partial_tiles(size: int) -> list[Tile]:
    """List the partial tiles of a tree of `size` leaves, lowest level first, at most one a level.

    70,000 leaves have `tile/0/273.p/112`, `tile/1/001.p/17` and `tile/2/000.p/1`.
    """
    check_size(size)
    tiles = []
    for level, total in enumerate(_widths(size)):
        index, width = divmod(total, TILE_WIDTH)
        if width:
            tiles.append(Tile(level, index, width))
    return tiles


def completed_tiles(old: int, new: int) -> list[Tile]:
    """List the full tiles that exist at size `new` and did not at size `old`: lowest level first.

    In: leaves, 0 <= old <= new (ValueError otherwise). `completed_tiles(0, n)` is all of them.
    """
    check_size(new)
    if not 0 <= old <= new:
        raise ValueError(f"a tree does not grow from {old} to {new} leaves")
    tiles = []
    for level, total in enumerate(_widths(new)):
        already = old >> (TILE_HEIGHT * (level + 1))
        tiles += [Tile(level, index) for index in range(already, total // TILE_WIDTH)]
    return tiles


def _widths(size: int) -> list[int]:
    # Hashes in all tiles of each level: the leaves, the roots of full tiles below, and so on up.
    widths = []
    while size:
        widths.append(size)
        size >>= TILE_HEIGHT
    return widths


def tile_is_within(tile: Tile, size: int) -> bool:
    """Tell whether a tree of `size` leaves has every hash of this tile: whether it can be served."""
    return tile.index * TILE_WIDTH + tile.width <= size >> (TILE_HEIGHT * tile.level)


def tile_in_tree(level: int, index: int, size: int) -> Tile:
    """Return the tile at `(level, index)` as wide as a tree of `size` leaves has it.

    Errors: ValueError if that tree has no hash there.
    """
    width = min(TILE_WIDTH, (size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH)
    if width < 1:
        raise ValueError(f"a tree of {size} leaves has no tile {level}/{index}")
    return Tile(level, index, width)


def tile_path(tile: Tile) -> str:
    """Format the path below the log's prefix, such as `tile/0/x001/x234/067.p/112`.

    Errors: ValueError for a level outside 0..63, a width outside 1..256 or a negative index.
    """
    _check_tile(tile)
    return f"tile/{tile.level}/{_encode_index(tile.index)}{_encode_width(tile.width)}"


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """Format the path of an entry bundle, such as `tile/entries/x001/234.p/5`. Errors: as `tile_path`."""
    _check_tile(Tile(0, index, width))
    return f"tile/entries/{_encode_index(index)}{_encode_width(width)}"


def parse_tile_path(path: str) -> Tile:
    """Parse a path as `tile_path` formats it and no other spelling. Errors: MalformedTile."""
    match = _TILE_PATH.fullmatch(path)
    if match is None or int(match["level"]) > _MAX_LEVEL:
        raise MalformedTile("not the path of a tile")
    return Tile(int(match["level"]), _decode_index(match["index"]), _decode_width(match["width"]))


def parse_bundle_path(path: str) -> tuple[int, int]:
    """Parse the path of an entry bundle. Out: index and width. Errors: MalformedTile."""
    match = _BUNDLE_PATH.fullmatch(path)
    if match is None:
        raise MalformedTile("not the path of an entry bundle")
    return _decode_index(match["index"]), _decode_width(match["width"])


def _check_tile(tile: Tile) -> None:
    if not 0 <= tile.level <= _MAX_LEVEL or not 1 <= tile.width <= TILE_WIDTH:
        raise ValueError(f"no tile has level {tile.level} and width {tile.width}")
    check_size(tile.index)


def _encode_index(index: int) -> str:
    path = f"{index % 1000:03d}"
    while index := index // 1000:
        path = f"x{index % 1000:03d}/{path}"
    return path


def _decode_index(path: str) -> int:
    index = int(path.replace("x", "").replace("/", ""))
    try:
        check_size(index)
    except ValueError as error:
        raise MalformedTile("no tree has a tile of this index") from error
    return index


def _encode_width(width: int) -> str:
    return "" if width == TILE_WIDTH else f".p/{width}"


def _decode_width(width: str | None) -> int:
    if width is None:
        return TILE_WIDTH
    if int(width) >= TILE_WIDTH:
        raise MalformedTile("a partial tile has 1 to 255 hashes")
    return int(width)


def encode_tile(hashes: Sequence[bytes]) -> bytes:
    """Concatenate 1 to 256 hashes of 32 bytes. Errors: ValueError otherwise."""
    if not 1 <= len(hashes) <= TILE_WIDTH or any(len(hash_) != HASH_SIZE for hash_ in hashes):
        raise ValueError("a tile holds 1 to 256 hashes of 32 bytes")
    return b"".join(hashes)


def decode_tile(data: bytes, width: int = TILE_WIDTH) -> list[bytes]:
    """Split a tile into its hashes. Errors: MalformedTile unless it is exactly `width` hashes long."""
    if len(data) != width * HASH_SIZE:
        raise MalformedTile(f"a tile of {width} hashes has {width * HASH_SIZE} bytes, not {len(data)}")
    return [data[i : i + HASH_SIZE] for i in range(0, len(data), HASH_SIZE)]


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Concatenate 1 to 256 entries, each after its length as big-endian uint16.

    Errors: ValueError for another number of entries or one over 65,535 bytes. Source: tlog-tiles,
    "Log entries".
    """
    if not 1 <= len(entries) <= TILE_WIDTH or any(len(entry) > MAX_ENTRY_SIZE for entry in entries):
        raise ValueError("a bundle holds 1 to 256 entries of at most 65,535 bytes")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(data: bytes, width: int = TILE_WIDTH) -> list[bytes]:
    """Split a bundle into its entries. Errors: MalformedTile unless it holds exactly `width` of them."""
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) < width:
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        entries.append(data[start:at])
    # A length or an entry cut short leaves `at` past the end.
    if at != len(data) or len(entries) != width:
        raise MalformedTile(f"not a bundle of {width} entries")
    return entries


class TileReader:
    """A `HashReader` over the tiles of a tree of `size` leaves.

    In: tree size; `fetch`, which gets the distinct tiles needed, each as wide as that tree has it, and
    returns the bytes of each, in order. It is called once a `read`. The hashes are not verified here:
    a proof cut from them is, by its checker. Errors of `read`: ValueError for a node outside the tree,
    MalformedTile for a tile of another length, and what `fetch` raises.
    """

    def __init__(self, size: int, fetch: Callable[[Sequence[Tile]], Sequence[bytes]]) -> None:
        check_size(size)
        self._size = size
        self._fetch = fetch

    def read(self, nodes: Sequence[Node], /) -> list[bytes]:
        """Return the hash of each node, in the order asked."""
        if any((node.index + 1) << node.height > self._size for node in nodes):
            # Its partial tile may exist, and would fold into the hash of some other node.
            raise ValueError(f"a node is outside the tree of {self._size} leaves")
        places = [locate_node(node) for node in nodes]
        tiles = {tile_in_tree(place.level, place.index, self._size): None for place in places}
        fetched = self._fetch(list(tiles))
        hashes = {
            (tile.level, tile.index): decode_tile(data, tile.width) for tile, data in zip(tiles, fetched, strict=True)
        }
        return [self._fold(hashes[place.level, place.index], place) for place in places]

    @staticmethod
    def _fold(hashes: list[bytes], place: TileRange) -> bytes:
        return fold_perfect(hashes[place.offset : place.offset + place.count])
