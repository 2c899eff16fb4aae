"""A PostgreSQL of these tests' own, durable, with the product's database in it, and web processes to break.

Not the run's throwaway cluster: killing one backend restarts the whole server, and only here is fsync on.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from django.conf import settings
from django.db import connections
from psycopg import sql

from config.standalone import layout
from config.standalone.cluster import Cluster
from config.standalone.options import PROJECT, Options, child_environment
from config.standalone.processes import wait_until
from config.standalone.services import Command
from config.standalone.supervisor import control_module
from governance import memory
from ledger import signing
from ledger.heads import head_store
from tests.faults.faultpoints import ARMED, FaultFile
from tests.running import free_port

FAULTY, REAL = "tests.faults.wsgi:application", "config.wsgi:application"
READY_PATIENCE = 60.0
GRANIAN = ["-m", "granian", "--interface", "wsgi", "--blocking-threads", "64", "--no-ws", "--host", "127.0.0.1"]


class Web:
    """A web server of an installation; started again where a test asks for it."""

    def __init__(self, command: Command, port: int, log: Path) -> None:
        self.command, self.port, self.log = command, port, log
        self.url = f"http://localhost:{port}"

    def start(self) -> None:
        self.command.start()
        assert wait_until(self.is_alive, patience=READY_PATIENCE, pause=0.05), self.log.read_text()[-3000:]

    def stop(self) -> None:
        self.command.stop()

    def is_alive(self) -> bool:
        return self.status("/healthz") == 200

    def status(self, path: str) -> int:
        """The status of a page, 0 where nobody answers."""
        try:
            return httpx.get(self.url + path, timeout=15, trust_env=False).status_code
        except httpx.TransportError:
            return 0

    def readiness(self) -> dict[str, Any]:
        checks: dict[str, Any] = httpx.get(f"{self.url}/readyz", timeout=15, trust_env=False).json()["checks"]
        return checks

    def ended(self) -> bool:
        return self.command.ended() is not None

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that serve, without the one that watches them."""
        assert self.command.process is not None
        return psutil.Process(self.command.process.pid).children()

    def kill(self) -> None:
        """All of it, at once."""
        assert self.command.process is not None
        for process in [psutil.Process(self.command.process.pid), *self.workers]:
            process.kill()


