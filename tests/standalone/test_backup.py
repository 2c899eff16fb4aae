"""The backup and restore of docs/operations.md, done as it says."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import psycopg
import pytest

from config.standalone import layout
from config.standalone.binaries import postgres_bin
from tests import running

pytestmark = pytest.mark.e2e
FILES = ("signing.key", "digest.key", "origin")
NOW = "2026-11-21T07:00:00Z"


def test_a_restored_installation_goes_on_under_its_name_and_knows_its_callers_keys(data_dir: Path) -> None:
    old, backup, new = data_dir / "old", data_dir / "backup", data_dir / "new"
    for folder in (old, backup, new):
        folder.mkdir()
    with running.running(old) as product:
        key = _register(product, "credit")
        recorded = _post(product, key)
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
        for name in FILES:
            shutil.copy2(old / name, backup)
    for name in (*FILES, "heads.sqlite3"):
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
        again = _post(product, key)
        assert (again["status"], again["id"]) == ("duplicate", recorded["id"])
        _register(product, "another")
        assert len({origin.rpartition("/logs/")[0] for _, origin in _logs(new)}) == 1
        product.manage("verify_logs")


def _register(product: running.Product, slug: str) -> str:
    """An AI system of that slug; the text of a key for it."""
    product.manage("create_system", "--slug", slug, "--name", slug, "--accountable", "anna@example.org")
    return product.manage("create_service_key", "--system", slug, "--scope", "decisions:write").strip()


def _post(product: running.Product, key: str) -> dict[str, Any]:
    """The receipt of one decision, known by its caller's own key."""
    record = {
        "external_id": "order-1", "system": "credit", "model_version": "1", "occurred_at": NOW,
        "input": {}, "output": {}, "outcome": "approved",
    }  # fmt: skip
    request = urllib.request.Request(
        f"{product.url}/api/v1/decisions",
        json.dumps(record).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    until = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                receipt: dict[str, Any] = json.load(answer)
                return receipt
        except urllib.error.HTTPError as error:  # a new key is known within a second
            if error.code != 401 or time.monotonic() > until:
                raise
            time.sleep(0.2)


def _logs(data_dir: Path) -> list[tuple[Any, ...]]:
    with psycopg.connect(layout.database_url(data_dir, role="app")) as connection:
        return connection.execute("SELECT id, origin FROM ledger_log ORDER BY id").fetchall()


def _call(program: str, *arguments: object) -> None:
    command = [str(postgres_bin() / program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
