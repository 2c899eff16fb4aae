"""A private broker for one machine: Valkey on a socket. It loses nothing that matters: each job is a row as well."""

import os
import signal
import socket
import subprocess
from pathlib import Path

from config.standalone import layout
from config.standalone.binaries import broker_program
from config.standalone.processes import StandaloneError, end, end_all, ending, launch, tail, wait_until, working_in

START_PATIENCE = 60.0  # it reads its file of appended commands first
STOP_PATIENCE = 20.0


class Broker:
    """The broker of one data folder, as a child of this process."""

    name = "the broker"

    def __init__(self, data_dir: Path, *, log: Path | None = None) -> None:
        self.data_dir = data_dir
        self.root = data_dir / "broker"
        self.log = log or data_dir / "broker.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, after ending what a crash left; returns when it answers."""
        for folder in (self.root, self._socket.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.stat().st_uid != os.geteuid():
                raise StandaloneError(f"{folder} belongs to somebody else; remove it, or choose another data folder.")
        end_all(working_in(self.root), patience=STOP_PATIENCE)
        self._socket.unlink(missing_ok=True)
        self.process = launch(self._command(), log=self.log, env={"PATH": os.defpath}, cwd=self.root)
        wait_until(lambda: self.ended() is not None or self._answers(), patience=START_PATIENCE)
        if not self._answers():
            raise StandaloneError(f"The broker did not start. The end of {self.log}:\n{tail(self.log)}")

    def ended(self) -> str | None:
        """How the server ended, or None while it runs."""
        return "not started" if self.process is None else ending(self.process)

    def stop(self) -> None:
        """Write everything down and end."""
        if self.process is not None:
            end(self.process, signal.SIGTERM, patience=STOP_PATIENCE)
            self.process = None

    @property
    def _socket(self) -> Path:
        return layout.socket_dir(self.data_dir, "broker") / "s"

    def _command(self) -> list[str | Path]:
        return [
            broker_program(),
            *("--port", "0", "--unixsocket", self._socket, "--unixsocketperm", "700", "--dir", self.root),
            *("--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"),
        ]

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64) == b"+PONG\r\n"  # "-LOADING ..." while it reads its file
            except OSError:
                return False
