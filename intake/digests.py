"""The key of the hashes that stand for what is not kept in clear: callers' own keys, and records in quarantine.

Not Django's secret key, which may be replaced at any time: under another key no earlier `external_id` is recognised,
and a retry becomes a second decision. So it is made once, in the data folder, and never over what hangs on another.
Read once a process; the hot path asks nothing.
"""

import hmac
import json
import secrets
import uuid
from functools import lru_cache
from hashlib import blake2b, sha256
from pathlib import Path

from django.conf import settings

from audit.models import Decision, Payload
from config.standalone.layout import write_once
from intake.connections import brief_connection
from intake.errors import DigestKeyUnavailable
from intake.models import ExternalId, QuarantinedRecord

MIN_CHARACTERS = 32
SAMPLE = 3


def digest_key(purpose: str) -> bytes:
    """32 bytes for one purpose, the same for ever. Errors: `DigestKeyUnavailable`, the database's where it asks."""
    return _derived(purpose, settings.DIGEST_KEY, settings.DATA_DIR)


@lru_cache(maxsize=8)
def _derived(purpose: str, given: str | None, data_dir: Path) -> bytes:
    return _for_purpose(purpose, given or _stored(data_dir / "digest.key"))


def _for_purpose(purpose: str, key: str) -> bytes:
    return sha256(f"answerable.{purpose}\0{key}".encode()).digest()


def fingerprint_of(key: str) -> str:
    """What tells a key from another one, in hex, and opens nothing: backups name the one that belongs to them."""
    return _for_purpose("fingerprint", key).hex()[:32]


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


def check_digest_key() -> None:
    """Make the key where nothing hangs on one; where something does, see that it is the one.

    A few remembered keys of callers are opened in the decisions they led to (whose payloads are not erased) and hashed
    again. Errors: `DigestKeyUnavailable`.
    """
    digest_key("external_id")
    for kept in ExternalId.objects.all()[:SAMPLE]:
        decision = Decision.objects.filter(pk=kept.decision_id).first()
        refs = Payload.objects.filter(pk=kept.decision_id).values_list("refs", flat=True).first()
        external_id = json.loads(bytes(refs)).get("external_id") if refs else None
        if decision is None or external_id is None:
            continue
        found = external_digest(kept.system_id, decision.service_account_id, decision.environment, external_id)
        if found != bytes(kept.digest):
            raise DigestKeyUnavailable("This is another key than the one behind the hashes in the database.")


def external_digest(system_id: uuid.UUID, account_id: uuid.UUID, environment: str, external_id: str) -> bytes:
    """The keyed hash under which a caller's own key is known: one service's, in one environment.

    Else whoever tests in staging could use up the keys of production, and those decisions would count as repeats.
    """
    scope = system_id.bytes + account_id.bytes + environment.encode() + b"\0"
    return hmac.digest(digest_key("external_id"), scope + external_id.encode(), "sha256")


def sampling_digits(decision_id: str) -> str | None:
    """Hex digits as random as an id that a caller chose is not: it cannot tell which ids a random share takes.

    None without the key: then every one is taken, too many rather than those that somebody chose.
    """
    try:
        key = digest_key("sampling")
    except DigestKeyUnavailable:
        return None  # told by `check_digest_key`
    # kept nowhere, so no HMAC is needed: BLAKE2 takes a key by itself, in a quarter of the time
    return blake2b(decision_id.encode(), key=key, digest_size=6).hexdigest()
