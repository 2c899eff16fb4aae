"""What a backup says of itself: which logs it holds up to where, which keys belong to it, the digest of each file.

The digest of the manifest is signed with the installation's key, under a name that no log has: whoever knows the
verifier key of a log knows who made the backup, wherever it lay meanwhile.
"""

import hashlib
import re
import stat
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from ledger.tlog import ED25519, NoteError, Signer, UnverifiedNote, Verifier, is_key_name, open_note, sign_note

FORMAT = "answerable-backup/v1"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
DUMP, HEADS, ERASED, README = "database.dump", "heads.sqlite3", "erased.sqlite3", "README.txt"
SIGNING_KEY, NEXT_SIGNING_KEY, DIGEST_KEY, ORIGIN = "signing.key", "signing.key.next", "digest.key", "origin"
KEY_FILES = (SIGNING_KEY, NEXT_SIGNING_KEY, DIGEST_KEY)
EXIT_LOOK = 3
"""Of commands: it was done, and people have to look."""
CHUNK = 1 << 20
LARGEST_MANIFEST, LARGEST_SIGNATURE = 64 << 20, 64 << 10

Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Line = Annotated[str, Meta(max_length=500)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")]
"""Of a file in the folder of the backup itself."""
Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Release = Annotated[str, Meta(pattern=r"^[0-9]{1,4}(?![0-9])", max_length=200)]
"""Of PostgreSQL: "18.6", "19beta1", "18.6 (Debian 18.6-1)"."""

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
    origin: Line
    kind: Line
    is_closed: bool
    tree_size: Count
    root_hash: Hash
    checkpoint: Annotated[str, Meta(max_length=100_000)] = ""
    trouble: Line = ""

    def __post_init__(self) -> None:
        _require_origin(self.origin)
        _require_shown(self.kind, self.trouble, *self.checkpoint.split("\n"))


class FileMark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Name
    size: Count
    sha256: Hash


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`migrations`: the last one of each app. `signing_keys`: the public keys in the key file, in hex, newest first.
    `digest_key`: what tells it from another one, and nothing about it; empty where there was none yet."""

    format: Line
    made_at: Annotated[datetime, Meta(tz=True)]
    version: Line
    origin: Line
    server_version: Release
    dump_version: Release
    database_size: Count
    migrations: dict[Line, Line]
    logs: list[LogMark]
    has_keys: bool
    signing_keys: list[Hash]
    digest_key: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?\Z")]
    files: list[FileMark]

    def __post_init__(self) -> None:
        _require_origin(self.origin)
        _require_shown(self.format, self.version, self.server_version, self.dump_version)
        _require_shown(*self.migrations, *self.migrations.values())
        _require_once("log", [str(log.id) for log in self.logs], [log.origin for log in self.logs])
        _require_once("file", [file.name for file in self.files])

    @property
    def troubled(self) -> list[LogMark]:
        return [log for log in self.logs if log.trouble]

    @property
    def entries(self) -> int:
        return sum(log.tree_size for log in self.logs)

    @property
    def server_major(self) -> int:
        return _major(self.server_version)

    @property
    def dump_major(self) -> int:
        return _major(self.dump_version)

    def as_bytes(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


_decode = msgspec.json.Decoder(Manifest).decode


def _major(release: str) -> int:
    found = re.match(r"[0-9]+", release)
    if found is None:
        raise ValueError(f"{release!r} is no release of PostgreSQL")
    return int(found[0])


def _require_origin(origin: str) -> None:
    """That keys can have this name. Errors: `ValueError`, which is a fault of the manifest where one is read."""
    if not is_key_name(origin) or not origin.isprintable():
        raise ValueError("that is no name of an installation or a log")


def _require_shown(*texts: str) -> None:
    """That nothing in them moves a terminal's cursor, or hides. Errors: `ValueError`."""
    if not all(text.isprintable() for text in texts):
        raise ValueError("there is a character in it that cannot be shown")


def _require_once(what: str, *names: list[str]) -> None:
    """Errors: `ValueError`."""
    for each in names:
        if len(each) != len(set(each)):
            raise ValueError(f"it names a {what} twice")


def read_manifest(folder: Path) -> tuple[Manifest, bytes]:
    """The manifest in a backup's folder, and its bytes. Errors: `BackupError`."""
    path = folder / MANIFEST
    data = read_plain(path, largest=LARGEST_MANIFEST)
    if data is None:
        raise BackupError(f"{folder} is no backup: there is no {MANIFEST} in it.")
    try:
        found = _decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BackupError(f"{path} is not a manifest that this version understands: {error}.") from None
    if found.format != FORMAT:
        raise BackupError(f"{path} says {found.format}, and this version reads {FORMAT}.")
    return found, data


def read_plain(path: Path, *, largest: int) -> bytes | None:
    """A small file that is a file, and neither a link nor a pipe; None where there is none. Errors: `BackupError`."""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise BackupError(f"{path} is no plain file, and is not read.")
        if found.st_size > largest:
            raise BackupError(f"{path} is {found.st_size:,} bytes long: that is none.")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}.") from None


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


def signed_by(data: bytes, note: bytes, *, origin: str, public_keys: Sequence[bytes]) -> tuple[bytes, ...]:
    """Those of these keys that signed for this manifest. Errors: `BackupError` where a signature of one fails."""
    keys = {Verifier(_name(origin), ED25519, key).key_id: key for key in public_keys}
    try:
        opened = open_note(note, [Verifier(_name(origin), ED25519, key) for key in keys.values()]) if keys else None
    except UnverifiedNote:
        return ()
    except NoteError as error:
        raise BackupError(f"The signature of the manifest fails: {error}.") from None
    if opened is None:
        return ()
    if opened.text != _statement(data, origin):
        raise BackupError("The signature is that of another manifest: somebody exchanged one of the two.")
    return tuple(keys[signature.key_id] for signature in opened.signatures)


def fingerprint(public_key: bytes) -> str:
    """What people compare a key by, as the verifier of bundles prints it: SHA-256 in hex, in groups of four."""
    digest = hashlib.sha256(public_key).hexdigest()
    return " ".join(digest[start : start + 4] for start in range(0, len(digest), 4))


def _name(origin: str) -> str:
    return f"{origin}/backups"


def _statement(data: bytes, origin: str) -> str:
    # no checkpoint can be taken for it: a log's origin is another line
    return f"{FORMAT}\n{origin}\n{hashlib.sha256(data).hexdigest()}\n"
