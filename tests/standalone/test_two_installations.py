"""Two installations that witness each other's logs, and one of them restored to an older state with all that it had.

The drill of docs/witnessing.md with its own commands: nothing on the restored host knows better, the other one does.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config.standalone import layout
from ledger.tlog import Verifier, open_checkpoint
from tests import running
from tests.ledger.witness.processes import RunningWitness, new_witness, serving
from tests.running import PROJECT, plain_environment
from tests.standalone.drills import Caller, Installation, by_two, done, one_backup, record, set_up

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

WITNESS = [sys.executable, str(PROJECT / "manage.py"), "witness"]
PATIENCE = 150.0
"""Checkpoints are sent every half minute here, which is as often as may be."""


@dataclass
class Place:
    """One of the two: its product, its witness for the other one, its policy, which names the other one's witness."""

    name: str
    folder: Path
    installation: Installation
    caller: Caller
    policy: Path

    @property
    def env(self) -> dict[str, str]:
        return settings(self.policy)

    @property
    def registry_key(self) -> str:
        rows = self.caller.http.get("/api/v1/logs").raise_for_status().json()
        [row] = [row for row in rows if row["origin"].endswith("/logs/registry")]
        return str(row["vkey"])

    def post(self, number: int) -> list[dict[str, Any]]:
        return [self.caller.post(record()) for _ in range(number)]

    def manage(self, folder: Path, *arguments: object, code: int = 0) -> str:
        """A command with the witnesses of this place, as an operator has them in the environment."""
        command = [sys.executable, str(PROJECT / "manage.py"), *map(str, arguments)]
        env = plain_environment(folder) | self.env
        found = subprocess.run(command, env=env, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert found.returncode == code, found.stdout + found.stderr
        return found.stdout + found.stderr

    def cosigned(self, receipt: dict[str, Any], log_key: str, witness: RunningWitness) -> int:
        """Wait until the other one's witness has cosigned a tree with this entry; the tree's size."""
        log, until = str(receipt["log"]), time.monotonic() + PATIENCE
        key, theirs = log_key_of(log, log_key), Verifier.from_vkey(witness.vkey)
        while time.monotonic() < until:
            answer = self.caller.http.get(f"/logs/{log.rpartition('/')[2]}/witnessed/checkpoint")
            if answer.status_code == 200:
                opened = open_checkpoint(answer.text, origin=log, log_verifiers=[key], witness_verifiers=[theirs])
                assert len(opened.cosignatures) == 1
                if opened.checkpoint.tree_size > int(receipt["leaf_index"]):
                    return opened.checkpoint.tree_size
            time.sleep(1)
        raise AssertionError(f"{log} was not cosigned: {self.installation.product.output}")


def settings(policy: Path) -> dict[str, str]:
    return {
        "ANSWERABLE_WITNESS_POLICY_FILE": str(policy),
        "ANSWERABLE_ANCHOR_NETWORKS": "127.0.0.0/8",
        "ANSWERABLE_WITNESS_SECONDS": "30",
        "ANSWERABLE_WITNESS_LOOK_SECONDS": "30",
    }


def log_key_of(log: str, registry_key: str) -> Verifier:
    """One signing key signs all logs of an installation, each under its own name."""
    known = Verifier.from_vkey(registry_key)
    return Verifier(log, known.key_type, known.public_key)


@contextmanager
def place(name: str, folder: Path, outside: Path) -> Iterator[Place]:
    """It runs before it has a witness: its policy asks nobody yet."""
    policy = outside / f"{name}.policy"
    policy.write_text("quorum none\n")
    folder.mkdir()
    with running.running(folder, extra=settings(policy)) as product:
        installation = set_up(product)
        caller = Caller(product.url, installation.key)
        with caller.http:
            yield Place(name, folder, installation, caller, policy)


@contextmanager
def witnessing(host: Place, other: Place, outside: Path) -> Iterator[RunningWitness]:
    """`host` runs a witness for all logs of `other`, whose policy names it from then on."""
    folder = outside / f"{host.name}-witness"
    line = f"installation {other.registry_key} {other.installation.product.url}"
    new_witness(folder, line, name=f"{host.name}.example/w")
    (outside / f"{host.name}.key").write_text(other.installation.key)
    with serving(folder, program=WITNESS) as witness:
        other.policy.write_text(f"witness {host.name} {witness.vkey} {witness.url}\nquorum {host.name}\n")
        yield witness


def look(host: str, outside: Path) -> tuple[int, str]:
    """The host's own look at the other one's logs, as cron runs it."""
    command = [
        *WITNESS,
        "watch",
        str(outside / f"{host}-witness"),
        "--once",
        "--key-file",
        str(outside / f"{host}.key"),
    ]
    found = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    return found.returncode, found.stdout + found.stderr


def acknowledged(host: str, outside: Path) -> None:
    """Somebody has looked at every alarm there is."""
    command = [*WITNESS, "status", str(outside / f"{host}-witness"), "--acknowledge"]
    subprocess.run(command, cwd=PROJECT, capture_output=True, check=True)


def entry_zero(folder: Path) -> dict[str, Any]:
    """What the successor of the AI system's log says of its predecessor."""
    query = """
        SELECT e.data FROM ledger_entry e JOIN ledger_log l ON l.id = e.log_id
        WHERE l.kind = 'system' AND l.predecessor_id IS NOT NULL AND e.leaf_index = 0
    """
    with psycopg.connect(layout.database_url(folder, role="app")) as connection:
        [[data]] = connection.execute(query).fetchall()
    said: dict[str, Any] = json.loads(bytes(data))["body"]["predecessor"]
    return said


def test_each_witnesses_the_other_and_the_one_that_is_restored_is_found_out(data_dir: Path, tmp_path: Path) -> None:
    with (
        place("a", data_dir / "a", tmp_path) as a,
        place("b", data_dir / "b", tmp_path) as b,
        witnessing(b, a, tmp_path) as of_a,
        witnessing(a, b, tmp_path) as of_b,
    ):
        # each is cosigned by the other
        key = a.registry_key
        kept, theirs = a.post(5), b.post(3)  # both are waited for at once
        a.cosigned(kept[-1], key, of_a)
        b.cosigned(theirs[-1], b.registry_key, of_b)
        code, said = look("b", tmp_path)
        assert code == 0 and kept[0]["log"] in said, said

        # a backup; then more that is acknowledged, cosigned and lost
        backups = data_dir / "backups"
        done(a.folder, "backup", backups, "--quiet")
        lost = a.post(7)
        size = a.cosigned(lost[-1], key, of_a)
        a.installation.product.stop()
        assert look("b", tmp_path)[0] == 3, "it does not answer, which is no alarm"

        _found_at_the_restore(a, data_dir, backups)
        restored = _restored_without_asking(a, data_dir, backups)
        with _found_at_the_start(a, restored, size):
            _closed_and_gone_on(a, restored, lost, size)
            a.cosigned(a.post(1)[0], key, of_a)
            assert "CONTRADICTED" not in a.manage(restored, "check_witnesses")
            # its own look says what the old logs lost, until somebody has looked at what their successors state
            for _ in range(2):
                code, said = look("b", tmp_path)
                assert (code, f"ALARM {lost[0]['log']} rolled back" in said) == (1, True), said
            acknowledged("b", tmp_path)
            code, said = look("b", tmp_path)
            assert (code, "closed by its owner; acknowledged" in said) == (0, True), said
        assert "CONTRADICTED" not in b.manage(b.folder, "check_witnesses"), "the other one is as it was"


def _found_at_the_restore(a: Place, data_dir: Path, backups: Path) -> None:
    """The database and the head store of the same moment: the witness is asked before anything else."""
    folder = data_dir / "restored-and-asked"
    folder.mkdir()
    said = a.manage(folder, "restore", one_backup(backups), "--heads", "backup", "--quiet", code=3)
    assert said.index("CONTRADICTED") < said.index("$ manage.py logs")
    assert "b.example/w holds a signed tree of" in said and "were signed and are not here" in said


def _restored_without_asking(a: Place, data_dir: Path, backups: Path) -> Path:
    """By somebody who does not name the policy: all is well, as far as this host can know."""
    folder = data_dir / "restored"
    folder.mkdir()
    said = done(folder, "restore", one_backup(backups), "--heads", "backup", "--quiet")
    assert "CONTRADICTED" not in said and "continues what was signed" in said
    return folder


@contextmanager
def _found_at_the_start(a: Place, folder: Path, size: int) -> Iterator[None]:
    """`make run` asks before anything is signed; from then on nothing is, and everything says so."""
    with running.running(folder, port=a.installation.product.port, extra=a.env) as product:
        a.installation.product = product
        assert product.output.index("CONTRADICTED") < product.output.index("Starting web")
        refused = a.caller.try_once(record())
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/ledger-rolled-back")
        assert a.caller.http.get("/readyz").status_code == 503
        assert f"holds a signed tree of {size:,} entries" in done(folder, "logs", code=3)
        assert "CONTRADICTED" in a.manage(folder, "check_witnesses", code=1)
        yield


def _closed_and_gone_on(a: Place, folder: Path, lost: list[dict[str, Any]], size: int) -> None:
    """Two administrators close what was contradicted; the successor states what the witness held."""
    assert by_two(a.installation, "close_log").count("closed; continued by") == 2
    stated = entry_zero(folder)
    assert (stated["origin"], stated["tree_size"]) == (lost[0]["log"], size)
    assert stated["missing"] == [stated["found"], size] and stated["contradicted"][-1][0] == size
    assert all(stated["found"] <= each["leaf_index"] < size for each in lost)
    assert {each["log"] for each in a.post(4)} != {lost[0]["log"]}
    done(folder, "logs")
    done(folder, "verify_logs", "--quiet")
    assert a.caller.http.get("/readyz").status_code == 200
