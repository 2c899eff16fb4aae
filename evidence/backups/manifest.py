"""What a backup says of itself: which logs it holds up to where, which keys belong to it, the digest of each file.

The digest of the manifest is signed with the installation's key, under a name that no log has: whoever knows the
verifier key of a log knows who made the backup, wherever it lay meanwhile.
"""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from ledger.tlog import ED25519, NoteError, Signer, UnverifiedNote, Verifier, open_note, sign_note

FORMAT = "answerable-backup/v1"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
DUMP, HEADS, ERASED, README = "database.dump", "heads.sqlite3", "erased.sqlite3", "README.txt"
SIGNING_KEY, NEXT_SIGNING_KEY, DIGEST_KEY, ORIGIN = "signing.key", "signing.key.next", "digest.key", "origin"
KEY_FILES = (SIGNING_KEY, NEXT_SIGNING_KEY, DIGEST_KEY)
EXIT_LOOK = 3
"""Of commands: it was done, and people have to look."""
CHUNK = 1 << 20
LARGEST_MANIFEST = 64 << 20

Progress = Callable[[str, int, int | None], None]
"""What is being done, how many bytes of it, and of how many where that is known."""


def quiet(what: str, done: int, size: int | None) -> None:
    """Progress for whoever wants none."""


class BackupError(Exception):
    """Why a backup was not made, is not sound, or was not restored: shown to whoever typed the command."""


class LogMark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a log stood in the dump. `checkpoint`: signed just before it; empty where this host refused to sign one,
    and `trouble` says why."""

    id: uuid.UUID
    origin: str
    kind: str
    is_closed: bool
    tree_size: int
    root_hash: str
    checkpoint: str = ""
    trouble: str = ""


class FileMark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`migrations`: the last one of each app. `signing_keys`: the public keys in the key file, in hex, newest first.
    `digest_key`: what tells it from another one, and nothing about it; empty where there was none yet."""

    format: str
    made_at: datetime
    version: str
    origin: str
    server_version: str
    dump_version: str
    database_size: int
    migrations: dict[str, str]
    logs: list[LogMark]
    has_keys: bool
    signing_keys: list[str]
    digest_key: str
    files: list[FileMark]

    @property
    def troubled(self) -> list[LogMark]:
        return [log for log in self.logs if log.trouble]

    @property
    def entries(self) -> int:
        return sum(log.tree_size for log in self.logs)

    def as_bytes(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def read_manifest(folder: Path) -> tuple[Manifest, bytes]:
    """The manifest in a backup's folder, and its bytes. Errors: `BackupError`."""
    path = folder / MANIFEST
    try:
        if path.stat().st_size > LARGEST_MANIFEST:
            raise BackupError(f"{path} is no manifest: it is {path.stat().st_size:,} bytes long.")
        data = path.read_bytes()
    except FileNotFoundError:
        raise BackupError(f"{folder} is no backup: there is no {MANIFEST} in it.") from None
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        found = msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BackupError(f"{path} is not a manifest that this version understands: {error}.") from None
    if found.format != FORMAT:
        raise BackupError(f"{path} says {found.format}, and this version reads {FORMAT}.")
    return found, data


def mark_of(path: Path, progress: Progress = quiet) -> FileMark:
    """A file as the manifest names it, read through to its end. Errors: `OSError`."""
    digest, size, whole = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            progress(f"reading {path.name}", size, whole)
    return FileMark(name=path.name, size=size, sha256=digest.hexdigest())


def sign_manifest(data: bytes, *, origin: str, seeds: Sequence[bytes]) -> str:
    """A signed note over the digest of a manifest."""
    return sign_note(_statement(data, origin), [Signer(_name(origin), seed) for seed in seeds])


def signed_by(data: bytes, note: bytes, *, origin: str, public_keys: Sequence[bytes]) -> bool:
    """Whether one of these keys signed for this manifest. Errors: `BackupError` where a signature of one fails."""
    verifiers = [Verifier(_name(origin), ED25519, key) for key in public_keys]
    try:
        opened = open_note(note, verifiers) if verifiers else None
    except UnverifiedNote:
        return False
    except NoteError as error:
        raise BackupError(f"The signature of the manifest fails: {error}.") from None
    if opened is None:
        return False
    if opened.text != _statement(data, origin):
        raise BackupError("The signature is that of another manifest: somebody exchanged one of the two.")
    return True


def _name(origin: str) -> str:
    return f"{origin}/backups"


def _statement(data: bytes, origin: str) -> str:
    # no checkpoint can be taken for it: a log's origin is another line
    return f"{FORMAT}\n{origin}\n{hashlib.sha256(data).hexdigest()}\n"
