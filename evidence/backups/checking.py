"""Whether a backup is what its manifest says, and whose word the manifest is."""

import enum
import sqlite3
import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from evidence.backups import dumping
from evidence.backups.keys import check_keys
from evidence.backups.manifest import (
    DUMP,
    HEADS,
    LARGEST_SIGNATURE,
    MANIFEST,
    ORIGIN,
    SIGNATURE,
    BackupError,
    LogMark,
    Manifest,
    Progress,
    fingerprint,
    mark_of,
    quiet,
    read_manifest,
    read_plain,
    signed_by,
)
from ledger.tlog import ED25519, NoteError, Verifier, open_checkpoint


class Word(enum.Enum):
    """Whose word it is that this is the backup of that installation."""

    KNOWN_KEY = "of a key that was given, or lies here"
    ITS_OWN = "of the key that it names itself"
    NOBODY = "of nobody: it is not signed"


@dataclass(frozen=True, slots=True)
class Checked:
    """`keys`: the public keys that signed, of those whose word it is."""

    manifest: Manifest
    word: Word
    keys: tuple[bytes, ...]

    def whose_word(self, *, named: bool) -> str:
        """In words, for whoever restores it. `named`: whether the known keys were given with the command."""
        if self.word is Word.NOBODY:
            return "It is not signed, and no key was given: its files fit together, and anybody could have made it."
        keys = " and ".join(fingerprint(key) for key in self.keys)
        if self.word is Word.ITS_OWN:
            return (
                "No key was given and none of its keys lies here: it is signed by the key that it names itself, which"
                f" says that its files belong together, not who made it.\nCompare its fingerprint: {keys}"
            )
        return f"It is signed by the key that {'you gave' if named else 'lies here'}: {keys}"


def check_backup(folder: Path, *, known_keys: Sequence[bytes], progress: Progress = quiet) -> Checked:
    """Read every file of a backup and hold it against the manifest, the signature and each other.

    `known_keys`: public keys of the installation from elsewhere. Errors: `BackupError` with the first thing that does
    not fit.
    """
    manifest, data = read_manifest(folder)
    word, keys = _word(folder, manifest, data, known_keys)
    try:
        _check_files(folder, manifest, progress)
    except OSError as error:
        raise BackupError(f"{error.filename or folder} cannot be read: {error.strerror}.") from None
    _check_dump(folder / DUMP, manifest)
    _check_heads(folder / HEADS, manifest)
    _check_checkpoints(manifest)
    if manifest.has_keys:
        check_keys(folder, manifest)
    return Checked(manifest, word, keys)


def _word(folder: Path, manifest: Manifest, data: bytes, known_keys: Sequence[bytes]) -> tuple[Word, tuple[bytes, ...]]:
    path = folder / SIGNATURE
    note = read_plain(path, largest=LARGEST_SIGNATURE)
    if note is None:
        if manifest.signing_keys:
            raise BackupError(f"{path} is missing: this backup was signed when it was made.")
        if known_keys:
            raise BackupError("The manifest is not signed at all, and it must be by the key that is known here.")
        return Word.NOBODY, ()
    if signed := signed_by(data, note, origin=manifest.origin, public_keys=known_keys):
        return Word.KNOWN_KEY, signed
    if known_keys:
        raise BackupError("The manifest is not signed by any of the keys that are known here.")
    named = [bytes.fromhex(key) for key in manifest.signing_keys]
    if signed := signed_by(data, note, origin=manifest.origin, public_keys=named):
        return Word.ITS_OWN, signed
    raise BackupError("The manifest is not signed by the key that it names.")


def _check_files(folder: Path, manifest: Manifest, progress: Progress) -> None:
    named = {mark.name: mark for mark in manifest.files}
    there = {path.name for path in folder.iterdir()} - {MANIFEST, SIGNATURE}
    for name in sorted(there - named.keys()):
        raise BackupError(f"{folder / name} does not belong to this backup: the manifest does not name it.")
    for name, mark in sorted(named.items()):
        path = folder / name
        if name not in there or not path.is_file() or path.is_symlink():
            raise BackupError(f"{path} is missing.")
        if path.stat().st_size != mark.size or mark_of(path, progress) != mark:
            raise BackupError(f"{path} is not the file that was backed up: its digest is another one.")
    if DUMP not in named or ORIGIN not in named:
        raise BackupError(f"The manifest of {folder} names no {DUMP}, or no {ORIGIN}.")


def _check_dump(path: Path, manifest: Manifest) -> None:
    program = dumping.client("pg_restore", server_version=manifest.dump_major * 10000)
    dumping.run(program, ["--list", path], url=None, growing=None, progress=quiet)


def _check_heads(path: Path, manifest: Manifest) -> None:
    """A head store that is newer than its database would make it look turned back."""
    if not path.exists():
        if manifest.troubled:
            return
        raise BackupError(f"There is no {HEADS} in it, and nothing says why.")
    marks = {mark.id: mark for mark in manifest.logs if not mark.is_closed and not mark.trouble}
    for log_id, size in _read_heads(path).items():
        mark = marks.get(log_id)
        if mark is not None and size > mark.tree_size:
            raise BackupError(f"The head store knows {size:,} entries of {mark.origin}, the dump {mark.tree_size:,}.")


def _read_heads(path: Path) -> dict[uuid.UUID, int]:
    try:
        with closing(sqlite3.connect(f"file:{path.absolute()}?mode=ro&immutable=1", uri=True)) as db:
            rows = db.execute("SELECT log_id, tree_size FROM heads").fetchall()
    except sqlite3.Error as error:
        raise BackupError(f"{path} is no head store: {error}.") from None
    try:
        return {uuid.UUID(bytes=bytes(log_id)): int(size) for log_id, size in rows}
    except (ValueError, TypeError):
        raise BackupError(f"{path} is no head store: it holds something else than heads.") from None


def _check_checkpoints(manifest: Manifest) -> None:
    for mark in manifest.logs:
        if mark.checkpoint and not mark.is_closed:
            _check_checkpoint(mark, [bytes.fromhex(key) for key in manifest.signing_keys])


def _check_checkpoint(mark: LogMark, keys: Sequence[bytes]) -> None:
    verifiers = [Verifier(mark.origin, ED25519, key) for key in keys]
    try:
        signed = open_checkpoint(mark.checkpoint, origin=mark.origin, log_verifiers=verifiers).checkpoint
    except NoteError as error:
        raise BackupError(f"The checkpoint of {mark.origin} in the manifest fails: {error}.") from None
    if signed.tree_size > mark.tree_size or (
        signed.tree_size == mark.tree_size and signed.root_hash.hex() != mark.root_hash
    ):
        raise BackupError(f"The checkpoint of {mark.origin} in the manifest is of another tree than the one it names.")
