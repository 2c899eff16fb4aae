"""The key of the hashes that stand for what is not kept in clear: callers' own keys, and records in quarantine.

Not Django's secret key, which may be replaced at any time: under another key no earlier `external_id` is recognised,
and a retry becomes a second decision. So it is made once, in the data folder, and never over what hangs on another.
Read once a process; the hot path asks nothing.
"""

import secrets
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from django.conf import settings

from config.standalone.layout import write_once
from intake.connections import brief_connection
from intake.errors import DigestKeyUnavailable
from intake.models import ExternalId, QuarantinedRecord

MIN_CHARACTERS = 32


def digest_key(purpose: str) -> bytes:
    """32 bytes for one purpose, the same for ever. Errors: `DigestKeyUnavailable`, the database's where it asks."""
    return _derived(purpose, settings.DIGEST_KEY, settings.DATA_DIR)


@lru_cache(maxsize=8)
def _derived(purpose: str, given: str | None, data_dir: Path) -> bytes:
    key = given or _stored(data_dir / "digest.key")
    return sha256(f"answerable.{purpose}\0{key}".encode()).digest()


def _stored(path: Path) -> str:
    try:
        if not path.exists():
            _refuse_over_earlier_hashes(path)
            write_once(path, secrets.token_hex(32))
        key = path.read_text().strip()
    except OSError as error:
        raise DigestKeyUnavailable(f"{path.name}: {error.strerror}") from error
    if len(key) < MIN_CHARACTERS:
        raise DigestKeyUnavailable(f"{path.name} holds fewer than {MIN_CHARACTERS} characters.")
    return key


def _refuse_over_earlier_hashes(path: Path) -> None:
    with brief_connection():
        used = ExternalId.objects.exists() or QuarantinedRecord.objects.exists()
    if used:
        raise DigestKeyUnavailable(f"{path.name} is missing, and the database holds hashes made with it. Restore it.")
