"""Restoring a backup where there is no database: files first, then the dump in one transaction, then what stands where.

Until the dump is in and compared, whatever goes wrong leaves the place as it was: a marker in the data folder says what
this restore has put there, and the next one clears it away where this one was killed.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from config.standalone import layout
from config.standalone.cluster import Cluster
from config.standalone.holding import only_one_on
from config.standalone.processes import StandaloneError
from evidence.backups import dumping, folders
from evidence.backups.checking import Checked
from evidence.backups.making import MARKS
from evidence.backups.manifest import DUMP, ERASED, ORIGIN, BackupError, Manifest, Progress, quiet
from evidence.backups.places import Heads, Plan, plan_restore
from evidence.erasure.errors import MemoryUnavailable
from evidence.erasure.memory import ErasureMemory, erasure_memory
from ledger.tlog import EMPTY_ROOT

OBJECTS = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_' AND c.relkind IN ('r', 'p', 'v')
    ORDER BY 1
"""
FILLED = "The database holds what was in the dump by now: drop it and make another before the next try."
HARDLY_ANY = 32 << 20
"""Bytes: PostgreSQL asks for room in pieces of half of it."""
HOW = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-password")


@dataclass(frozen=True, slots=True)
class Restored:
    """`heads`: which head store there is. `said`: what was kept and put aside, in words."""

    manifest: Manifest
    heads: Heads
    said: list[str]


@contextmanager
def restored(
    backup: Path,
    checked: Checked,
    *,
    heads: str | None = None,
    keys_from: Path | None = None,
    replace_keys: bool = False,
    progress: Progress = quiet,
) -> Iterator[Restored]:
    """Restore a checked backup here; while the block lasts its database answers, so that it can be looked at.

    `heads`: `backup` or `none`, where no head store survived (`Heads`). `keys_from`: the folder of the keys of a backup
    without. `replace_keys`: put other keys that lie here aside. Errors: `BackupError`, and the place is as it was.
    """
    manifest = checked.manifest
    _require_version(manifest)
    data_dir, stands = Path(settings.DATA_DIR), False
    try:
        with only_one_on(data_dir):
            _clear(data_dir)
            plan = plan_restore(backup, manifest, heads=heads, keys_from=keys_from, replace_keys=replace_keys)
            with _server(data_dir) as begin:
                try:
                    _mark(data_dir, plan)
                    _put(plan)
                    _fill(begin, backup / DUMP, manifest, progress)
                except BaseException as error:
                    free, is_private = shutil.disk_usage(data_dir).free, isinstance(begin, _Private)
                    begin.end()
                    _clear(data_dir)
                    if isinstance(error, BackupError | StandaloneError) and is_private and free < HARDLY_ANY:
                        # a server that cannot write its log ends, and nobody is told why
                        raise BackupError(f"{error}\nThere is hardly any room left in {data_dir}.") from None
                    if begin.is_filled and isinstance(error, BackupError):
                        raise BackupError(f"{error}\n{FILLED}") from None
                    raise
                _conclude(data_dir)
                stands = True
                _learn(plan, backup)
                # what is half made of exports goes on from marks that this database does not have
                shutil.rmtree(settings.EXPORT_WORK_DIR, ignore_errors=True)
                yield Restored(manifest, plan.heads, plan.said)
    except StandaloneError as error:
        raise BackupError(str(error)) from None
    except OSError as error:
        if stands:
            raise
        raise BackupError(f"{error.filename or data_dir}: {error.strerror}. The place is as it was.") from error


def _require_version(manifest: Manifest) -> None:
    known = MigrationLoader(None).disk_migrations.keys()
    later = sorted(f"{app}.{name}" for app, name in manifest.migrations.items() if (app, name) not in known)
    if later:
        raise BackupError(
            f"This backup was made by another version of Answerable, most likely a newer one ({', '.join(later[:3])} "
            "is not known here). Install that version, and restore with it."
        )


# --- the server -------------------------------------------------------------------------------------------------------
class _Own:
    """The database of `ANSWERABLE_ADMIN_DATABASE_URL`, which must be empty."""

    is_filled = False
    """Whether the dump is in it: it is not ours to drop."""

    def __call__(self) -> str:
        url = settings.ADMIN_DATABASE_URL
        if not url:
            raise BackupError("Set ANSWERABLE_ADMIN_DATABASE_URL to the address of the role that owns the database.")
        with dumping.connect(url) as connection:
            found = [name for (name,) in connection.execute(OBJECTS)]
        if found:
            raise BackupError(
                f"The database is not empty: it holds {len(found)} tables ({', '.join(map(str, found[:3]))}, ...). A "
                "restore goes into an empty one; make another, or drop this one when you know that it may go."
            )
        return str(url)

    def end(self) -> None:
        """Nothing: what was not committed is not there."""


class _Private:
    """The PostgreSQL of the data folder, made here."""

    is_filled = False

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._cluster: Cluster | None = None

    def __call__(self) -> str:
        logs = self.data_dir / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        self._cluster = Cluster(self.data_dir, log=logs / "postgres.log")
        self._cluster.start()
        return layout.database_url(self.data_dir, role="keeper")

    def end(self) -> None:
        if self._cluster is not None:
            self._cluster.stop()
            self._cluster = None


