"""`make run` asks the witnesses before anything is signed, and starts without them where they do not answer."""

from pathlib import Path

import pytest

from ledger.tlog import Cosigner
from tests import running

pytestmark = pytest.mark.e2e


def test_a_witness_that_is_not_there_is_told_of_and_stops_nothing(installed_dir: Path, tmp_path: Path) -> None:
    vkey = Cosigner("witness.example/w1", bytes([5]) * 32).verifier.vkey
    policy = tmp_path / "policy"
    policy.write_text(f"witness gone {vkey} http://127.0.0.1:{running.free_port()}\nquorum gone\n")
    named = {"ANSWERABLE_WITNESS_POLICY_FILE": str(policy), "ANSWERABLE_ANCHOR_NETWORKS": "127.0.0.0/8"}
    with running.running(installed_dir, extra=named) as product:
        assert "Asking the witnesses" in product.output
        assert "gone: it could not be asked. No connection." in product.output
        assert product.output.index("Asking the witnesses") < product.output.index("Starting web")
