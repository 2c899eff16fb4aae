"""The token in the address of an OFREP event stream: browsers cannot send headers with one.

`<key id>.<period>.<signature>`: for one key, read-only, good for nothing but to hear that something changed. It ends
with its key, and by itself after a day or two; replacing Django's secret key ends all of them. Nothing is stored. It is
a credential all the same, so it never stands in a log: routes are logged, not addresses.
"""

import hashlib
import hmac
import re
import time
from datetime import UTC, datetime

from django.conf import settings

from governance import memory
from governance.register import KeyGrant, KeyRecord
from overrides.clients.errors import StreamTokenNotAccepted

PERIOD_SECONDS = 24 * 3600
TOKEN = re.compile(r"([a-z0-9]{12})\.([0-9]{1,8})\.([0-9a-f]{40})", re.ASCII)
MAX_TOKEN = 80


def stream_token(grant: KeyGrant, at: float | None = None) -> str:
    """The token for now. The same for a whole period, so that what contains it keeps its ETag."""
    return _token(grant.key, period_at(at))


def period_at(at: float | None = None) -> int:
    return int((time.time() if at is None else at) // PERIOD_SECONDS)


def grant_by_token(token: str, at: float | None = None) -> KeyGrant:
    """Whose stream this is. Of this period and the last one. Errors: `StreamTokenNotAccepted`."""
    register = memory.current()
    found = TOKEN.fullmatch(token) if len(token) <= MAX_TOKEN else None
    key = register.keys.get(found[1]) if found else None
    if found is None or key is None or period_at(at) - int(found[2]) not in (0, 1):
        raise StreamTokenNotAccepted()
    if not hmac.compare_digest(_token(key, int(found[2])), token) or not _is_in_force(key):
        raise StreamTokenNotAccepted()
    return KeyGrant(register, key)


def _is_in_force(key: KeyRecord) -> bool:
    return key.is_in_force and (key.expires_at is None or key.expires_at > datetime.now(UTC))


def _token(key: KeyRecord, period: int) -> str:
    secret = hashlib.sha256(b"answerable stream token\0" + settings.SECRET_KEY.encode()).digest()
    said = f"{key.key_id}.{period}".encode()
    # the hash of the key's secret is in it: another key that came by the same id would have other tokens
    signature = hmac.new(secret, said + b"\0" + key.secret_hash, hashlib.sha256).hexdigest()[:40]
    return f"{key.key_id}.{period}.{signature}"
