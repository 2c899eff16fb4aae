"""The three hashes of a Merkle tree over SHA-256 (RFC 6962 section 2.1 = RFC 9162 section 2.1.1)."""

from hashlib import sha256
from typing import Final

HASH_SIZE: Final = 32
"""Bytes of a leaf hash, node hash or root hash."""

EMPTY_ROOT: Final = sha256(b"").digest()
"""Root hash of a tree without leaves: MTH({}) = SHA-256() (RFC 6962 section 2.1)."""


def leaf_hash(data: bytes) -> bytes:
    """Hash one entry: SHA-256(0x00 || data).

    In: the entry's exact bytes. Out: 32 bytes. Source: RFC 6962 section 2.1. The prefix keeps
    leaves and nodes apart, so that no entry can be passed off as a subtree.
    """
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two sibling subtrees: SHA-256(0x01 || left || right).

    In: two hashes of 32 bytes; lengths are not checked here, this is the hot path: whoever takes
    hashes from outside checks them. Out: 32 bytes. Source: RFC 6962 section 2.1.
    """
    return sha256(b"\x01" + left + right).digest()
