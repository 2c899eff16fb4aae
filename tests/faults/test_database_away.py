"""A database that goes away in the middle of a request: 503 with Retry-After, never 500, nothing lost."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from config.standalone.processes import wait_until
from tests.faults import claims
from tests.faults.client import RetryingClient
from tests.faults.conftest import NewClient, Sender, new_sender
from tests.faults.installation import REAL, Installation, Web

pytestmark = pytest.mark.e2e

SENDERS = 4
STALE = 20.0
STALE_PROBLEM, BUSY_PROBLEM = "/problems/register-stale", "/problems/intake-busy"


@pytest.fixture(scope="module")
def web(installation: Installation) -> Iterator[Web]:
    with installation.web(REAL) as server:
        yield server


@pytest.fixture
def sender(installation: Installation, web: Web, new_client: NewClient) -> Sender:
    """Known to the web process, which has already recorded for it."""
    made = new_sender()
    assert new_client(web, made).try_known(made.record()).status_code == 201
    return made


@pytest.fixture
def clients(web: Web, sender: Sender, new_client: NewClient) -> list[RetryingClient]:
    return [new_client(web, sender) for _ in range(SENDERS)]


def test_posting_through_a_restart_of_the_database_loses_and_repeats_nothing(
    installation: Installation, web: Web, sender: Sender, clients: list[RetryingClient]
) -> None:
    over = threading.Event()
    with ThreadPoolExecutor(SENDERS) as pool:
        sending = [pool.submit(_send_until, over, client, sender) for client in clients]
        with installation.away():
            assert wait_until(lambda: web.status("/readyz") == 503, patience=STALE)
            assert web.status("/healthz") == 200
            assert wait_until(lambda: any(client.refusals for client in clients), patience=STALE)
        assert wait_until(lambda: web.status("/readyz") == 200, patience=STALE)
        over.set()
        receipts = [receipt for each in sending for receipt in each.result()]
    # web answered throughout: a connection that breaks would be a crash
    assert {status for client in clients for status in client.refusals} == {503}
    claims.assert_nothing_lost(installation, clients[0], receipts)


def _send_until(over: threading.Event, client: RetryingClient, sender: Sender) -> list[dict[str, Any]]:
    receipts = []
    while not over.is_set():
        receipts.append(client.post(sender.record()))
        receipts += client.post_batch([sender.record() for _ in range(5)])
    return receipts


def test_without_a_database_every_endpoint_says_503_with_a_time_to_come_back(
    installation: Installation, web: Web, sender: Sender, clients: list[RetryingClient]
) -> None:
    record = sender.record()
    with installation.away():
        for _ in range(2):  # before the register's memory is stale, and after
            answers = [ask(clients[0], record) for ask in REQUESTS]
            assert [answer.status_code for answer in answers] == [503] * len(REQUESTS)
            assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
            assert {answer.headers["Content-Type"] for answer in answers} == {"application/problem+json"}
            assert wait_until(lambda: _problem(clients[0], record) == STALE_PROBLEM, patience=STALE)
    receipt = clients[0].post(record)
    assert receipt["status"] == "accepted"
    claims.assert_nothing_lost(installation, clients[0], [receipt])


IS_JSON = {"Content-Type": "application/json"}
Ask = Callable[[RetryingClient, dict[str, Any]], httpx.Response]
REQUESTS: list[Ask] = [
    lambda client, record: client.try_once(record),
    lambda client, record: client.http.post("/api/v1/decisions/batch", json=[record]),
    lambda client, record: client.http.post("/api/v1/decisions", content=b"{", headers=IS_JSON),
    lambda client, record: client.http.get("/api/v1/logs"),
    lambda client, record: client.http.get(f"/api/v1/decisions/{record['id']}/proof"),
]


def _problem(client: RetryingClient, record: dict[str, Any]) -> str:
    return str(client.try_once(record).json()["type"])


def test_a_database_that_hangs_in_the_middle_of_a_request_is_503_and_acknowledged_once_later(
    installation: Installation, web: Web, sender: Sender, clients: list[RetryingClient]
) -> None:
    record = sender.record()
    with installation.frozen():
        started = time.monotonic()
        answer = clients[0].try_once(record)
        waited = time.monotonic() - started
        assert (answer.status_code, answer.json()["type"]) == (503, BUSY_PROBLEM)
        assert waited < 35
        # the register could not be read for so long: nobody waits any more
        assert _problem(clients[0], sender.record()) == STALE_PROBLEM
    receipt = clients[0].post(record)
    claims.assert_nothing_lost(installation, clients[0], [receipt])
