"""The whole product, as `make run` starts it: on a data folder and a loopback port of its own, stopped by its pid."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from config.standalone.processes import SUPERVISED, working_in
from tests.environment import INSTALLATION
from tests.installed import install

PROJECT = Path(__file__).resolve().parent.parent
STARTED = "Ctrl-C stops it."
START_PATIENCE = 180.0
STOP_PATIENCE = 90.0


@dataclass
class Product:
    """A supervisor and what it started."""

    process: "subprocess.Popen[bytes]"
    data_dir: Path
    port: int
    output_file: Path
    control_port: int

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def control_url(self) -> str:
        return f"http://localhost:{self.control_port}"

    @property
    def output(self) -> str:
        """All that it has said to the terminal."""
        return self.output_file.read_text()

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which `manage.py` talks to it."""
        return plain_environment(self.data_dir)

    def manage(self, *arguments: str) -> str:
        """The output of a `manage.py` command that talks to it."""
        command = [sys.executable, str(PROJECT / "manage.py"), *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def wait_started(self) -> None:
        until = time.monotonic() + START_PATIENCE
        while STARTED not in self.output:
            assert self.process.poll() is None, f"it ended while starting:\n{self.output}"
            assert time.monotonic() < until, f"it did not start:\n{self.output}"
            time.sleep(0.1)

    def wait_said(self, pattern: str, *, patience: float = 60.0) -> None:
        """Wait until its output has a match."""
        until = time.monotonic() + patience
        while not re.search(pattern, self.output):
            assert time.monotonic() < until, f"it never said {pattern!r}:\n{self.output}"
            time.sleep(0.1)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_PATIENCE)

    def processes(self) -> list[psutil.Process]:
        """Everything alive that belongs to it, but not the supervisor itself."""
        supervised = [
            process
            for process in psutil.process_iter(["environ", "status"])
            if (process.info["environ"] or {}).get(SUPERVISED) == str(self.data_dir)
            and process.info["status"] != psutil.STATUS_ZOMBIE
        ]
        return [*supervised, *working_in(self.data_dir / "pg" / "data"), *working_in(self.data_dir / "broker")]

    def service(self, word: str) -> psutil.Process:
        """The first process of a service (config.wsgi:application, prefork, outgoing, beat), as it was started."""
        [found] = [child for child in psutil.Process(self.process.pid).children() if word in child.cmdline()]
        return found


def plain_environment(data_dir: Path) -> dict[str, str]:
    """This environment without anything of ours in it, for a data folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSWERABLE_")}
    if "ANSWERABLE_PG_BIN" in os.environ:
        kept["ANSWERABLE_PG_BIN"] = os.environ["ANSWERABLE_PG_BIN"]
    return kept | {"ANSWERABLE_DATA_DIR": str(data_dir), "ANSWERABLE_STATIC_DIR": str(INSTALLATION / "collected")}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def data_folder(*, installed: bool = False) -> Iterator[Path]:
    """A folder that every user of this machine may enter, as PostgreSQL's must when we are root.

    Empty, or with what a first start makes.
    """
    folder = Path(tempfile.mkdtemp(prefix="answerable-run-", dir=INSTALLATION.parent))
    folder.chmod(0o755)
    try:
        if installed:
            install(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def launch(
    data_dir: Path, *, what: str = "run", port: int | None = None, extra: Mapping[str, str] | None = None
) -> Product:
    """Start it without waiting; whoever does so stops it."""
    number, control = port or free_port(), free_port()
    output = data_dir.with_name(f"{data_dir.name}.out")
    environment = plain_environment(data_dir) | {
        "ANSWERABLE_PORT": str(number),
        "ANSWERABLE_CONTROL_PORT": str(control),
    }
    environment |= dict(extra or {})
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "config.standalone", what],
            cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    return Product(process, data_dir, number, output, int(environment["ANSWERABLE_CONTROL_PORT"]))


@contextmanager
def running(
    data_dir: Path, *, what: str = "run", port: int | None = None, extra: Mapping[str, str] | None = None
) -> Iterator[Product]:
    """Start it, wait until it takes requests, stop it in the end."""
    product = launch(data_dir, what=what, port=port, extra=extra)
    try:
        product.wait_started()
        yield product
    finally:
        product.stop()
        product.output_file.unlink()
