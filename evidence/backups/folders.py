"""One backup is one folder, named for when it was made: hidden until all of it is on disk, gone where it fails."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from evidence.backups.manifest import BackupError, read_manifest

NAMED = re.compile(r"answerable-\d{8}T\d{6}Z")
PARTIAL, REMOVING = ".partial-", ".removing-"
UNFINISHED = re.compile(rf"({re.escape(PARTIAL)}|{re.escape(REMOVING)}){NAMED.pattern}")
LOCK = ".answerable-backup.lock"


def name_for(made_at: datetime) -> str:
    """For example `answerable-20261121T070000Z`."""
    return made_at.astimezone(UTC).strftime("answerable-%Y%m%dT%H%M%SZ")


def prepare(target: Path, *, outside: Path) -> Path:
    """The folder that backups go to, made where there is none. Errors: `BackupError`."""
    target = target.absolute()
    if target.resolve().is_relative_to(outside.resolve()):
        raise BackupError(f"{target} lies in the data folder: what takes the one would take the other. Name another.")
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BackupError(f"{target} cannot be made: {error.strerror}.") from None
    if not os.access(target, os.W_OK | os.X_OK):
        raise BackupError(f"{target} cannot be written to by this user.")
    return target


@contextmanager
def only_one_in(target: Path) -> Iterator[None]:
    """Hold a folder of backups, and clear away what an earlier command left when it was killed.

    Errors: `BackupError` where another one works there.
    """
    descriptor = os.open(target / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"Another backup is being made in {target}.") from None
        for leftover in target.iterdir():
            if UNFINISHED.fullmatch(leftover.name):
                shutil.rmtree(leftover)
        yield


@contextmanager
def new_folder(target: Path, name: str) -> Iterator[Path]:
    """A hidden folder to write a backup into. It gets its name when the block ends and all is on disk; else it goes.

    Errors: `BackupError` where there is one of that name, `OSError`.
    """
    whole, partial = target / name, target / f"{PARTIAL}{name}"
    if whole.exists():
        raise BackupError(f"{whole} exists already, and a backup is never written over another.")
    partial.mkdir(mode=0o700)
    try:
        yield partial
        _put_on_disk(partial)
        partial.rename(whole)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)  # what is left of it then is hidden, and goes with the next one
        raise
    _sync(target)


def write(path: Path, data: bytes) -> None:
    """A new file that its owner alone may read. Errors: `OSError`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put_on_disk(folder: Path) -> None:
    for path in folder.iterdir():
        path.chmod(0o600)
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(slots=True)
class Removed:
    """What keeping to the horizon did: names that went, those of which nothing can be said, and those that were made
    after now by their own word."""

    names: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    ahead: list[str] = field(default_factory=list)


def remove_older(target: Path, *, days: int, than: datetime, origin: str) -> Removed:
    """Remove the backups of this installation that were made more than `days` days before another one.

    By what their manifests say, not by the dates of files, which a copy changes. What has no readable manifest, or is
    another installation's, stays. Errors: `OSError`.
    """
    removed, horizon = Removed(), than - timedelta(days=days)
    for folder in sorted(target.iterdir()):
        if not NAMED.fullmatch(folder.name) or not folder.is_dir():
            continue
        try:
            manifest, _ = read_manifest(folder)
        except BackupError:
            removed.unreadable.append(folder.name)
            continue
        if manifest.origin != origin:
            continue
        if manifest.made_at > than:
            removed.ahead.append(folder.name)
        if manifest.made_at < horizon:
            going = folder.rename(folder.with_name(f"{REMOVING}{folder.name}"))
            shutil.rmtree(going)
            removed.names.append(folder.name)
    return removed