@contextmanager
def _server(data_dir: Path) -> Iterator[_Own | _Private]:
    server = _Private(data_dir) if settings.DATABASE_URL is None else _Own()
    try:
        yield server
    finally:
        server.end()


def _fill(server: _Own | _Private, dump: Path, manifest: Manifest, progress: Progress) -> None:
    url = server()
    with dumping.connect(url) as connection:
        version = connection.info.server_version
    theirs = manifest.server_major
    if version // 10000 < theirs:
        raise BackupError(f"The backup is of PostgreSQL {theirs}, and this server is {version // 10000}, an older one.")
    program = dumping.client("pg_restore", server_version=version)
    dumping.run(program, [*HOW, dump], url=url, growing=None, progress=progress)
    server.is_filled = isinstance(server, _Own)
    with dumping.connect(url) as connection:
        _compare(connection, manifest)
    progress("setup_database", 0, None)
    manage("setup_database", "--verbosity=0", ANSWERABLE_ADMIN_DATABASE_URL=url)


def _compare(connection: "psycopg.Connection[Any]", manifest: Manifest) -> None:
    """The logs stand where the manifest says, whose digest is signed."""
    named = {mark.id: (mark.origin, mark.tree_size, mark.root_hash) for mark in manifest.logs}
    found = {
        log_id: (origin, size, (bytes(root) if root else EMPTY_ROOT).hex())
        for log_id, origin, _, _, size, root in connection.execute(MARKS)
    }
    other = [log_id for log_id in named.keys() | found.keys() if named.get(log_id) != found.get(log_id)]
    if other:
        raise BackupError(f"{len(other)} logs in the dump do not stand where the manifest says. It was not restored.")


def manage(*arguments: str, **environment: str) -> None:
    """A command of manage.py for what was restored, as itself: it reads the files that lie there now.

    Errors: `BackupError` with what it said.
    """
    done = subprocess.run(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupError(f"manage.py {arguments[0]} failed:\n{done.stderr.strip() or done.stdout.strip()}")


# --- files, and the marker that says which are ours -------------------------------------------------------------------
def _mark(data_dir: Path, plan: Plan) -> None:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = {str(path): str(path.with_name(f"{path.name}.set-aside-{stamp}")) for path in plan.aside}
    puts = {str(path): hashlib.sha256(content).hexdigest() for path, content in plan.puts.items()}
    private = settings.DATABASE_URL is None
    said = json.dumps({"puts": puts, "aside": aside, "pg": private}, indent=2).encode()
    _write_whole(data_dir / layout.RESTORING, said)
    for before, after in aside.items():
        Path(before).rename(after)
        if Path(before).name != ORIGIN:
            plan.said.append(f"{before} is kept as {after}.")


def _conclude(data_dir: Path) -> None:
    """From here on it stands. A name that was only made up, when this command began, is nothing to keep."""
    marker = data_dir / layout.RESTORING
    made_up = json.loads(marker.read_text())["aside"].get(str(data_dir / ORIGIN))
    marker.unlink()
    if made_up:
        Path(made_up).unlink()


def _learn(plan: Plan, backup: Path) -> None:
    """Add what the backup remembers to have been erased to what is remembered here."""
    if not plan.learns:
        return
    try:
        with tempfile.TemporaryDirectory() as name:  # a backup is read, never opened for writing
            copy = Path(name) / ERASED
            copy.write_bytes((backup / ERASED).read_bytes())
            erasure_memory().learn(ErasureMemory(copy))
    except MemoryUnavailable as error:
        plan.said.append(f"What the backup remembers to have been erased was not added ({error.detail}).")


def _put(plan: Plan) -> None:
    for path, content in plan.puts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, content)


def _write_whole(path: Path, content: bytes) -> None:
    """A file that is there with all of its content, or not at all."""
    beside = _beside(path)
    beside.unlink(missing_ok=True)
    folders.write(beside, content)
    beside.rename(path)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.restoring")


def _clear(data_dir: Path) -> None:
    """Take away what an unfinished restore has put here, and put back what made room for it. Nothing without one."""
    marker = data_dir / layout.RESTORING
    _beside(marker).unlink(missing_ok=True)
    if not marker.exists():
        return
    said = json.loads(marker.read_text())
    for name, digest in said["puts"].items():
        path = Path(name)
        _beside(path).unlink(missing_ok=True)
        # not what somebody has put there since
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            path.unlink()
    for before, after in said["aside"].items():
        if Path(after).exists():
            Path(after).replace(before)
    if said["pg"]:
        remove_cluster(data_dir / "pg")
    marker.unlink()


def remove_cluster(root: Path) -> None:
    """Take away the files of a private PostgreSQL that has ended, wherever they lie."""
    if root.is_symlink():  # below a closed folder its files lie elsewhere
        shutil.rmtree(root.resolve(), ignore_errors=True)
        root.unlink()
    elif root.exists():
        shutil.rmtree(root)