def _signal_all(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Each of them: a backend may end by itself meanwhile, and the others must not be left standing for that."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


class Installation:
    """A data folder after its first start, its PostgreSQL and its database."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.cluster = Cluster(data_dir, max_connections=300)
        self.port = free_port()
        self.faults = FaultFile(data_dir / "fault")

    def start(self) -> None:
        layout.remember_ports(self.data_dir, self.port, self.port + 1)
        self.cluster.start()

    def stop(self) -> None:
        self.cluster.stop()

    # --- programs -----------------------------------------------------------------------------------------------------
    def _options(self, port: int) -> Options:
        return Options("run", self.data_dir, port, "127.0.0.1", 1, None, None, None)

    def environment(self, port: int | None = None) -> dict[str, str]:
        own = {ARMED: str(self.faults.path)}
        return child_environment(self._options(port or self.port)) | own

    @contextmanager
    def web(
        self, application: str = FAULTY, *, workers: int = 1, extra: dict[str, str] | None = None, port: int = 0
    ) -> Iterator[Web]:
        """A web server of its own process; `workers` processes of granian's."""
        port = port or free_port()
        kept = ["--respawn-failed-workers", "--respawn-interval", "0.5"] if workers > 1 else []
        module = [*GRANIAN, *kept, "--port", str(port), "--workers", str(workers), application]
        with self._server("web", module, port, self.environment(port) | (extra or {})) as web:
            yield web

    @contextmanager
    def control(
        self, application: str = "config.asgi:application", *, extra: dict[str, str] | None = None
    ) -> Iterator[Web]:
        """The control process, as the product starts it but for its application."""
        port = free_port()
        module = [*control_module(replace(self._options(self.port), control_port=port))[:-1], application]
        with self._server("control", module, port, self.environment() | (extra or {})) as server:
            yield server

    @contextmanager
    def _server(self, name: str, module: list[str], port: int, env: dict[str, str]) -> Iterator[Web]:
        log = self.data_dir / f"{name}-{port}.log"
        env = env | {"ANSWERABLE_PROCESS": name}
        web = Web(Command(name, module, data_dir=self.data_dir, log=log, env=env, patience=10.0), port, log)
        try:
            web.start()
            yield web
        finally:
            web.stop()

    def manage(self, *arguments: str, env: dict[str, str] | None = None, refused: bool = False) -> str:
        """What a command of manage.py prints; `refused`: it must end with an error."""
        command = [sys.executable, str(PROJECT / "manage.py"), *arguments]
        done = subprocess.run(
            command, env=env or self.environment(), cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0) == refused, done.stdout + done.stderr
        return done.stdout + done.stderr

    # --- the database -------------------------------------------------------------------------------------------------
    @contextmanager
    def connected(self) -> Iterator[None]:
        """Point this process's Django at the installation: database, head store, key."""
        own = {"HOST": str(layout.socket_dir(self.data_dir, "pg")), "NAME": layout.DATABASE}
        own["OPTIONS"] = {**connections.settings["default"]["OPTIONS"], "host": own["HOST"]}  # type: ignore[assignment]
        files = {"HEAD_STORE": self.data_dir / "heads.sqlite3", "SIGNING_KEY_FILE": self.data_dir / "signing.key"}
        files["ORIGIN"] = layout.origin(self.data_dir)  # type: ignore[assignment]
        before = {name: connections.settings["default"][name] for name in own}
        elsewhere = {name: getattr(settings, name) for name in files}
        _point(own, files)
        try:
            yield
        finally:
            head_store().close()
            _point(before, elsewhere)

    def query(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows, asked as the superuser on a connection of its own."""
        with self.cluster.connect(layout.DATABASE) as connection:
            return connection.execute(text.encode(), values).fetchall()

    def waits_for_lock(self) -> bool:
        """Whether some session of the web process waits for another one."""
        return bool(self.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'app'"))

    def take_copy(self, name: str) -> None:
        """Keep the database as it is now. Nobody may be connected."""
        self._copy(layout.DATABASE, name)

    def restore_copy(self, name: str) -> None:
        """Put the kept database in the place of the present one."""
        with self.cluster.connect() as connection:
            present = sql.Identifier(layout.DATABASE)
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(present))
        self._copy(name, layout.DATABASE)

    def _copy(self, source: str, target: str) -> None:
        connections.close_all()
        with self.cluster.connect() as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER keeper")
            connection.execute(statement.format(sql.Identifier(target), sql.Identifier(source)))
        self.cluster.limit_access(target)

    # --- its server, in trouble ---------------------------------------------------------------------------------------
    @property
    def postmaster(self) -> psutil.Process:
        assert self.cluster.process is not None
        return psutil.Process(self.cluster.process.pid)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """PostgreSQL with all its processes stands still, as on a host that hangs."""
        stopped = [self.postmaster, *self.postmaster.children(recursive=True)]
        _signal_all(stopped, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal_all(stopped, signal.SIGCONT)

    def listeners(self) -> list[int]:
        """The backends that wait for changes of controls."""
        rows = self.query(
            "SELECT pid FROM pg_stat_activity WHERE application_name IN ('web (listens)', 'control (listens)')"
        )
        return [row[0] for row in rows]

    @contextmanager
    def away(self) -> Iterator[None]:
        """PostgreSQL ends at once, and comes back afterwards."""
        self.cluster.stop()
        try:
            yield
        finally:
            self.cluster.start()

    def wait_answers(self) -> None:
        """Until the server takes connections again, after a crash."""
        assert wait_until(self._answers, patience=READY_PATIENCE, pause=0.05)

    def _answers(self) -> bool:
        try:
            self.query("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def _point(database: dict[str, Any], files: dict[str, Any]) -> None:
    connections.close_all()
    for name, value in database.items():
        connections.settings["default"][name] = connections["default"].settings_dict[name] = value
    for name, value in files.items():
        setattr(settings, name, value)
    signing.forget()
    memory.forget()


def resume(pid: int) -> None:
    """Let a process that was stopped go on, if it still is."""
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return
