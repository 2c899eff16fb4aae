"""Signatures of Standard Webhooks 1.0.0, `v1`: HMAC-SHA256 over `<id>.<timestamp>.<body>`."""

import base64
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Iterable

from governance.sign_in.secrets import open_secret, seal_secret

SECRET_BYTES = 32
PREFIX = "whsec_"


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def sealed(secret: bytes, endpoint_id: uuid.UUID) -> bytes:
    """As it is kept: encrypted for this endpoint, as second factors are. Errors: `FactorKeyUnavailable`."""
    return seal_secret(secret, f"webhook {endpoint_id}")


def opened(kept: bytes, endpoint_id: uuid.UUID) -> bytes:
    """Errors: `FactorKeyUnavailable`."""
    return open_secret(kept, f"webhook {endpoint_id}")


def as_text(secret: bytes) -> str:
    """How a secret is shown to whoever registers the endpoint."""
    return PREFIX + base64.b64encode(secret).decode()


def signed_headers(*, webhook_id: str, timestamp: int, body: bytes, signing: Iterable[bytes]) -> dict[str, str]:
    """The three headers of one attempt. `signing`: the decoded secrets, the newest first; each adds a signature."""
    content = b".".join((webhook_id.encode(), str(timestamp).encode(), body))
    signatures = (base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode() for secret in signing)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
    }
