"""The last-known-good file: the newest control state that this machine has seen, for a start without the service.

Several processes share it. It is written under a lock and only by a newer epoch (or the same one, which renews its
time), so an old `run` never replaces a newer stop.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from answerable._checkpoints import write_atomically
from answerable._exceptions import NotDurable
from answerable._locks import briefly
from answerable._modes import Epoch
from answerable._state import State, read_state


class LastKnown(NamedTuple):
    """What the file said, and how long ago that was confirmed; infinite where the clock has gone back since."""

    state: State
    age: float


class LastKnownFile:
    """Reads at the start, writes at changes. Nothing that happens to it stops anybody; it is reported."""

    def __init__(self, path: Path | None, report: Callable[[Exception], None]) -> None:
        self._path, self._report = path, report
        self._touched = 0.0

    def read(self) -> LastKnown | None:
        if self._path is None or not self._path.exists():
            return None
        try:
            state = read_state(json.loads(self._path.read_bytes()))
            age = time.time() - self._path.stat().st_mtime
        except (OSError, ValueError) as error:
            self._report(NotDurable(f"the last known state in {self._path} cannot be read: {error}"))
            return None
        # one that the service itself called stale was never fresh, however lately it came
        return LastKnown(state, age if age >= 0 and not state.is_stale else float("inf"))

    def write(self, document: Any, epoch: Epoch) -> None:
        """Keep a state, unless a newer one is kept already."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with briefly(self._path.with_suffix(".lock")):
                kept = self._kept_epoch()
                if kept is None or kept <= epoch:
                    write_atomically(self._path, json.dumps(document).encode())
                    self._touched = time.monotonic()
        except OSError as error:
            self._report(NotDurable(f"the last known state cannot be kept in {self._path}: {error}"))

    def confirm(self) -> None:
        """The service has just said that this state still holds."""
        if self._path is None or time.monotonic() - self._touched < 10:
            return
        self._touched = time.monotonic()
        try:
            os.utime(self._path)
        except FileNotFoundError:
            return  # it was never written: that was reported
        except OSError as error:
            self._report(NotDurable(f"the last known state in {self._path} cannot be renewed: {error}"))

    def _kept_epoch(self) -> Epoch | None:
        try:
            return Epoch.parse(json.loads((self._path or Path()).read_bytes())["epoch"])
        except (OSError, ValueError, KeyError, TypeError):
            return None  # nothing that can be read is nothing that could be newer
