"""What walks through the whole service asks for more than the service lets one person ask for in a second."""

import pytest

from config.rate_limits import REQUESTS


@pytest.fixture
def no_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(REQUESTS, "per_second", 0)
