"""The keys that belong to a database: which they are, and whether those that lie somewhere are the ones."""

import hmac
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from evidence.backups.manifest import DIGEST_KEY, KEY_FILES, SIGNING_KEY, BackupError, Manifest
from intake.digests import fingerprint_of
from ledger.errors import SigningKeyUnavailable
from ledger.key_file import read_seeds
from ledger.signing import public_key
from ledger.tlog import NoteError, Verifier


def key_files() -> dict[str, bytes]:
    """What a backup keeps of this installation's keys, by file name. Errors: `BackupError`, `OSError`."""
    signing = Path(settings.SIGNING_KEY_FILE)
    found = {SIGNING_KEY: signing, f"{SIGNING_KEY}.next": signing.with_name(f"{signing.name}.next")}
    kept = {name: path.read_bytes() for name, path in found.items() if path.exists()}
    if digest := digest_key_text():
        kept[DIGEST_KEY] = digest.encode()
    return kept


def digest_key_text() -> str:
    """The key of the digests, empty where nothing was hashed with one yet. Errors: `OSError`."""
    path = Path(settings.DATA_DIR) / DIGEST_KEY
    return settings.DIGEST_KEY or (path.read_text().strip() if path.exists() else "")


def public_keys_in(path: Path) -> list[bytes]:
    """The public halves of the keys in a key file, newest first. Errors: `BackupError`."""
    try:
        return [public_key(seed) for seed in read_seeds(path)]
    except SigningKeyUnavailable as error:
        raise BackupError(f"The signing key cannot be read: {error.detail}.") from None


def is_signing_key(path: Path, manifest: Manifest) -> bool:
    """Whether every key in a file is one that signs for the database as it was. Errors: `BackupError`."""
    return {key.hex() for key in public_keys_in(path)} <= set(manifest.signing_keys)


def is_digest_key(text: str, manifest: Manifest) -> bool:
    return not manifest.digest_key or hmac.compare_digest(fingerprint_of(text), manifest.digest_key)


def check_keys(folder: Path, manifest: Manifest) -> None:
    """That the keys in a folder are those that the manifest names. Errors: `BackupError`."""
    named = [name for name in KEY_FILES if (folder / name).exists()]
    if SIGNING_KEY not in named:
        raise BackupError(f"There is no {SIGNING_KEY} in {folder}.")
    if [key.hex() for key in public_keys_in(folder / SIGNING_KEY)] != manifest.signing_keys:
        raise BackupError(f"{folder / SIGNING_KEY} holds other keys than the manifest names.")
    if manifest.digest_key and DIGEST_KEY not in named:
        raise BackupError(f"There is no {DIGEST_KEY} in {folder}.")
    if DIGEST_KEY in named and not is_digest_key((folder / DIGEST_KEY).read_text().strip(), manifest):
        raise BackupError(f"{folder / DIGEST_KEY} is another key than the one behind the hashes in the database.")


def known_keys(vkeys: Sequence[str], manifest: Manifest, *, may_be_others: bool = False) -> list[bytes]:
    """The public keys by which a backup of this installation is known: those that were named, else those that lie here.

    A backup of before the key was replaced, and one that somebody made up, name none of those that lie here. Errors:
    `BackupError` for such a one, unless `may_be_others`, where whoever restores it asks that separately; and for what
    is no `vkey`.
    """
    try:
        named = [Verifier.from_vkey(vkey).public_key for vkey in vkeys]
    except NoteError as error:
        raise BackupError(f"That is no verifier key: {error}.") from None
    path = Path(settings.SIGNING_KEY_FILE)
    here = public_keys_in(path) if not named and path.exists() else []
    signed = [key for key in here if key.hex() in manifest.signing_keys]
    if here and not signed and not may_be_others:
        raise BackupError(
            "The key that lies here did not sign when this backup was made: it is of before the key was replaced, of "
            "another installation, or made up. Name the verifier key that it must be signed by: --vkey (the log's "
            "earlier keys stand in its `key.announced` entries)."
        )
    return named or signed
