"""Backups in tests: made of the test's own database, restored into another one of the same cluster."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from psycopg import sql

from config.standalone import layout
from evidence.backups.making import Made, make_backup
from ledger.entries import COMMAND
from tests.databases import PROJECT, cluster
from tests.environment import INSTALLATION

_numbers = itertools.count(1)


def backup_to(folder: Path, **how: Any) -> Made:
    """A backup of the test's database."""
    return make_backup(actor=COMMAND, target=folder, **how)


@dataclass
class Place:
    """Somewhere to restore to: a data folder, and an empty database of the test's cluster."""

    data_dir: Path
    database: str
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSWERABLE_")}
        own = {
            "ANSWERABLE_DATA_DIR": str(self.data_dir),
            "ANSWERABLE_DATABASE_URL": layout.database_url(INSTALLATION, role="app", name=self.database),
            "ANSWERABLE_ADMIN_DATABASE_URL": layout.database_url(INSTALLATION, role="keeper", name=self.database),
        }
        return kept | own | self.extra

    def manage(self, *arguments: object) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(PROJECT / "manage.py"), *map(str, arguments)]
        return subprocess.run(command, env=self.environment, cwd=PROJECT, capture_output=True, text=True, check=False)

    def restore(self, backup: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
        return self.manage("restore", backup, "--quiet", *arguments)

    def files(self) -> set[str]:
        """What lies there, but for what every command makes."""
        made = {"secret.key", "lock", "origin"}
        return {path.name for path in self.data_dir.iterdir()} - made

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with cluster().connect(self.database) as connection:
            return connection.execute(text.encode()).fetchall()

    @property
    def is_empty(self) -> bool:
        return self.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


@contextmanager
def a_place(data_dir: Path) -> Iterator[Place]:
    """An empty place, whose database is dropped afterwards."""
    name = f"restored_{os.getpid()}_{next(_numbers)}"
    server = cluster()
    with server.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER keeper").format(sql.Identifier(name)))
    server.limit_access(name)
    data_dir.mkdir(exist_ok=True)
    try:
        yield Place(data_dir, name)
    finally:
        with server.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def own_keys(folder: Path) -> None:
    """Point the settings at keys of a folder of the test's own: what a test changes is nobody else's."""
    folder.mkdir(exist_ok=True)
    for name in ("signing.key", "digest.key"):
        (folder / name).write_bytes((INSTALLATION / name).read_bytes())
    settings.SIGNING_KEY_FILE = folder / "signing.key"
