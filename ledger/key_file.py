"""The file with the signing keys: 64 hex digits a line. The first signs; a second one while it is being replaced.

All of it is in one file, so that it changes in one step: processes that run see the old keys or the new ones.
"""

import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from ledger.errors import SigningKeyUnavailable

SEED_BYTES = 32
MOST = 2

_Stamp = tuple[int, int, int]
_read: dict[Path, tuple[_Stamp, tuple[bytes, ...]]] = {}


def read_seeds(path: Path) -> tuple[bytes, ...]:
    """The seeds in the file, newest first; looks each time whether it changed. Errors: `SigningKeyUnavailable`."""
    try:
        # looked at before it is read: what is replaced in between is read again next time
        found = path.stat()
        stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        known = _read.get(path)
        if known is None or known[0] != stamp:
            known = _read[path] = (stamp, parse_seeds(path.read_text()))
    except (OSError, ValueError) as error:
        raise SigningKeyUnavailable(f"{path.name}: {error}") from error
    return known[1]


def parse_seeds(text: str) -> tuple[bytes, ...]:
    """The seeds in the text of a key file, newest first. Errors: ValueError."""
    seeds = tuple(bytes.fromhex(line) for line in text.split())
    if not 1 <= len(seeds) <= MOST or any(len(seed) != SEED_BYTES for seed in seeds):
        raise ValueError(f"it does not hold one key, or two, of {SEED_BYTES} bytes in hex")
    return seeds


def create_key_file(path: Path) -> None:
    """Make a file with a new key, readable by its owner alone, whole or not at all. An existing one stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = _written_beside(path, [secrets.token_bytes(SEED_BYTES)])
    try:
        os.link(new, path)
    except FileExistsError:
        return  # there is a key, or another process was first: that one holds
    finally:
        new.unlink()
    _sync_folder(path)


def replace_key_file(path: Path, seeds: Sequence[bytes]) -> None:
    """Put other keys in the place of those in the file, in one step that a crash does not halve.

    Owner and mode stay as they are: whoever runs the command may be another user than the service.
    """
    path = path.resolve()
    new = _written_beside(path, seeds)
    try:
        if path.exists():
            before = path.stat()
            new.chmod(stat.S_IMODE(before.st_mode))
            if before.st_uid != os.geteuid():
                os.chown(new, before.st_uid, before.st_gid)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    _sync_folder(path)


def _written_beside(path: Path, seeds: Sequence[bytes]) -> Path:
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{seed.hex()}\n" for seed in seeds)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        new.unlink()
        raise
    return new


def _sync_folder(path: Path) -> None:
    # a name that was linked or replaced outlives a power failure once its folder is written
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
