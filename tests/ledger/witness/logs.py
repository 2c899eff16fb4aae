"""A log in memory, with its key: what it signs, and what it would have signed had it been rewritten."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from ledger.tlog import (
    Checkpoint,
    Node,
    Signer,
    Tile,
    encode_add_checkpoint,
    encode_tile,
    prove_consistency,
    root_from_leaf_hashes,
    sign_checkpoint,
)
from ledger.tlog.add_checkpoint import AddCheckpoint
from tests.ledger.tlog.trees import ListReader

ORIGIN = "log.example/logs/0199"


@dataclass
class MadeUpLog:
    """A log of numbered leaves. `branch` begins another history at that index."""

    origin: str = ORIGIN
    seed: bytes = bytes([3]) * 32
    branch: int | None = None
    signers: list[Signer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.signers = self.signers or [Signer(self.origin, self.seed)]

    @property
    def vkey(self) -> str:
        return self.signers[0].vkey

    def leaves(self, size: int) -> list[bytes]:
        return [
            sha256(
                b"\x00%s leaf %d" % (b"other" if self.branch is not None and n >= self.branch else b"the", n)
            ).digest()
            for n in range(size)
        ]

    def checkpoint(self, size: int) -> Checkpoint:
        return Checkpoint(self.origin, size, root_from_leaf_hashes(self.leaves(size)))

    def note(self, size: int) -> str:
        return sign_checkpoint(self.checkpoint(size), self.signers)

    def proof(self, old: int, new: int) -> list[bytes]:
        return prove_consistency(ListReader(self.leaves(new)), old, new)

    def request(self, old: int, new: int, proof: Sequence[bytes] | None = None, note: str | None = None) -> bytes:
        """The body of add-checkpoint, right or with parts that are not."""
        hashes = tuple(self.proof(min(old, new), new) if proof is None else proof)
        return encode_add_checkpoint(AddCheckpoint(old, hashes, self.note(new) if note is None else note))

    def tile(self, tile: Tile, size: int) -> bytes:
        """A tile as it is served for a tree of a size."""
        nodes = [Node(8 * tile.level, tile.index * 256 + i) for i in range(tile.width)]
        return encode_tile(ListReader(self.leaves(size)).read(nodes))
