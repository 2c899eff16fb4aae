"""Entries get contiguous places, a head and a signed checkpoint, or nothing at all happens."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from ledger import sealing as sealing_module
from ledger.errors import HeadMissing, HeadStoreUnavailable, LedgerRolledBack, LogClosed, LogNotFound
from ledger.heads import head_store
from ledger.models import Entry, Head, Log, LogClosure, Tile
from ledger.sealing import sealing
from ledger.selectors import latest_checkpoint, latest_head, registry_log, root_at
from ledger.tlog import (
    Verifier,
    check_consistency,
    check_inclusion,
    open_checkpoint,
    prove_consistency,
    prove_inclusion,
    root_from_leaf_hashes,
)
from ledger.tree_store import TreeReader, tile_hashes
from tests.factories.keys import verifier_key
from tests.ledger.conftest import append, entry, leaf_hashes


def test_entry_0_of_a_system_log_names_the_system_and_the_registry(log: Log) -> None:
    opened = log.entries.get(leaf_index=0)
    assert opened.kind == "log.opened"
    assert f'"system":"{log.system_id}"'.encode() in bytes(opened.data)
    assert f'"registry":"{registry_log().origin}"'.encode() in bytes(opened.data)


def test_the_registry_log_announces_every_system_log_with_its_key(log: Log) -> None:
    announced = Entry.objects.get(log=registry_log(), kind="log.announced", about_id=log.id)
    assert Verifier.from_vkey(verifier_key(log.origin)).public_key.hex().encode() in bytes(announced.data)


def test_the_checkpoint_that_comes_back_is_signed_and_covers_the_entry(log: Log) -> None:
    seal = append(log)
    note = seal.checkpoints[log.id].note
    opened = open_checkpoint(note, origin=log.origin, log_verifiers=[Verifier.from_vkey(verifier_key(log.origin))])
    assert opened.checkpoint.tree_size == 2
    assert opened.checkpoint.root_hash == root_from_leaf_hashes(leaf_hashes(log))


@pytest.mark.parametrize("sizes", [[1, 1, 1], [254, 1, 1, 1], [255, 257], [600, 1, 3000], [65_535]])
def test_indexes_tiles_and_heads_are_what_the_leaf_hashes_say_at_every_commit(log: Log, sizes: list[int]) -> None:
    for count in sizes:
        append(log, count)
        hashes = leaf_hashes(log)
        assert list(log.entries.order_by("leaf_index").values_list("leaf_index", flat=True)) == list(range(len(hashes)))
        assert latest_head(log.id).root_hash == root_from_leaf_hashes(hashes)
        for tile in Tile.objects.filter(log=log, level=0):
            assert bytes(tile.data) == b"".join(hashes[tile.index * 256 : tile.index * 256 + 256])
            assert bytes(tile.root) == root_from_leaf_hashes(hashes[tile.index * 256 : tile.index * 256 + 256])
        assert Tile.objects.filter(log=log, level=0).count() == len(hashes) // 256
        assert Tile.objects.filter(log=log, level=1).count() == len(hashes) // 65_536


def test_proofs_for_any_size_come_out_of_the_stored_tree_with_at_most_three_queries(
    log: Log, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    append(log, 1_400)
    hashes, reader = leaf_hashes(log), TreeReader(log.id)
    for size in (2, 255, 256, 257, 512, 1_000, 1_401):
        root = root_from_leaf_hashes(hashes[:size])
        assert root_at(log.id, size) == root
        for index in (0, 1, size // 2, size - 1):
            with django_assert_max_num_queries(3):
                path = prove_inclusion(reader, index, size)
            check_inclusion(hashes[index], index, size, path, root)
        with django_assert_max_num_queries(3):
            path = prove_consistency(reader, size, 1_401)
        check_consistency(size, 1_401, path, root, root_at(log.id, 1_401))


@pytest.mark.parametrize("width", [1, 100, 255, 256])
def test_a_partial_tile_is_the_beginning_of_the_full_one(log: Log, width: int) -> None:
    append(log, 700)
    assert tile_hashes(log.id, 0, 1, width) == b"".join(leaf_hashes(log)[256 : 256 + width])


def test_an_exception_leaves_nothing(log: Log) -> None:
    before = latest_head(log.id)
    with pytest.raises(ZeroDivisionError), sealing() as seal:
        seal.add(log.id, entry())
        raise ZeroDivisionError
    assert latest_head(log.id) == before
    assert log.entries.count() == 1


def test_an_inner_block_that_fails_takes_only_its_own_entries_with_it(log: Log) -> None:
    with sealing() as seal:
        seal.add(log.id, entry(1))
        with pytest.raises(ZeroDivisionError), sealing() as inner:
            inner.add(log.id, entry(2))
            raise ZeroDivisionError
        with sealing() as inner:
            inner.add(log.id, entry(3))
    said = [bytes(data) for data in log.entries.order_by("leaf_index").values_list("data", flat=True)]
    assert [b'"number":1' in said[1], b'"number":3' in said[2], len(said)] == [True, True, 3]


def test_one_transaction_may_seal_in_several_logs(new_log: Callable[[], Log]) -> None:
    first, second = new_log(), new_log()
    with sealing() as seal:
        seal.add(second.id, entry())
        seal.add(first.id, entry())
    assert {latest_head(first.id).tree_size, latest_head(second.id).tree_size} == {2}
    assert seal.checkpoints.keys() == {first.id, second.id}


def test_a_log_that_does_not_exist_is_refused(db: None) -> None:
    with pytest.raises(LogNotFound), sealing() as seal:
        seal.add(entry().id, entry())


def test_locking_a_lower_log_after_a_higher_one_is_a_programming_error(new_log: Callable[[], Log]) -> None:
    low, high = sorted([new_log().id, new_log().id])
    with pytest.raises(RuntimeError, match="id order"), sealing() as seal:
        seal.lock(high)
        seal.lock(low)


def test_a_closed_log_takes_no_entry(log: Log) -> None:
    head = latest_head(log.id)
    LogClosure.objects.create(log=log, tree_size=1, root_hash=head.root_hash, entry_id=entry().id)
    with pytest.raises(LogClosed):
        append(log)


def test_a_database_behind_the_head_store_is_neither_written_nor_signed(log: Log) -> None:
    head_store().advance(log.id, 5, bytes(32))
    with pytest.raises(LedgerRolledBack):
        append(log)
    with pytest.raises(LedgerRolledBack):
        latest_checkpoint(log)
    assert log.entries.count() == 1


def test_a_database_with_another_past_is_neither_written_nor_signed(
    log: Log, tmp_path_factory: pytest.TempPathFactory
) -> None:
    append(log, 3)
    store = head_store()
    with store._connection() as db:
        db.execute("UPDATE heads SET tree_size = 2, root_hash = ? WHERE log_id = ?", (bytes(32), log.id.bytes))
    with pytest.raises(LedgerRolledBack):
        append(log)
    with pytest.raises(LedgerRolledBack):
        latest_checkpoint(log)


def test_a_host_without_a_head_for_a_log_with_entries_refuses_to_seal_and_to_sign(log: Log) -> None:
    with head_store()._connection() as db:
        db.execute("DELETE FROM heads WHERE log_id = ?", (log.id.bytes,))
    with pytest.raises(HeadMissing):
        append(log)
    with pytest.raises(HeadMissing):
        latest_checkpoint(log)


def test_a_head_store_that_lags_behind_a_healthy_database_catches_up(log: Log) -> None:
    append(log, 300)
    root = root_at(log.id, 100)
    with head_store()._connection() as db:
        db.execute("UPDATE heads SET tree_size = 100, root_hash = ? WHERE log_id = ?", (root, log.id.bytes))
    append(log)
    head = head_store().head(log.id)
    assert head is not None
    assert head.tree_size == 302


def test_a_head_store_that_cannot_be_written_fails_the_acknowledgement_but_not_the_entry(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(name: str) -> None:
        if name == "committed":
            with head_store()._connection() as db:
                db.execute("PRAGMA query_only = ON")

    monkeypatch.setattr(sealing_module, "step", full_disk)
    with pytest.raises(HeadStoreUnavailable):
        append(log)
    monkeypatch.undo()
    assert latest_head(log.id).tree_size == 2
    assert append(log).checkpoints[log.id].tree_size == 3


@pytest.mark.committing
def test_two_threads_on_one_log_make_one_contiguous_log(log: Log) -> None:
    def work() -> None:
        for _ in range(20):
            append(log, 7)
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    hashes = leaf_hashes(log)
    assert len(hashes) == 1 + 4 * 20 * 7
    assert latest_head(log.id).root_hash == root_from_leaf_hashes(hashes)
    assert Head.objects.filter(log=log).count() == 1 + 4 * 20


@pytest.mark.committing
def test_two_transactions_that_need_two_logs_in_opposite_order_do_not_deadlock(new_log: Callable[[], Log]) -> None:
    first, second = new_log(), new_log()
    failures: list[BaseException] = []

    def work(logs: list[Log]) -> None:
        try:
            for _ in range(15):
                with sealing() as seal:
                    for log in logs:
                        seal.add(log.id, entry())
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(logs,)) for logs in ([first, second], [second, first])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert latest_head(first.id).tree_size == latest_head(second.id).tree_size == 31


@pytest.mark.committing
def test_a_lock_that_is_not_given_up_stops_nobody_for_long(log: Log, database_url: str) -> None:
    with psycopg.connect(database_url) as other:
        other.execute("SELECT 1 FROM ledger_log WHERE id = %s FOR NO KEY UPDATE", [log.id])
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
        with pytest.raises(Exception, match="lock timeout"):
            append(log)
        other.rollback()
    assert append(log).checkpoints[log.id].tree_size == 2
