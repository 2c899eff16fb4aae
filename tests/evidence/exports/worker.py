"""Workers at exports, processes of their own that die of kill -9 where a test says: `worker.py FOLDER`.

Each line that it reads is a place to die at, and has a worker start; its exit code is the line that it writes.
`write:N`: in the middle of the Nth write into the file; `noted`, `kept`, `sealed`: behind what they name; `never`.
Workers are forked from one that has loaded everything and opened nothing: starting takes most of a worker's time.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

PATIENCE = 180


def main(folder: Path) -> None:
    import django

    django.setup()
    from django.db import connections

    from evidence.exports import running  # noqa: F401 - so that no worker has to load it

    assert all(each.connection is None for each in connections.all())
    for line in sys.stdin:
        worker = os.fork()
        if not worker:
            _be_worker(folder, line.strip())
        _, status = os.waitpid(worker, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _be_worker(folder: Path, where: str) -> None:
    signal.alarm(PATIENCE)
    os.dup2(2, 1)  # what it logs is no answer
    try:
        work(folder, where)
    except BaseException:  # noqa: BLE001 - told where the test shows it, and by the exit code
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def work(folder: Path, where: str) -> None:
    from django.conf import settings

    from evidence.exports import reading, running, scratch, storage, watching, writing
    from evidence.exports.pace import Pace
    from tests.factories.exports import folder_storage

    settings.EXPORT_WORK_DIR = folder / "work"
    settings.STORAGES = settings.STORAGES | {"exports": folder_storage(folder / "files")}
    # as if the one before had been silent for a minute; marks and statements as a large export has them
    running.SILENT = timedelta(0)
    watching.MARK_EVERY = watching.BEAT_EVERY = 0.0
    reading.MOST = 64
    name, _, number = where.partition(":")
    if name == "write":
        writing.ZipWriter._put = _dying_in(int(number), writing.ZipWriter._put)  # type: ignore[method-assign,assignment]
    points: dict[str, tuple[Any, str]] = {
        "noted": (scratch, "note_kept"),
        "kept": (storage, "put"),
        "sealed": (running, "tell_asker"),
    }
    if name in points:
        module, function = points[name]
        setattr(module, function, _dying_behind(getattr(module, function)))
    running.run_exports(seconds=120, pace=Pace(is_alone=True))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying_in(number: int, put: Callable[[Any, bytes], None]) -> Callable[[Any, bytes], None]:
    left = [number]

    def dying(writer: Any, data: bytes) -> None:
        left[0] -= 1
        if left[0] == 0:
            writer._file.write(data[: len(data) // 2])
            _die()
        put(writer, data)

    return dying


def _dying_behind(function: Callable[..., Any]) -> Callable[..., Any]:
    def dying(*args: Any, **kwargs: Any) -> Any:
        found = function(*args, **kwargs)
        _die()
        return found

    return dying


if __name__ == "__main__":
    main(Path(sys.argv[1]))
