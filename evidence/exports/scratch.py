"""Where a file is made before it is kept: a folder of its own on this host, locked by whoever is at it."""

import fcntl
import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings

HOME = "home"
KEPT, LOCK = "kept.json", "lock"


def home() -> str:
    """Which folder this is, among those of all hosts that make exports: hosts that share one are the same here, and a
    host whose folder is gone is another. Errors: `OSError`."""
    return named(Path(settings.EXPORT_WORK_DIR), HOME)


def named(root: Path, by: str) -> str:
    """A name that a folder keeps in this file, made once. Errors: `OSError`."""
    path = root / by
    if not path.exists():
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = root / f".{uuid.uuid4()}"
        new.write_text(str(uuid.uuid4()))
        with suppress(FileExistsError):  # another one was first: its name stands
            path.hardlink_to(new)
        new.unlink()
    return path.read_text()


class Busy(Exception):
    """Somebody on this host is at it: not dead, only slow."""


def folder_of(export_id: uuid.UUID) -> Path:
    return Path(settings.EXPORT_WORK_DIR, str(export_id))


@contextmanager
def locked(export_id: uuid.UUID) -> Iterator[Path]:
    """The folder of an export, for one process at a time; the lock ends with the process. Errors: `Busy`, `OSError`."""
    folder = folder_of(export_id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy() from error
        yield folder


def note_kept(folder: Path, said: dict[str, Any]) -> None:
    """The file is whole and about to be kept elsewhere: what is known of it, should its maker die over that."""
    new = folder / f".{KEPT}"
    new.write_text(json.dumps(said))
    new.replace(folder / KEPT)


def kept(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((folder / KEPT).read_text())
    except FileNotFoundError:
        return None
    return found


def forget_kept(folder: Path) -> None:
    (folder / KEPT).unlink(missing_ok=True)


def empty(folder: Path) -> None:
    """Forget what was made so far, under the lock."""
    for each in folder.iterdir():
        if each.name != LOCK:
            each.unlink(missing_ok=True)


def discard(export_id: uuid.UUID) -> None:
    shutil.rmtree(folder_of(export_id), ignore_errors=True)


def there() -> list[uuid.UUID]:
    """The exports that this host has a folder of."""
    root = Path(settings.EXPORT_WORK_DIR)
    found = []
    for each in root.iterdir() if root.is_dir() else ():
        try:
            found.append(uuid.UUID(each.name))
        except ValueError:
            continue  # not one of ours
    return found
