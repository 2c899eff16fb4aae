"""The tree itself: naming its perfect subtrees, appending to it, and what its roots are folded from.

A *node* is the root of a perfect subtree: `Node(height, index)` stands over the 2^height leaves
`[index << height, (index + 1) << height)`. Every Merkle tree hash of RFC 6962 section 2.1 is a fold
of such nodes, and nodes never change once their leaves exist. So nodes are what is stored and read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol, Self

from ledger.tlog.hashes import EMPTY_ROOT, HASH_SIZE, node_hash

MAX_TREE_SIZE: Final = 2**63 - 1
"""Largest tree size: what the other implementations hold in a signed 64-bit integer."""

TILE_HEIGHT: Final = 8
"""Levels of the tree that one tile spans (C2SP tlog-tiles)."""


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """A perfect subtree: over leaves `[index << height, (index + 1) << height)`; height 0 is a leaf."""

    height: int
    index: int


@dataclass(frozen=True, slots=True, order=True)
class TileRoot:
    """Root hash (32 bytes) of the full tile `index` at tile level `level`: Node(8 * (level + 1), index)."""

    level: int
    index: int
    root: bytes


class HashReader(Protocol):
    """Where provers get hashes from. A proof asks once, for everything it needs."""

    def read(self, nodes: Sequence[Node], /) -> list[bytes]:
        """Return the 32-byte hash of each node, in the order asked. Missing nodes must raise."""
        ...


def check_size(size: int) -> None:
    """Refuse a number that cannot be a tree size. In: leaves. Errors: ValueError outside 0..2^63-1."""
    if not 0 <= size <= MAX_TREE_SIZE:
        raise ValueError(f"tree size {size} is not between 0 and {MAX_TREE_SIZE}")


def fold(hashes: Sequence[bytes]) -> bytes:
    """Fold the nodes of `subtree_nodes` into the Merkle tree hash of their range.

    In: at least one hash, left to right. Out: 32 bytes. Errors: ValueError if there is none. From the
    right, because RFC 6962 section 2.1 splits at the largest power of two: what is left over is deepest.
    """
    if not hashes:
        raise ValueError("nothing to fold")
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def fold_perfect(hashes: Sequence[bytes]) -> bytes:
    """Fold 2^d siblings of one height into the node above them all.

    In: 1, 2, 4, ... hashes, left to right. Out: 32 bytes. Errors: ValueError for another count.
    """
    if not hashes or len(hashes) & (len(hashes) - 1):
        raise ValueError(f"{len(hashes)} hashes are not a perfect subtree")
    row = list(hashes)
    while len(row) > 1:
        row = _parents(row)
    return row[0]


def _parents(row: list[bytes]) -> list[bytes]:
    # node_hash written out: a call per node would cost a quarter of the append path.
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=True)]


def split_point(size: int) -> int:
    """Return the largest power of two smaller than `size` (the k of RFC 6962 section 2.1).

    In: a number of leaves >= 2. Errors: ValueError below that.
    """
    if size < 2:
        raise ValueError(f"a tree of {size} leaves has no split")
    return 1 << ((size - 1).bit_length() - 1)


def subtree_nodes(start: int, end: int) -> list[Node]:
    """List the nodes whose `fold` is MTH(D[start:end]), left to right, largest first.

    In: leaf indexes, 0 <= start < end, where `start` is a multiple of the smallest power of two that
    is >= end - start: every range that RFC 6962's proofs meet, [0, n) among them. Errors: ValueError
    for any other range, because its decomposition would not fold to its MTH.
    """
    check_size(end)
    if not 0 <= start < end or start % (1 << (end - start - 1).bit_length()):
        raise ValueError(f"[{start}, {end}) is not a subtree")
    nodes = []
    while start < end:
        height = (end - start).bit_length() - 1
        nodes.append(Node(height, start >> height))
        start += 1 << height
    return nodes


def root_from_leaf_hashes(leaf_hashes: Iterable[bytes]) -> bytes:
    """Compute MTH(D[0:n]) of RFC 6962 section 2.1. In: 32-byte leaf hashes. Out: 32 bytes."""
    return Frontier().extend(list(leaf_hashes)).root()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree reduced to what appending needs: its size and the perfect subtrees on its right edge.

    `hashes` holds one 32-byte hash for each 1 bit of `size`, left to right, largest subtree first: the
    nodes of `subtree_nodes(0, size)`. Immutable; the empty tree is `Frontier()`. Errors: ValueError if
    hashes and size do not belong together.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        check_size(self.size)
        if len(self.hashes) != self.size.bit_count():
            raise ValueError(f"{len(self.hashes)} hashes cannot be the frontier of {self.size} leaves")
        if any(len(hash_) != HASH_SIZE for hash_ in self.hashes):
            raise ValueError("a frontier holds hashes of 32 bytes")

    def root(self) -> bytes:
        """Return the root hash of the tree, 32 bytes (RFC 6962 section 2.1)."""
        return fold(self.hashes) if self.hashes else EMPTY_ROOT

    def extend(self, leaf_hashes: Sequence[bytes]) -> Self:
        """Append leaves. In: 32-byte leaf hashes in log order. Out: the new frontier.

        Errors: ValueError if a hash is not 32 bytes or the tree would outgrow 2^63-1 leaves.
        """
        return self.extend_with_tile_roots(leaf_hashes)[0]

    def extend_with_tile_roots(self, leaf_hashes: Sequence[bytes]) -> tuple[Self, list[TileRoot]]:
        """Append leaves and keep the roots of the full tiles that this completes.

        In: as `extend`. Out: the new frontier; the root of every tile of 256 hashes that became full,
        lowest level first, ascending index (C2SP tlog-tiles). They fall out of appending at no cost.
        """
        if any(len(hash_) != HASH_SIZE for hash_ in leaf_hashes):
            raise ValueError("a leaf hash has 32 bytes")
        size = self.size + len(leaf_hashes)
        edge = list(self.hashes)  # consumed from its right end: the smallest subtree comes first
        row, height = list(leaf_hashes), 0
        kept: list[bytes] = []
        roots: list[TileRoot] = []
        while row:
            if height and height % TILE_HEIGHT == 0:
                first, level = (size >> height) - len(row), height // TILE_HEIGHT - 1
                roots += [TileRoot(level, first + i, root) for i, root in enumerate(row)]
            if self.size >> height & 1:
                row.insert(0, edge.pop())
            if len(row) & 1:
                kept.append(row.pop())
            row = _parents(row)
            height += 1
        # Heights above the last new node are untouched: their subtrees stay where they are.
        return type(self)(size, (*edge, *reversed(kept))), roots

    def to_bytes(self) -> bytes:
        """Encode as 8 bytes of big-endian size, then the hashes, left to right."""
        return self.size.to_bytes(8, "big") + b"".join(self.hashes)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode `to_bytes`. Errors: ValueError unless the length is exactly what the size demands."""
        if len(data) < 8 or len(data) % HASH_SIZE != 8:
            raise ValueError(f"{len(data)} bytes are not a frontier")
        hashes = tuple(data[i : i + HASH_SIZE] for i in range(8, len(data), HASH_SIZE))
        return cls(int.from_bytes(data[:8], "big"), hashes)
