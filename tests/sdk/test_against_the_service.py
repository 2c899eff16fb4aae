"""The Python SDK against the real service: what its fake server promises is what is there."""

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from answerable import Client, Stopped
from tests.running import Product, data_folder, running

pytestmark = pytest.mark.e2e
SYSTEM = "sdk-credit"
FACTS: dict[str, Any] = {"input": {"income": 41000}, "output": {"limit": 5000}, "outcome": "approved"}


@pytest.fixture(scope="module")
def product(throwaway_cluster: None) -> Iterator[Product]:
    """One of its own: what is stopped here stays stopped, since starting again takes two people."""
    with data_folder(installed=True) as folder, running(folder) as started:
        words = ("--slug", SYSTEM, "--name", "SDK", "--accountable", "a@example.org", "--environment", "production")
        started.manage("create_system", *words)
        yield started


@pytest.fixture(scope="module")
def key(product: Product) -> str:
    scopes = ("decisions:write", "decisions:read", "control:read")
    return product.manage(
        "create_service_key", "--system", SYSTEM, *(word for each in scopes for word in ("--scope", each))
    ).strip()


def client_of(product: Product, key: str, folder: Path, **settings: Any) -> Client:
    known = {"system": SYSTEM, "model_version": "1", "spool_dir": folder, "risk": "high", "heartbeat_s": 1.0}
    return Client(product.url, key, **{**known, **settings})


def wait_for(claim: Callable[[], object], patience: float = 20.0) -> None:
    until = time.monotonic() + patience
    while not claim():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_records_are_sealed_in_order_counted_and_without_a_gap(product: Product, key: str, tmp_path: Path) -> None:
    told: list[Exception] = []
    with client_of(product, key, tmp_path, on_error=told.append, environment="production") as client:
        for n in range(1500):
            client.record(**{**FACTS, "input": {"n": n}}, confidence=0.5, labels={"branch": "north"}, subject="c-1")
        assert client.flush(30)
        health, seen = client.health(), client.checkpoints()
    assert (health.sealed, health.repeated, health.turned_away, health.dropped) == (1500, 0, 0, 0)
    assert [each.tree_size >= 1500 for each in seen.values()] == [True]
    assert told == []
    source: dict[str, Any] = {}

    def is_counted() -> bool:
        [found] = [each for each in sources(product, key) if each["source"] == health.source]
        source.update(found)
        return bool(found["missing"] == 0 and found["last_seq"] == 1500)

    wait_for(is_counted)
    assert (source["gaps"], source["forks"]) == ([], [])


def test_a_refused_record_names_its_field_and_its_quarantine(product: Product, key: str, tmp_path: Path) -> None:
    with client_of(product, key, tmp_path) as client:
        client.record(**FACTS, occurred_at="yesterday")
        client.record(**FACTS)
        assert client.flush(20)
        [letter] = client.dead_letters()
    assert "/occurred_at" in letter.reason
    assert letter.quarantine_id


def test_asking_is_answered_and_a_repeat_is_the_same(product: Product, key: str, tmp_path: Path) -> None:
    with client_of(product, key, tmp_path) as client:
        first = client.decide(**FACTS)
        again = client.decide(**FACTS, id=first.decision_id, occurred_at="2026-11-21T09:30:00+01:00")
    assert (first.action, first.answered_by) == ("proceed", "server")
    # the same id with another moment is another content: a 409, and what became of the first is told by `effective`
    assert again.action == "hold"


def test_a_stop_reaches_the_client_and_is_confirmed(product: Product, key: str, tmp_path: Path) -> None:
    with client_of(product, key, tmp_path) as client:
        assert client.wait_ready(20)
        assert client.mode() == "run"
        wait_for(lambda: client.health().is_streaming)
        said = product.manage("stop", f"{SYSTEM}:increase", "--reason", "drill", "--wait", "0")
        assert "stop" in said
        wait_for(lambda: client.mode(capability="increase") == "stop", 5)
        assert client.mode() == "run"
        with pytest.raises(Stopped), client.guard(**FACTS, capability="increase"):
            pytest.fail("the body ran")
        said = product.manage("stop", SYSTEM, "--reason", "drill", "--wait", "10")
        assert client.mode() == "stop"
        # clients of the tests before, gone a moment ago, are still waited for: this one is there
        assert re.search(r"^\s+confirmed\s", said, re.MULTILINE), said
        assert client.health().control_trouble is None


def sources(product: Product, key: str) -> list[dict[str, Any]]:
    request = urllib.request.Request(f"{product.url}/api/v1/sources", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)["items"]
        return found
