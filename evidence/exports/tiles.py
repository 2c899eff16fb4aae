"""Which hash tiles prove an export: those of its entries, their parents, and the right edge of the tree.

(docs/bundle-format.md, "What is proven of a log".) Kept as ranges of tile indexes, level by level: a contiguous range
of a hundred million entries is one of them.
"""

from array import array
from collections.abc import Iterable, Iterator

from ledger.tlog import TILE_HEIGHT, TILE_WIDTH, Tile, locate_node, subtree_nodes, tile_in_tree

Span = tuple[int, int]


class Spans:
    """Ranges [first, end) of tile indexes of one level, 16 bytes each."""

    def __init__(self) -> None:
        self._bounds = array("q")

    def add(self, first: int, end: int) -> None:
        """What is added in ascending order is merged as it comes; `merged` does the rest."""
        bounds = self._bounds
        if len(bounds) and bounds[-2] <= first <= bounds[-1]:
            bounds[-1] = max(bounds[-1], end)
        elif first < end:
            bounds.extend((first, end))

    def merged(self) -> Iterator[Span]:
        return joined(sorted(zip(self._bounds[::2], self._bounds[1::2], strict=True)))


def joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Ascending ranges, those that touch or overlap as one."""
    found: Span | None = None
    for first, end in spans:
        if found is not None and first <= found[1]:
            found = (found[0], max(found[1], end))
        else:
            if found is not None:
                yield found
            found = (first, end)
    if found is not None:
        yield found


def needed(size: int, ranges: Iterable[Span], *, proves: Iterable[int] = ()) -> list[list[Span]]:
    """For each level, from the leaves up, the ranges of tiles: of the leaves in `ranges`, of the roots of the earlier
    trees in `proves`, of their parents, and the right edge."""
    levels = [Spans() for _ in _widths(size)]
    for first, end in ranges:
        if first < end:
            levels[0].add(first // TILE_WIDTH, (end - 1) // TILE_WIDTH + 1)
    for old in proves:
        for node in subtree_nodes(0, old) if old else ():
            place = locate_node(node)
            levels[place.level].add(place.index, place.index + 1)
    found: list[list[Span]] = []
    for level, total in enumerate(_widths(size)):
        if total % TILE_WIDTH:
            levels[level].add(total // TILE_WIDTH, total // TILE_WIDTH + 1)
        tiles = -(-total // TILE_WIDTH)
        spans = [(first, min(end, tiles)) for first, end in levels[level].merged() if first < tiles]
        found.append(spans)
        for first, end in spans if level + 1 < len(levels) else ():
            full = min(end, total // TILE_WIDTH)  # the root of a full tile stands in a tile above it
            if first < full:
                levels[level + 1].add(first // TILE_WIDTH, (full - 1) // TILE_WIDTH + 1)
    return found


def is_full(level: int, index: int, size: int) -> bool:
    return (index + 1) * TILE_WIDTH <= size >> (TILE_HEIGHT * level)


def as_wide(level: int, index: int, size: int) -> Tile:
    """A tile as wide as the tree has it."""
    return tile_in_tree(level, index, size)


def _widths(size: int) -> list[int]:
    """The number of hashes of each level."""
    found = []
    while size:
        found.append(size)
        size >>= TILE_HEIGHT
    return found
