"""A full disk under the head store: nothing is acknowledged, readiness fails, and the retry gets its receipt."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx
import pytest

from ledger.heads import HeadStore
from tests.faults import claims
from tests.faults.conftest import NewClient, new_sender
from tests.faults.installation import REAL, Installation

pytestmark = pytest.mark.e2e

DISK = "2m"


@pytest.fixture
def small_disk(installation: Installation) -> Iterator[Path]:
    """A file system of its own with room for two megabytes."""
    folder = installation.data_dir / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
    folder.rmdir()


def fill(folder: Path) -> None:
    """Leave not a byte on the disk. Again before each request: SQLite gives back what it can when a write fails."""
    with (folder / "filler").open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            while _write(file, size):
                pass


def _write(file: IO[bytes], size: int) -> bool:
    try:
        return file.write(bytes(size)) == size
    except OSError:
        return False


def test_a_full_disk_stops_acknowledgements_and_the_retry_gets_its_receipt(
    installation: Installation, small_disk: Path, new_client: NewClient
) -> None:
    sender = new_sender()
    store = small_disk / "heads.sqlite3"
    _copy(installation.data_dir / "heads.sqlite3", store)
    with installation.web(REAL, extra={"ANSWERABLE_HEAD_STORE": str(store)}) as web:
        client = new_client(web, sender)
        receipts = [client.post(sender.record())]
        unanswered = sender.record()
        fill(small_disk)
        _assert_refused(client.try_once(unanswered))
        [[stored]] = installation.query("SELECT leaf_index FROM ledger_entry WHERE id = %s", unanswered["id"])
        fill(small_disk)
        _assert_refused(client.try_once(unanswered))
        fill(small_disk)
        assert web.readiness()["head_store"]["status"] == "failed"
        fill(small_disk)
        assert web.status("/readyz") == 503
        (small_disk / "filler").unlink()
        again = client.post(unanswered)
        assert (again["status"], again["leaf_index"]) == ("duplicate", stored)
        assert web.status("/readyz") == 200
        claims.assert_stored_once(installation, [*receipts, again])
        claims.assert_others_accept(client, [*receipts, again])
    _copy(store, installation.data_dir / "heads.sqlite3")


def _assert_refused(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.json()["type"] == "/problems/head-store-unavailable"
    assert "Retry-After" in answer.headers


def _copy(source: Path, target: Path) -> None:
    """With SQLite's own means: what stands in its write-ahead log comes along."""
    store, other = HeadStore(source), HeadStore(target)
    for log_id, head in store.heads().items():
        other.advance(log_id, head.tree_size, head.root_hash)
    store.close()
    other.close()
