"""What the tests share: a client that tells everything, and claims about records."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from answerable import AsyncClient, Client
from answerable.testing import FakeServer

SYSTEM = "credit-limit"
FACTS: dict[str, Any] = {"input": {"income": 41000}, "output": {"limit": 5000}, "outcome": "approved"}
KEY = "ans_test00000000_" + "0" * 64
AWAY = "http://127.0.0.1:9"


def client_for(server: FakeServer | str, folder: Path, **settings: Any) -> Client:
    """A client with quick manners."""
    url, key = (server, KEY) if isinstance(server, str) else (server.url, server.key)
    known = {"system": SYSTEM, "model_version": "2.1", "spool_dir": folder, "poll_s": 0.1, "close_timeout": 0.2}
    return Client(url, key, **{**known, **settings})


def numbers(server: FakeServer) -> list[int]:
    """What the records say they are, in order of arrival."""
    return [record["input"]["n"] for record in server.records]


def record_number(client: Client, n: int) -> str:
    return client.record(input={"n": n}, output={}, outcome="approved")


def becomes(client: Client | AsyncClient, mode: str, timeout: float = 5.0, **scope: Any) -> float:
    """Wait for a mode; the seconds that it took."""
    began = time.monotonic()
    while client.mode(**scope) != mode:
        assert time.monotonic() - began < timeout, client.health()
        time.sleep(0.001)
    return time.monotonic() - began


def later(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread
