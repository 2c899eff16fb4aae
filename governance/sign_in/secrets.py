"""The key under which secrets of second factors are kept: derived from the installation's digest key.

Not Django's secret key, which may be replaced at any time: everybody would lose their second factor with it. Intake
makes the file of the digest key and looks after it (`intake.digests`); here it is only read.
"""

import hmac
import os
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from governance.errors import FactorKeyUnavailable

NONCE_BYTES = 12
MIN_CHARACTERS = 32


def seal_secret(secret: bytes, purpose: str) -> bytes:
    """Encrypt for one purpose (whose secret it is). Errors: `FactorKeyUnavailable`."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(_key("seal")).encrypt(nonce, secret, purpose.encode())


def open_secret(sealed: bytes, purpose: str) -> bytes:
    """Errors: `FactorKeyUnavailable`, also where it was sealed under another key or for something else."""
    try:
        return AESGCM(_key("seal")).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose.encode())
    except InvalidTag as error:
        raise FactorKeyUnavailable("The digest key is not the one under which second factors were kept.") from error


def keyed_hash(text: str, purpose: str) -> bytes:
    """A hash that nobody can try out who has the database alone. Errors: `FactorKeyUnavailable`."""
    return hmac.digest(_key(purpose), text.encode(), "sha256")


def _key(purpose: str) -> bytes:
    return _derived(purpose, settings.DIGEST_KEY, Path(settings.DATA_DIR))


@lru_cache(maxsize=8)
def _derived(purpose: str, given: str | None, data_dir: Path) -> bytes:
    key = given or _stored(data_dir / "digest.key")
    return sha256(f"answerable.sign-in.{purpose}\0{key}".encode()).digest()


def _stored(path: Path) -> str:
    try:
        key = path.read_text().strip()
    except OSError as error:
        raise FactorKeyUnavailable(f"{path.name}: {error.strerror}") from error
    if len(key) < MIN_CHARACTERS:
        raise FactorKeyUnavailable(f"{path.name} holds fewer than {MIN_CHARACTERS} characters.")
    return key
