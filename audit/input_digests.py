"""What finds decisions with the same input: a keyed digest of its bytes, beside the payload and erased with it.

Keyed, so that a copy of the index alone lets nobody try out inputs. Short, since it only leads to the payloads that are
then compared byte for byte. It begins with what tells its key from others: under another one nothing can be said of it.
The key is derived from the installation's digest key, whose file intake makes and looks after; here it is only read,
once a process.
"""

from functools import lru_cache
from hashlib import blake2b, sha256
from pathlib import Path

from django.conf import settings

KEY_MARK_BYTES, DIGEST_BYTES = 3, 5
MIN_CHARACTERS = 32


def input_digest(data: bytes) -> int | None:
    """A signed 64-bit number. None while there is no digest key, which readiness tells: then payloads are looked at."""
    key = _key(settings.DIGEST_KEY, settings.DATA_DIR)
    if key is None:
        return None
    return _number(_mark(key) + blake2b(data, key=key, digest_size=DIGEST_BYTES).digest())


def todays_digests() -> tuple[int, int] | None:
    """The least and the greatest number under the key of today; None while there is none."""
    key = _key(settings.DIGEST_KEY, settings.DATA_DIR)
    if key is None:
        return None
    return _number(_mark(key) + b"\0" * DIGEST_BYTES), _number(_mark(key) + b"\xff" * DIGEST_BYTES)


def _mark(key: bytes) -> bytes:
    return blake2b(b"mark", key=key, digest_size=KEY_MARK_BYTES).digest()


def _number(data: bytes) -> int:
    return int.from_bytes(data, signed=True)


def _key(given: str | None, data_dir: str | Path) -> bytes | None:
    try:
        return _derived(given, str(data_dir))
    except OSError:
        return None


@lru_cache(maxsize=8)
def _derived(given: str | None, data_dir: str) -> bytes:
    text = given or Path(data_dir, "digest.key").read_text().strip()
    if len(text) < MIN_CHARACTERS:
        raise OSError("The digest key is too short.")
    return sha256(f"answerable.same_input\0{text}".encode()).digest()
