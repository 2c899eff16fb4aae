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
LINK = "is a link: it was not followed, and was left."


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
def only_one_in(target: Path) -> Iterator[list[str]]:
    """Hold a folder of backups, and clear away what an earlier command left when it was killed.

    Yields what has such a name and could not be cleared away, with the reason: a link is never followed, and nothing of
    it hinders a new backup. Errors: `BackupError` where another one works there, `OSError`.
    """
    descriptor = os.open(target / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"Another backup is being made in {target}.") from None
        leftovers = [each for each in sorted(target.iterdir()) if UNFINISHED.fullmatch(each.name)]
        yield [f"{each} {reason}" for each in leftovers if (reason := _removed(each))]


def _removed(folder: Path) -> str:
    """Remove a folder with all that is in it. Returns why it was not, empty where it was."""
    if folder.is_symlink():
        return LINK
    if not folder.is_dir():
        return "is no folder, and was left."
    try:
        shutil.rmtree(folder)
    except OSError as error:
        return f"could not be removed: {error.strerror}."
    return ""


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
    """What keeping to the horizon did: names that went, those that were left with the reason, and those that were made
    after now by their own word."""

    names: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    ahead: list[str] = field(default_factory=list)


def remove_older(target: Path, *, days: int, than: datetime, origin: str) -> Removed:
    """Remove the backups of this installation that were made more than `days` days before another one.

    By what their manifests say, not by the dates of files, which a copy changes. What has no readable manifest, is a
    link, or is another installation's, stays, and nothing of it keeps others there. Errors: `OSError` of the folder.
    """
    removed, horizon = Removed(), than - timedelta(days=days)
    for folder in sorted(target.iterdir()):
        if not NAMED.fullmatch(folder.name):
            continue
        if folder.is_symlink():
            removed.left[folder.name] = LINK
            continue
        try:
            manifest, _ = read_manifest(folder)
        except BackupError:
            removed.left[folder.name] = "has no readable manifest, and was left."
            continue
        if manifest.origin != origin:
            continue
        if manifest.made_at > than:
            removed.ahead.append(folder.name)
        if manifest.made_at < horizon:
            _remove_one(folder, removed)
    return removed


def _remove_one(folder: Path, removed: Removed) -> None:
    going = folder.with_name(f"{REMOVING}{folder.name}")
    try:
        folder.rename(going)
    except OSError as error:
        removed.left[folder.name] = f"could not be removed: {error.strerror}."
        return
    if reason := _removed(going):
        removed.left[going.name] = reason
    else:
        removed.names.append(folder.name)
