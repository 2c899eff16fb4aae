"""The offline verifier: its words and exit codes."""

import subprocess
import sys
from pathlib import Path

import pytest

from ledger.tlog import Signer, decode_tlog_proof, encode_tlog_proof
from ledger.tlog.note import signature_line, split_note
from ledger.tlog.verify import main
from tests.ledger.tlog.test_tlog_proof import GOOD, PROOF
from tests.ledger.tlog.trees import vector

TRIAL = vector("trial_log")
VKEY: str = TRIAL["vkey"]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    proof, entry = tmp_path / "decision.tlog-proof", tmp_path / "entry.json"
    proof.write_text(TRIAL["tlog_proof"], encoding="utf-8")
    entry.write_text(TRIAL["entry"], encoding="utf-8")
    return proof, entry


def run(files: tuple[Path, Path], *options: str) -> int:
    return main([str(files[0]), str(files[1]), *options])


def test_a_genuine_entry_is_verified_with_the_key(files: tuple[Path, Path]) -> None:
    assert run(files, "--vkey", VKEY) == 0


def test_it_runs_as_a_command_of_its_own(files: tuple[Path, Path]) -> None:
    command = [sys.executable, "-m", "ledger.tlog.verify", *map(str, files), "--vkey", VKEY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Verified. {TRIAL['origin']} holds this entry")


def test_without_a_key_it_is_incomplete(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(files) == 3
    assert "signature was not checked" in capsys.readouterr().err


@pytest.mark.parametrize("key", [[], ["--vkey", VKEY]])
def test_a_changed_entry_is_found_with_and_without_the_key(files: tuple[Path, Path], key: list[str]) -> None:
    files[1].write_bytes(files[1].read_bytes() + b"\n")
    assert run(files, *key) == 1


def test_a_checkpoint_that_somebody_else_signed_is_found(files: tuple[Path, Path]) -> None:
    origin = TRIAL["origin"]
    assert run(files, "--vkey", Signer(origin, bytes(32)).vkey) == 1
    assert run(files, "--vkey", Signer("other.example/log", bytes(32)).vkey) == 1
    files[0].write_text(GOOD, encoding="utf-8")
    assert run(files, "--vkey", VKEY) == 1


def test_of_several_keys_of_a_log_one_must_have_signed(files: tuple[Path, Path]) -> None:
    origin = TRIAL["origin"]
    successor, third = (Signer(origin, bytes([number]) * 32).vkey for number in (4, 5))
    assert run(files, "--vkey", successor, "--vkey", VKEY) == 0
    assert run(files, "--vkey", VKEY, "--vkey", successor) == 0
    assert run(files, "--vkey", successor, "--vkey", third) == 1
    assert run(files, "--vkey", VKEY, "--vkey", Signer("other.example/log", bytes(32)).vkey) == 2


def test_a_proof_that_two_keys_signed_verifies_with_either_and_without_a_failing_one(
    files: tuple[Path, Path],
) -> None:
    origin = TRIAL["origin"]
    keys = [Signer(origin, bytes([number]) * 32) for number in (4, 5)]
    trial = decode_tlog_proof(TRIAL["tlog_proof"])
    text = split_note(trial.checkpoint)[0]

    def write(*lines: str) -> None:
        proof = encode_tlog_proof(type(trial)(trial.index, trial.hashes, text + "\n" + "".join(lines)))
        files[0].write_text(proof, encoding="utf-8")

    good = [signature_line(origin, key.key_id, key.sign(text)) for key in keys]
    write(*good)
    for key in keys:
        assert run(files, "--vkey", key.vkey) == 0
    write(good[0], signature_line(origin, keys[1].key_id, keys[1].sign("other\n")))
    assert run(files, "--vkey", keys[0].vkey, "--vkey", keys[1].vkey) == 1


def test_an_index_beyond_the_tree_is_found(files: tuple[Path, Path]) -> None:
    beyond = encode_tlog_proof(type(PROOF)(99, PROOF.hashes, PROOF.checkpoint))
    files[0].write_text(beyond, encoding="utf-8")
    assert run(files) == 1


def test_wrong_usage_is_not_taken_for_tampering(files: tuple[Path, Path]) -> None:
    assert run(files, "--vkey", "nonsense") == 2
    assert main([str(files[1]), str(files[0]), "--vkey", VKEY]) == 2
    assert main([str(files[0]), "/nonexistent", "--vkey", VKEY]) == 2
    with pytest.raises(SystemExit, match="2"):
        main([])
