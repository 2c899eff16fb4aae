"""The head store: what this host has signed, and whether the database continues it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.errors import HeadStoreUnavailable
from ledger.heads import PROBE, HeadStore, head_store
from ledger.models import Log, LogClosure
from ledger.selectors import discontinued_logs, latest_head
from tests.ledger.conftest import append, entry


def test_trying_to_write_really_writes_or_a_full_disk_would_go_unnoticed(tmp_path: Path) -> None:
    store = HeadStore(tmp_path / "heads.sqlite3")
    store.check_writable()
    other = sqlite3.connect(store.path)
    assert other.execute("SELECT count(*) FROM heads WHERE log_id = ?", (PROBE,)).fetchone() == (1,)
    assert store.heads() == {}
    other.close()
    store.close()


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HeadStoreUnavailable):
        HeadStore(tmp_path / "file" / "heads.sqlite3").check_writable()


def test_a_database_that_continues_what_was_signed_is_named_by_nothing(log: Log) -> None:
    append(log, 3)
    assert discontinued_logs() == []


def test_a_head_store_that_lags_behind_is_no_discontinuity(log: Log) -> None:
    size = latest_head(log.id).tree_size
    root = latest_head(log.id).root_hash
    append(log, 3)
    with head_store()._connection() as db:
        db.execute("UPDATE heads SET tree_size = ?, root_hash = ? WHERE log_id = ?", (size, root, log.id.bytes))
    assert discontinued_logs() == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE heads SET tree_size = tree_size + 5 WHERE log_id = ?",
        "UPDATE heads SET root_hash = zeroblob(32) WHERE log_id = ?",
        "DELETE FROM heads WHERE log_id = ?",
    ],
    ids=["more was signed", "another root was signed", "no head"],
)
def test_an_open_log_that_the_database_does_not_continue_is_named(
    log: Log, new_log: Callable[[], Log], change: str
) -> None:
    new_log()
    with head_store()._connection() as db:
        db.execute(change, (log.id.bytes,))
    assert discontinued_logs() == [log.origin]


def test_a_log_that_was_closed_for_it_is_not_named(log: Log) -> None:
    head = latest_head(log.id)
    head_store().advance(log.id, head.tree_size + 5, bytes(32))
    LogClosure.objects.create(log=log, tree_size=head.tree_size, root_hash=head.root_hash, entry_id=entry().id)
    assert discontinued_logs() == []


def test_a_store_that_takes_no_heads_is_found_out_before_the_next_commit(log: Log) -> None:
    """Else each retry of a decision without an id would be committed anew, and nobody told."""
    append(log)
    with head_store()._connection() as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON heads BEGIN SELECT raise(ABORT, 'disk full'); END")
    before = log.entries.count()
    for _ in range(3):
        with pytest.raises(HeadStoreUnavailable):
            append(log)
    assert log.entries.count() == before + 1
    with head_store()._connection() as db:
        db.execute("DROP TRIGGER full")
    append(log)
    assert log.entries.count() == before + 2
