"""Salted commitments: an entry binds what is personal without holding it, and each part can be disclosed alone."""

import hashlib
import os

SECRET_BYTES = 32


def new_secret() -> bytes:
    """A fresh `record_secret`: 32 random bytes."""
    return os.urandom(SECRET_BYTES)


def part_key(secret: bytes, part: str) -> bytes:
    """`SHA-256(record_secret || part name)`: revealing it opens this part and no other.

    >>> part_key(bytes(32), "input").hex()[:8]
    'd2b65fee'
    """
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a record secret has {SECRET_BYTES} bytes, not {len(secret)}")
    return hashlib.sha256(secret + part.encode("ascii")).digest()


def commitment(secret: bytes, part: str, data: bytes) -> bytes:
    """`SHA-256(part_key || bytes)`: what the entry carries for a part."""
    return hashlib.sha256(part_key(secret, part) + data).digest()
