"""What must hold after every fault, whatever it was."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from django.db import connections

from evidence.verification import verify_everything
from evidence.verification.engine import verify_loose_ends
from tests.faults.client import RetryingClient
from tests.faults.installation import Installation
from tests.interop import verifiers


def assert_stored_once(installation: Installation, receipts: Iterable[dict[str, Any]]) -> None:
    """Each acknowledged id is one entry, where its receipt says; so are its decision and its payload."""
    said = {(receipt["id"], receipt["leaf_index"], receipt["leaf_hash"]) for receipt in receipts}
    ids = [each[0] for each in said]
    found = installation.query(
        "SELECT e.id::text, e.leaf_index, encode(e.leaf_hash, 'hex') FROM ledger_entry e"
        " JOIN audit_decision d ON d.id = e.id AND d.leaf_index = e.leaf_index"
        " JOIN audit_payload p ON p.id = e.id WHERE e.id = ANY(%s::uuid[])",
        ids,
    )
    assert len(found) == len(ids)
    assert set(found) == said


def assert_contiguous(installation: Installation) -> None:
    """Every log has the indexes 0 to n-1, and its newest head says n."""
    rows = installation.query(
        "SELECT l.origin, count(e.id), coalesce(max(e.leaf_index) + 1, 0),"
        " (SELECT max(tree_size) FROM ledger_head h WHERE h.log_id = l.id)"
        " FROM ledger_log l LEFT JOIN ledger_entry e ON e.log_id = l.id GROUP BY l.id"
    )
    assert [row for row in rows if len({row[1], row[2], row[3]}) != 1] == []


def assert_verifies(only: uuid.UUID | None = None) -> None:
    """Everything (or one log, and what no log leads to), derived again from the stored bytes, is what was sealed."""
    connections.close_all()  # a killed backend took the others with it
    found = list(verify_everything(only=only))
    if only:
        found += verify_loose_ends()
    assert [str(finding) for finding in found] == []


def assert_others_accept(client: RetryingClient, receipts: Sequence[dict[str, Any]]) -> None:
    """Verifiers that other people wrote accept the proofs of some decisions, fetched over HTTP."""
    keys = {log["origin"]: log["vkey"] for log in client.get("/api/v1/logs").json()}
    for receipt in {id(each): each for each in (receipts[0], receipts[len(receipts) // 2], receipts[-1])}.values():
        base = f"/api/v1/decisions/{receipt['id']}"
        verify(client.get(f"{base}/proof").text, keys[receipt["log"]], client.get(f"{base}/entry").content)


def verify(proof: str, vkey: str, entry: bytes) -> None:
    """With whichever of the other verifiers is here; at least one is."""
    if verifiers.go_available():
        verifiers.verify_tlog_proof_with_go(proof, vkey, entry)
    elif verifiers.sigstore_available():
        verifiers.verify_tlog_proof_with_sigstore(proof, vkey, entry)
    else:
        pytest.fail("no verifier of other people is here")


def assert_nothing_lost(installation: Installation, client: RetryingClient, receipts: Sequence[dict[str, Any]]) -> None:
    """All of the above, of the log that the receipts name."""
    assert_stored_once(installation, receipts)
    assert_contiguous(installation)
    assert_verifies(only=uuid.UUID(receipts[0]["log"].rsplit("/", 1)[1]))
    assert_others_accept(client, receipts)
