"""The installation's Ed25519 key and what it signs: checkpoints of heads that the head store has."""

import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from ledger.errors import SigningKeyUnavailable
from ledger.heads import StoredHead
from ledger.tlog import Checkpoint, Signer, sign_checkpoint

SEED_BYTES = 32


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A tree size, its root, and the signed note that says so."""

    tree_size: int
    root_hash: bytes
    note: str


def sign_head(origin: str, head: StoredHead) -> SignedCheckpoint:
    """Sign what the head store holds. Only ever called with a head that came out of it."""
    note = sign_checkpoint(Checkpoint(origin, head.tree_size, head.root_hash), [signer_for(origin)])
    return SignedCheckpoint(head.tree_size, head.root_hash, note)


@lru_cache(maxsize=4096)
def signer_for(origin: str) -> Signer:
    """The installation's key under a log's name: each log has its own verifier key."""
    return Signer(origin, signing_seed())


def verifier_key(origin: str) -> str:
    """The `vkey` of a log, as C2SP signed-note writes it."""
    return signer_for(origin).vkey


@lru_cache(maxsize=1)
def signing_seed() -> bytes:
    """The 32-byte seed from `ANSWERABLE_SIGNING_KEY_FILE`, 64 hex digits. Errors: `SigningKeyUnavailable`."""
    path = Path(settings.SIGNING_KEY_FILE)
    try:
        seed = bytes.fromhex(path.read_text())
    except (OSError, ValueError) as error:
        raise SigningKeyUnavailable(f"{path.name}: {error}") from error
    if len(seed) != SEED_BYTES:
        raise SigningKeyUnavailable(f"{path.name} does not hold {SEED_BYTES} bytes in hex")
    return seed


def create_signing_key(path: Path) -> None:
    """Make the key file once, readable by its owner alone. An existing one is left as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return
    path.write_text(secrets.token_hex(SEED_BYTES) + "\n")
