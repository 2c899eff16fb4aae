"""A private PostgreSQL for one machine: no TCP, no passwords; a socket on which the kernel says who is calling.

Three roles. `answerable_root` is the superuser and prepares roles and databases at the start, nothing else. `keeper`
owns the database and migrates it. `app` is what the product runs as; it owns nothing and is a member of nothing.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from config.standalone import layout
from config.standalone.binaries import postgres_bin, postgres_version
from config.standalone.processes import Account, StandaloneError, end, ending, launch, tail, wait_until, working_in

ROOT_ROLE = "answerable_root"
OWNER_ROLE = "keeper"
APP_ROLE = "app"
BUILTIN_LOCALE_SINCE = 17
START_PATIENCE = 300.0  # recovery after a crash replays up to max_wal_size
STOP_PATIENCE = 60.0
OUTSIDE = Path("/var/lib/answerable")

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
    "log_lock_waits": "on",
    # statements and the rows they fail on hold what models saw of people: a log is read by more, and kept longer
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "max_locks_per_transaction": "256",  # a statement over all partitions locks each of them and their indexes
}
DURABLE = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "checkpoint_timeout": "15min",
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
}
THROWAWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}


class Cluster:
    """The PostgreSQL of one data folder, as a child of this process."""

    name = "PostgreSQL"

    def __init__(
        self, data_dir: Path, *, log: Path | None = None, max_connections: int = 300, throwaway: bool = False
    ) -> None:
        self.data_dir = data_dir
        self.root = data_dir / "pg"
        self.data = self.root / "data"
        self.log = log or data_dir / "postgres.log"
        self.max_connections = max_connections
        self.throwaway = throwaway
        self.process: subprocess.Popen[bytes] | None = None
        self._account: Account | None = None
        self._bin = Path()

    # --- its life -----------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Start it, after making it when there is none and clearing away what a crash left; returns when it answers."""
        self._account = self._server_account()
        self._make_room()
        self._bin = self._reachable_bin()
        self._end_orphans()
        self._remove_traces()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._refuse_other_major()
        self._write_access_rules()
        self.process = self._launch()
        self._wait_until_ready()
        self._prepare_roles()

    def ended(self) -> str | None:
        """How the server ended, or None while it runs."""
        return "not started" if self.process is None else ending(self.process)

    def stop(self) -> None:
        """Disconnect everybody, write everything down, end."""
        if self.process is not None:
            end(self.process, signal.SIGINT, patience=STOP_PATIENCE)
            self.process = None
        if self.throwaway:
            shutil.rmtree(self.root.resolve(), ignore_errors=True)

    def version(self) -> str:
        """For example "18.6"."""
        return postgres_version(postgres_bin())

    # --- who runs it, and where ---------------------------------------------------------------------------------------
    def _server_account(self) -> Account | None:
        """PostgreSQL refuses to run as root: then somebody else runs it. None: we ourselves."""
        if os.geteuid() != 0:
            return None
        if self.data.exists() and self.data.stat().st_uid != 0:
            return Account.of(self.data.stat().st_uid)  # whoever ran it before
        for entry in sorted(pwd.getpwall(), key=lambda user: user.pw_name, reverse=True):
            if entry.pw_name in ("postgres", "nobody"):
                return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
        raise StandaloneError("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` for it.")

    def _make_room(self) -> None:
        """Make the folders of the data and the socket, reachable and owned by who runs the server."""
        if not self.root.exists():
            self._make_root()
        socket = self.socket
        if not socket.exists():
            socket.mkdir(mode=0o700)
            self._give(socket)
        if socket.stat().st_uid != (self._account.uid if self._account else os.geteuid()):
            raise StandaloneError(f"{socket} belongs to somebody else; remove it, or choose another data folder.")

    def _make_root(self) -> None:
        if self._can_enter(self.data_dir):
            self.root.mkdir(mode=0o700)
        else:
            # below a closed folder, such as the home of root. Opening that to everybody is not ours to do.
            OUTSIDE.mkdir(mode=0o755, parents=True, exist_ok=True)
            self.root.symlink_to(tempfile.mkdtemp(prefix="pg-", dir=OUTSIDE))
        self._give(self.root)

    def _can_enter(self, folder: Path) -> bool:
        if self._account is None:
            return True
        return subprocess.run(["test", "-x", folder], check=False, **self._identity()).returncode == 0

    def _identity(self) -> dict[str, Any]:
        if self._account is None:
            return {"cwd": os.sep}
        return {"cwd": os.sep, "user": self._account.uid, "group": self._account.gid, "extra_groups": []}

    def _give(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)

    @property
    def socket(self) -> Path:
        """The folder of the socket, as clients write it."""
        return layout.socket_dir(self.data_dir, "pg")

    def _reachable_bin(self) -> Path:
        """The programs, copied when who runs them cannot reach them (a virtual environment in the home of root)."""
        found = postgres_bin()
        if self._account is None or self._can_enter(found / "postgres"):
            return found
        package = found.parents[1]
        copy = self.root.resolve() / f"programs-{postgres_version(found)}"
        if not copy.exists():
            new = copy.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            for source in (package, package.with_name(f"{package.name}.libs")):  # the second: libraries of the wheel
                if source.exists():
                    shutil.copytree(source, new / source.name, symlinks=True)
            new.rename(copy)
        return copy / found.relative_to(package.parent)

    # --- what a crash left --------------------------------------------------------------------------------------------
    def _end_orphans(self) -> None:
        """End an earlier server of this data. Its files may be touched only when nobody works in them any more."""
        for process in working_in(self.data):
            if process.pid == self._recorded_pid():
                process.send_signal(signal.SIGINT)
        if not wait_until(lambda: not working_in(self.data), patience=STOP_PATIENCE, pause=0.1):
            pids = ", ".join(str(process.pid) for process in working_in(self.data))
            raise StandaloneError(f"An earlier PostgreSQL still uses {self.data} and does not end (processes {pids}).")

    def _recorded_pid(self) -> int | None:
        try:
            return int(self._pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _remove_traces(self) -> None:
        # PostgreSQL takes the zombie of a killed server for a living one where process 1 does not reap: then the pid
        # file would block every start. Nobody works here any more, we just looked.
        socket = self._server_socket / ".s.PGSQL.5432"
        for trace in (self._pid_file, socket, socket.with_name(f"{socket.name}.lock")):
            trace.unlink(missing_ok=True)

    @property
    def _pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def _server_socket(self) -> Path:
        return self.socket.resolve()  # who runs the server may be unable to go through the data folder

    # --- making it ----------------------------------------------------------------------------------------------------
    def _initialise(self) -> None:
        new = self.root / "data.new"  # renamed when whole: a killed initdb leaves no ruin
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        self._give(new)
        major = int(postgres_version(self._bin).split(".")[0])
        command: list[str | Path] = [self._bin / "initdb", "-D", new.resolve(), "-U", ROOT_ROLE, "-E", "UTF8"]
        command += _locale(major)
        command += ["--data-checksums", "--auth-local=peer", "--auth-host=reject", *["--no-sync"] * self.throwaway]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._identity())
        if done.returncode:
            raise StandaloneError(f"initdb failed: {done.stderr.strip()}")
        new.rename(self.data)

    def _refuse_other_major(self) -> None:
        ours = postgres_version(self._bin).split(".")[0]
        theirs = (self.data / "PG_VERSION").read_text().strip()
        if ours != theirs:
            raise StandaloneError(
                f"{self.data} was made by PostgreSQL {theirs}, and the programs here are of PostgreSQL {ours}. Set "
                f"ANSWERABLE_PG_BIN to the programs of {theirs}, or dump with those and restore into a new data folder."
            )

    def _write_access_rules(self) -> None:
        # at each start: the operating-system user may be another one than last time
        caller = Account.of(os.geteuid()).name
        roles = (ROOT_ROLE, OWNER_ROLE, APP_ROLE)
        self._write("pg_hba.conf", "local all all peer map=answerable\n")
        self._write("pg_ident.conf", "".join(f'answerable "{caller}" {role}\n' for role in roles))

    def _write(self, name: str, text: str) -> None:
        path = self.data / name
        path.write_text(text)
        self._give(path)

    # --- starting it --------------------------------------------------------------------------------------------------
    def _launch(self) -> "subprocess.Popen[bytes]":
        settings = SETTINGS | _memory() | (THROWAWAY if self.throwaway else DURABLE)
        settings |= {"max_connections": str(self.max_connections)}
        settings |= {"unix_socket_directories": _quoted(self._server_socket)}
        command: list[str | Path] = [self._bin / "postgres", "-D", self.data.resolve()]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return launch(
            command,
            log=self.log,
            env=_plain_environment(),
            end_signal=signal.SIGINT,  # without its supervisor it disconnects everybody and ends in order
            account=self._account,
            cwd=Path(os.sep),
        )

    def _wait_until_ready(self) -> None:
        if not wait_until(lambda: self.ended() is not None or self._says_ready(), patience=START_PATIENCE):
            raise StandaloneError(f"PostgreSQL was not ready after {START_PATIENCE:.0f} s, see {self.log}.")
        if how := self.ended():
            raise StandaloneError(f"PostgreSQL did not start ({how}). The end of {self.log}:\n{tail(self.log)}")

    def _says_ready(self) -> bool:
        # the file's eighth line is the server's own word about its state; pg_ctl looks there as well
        try:
            lines = self._pid_file.read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    # --- roles and database -------------------------------------------------------------------------------------------
    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[Any, ...]]":
        """A connection of the superuser, to prepare things; each statement commits."""
        return psycopg.connect(host=str(self.socket), user=ROOT_ROLE, dbname=database, autocommit=True)

    def _prepare_roles(self) -> None:
        """Roles and database; each step only when it is missing, so a start that was interrupted is completed."""
        with self.connect() as connection:
            known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            for role in (OWNER_ROLE, APP_ROLE):
                if role not in known:
                    connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
            connection.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [layout.DATABASE]).fetchall():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER keeper").format(sql.Identifier(layout.DATABASE)))
        self.limit_access(layout.DATABASE)

    def limit_access(self, database: str) -> None:
        """Let nobody but the two roles into a database; `app` may look around in it and make nothing."""
        with self.connect(database) as connection:
            for statement in (
                "REVOKE ALL ON DATABASE {} FROM PUBLIC",
                "GRANT CONNECT ON DATABASE {} TO app",
                "REVOKE ALL ON SCHEMA public FROM PUBLIC",
                "GRANT USAGE ON SCHEMA public TO app",
            ):
                connection.execute(sql.SQL(statement).format(sql.Identifier(database)))


def _locale(major: int) -> list[str]:
    if major < BUILTIN_LOCALE_SINCE:
        return ["--locale=C.UTF-8"]
    return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # the same order on every machine


def _memory() -> dict[str, str]:
    megabytes = psutil.virtual_memory().total // 2**20
    return {
        "shared_buffers": f"{min(max(megabytes // 8, 128), 1024)}MB",
        "effective_cache_size": f"{max(megabytes // 2, 256)}MB",
    }


def _quoted(folder: Path) -> str:
    # the setting is a list: quoted, a comma in the path is part of it
    return '"' + str(folder).replace('"', '""') + '"'


def _plain_environment() -> dict[str, str]:
    # no secret of ours, and no PG* variable of somebody's shell
    return {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH", "TZDIR") if name in os.environ}
