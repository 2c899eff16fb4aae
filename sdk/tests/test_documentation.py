"""Every Python sample of the README and of the page on integrating runs as it is written."""

import ast
import asyncio
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest

from answerable import AsyncClient, Client
from answerable.testing import FakeServer

SDK = Path(__file__).resolve().parent.parent
PAGES = [SDK / "README.md", SDK.parent / "docs" / "integrating" / "python.md"]
SYSTEM = "credit-limits"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(systems=(SYSTEM,)) as found:
        yield found


@pytest.fixture
def around(server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a sample takes for given: the reader's own names, and a service at the address."""
    monkeypatch.setenv("ANSWERABLE_URL", server.url)
    monkeypatch.setenv("ANSWERABLE_KEY", server.key)
    monkeypatch.setenv("ANSWERABLE_SPOOL_DIR", str(tmp_path / "spool"))
    core_bank = MagicMock(set_limit_async=AsyncMock())
    return {
        "facts": {"income": 41000}, "proposal": {"limit": 5000}, "customer": "customer-4711", "core_bank": core_bank,
        "key": server.key, "url": server.url, "log": MagicMock(), "metrics": MagicMock(), "pay_out": MagicMock(),
        "to_a_clerk": lambda application: "clerk", "tmp_path": tmp_path / "own",
    }  # fmt: skip


def samples(page: Path, server: FakeServer, folder: Path) -> list[str]:
    """Of a page, with its made-up address and folder led to some that exist."""
    text = page.read_text().replace("https://answerable.example.org", server.url).replace("/var/lib", str(folder))
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(sample: str, names: dict[str, Any]) -> None:
    """As a script, where `await` stands as it does inside a coroutine."""
    code = compile(sample, "sample", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    found = eval(code, names)
    if inspect.iscoroutine(found):
        asyncio.run(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_samples_of_a_page_run_one_after_the_other(
    page: Path, around: dict[str, Any], server: FakeServer, tmp_path: Path
) -> None:
    clients: list[Client | AsyncClient] = []
    for sample in samples(page, server, tmp_path):
        run(sample, around)
        if around["client"] not in clients:
            clients.append(around["client"])
            server.wait_for(lambda s: s.acks)
    _use(around)
    for client in clients:
        client.close()
        assert client.health().problems == {}
        assert (client.health().waiting, client.health().dead_letters) == (0, 0)
    assert len(server.records) >= 2 and not server.conflicts


def _use(names: dict[str, Any]) -> None:
    """What the samples have only defined."""
    if "test_a_stop_is_obeyed" in names:
        names["test_a_stop_is_obeyed"](names["tmp_path"])
    if "set_limit" in names:
        application = MagicMock(facts={"n": 1}, proposal={"limit": 7}, outcome="approved", customer="customer-1")
        names["set_limit"](application)
        names["core_bank"].set_limit.assert_called_with("customer-1", 7)


def test_settings_that_the_pages_name_exist() -> None:
    parameters = inspect.signature(Client.__init__).parameters
    for page in PAGES:
        for name in re.findall(r"`([a-z_]+)=", page.read_text()):
            assert name in parameters or name in ("occurred_at", "unanswered"), (page.name, name)
