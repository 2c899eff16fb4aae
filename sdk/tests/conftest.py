from collections.abc import Iterator

import pytest

from answerable.testing import FakeServer
from tests.helpers import SYSTEM


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(systems=(SYSTEM,)) as found:
        yield found


@pytest.fixture
def _quick_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("answerable._sender.random.uniform", lambda low, high: min(high, 0.02))
    monkeypatch.setattr("answerable._sender.PAUSE", 0.05)
