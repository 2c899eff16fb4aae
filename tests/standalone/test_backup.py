"""The backup and restore of docs/operations.md, done as it says."""

import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import psycopg
import pytest

from config.standalone import layout
from config.standalone.binaries import postgres_bin
from tests import running

pytestmark = pytest.mark.e2e
KEPT = ("signing.key", "secret.key", "heads.sqlite3")


def test_a_restored_installation_has_its_log_and_verifies(data_dir: Path) -> None:
    old, backup, new = data_dir / "old", data_dir / "backup", data_dir / "new"
    for folder in (old, backup, new):
        folder.mkdir()
    with running.running(old) as product:
        before = _logs(product.data_dir)
        with closing(connect(old / "heads.sqlite3")) as source, closing(connect(backup / "heads.sqlite3")) as target:
            source.backup(target)
        _call(
            "pg_dump",
            "--format=custom",
            "--host",
            old / "pg/s",
            "--username=keeper",
            "--file",
            backup / "dump",
            "answerable",
        )
        for name in ("signing.key", "secret.key"):
            shutil.copy2(old / name, backup)
    for name in KEPT:
        shutil.copy2(backup / name, new)
    with running.running(new, what="database"):
        _call(
            "pg_restore",
            "--exit-on-error",
            "--host",
            new / "pg/s",
            "--username=keeper",
            "--dbname=answerable",
            backup / "dump",
        )
    with running.running(new) as product:
        assert _logs(new) == before
        product.manage("verify_logs")


def _logs(data_dir: Path) -> list[tuple[object, ...]]:
    with psycopg.connect(layout.database_url(data_dir, role="app")) as connection:
        return connection.execute("SELECT id, origin FROM ledger_log ORDER BY id").fetchall()


def _call(program: str, *arguments: object) -> None:
    command = [str(postgres_bin() / program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
