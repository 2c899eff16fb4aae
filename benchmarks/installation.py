"""The product on a temporary data folder: PostgreSQL as `make run` starts it, web and control process on request.

Worker and beat are left out: what they do in the background would come and go between two measurements of a pair.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from config.standalone import layout
from config.standalone import options as standalone
from config.standalone.cluster import Cluster
from config.standalone.services import Command
from config.standalone.supervisor import DRAIN_PATIENCE, connection_limit, control_module, web_module

PROJECT = Path(__file__).resolve().parent.parent
SMALL, REFERENCE, SPREAD = "answerable_small", "answerable_reference", "answerable_spread"
WEB_PATIENCE = 120.0


@dataclass
class Installation:
    """One data folder and what runs on it."""

    options: standalone.Options
    cluster: Cluster

    @property
    def data_dir(self) -> Path:
        return self.options.data_dir

    def url(self, database: str = layout.DATABASE, *, role: str = "app") -> str:
        return layout.database_url(self.data_dir, role=role, name=database)

    def heads(self, database: str = layout.DATABASE) -> Path:
        """The head store that belongs to a database."""
        return self.data_dir / ("heads.sqlite3" if database == layout.DATABASE else f"heads-{database}.sqlite3")

    def clone(self, database: str) -> None:
        """Copy the product's database and its head store. Whoever is connected is cut off for a moment."""
        source, copy = sql.Identifier(layout.DATABASE), sql.Identifier(database)
        with self.cluster.connect() as root:
            root.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(source))
            root.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [layout.DATABASE])
            root.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER keeper").format(copy, source))
            root.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(source))
        self.cluster.limit_access(database)
        for suffix in ("", "-wal"):
            part = Path(f"{self.heads()}{suffix}")
            if part.exists():
                shutil.copyfile(part, f"{self.heads(database)}{suffix}")

    @contextmanager
    def web_server(self) -> Iterator[int]:
        """The web server with the product's own arguments; its port."""
        with self._server("web", web_module(self.options), self.options.port) as port:
            yield port

    @contextmanager
    def control_process(self) -> Iterator[int]:
        """The control process with the product's own arguments; its port."""
        with self._server("control", control_module(self.options), self.options.control_port) as port:
            yield port

    @contextmanager
    def _server(self, name: str, module: list[str], port: int) -> Iterator[int]:
        env = standalone.child_environment(self.options)
        env |= {"DJANGO_SETTINGS_MODULE": "benchmarks.settings", "ANSWERABLE_PROCESS": name}
        env |= {"PYTHONPATH": str(PROJECT)}
        log = self.data_dir / f"{name}.log"
        command = Command(name, module, data_dir=self.data_dir, log=log, env=env, patience=DRAIN_PATIENCE)
        command.start()
        try:
            _wait_for(command, port)
            yield port
        finally:
            command.stop()


def _wait_for(server: Command, port: int) -> None:
    until = time.monotonic() + WEB_PATIENCE
    while not _is_alive(port):
        if (how := server.ended()) or time.monotonic() > until:
            raise RuntimeError(f"{server.name} did not start ({how}):\n{server.log.read_text()[-2_000:]}")
        time.sleep(0.2)


def _is_alive(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def temporary(folder: Path, *, web_workers: int) -> Iterator[Installation]:
    """Make it, start PostgreSQL, prepare the database; in the end stop and remove everything.

    Afterwards this process's environment describes it, so Django must not have read its settings before.
    """
    data_dir = Path(tempfile.mkdtemp(prefix="answerable-bench-", dir=folder))
    data_dir.chmod(0o755)  # as root, another user runs PostgreSQL and must get in
    (data_dir / "static").mkdir()
    _describe(data_dir, *_free_ports(), web_workers)
    options = standalone.read(["run"], os.environ)
    cluster = Cluster(data_dir, log=data_dir / "postgres.log", max_connections=connection_limit(options))
    try:
        cluster.start()
        _set_up_database(options)
        yield Installation(options, cluster)
    finally:
        cluster.stop()
        shutil.rmtree(data_dir, ignore_errors=True)


def _describe(data_dir: Path, port: int, control_port: int, web_workers: int) -> None:
    for name in [name for name in os.environ if name.startswith("ANSWERABLE_") and name != "ANSWERABLE_PG_BIN"]:
        del os.environ[name]
    os.environ |= {
        "ANSWERABLE_DATA_DIR": str(data_dir),
        "ANSWERABLE_PORT": str(port),
        "ANSWERABLE_CONTROL_PORT": str(control_port),
        "ANSWERABLE_WEB_WORKERS": str(web_workers),
        # a limit per key is no measure of speed
        "ANSWERABLE_RATE_LIMIT_REQUESTS": "0",
        "ANSWERABLE_LOG_LEVEL": "ERROR",
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
    }


def _set_up_database(options: standalone.Options) -> None:
    command = [sys.executable, str(PROJECT / "manage.py"), "setup_database", "--verbosity=0"]
    subprocess.run(command, env=standalone.keeper_environment(options), check=True)


def _free_ports() -> tuple[int, int]:
    """Two at once, so that they are two."""
    with socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
        return int(first.getsockname()[1]), int(second.getsockname()[1])
