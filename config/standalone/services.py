"""One supervised command: what is started, how it is told to end, what became of it."""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from config.standalone.processes import end, end_all, ending, launch, rotate, supervised_for


class Service(Protocol):
    """Something the supervisor keeps alive."""

    @property
    def name(self) -> str: ...
    @property
    def log(self) -> Path: ...
    def start(self) -> None: ...
    def ended(self) -> str | None: ...
    def stop(self) -> None: ...


class Command:
    """A Python module as a service, in a session of its own."""

    def __init__(
        self, name: str, module: Sequence[str], *, data_dir: Path, log: Path, env: Mapping[str, str], patience: float
    ) -> None:
        self.name = name
        self.log = log
        self.data_dir = data_dir
        self.patience = patience
        self.process: subprocess.Popen[bytes] | None = None
        self._command = [sys.executable, *module]
        self._env = env

    def start(self) -> None:
        self.stop()  # the processes that an earlier one left: a killed web server's workers would keep the port
        rotate(self.log)
        self.process = launch(self._command, log=self.log, env=self._env, end_signal=signal.SIGTERM)

    def ended(self) -> str | None:
        """How it ended, or None while it runs."""
        return "not started" if self.process is None else ending(self.process)

    def stop(self) -> None:
        """Let it finish what it is doing, for `patience` seconds; then end all that it started."""
        if self.process is not None:
            end(self.process, signal.SIGTERM, patience=self.patience)
            end_all(supervised_for(self.data_dir, session=self.process.pid), patience=5)
            self.process = None
