"""What must hold when all was sent: each claim with what was found against it."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.endurance.clients import Line, Place, Told
from config.standalone import layout
from ledger.tlog import Tile, TileReader, Verifier, open_checkpoint, prove_consistency, tile_path
from ledger.tlog.tiles import bundle_path, completed_tiles, partial_tiles
from tests.interop import verifiers
from tests.running import PROJECT, Product

CONSISTENT = 60
"""Receipts whose checkpoint is proven to be a beginning of the last one."""


@dataclass(frozen=True)
class Claim:
    """One sentence, how much it was held against, and what speaks against it."""

    text: str
    checked: int
    against: list[str]

    @property
    def holds(self) -> bool:
        return self.checked > 0 and not self.against


@dataclass
class Checks:
    """The running product, what the clients were told, and a key that may read the logs."""

    product: Product
    told: Told
    line: Line
    folder: Path
    proofs: int

    def all(self) -> list[Claim]:
        steps: list[Callable[[], Claim]] = [
            self._answers,
            self._presence,
            self._nothing_else,
            self._contiguous,
            self._verify_logs,
            self._other_tools,
            self._proofs,
            self._consistency,
        ]
        return [step() for step in steps]

    # --- what was answered --------------------------------------------------------------------------------------------
    def _answers(self) -> Claim:
        against = [f"{status}: {count} times" for status, count in self.told.refusals.items() if status not in OUTAGE]
        told = sum(self.told.statuses.values())
        return Claim(
            "nothing but 503 and broken connections on the way; repeats name the first place",
            told,
            against + self.told.contradictions,
        )

    # --- what is stored -----------------------------------------------------------------------------------------------
    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(layout.database_url(self.product.data_dir, role="app")) as connection:
            return connection.execute(statement.encode()).fetchall()

    def _stored(self) -> list[tuple[str, Place]]:
        rows = self._rows(
            "SELECT e.id::text, l.origin, e.leaf_index, encode(e.leaf_hash, 'hex') FROM ledger_entry e"
            " JOIN ledger_log l ON l.id = e.log_id JOIN audit_decision d ON d.id = e.id"
            " JOIN audit_payload p ON p.id = e.id WHERE e.kind = 'decision.recorded'"
        )
        return [(found, Place(*place)) for found, *place in rows]

    def _presence(self) -> Claim:
        stored: dict[str, list[Place]] = {}
        for found, place in self._stored():
            stored.setdefault(found, []).append(place)
        against = [each for each, place in self.told.places.items() if stored.get(each) != [place]]
        text = "every acknowledged decision is there exactly once, where its receipt says"
        return Claim(text, len(self.told.places), against)

    def _nothing_else(self) -> Claim:
        entries = {row[0] for row in self._rows("SELECT id::text FROM ledger_entry WHERE kind = 'decision.recorded'")}
        return Claim(
            "no decision is there that nobody was told of", len(entries), sorted(entries - {*self.told.places})
        )

    def _contiguous(self) -> Claim:
        rows = self._rows(
            "SELECT l.origin, count(e.id), max(e.leaf_index) + 1,"
            " (SELECT max(tree_size) FROM ledger_head h WHERE h.log_id = l.id)"
            " FROM ledger_log l JOIN ledger_entry e ON e.log_id = l.id GROUP BY l.id"
        )
        against = [str(row) for row in rows if len({*row[1:]}) != 1]
        return Claim("the indexes of every log are contiguous and its head counts them", len(rows), against)

    def _verify_logs(self) -> Claim:
        command = [sys.executable, str(PROJECT / "manage.py"), "verify_logs", "--quiet"]
        done = subprocess.run(command, env=self.product.environment, capture_output=True, text=True, check=False)
        against = [] if done.returncode == 0 else [done.stdout[-2000:] + done.stderr[-2000:]]
        return Claim("`manage.py verify_logs` finds nothing", 1, against)

    # --- what other people's tools say --------------------------------------------------------------------------------
    def _logs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.line.get("/api/v1/logs"))
        return [log for log in found if log["kind"] == "system"]

    def _copy(self, log: dict[str, Any]) -> Path:
        """The whole log as files, fetched over HTTP as tlog-tiles has it."""
        folder: Path = self.folder / log["path"].rsplit("/", 1)[1]
        if folder.exists():
            return folder
        note = self._fetch(log, folder, "checkpoint").decode()
        size = _opened(note, log).tree_size
        tiles = completed_tiles(0, size) + partial_tiles(size)
        for tile in tiles:
            self._fetch(log, folder, tile_path(tile))
            if tile.level == 0:
                self._fetch(log, folder, bundle_path(tile.index, tile.width))
        return folder

    def _fetch(self, log: dict[str, Any], folder: Path, path: str) -> bytes:
        data = self.line.get(f"{log['path']}/{path}")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return data

    def _other_tools(self) -> Claim:
        text = "golang.org/x/mod/sumdb reads every log, whole, through its tiles and accepts it"
        against, entries = [], 0
        for log in self._logs():
            folder = self._copy(log)
            entries += _opened((folder / "checkpoint").read_text(), log).tree_size
            try:
                verifiers.verify_tiles_with_go(folder, log["vkey"])
            except verifiers.Refused as error:
                against.append(f"{log['origin']}: {error}")
        return Claim(text, entries, against)

    def _proofs(self) -> Claim:
        vkeys = {log["origin"]: log["vkey"] for log in self._logs()}
        chosen = random.Random(1).sample(sorted(self.told.places), min(self.proofs, len(self.told.places)))
        requests, against = [], []
        for decision in chosen:
            proof = self.line.get(f"/api/v1/decisions/{decision}/proof").decode()
            entry = self.line.get(f"/api/v1/decisions/{decision}/entry")
            vkey = vkeys[self.told.places[decision].log]
            requests.append(verifiers.inclusion_request(proof, vkey, entry))
            against += _refused_by_sigstore(proof, vkey, entry)
        against += [reason for reason in verifiers.ask_go(requests) if reason is not None]
        return Claim("x/mod/sumdb and sigstore accept the proofs of some", len(chosen), against)

    def _consistency(self) -> Claim:
        """The clients' own checkpoints, against the last one of each log."""
        logs, against = {log["origin"]: log for log in self._logs()}, []
        heard = [each for each in self.told.checkpoints if each[0] in logs]
        chosen = random.Random(2).sample(heard, min(CONSISTENT, len(heard)))
        for origin, size, note in chosen:
            log, folder = logs[origin], self._copy(logs[origin])
            newest = (folder / "checkpoint").read_text()
            growth = prove_consistency(_reader(folder, _opened(newest, log).tree_size), size, _size(newest, log))
            try:
                verifiers.verify_consistency_with_go(note, newest, growth, log["vkey"])
            except verifiers.Refused as error:
                against.append(f"{origin} at {size}: {error}")
        return Claim("x/mod/sumdb: receipts' checkpoints are beginnings of the last one", len(chosen), against)


OUTAGE = (0, 429, 503)


def _opened(note: str, log: dict[str, Any]) -> Any:
    return open_checkpoint(note, origin=log["origin"], log_verifiers=[Verifier.from_vkey(log["vkey"])]).checkpoint


def _size(note: str, log: dict[str, Any]) -> int:
    return int(_opened(note, log).tree_size)


def _reader(folder: Path, size: int) -> TileReader:
    def fetch(tiles: Sequence[Tile]) -> list[bytes]:
        return [(folder / tile_path(tile)).read_bytes() for tile in tiles]

    return TileReader(size, fetch)


def _refused_by_sigstore(proof: str, vkey: str, entry: bytes) -> list[str]:
    if not verifiers.sigstore_available():
        return []
    try:
        verifiers.verify_tlog_proof_with_sigstore(proof, vkey, entry)
    except verifiers.Refused as error:
        return [str(error)]
    return []
