"""One supervisor, or one restore, at a time on a data folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from config.standalone import layout
from config.standalone.processes import StandaloneError


@contextmanager
def only_one_on(data_dir: Path) -> Iterator[None]:
    """Hold the data folder: a second start on it is refused by name of the first."""
    make_data_folder(data_dir)
    with (data_dir / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StandaloneError(_already_running(data_dir, lock)) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def make_data_folder(data_dir: Path) -> None:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        (data_dir / "lock").touch()
    except OSError as error:
        raise StandaloneError(f"The data folder {data_dir} cannot be used: {error.strerror}.") from None


def _already_running(data_dir: Path, lock: IO[str]) -> str:
    lock.seek(0)
    return (
        f"Answerable already runs on {data_dir} (process {lock.read()}). "
        "Stop that one first, or give another folder with DATA_DIR=..., and another PORT=..."
    )


def refuse_half_restored(data_dir: Path) -> None:
    """Before anything is started on it. Errors: `StandaloneError`."""
    if (data_dir / layout.RESTORING).exists():
        raise StandaloneError(
            f"A restore into {data_dir} was not finished. Run `manage.py restore` again with the same backup: it "
            "removes what the first one left, and nothing else."
        )
