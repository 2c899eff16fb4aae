"""Merkle trees and signed notes once more, the slow and plain way, so that no verifier is tested with its own code."""

import base64
from collections.abc import Iterable, Sequence
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def leaf(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """MTH of leaf hashes (RFC 6962 section 2.1), split by split."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return sha256(b"\x01" + root(hashes[:split]) + root(hashes[split:])).digest()


def levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """The hashes of each tile level: the leaves, the roots of each 256 of them, and so on."""
    found, row = [], list(leaves)
    while row:
        found.append(row)
        row = [root(row[at : at + 256]) for at in range(0, len(row) - 255, 256)]
    return found


def tile_path(level: int, index: int, width: int) -> str:
    digits = f"{index:03d}" if index < 1000 else f"x{index // 1000:03d}/{index % 1000:03d}"
    return f"tile/{level}/{digits}" + (f".p/{width}" if width < 256 else "")


def tiles(leaves: Sequence[bytes], wanted: Iterable[int], earlier: Iterable[int] = ()) -> dict[str, bytes]:
    """The tiles that prove the leaves at these indexes: with their parents, and the right edge of each level.

    `earlier` are sizes of the tree whose roots the tiles hold too.
    """
    all_levels = levels(leaves)
    edges = [
        (level, (size >> 8 * level) // 256)
        for size in (len(leaves), *earlier)
        for level in range(len(all_levels))
        if (size >> 8 * level) % 256
    ]
    needed: set[tuple[int, int]] = set()
    for first_level, first in [*edges, *((0, each // 256) for each in wanted)]:
        for level in range(first_level, len(all_levels)):
            position = first // 256 ** (level - first_level)
            if position * 256 < len(all_levels[level]):
                needed.add((level, position))
    found = {}
    for level, index in needed:
        hashes = all_levels[level][256 * index : 256 * index + 256]
        found[tile_path(level, index, len(hashes))] = b"".join(hashes)
    return found


class Signer:
    """An Ed25519 key of a 32-byte seed."""

    def __init__(self, seed: bytes) -> None:
        self.key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def id(self, name: str, kind: int = 1) -> bytes:
        return sha256(name.encode() + b"\n" + bytes([kind]) + self.public).digest()[:4]

    def vkey(self, name: str, kind: int = 1) -> str:
        return f"{name}+{self.id(name, kind).hex()}+{base64.b64encode(bytes([kind]) + self.public).decode()}"

    def line(self, name: str, text: str) -> str:
        """A signature line of a note."""
        return self._line(name, self.id(name) + self.key.sign(text.encode()))

    def cosignature(self, name: str, text: str, at: int) -> str:
        """The signature line of a witness (C2SP tlog-cosignature v1)."""
        signed = self.key.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
        return self._line(name, self.id(name, 4) + at.to_bytes(8, "big") + signed)

    @staticmethod
    def _line(name: str, data: bytes) -> str:
        return f"— {name} {base64.b64encode(data).decode()}\n"


def note(text: str, name: str, signers: Iterable[Signer]) -> str:
    return text + "\n" + "".join(signer.line(name, text) for signer in signers)


def checkpoint_text(origin: str, leaves: Sequence[bytes]) -> str:
    return f"{origin}\n{len(leaves)}\n{base64.b64encode(root(leaves)).decode()}\n"
