"""The installation's Ed25519 keys and what they sign: checkpoints of heads that the head store has.

A key signs once the registry log has announced it, and until the registry log has retired it. While one replaces
another both sign, so that whoever knows either can verify.
"""

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from config.errors import ServiceError
from ledger.errors import SigningKeyRefused
from ledger.heads import StoredHead
from ledger.key_file import read_seeds
from ledger.key_history import key_of, read_history
from ledger.tlog import Checkpoint, Signer, sign_checkpoint

RECHECK_SECONDS = 60.0
"""How long a key may go on signing on another host after it was retired on this one."""


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A tree size, its root, and the signed note that says so."""

    tree_size: int
    root_hash: bytes
    note: str


@dataclass(frozen=True, slots=True)
class _Checked:
    seeds: tuple[bytes, ...]
    signing: tuple[bytes, ...]
    until: float


_checked: _Checked | None = None


def sign_head(origin: str, head: StoredHead) -> SignedCheckpoint:
    """Sign what the head store holds. Only ever called with a head that came out of it."""
    note = sign_checkpoint(Checkpoint(origin, head.tree_size, head.root_hash), signers_for(origin))
    return SignedCheckpoint(head.tree_size, head.root_hash, note)


def signers_for(origin: str) -> list[Signer]:
    """The keys that sign now, newest first, under a log's name: each log has its own verifier keys.

    Errors: those of `signing_seeds`.
    """
    return [signer_of(origin, seed) for seed in signing_seeds()]


@lru_cache(maxsize=4096)
def signer_of(origin: str, seed: bytes) -> Signer:
    """One key under the name of one log."""
    return Signer(origin, seed)


def verifier_keys(origin: str) -> list[str]:
    """The `vkey`s (C2SP signed-note) of a log: of all keys announced and not retired, those that sign here first.

    Read from the registry log: whoever verifies needs them even where this host has lost its key.
    """
    announced = [key_of(origin, key).vkey for key in reversed(read_history().in_force)]
    try:
        here = [signer.vkey for signer in signers_for(origin)]
    except ServiceError:
        here = []  # nothing is signed here, and whoever asks for a checkpoint is told why
    return sorted(announced, key=lambda vkey: here.index(vkey) if vkey in here else len(here))


def signing_seeds() -> tuple[bytes, ...]:
    """The seeds in `ANSWERABLE_SIGNING_KEY_FILE` that may sign, newest first.

    The file is looked at each time; what the registry log says of its keys is read again every minute. Errors:
    `SigningKeyUnavailable`, `SigningKeyRefused` where a key was never announced or all of them are retired.
    """
    global _checked
    path = Path(settings.SIGNING_KEY_FILE)
    seeds, known = read_seeds(path), _checked
    if known is None or known.seeds != seeds or time.monotonic() >= known.until:
        known = _checked = _check(path, seeds)
    return known.signing


def _check(path: Path, seeds: tuple[bytes, ...]) -> _Checked:
    history = read_history()
    if not history.keys:
        return _Checked(seeds, seeds[:1], until=0.0)  # about to be announced, in the entry that opens the registry
    public = {seed: public_key(seed) for seed in seeds}
    if any(key not in history.keys for key in public.values()):
        raise SigningKeyRefused(f"The registry log announces no such key as {path.name} holds: restore it.")
    signing = tuple(seed for seed in seeds if public[seed] not in history.retired)
    if not signing:
        raise SigningKeyRefused(f"The key in {path.name} was retired: put the newest one there.")
    return _Checked(seeds, signing, until=time.monotonic() + RECHECK_SECONDS)


def public_key(seed: bytes) -> bytes:
    """The public half, under whatever name."""
    return signer_of("key", seed).verifier.public_key


def forget() -> None:
    """Ask the registry log again, at once: its keys have changed, or it is another one."""
    global _checked
    _checked = None
