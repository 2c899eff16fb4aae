"""Verification: entries, tiles and root from raw bytes in memory, without a database, on one core; payload commitments
apart; and, for comparison, the self-audit that reads everything from the database."""

import time
from dataclasses import dataclass

from django.db import connection

from benchmarks.bench import Bench
from benchmarks.report import Row
from evidence.verification.engine import LogVerification
from ledger.commitments import commitment
from ledger.models import Log
from ledger.selectors import latest_head, root_at
from ledger.tlog import TILE_WIDTH, Frontier, leaf_hash

MOST_ENTRIES = 200_000
AUDITED = 40_000
SLICE = 32 * TILE_WIDTH
BAR = 200_000


@dataclass(frozen=True)
class Evidence:
    """A log's beginning, as a bundle would carry it."""

    entries: list[bytes]
    tiles: dict[tuple[int, int], tuple[bytes, bytes]]
    root: bytes


def measure(bench: Bench) -> None:
    size = min(MOST_ENTRIES, latest_head(bench.log_id).tree_size)
    evidence = _read(bench, size)
    rates = sorted(_verify(evidence) for _ in range(bench.options.rounds))
    rate = rates[len(rates) // 2]
    bench.add(
        Row(
            "offline verification: entries, tiles and root, one core",
            rate,
            "entries/s",
            bar=f">= {BAR:,} entries/s",
            met=rate >= BAR,
            note=f"{size:,} entries in memory, {sum(map(len, evidence.entries)) // size} bytes each",
        ),
        Row("offline verification: payload commitments, one core", _open_payloads(), "decisions/s"),
        Row("self-audit (verify_logs): everything, from the database", _audit(bench), "entries/s"),
    )


def _read(bench: Bench, size: int) -> Evidence:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data FROM ledger_entry WHERE log_id = %s AND leaf_index < %s ORDER BY leaf_index",
            [bench.log_id, size],
        )
        entries = [bytes(data) for (data,) in cursor.fetchall()]
        cursor.execute("SELECT level, index, data, root FROM ledger_tile WHERE log_id = %s", [bench.log_id])
        tiles = {(level, index): (bytes(data), bytes(root)) for level, index, data, root in cursor.fetchall()}
    return Evidence(entries, tiles, root_at(bench.log_id, size))


def _verify(evidence: Evidence) -> float:
    """Entries a second: hash each, compare the full tiles and their roots, derive the root."""
    started = time.process_time()
    frontier, upper = Frontier(), dict[int, list[bytes]]()
    for start in range(0, len(evidence.entries), SLICE):
        hashes = [leaf_hash(data) for data in evidence.entries[start : start + SLICE]]
        frontier, roots = frontier.extend_with_tile_roots(hashes)
        for tile in roots:
            first = tile.index * TILE_WIDTH
            of_tile = hashes[first - start : first - start + TILE_WIDTH] if tile.level == 0 else upper[tile.level - 1]
            expected = b"".join(of_tile[-TILE_WIDTH:] if tile.level else of_tile), tile.root
            if evidence.tiles[tile.level, tile.index] != expected:
                raise RuntimeError(f"tile {tile.level}/{tile.index} differs")
            upper.setdefault(tile.level, []).append(tile.root)
    if frontier.root() != evidence.root:
        raise RuntimeError("the root differs")
    return len(evidence.entries) / (time.process_time() - started)


def _open_payloads() -> float:
    """Decisions a second whose parts are opened against their commitments."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret, input, output, explanation, refs FROM audit_payload LIMIT %s", [AUDITED])
        rows = [[bytes(value) for value in row] for row in cursor.fetchall()]
    started = time.process_time()
    for secret, *parts in rows:
        for name, data in zip(("input", "output", "explanation", "refs"), parts, strict=True):
            commitment(secret, name, data)
    return len(rows) / (time.process_time() - started)


def _audit(bench: Bench) -> float:
    """Entries a second of the self-audit over the log's beginning. Errors: `RuntimeError` where it finds anything."""
    verification = LogVerification.begin(Log.objects.get(pk=bench.log_id))
    verification.end = min(verification.end, AUDITED)
    started = time.perf_counter()
    while not verification.done:
        if findings := verification.step():
            raise RuntimeError(f"the self-audit found {findings[0]}")
    return verification.frontier.size / (time.perf_counter() - started)
