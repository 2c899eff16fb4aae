"""The tests' PostgreSQL: one throwaway cluster a run, one migrated database in it, clones of that for everything.

The application's role may not TRUNCATE, so what a test committed cannot be swept away: such a test gets a clone.
"""

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connections
from psycopg import sql

from config.standalone import layout
from config.standalone.cluster import Cluster
from ledger.heads import head_store
from tests.environment import INSTALLATION
from tests.installed import keep_template

PROJECT = Path(__file__).resolve().parent.parent
_numbers = itertools.count(1)


def cluster() -> Cluster:
    return Cluster(INSTALLATION, throwaway=True)


def start_cluster() -> Cluster:
    """The cluster with its migrated database, from which `tests.installed` was made; the caller stops it."""
    durable = Cluster(INSTALLATION)
    try:
        durable.start()
        _migrate()
    finally:
        durable.stop()
    keep_template()
    server = cluster()
    server.start()
    return server


def _migrate() -> None:
    keeper = {"ANSWERABLE_ADMIN_DATABASE_URL": layout.database_url(INSTALLATION, role="keeper")}
    done = subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), "setup_database", "--verbosity=0"],
        env=os.environ | keeper, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"setup_database failed:\n{done.stderr}")


@contextmanager
def clone() -> Iterator[str]:
    """The name of a fresh copy of the migrated database, dropped afterwards, whoever is still connected."""
    server = cluster()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"test_{worker}_{os.getpid()}_{next(_numbers)}"
    with server.connect() as connection:
        connection.execute(
            # files copied, not pages logged: half the time where nothing is synced to a disk
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER keeper STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(layout.DATABASE)
            )
        )
    server.limit_access(name)  # rights on the database itself are not cloned
    try:
        yield name
    finally:
        with server.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def connected_to(name: str) -> Iterator[None]:
    """Point Django's connections, of all threads to come, at a database."""
    configured = connections.settings["default"]
    before = configured["NAME"]
    connections.close_all()
    configured["NAME"] = connections["default"].settings_dict["NAME"] = name
    try:
        yield
    finally:
        connections.close_all()
        configured["NAME"] = connections["default"].settings_dict["NAME"] = before


@contextmanager
def own_head_store(folder: Path) -> Iterator[Path]:
    """Point the ledger at a copy of the head store that belongs to the migrated database."""
    before = Path(settings.HEAD_STORE)
    copy = folder / "heads.sqlite3"
    _copy_sqlite(INSTALLATION / "heads.sqlite3", copy)
    settings.HEAD_STORE = copy
    try:
        yield copy
    finally:
        head_store().close()
        settings.HEAD_STORE = before
        for path in folder.glob("heads.sqlite3*"):
            path.unlink()


def _copy_sqlite(source: Path, target: Path) -> None:
    # with its write-ahead log, as it lies: nobody writes to the original any more
    for suffix in ("", "-wal"):
        if (part := source.with_name(source.name + suffix)).exists():
            shutil.copyfile(part, target.with_name(target.name + suffix))
