"""Proofs as they leave the house: `.tlog-proof` files, tiles and entry bundles of a log."""

import uuid
from dataclasses import dataclass

from django.db import connection

from ledger.errors import EntryNotFound
from ledger.models import Entry, Log
from ledger.selectors import latest_checkpoint
from ledger.signing import SignedCheckpoint
from ledger.tlog import Tile, TlogProof, encode_bundle, encode_tlog_proof, prove_inclusion, tile_is_within
from ledger.tree_store import TILE_WIDTH, TreeReader, tile_hashes


@dataclass(frozen=True, slots=True)
class EntryProof:
    """An entry and the proof that it stands in its log."""

    log: Log
    entry: Entry
    checkpoint: SignedCheckpoint
    text: str


def prove_entry(entry: Entry) -> EntryProof:
    """The `.tlog-proof` of an entry under the newest checkpoint of its log.

    Errors: what signing a checkpoint raises (`HeadMissing`, `LedgerRolledBack`, `HeadStoreUnavailable`).
    """
    log = entry.log
    checkpoint = latest_checkpoint(log)
    path = prove_inclusion(TreeReader(log.id), entry.leaf_index, checkpoint.tree_size)
    proof = TlogProof(entry.leaf_index, tuple(path), checkpoint.note)
    return EntryProof(log, entry, checkpoint, encode_tlog_proof(proof))


def entry_of(entry_id: uuid.UUID) -> Entry:
    """An entry with its log. Errors: `EntryNotFound`."""
    entry = Entry.objects.select_related("log").filter(id=entry_id).first()
    if entry is None:
        raise EntryNotFound()
    return entry


def tile_bytes(log: Log, tile: Tile) -> bytes | None:
    """The bytes of a tile, None where the log's newest head does not reach it."""
    if not tile_is_within(tile, _size(log)):
        return None
    return tile_hashes(log.id, tile.level, tile.index, tile.width)


def bundle_bytes(log: Log, index: int, width: int) -> bytes | None:
    """The entries of a bundle, each with its length in front, None where the log's newest head does not reach it."""
    first = index * TILE_WIDTH
    if first + width > _size(log):
        return None
    entries = Entry.objects.filter(log=log, leaf_index__gte=first, leaf_index__lt=first + width)
    return encode_bundle([bytes(data) for data in entries.order_by("leaf_index").values_list("data", flat=True)])


def _size(log: Log) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(tree_size) FROM ledger_head WHERE log_id = %s", [log.id])
        row = cursor.fetchone()
    return int(row[0] or 0) if row else 0
