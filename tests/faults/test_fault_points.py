"""At every step between the lock and the answer: kill the web process, kill its backend, cut its socket.

Then a client that sends the same again is acknowledged, and everything that was ever acknowledged is there once.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from config.standalone.processes import wait_until
from tests.faults import claims
from tests.faults.client import RetryingClient
from tests.faults.conftest import NewClient, Sender, new_sender
from tests.faults.faultpoints import COMMIT_SENT, STEPS, Action, Fired
from tests.faults.installation import Installation, Web, resume

pytestmark = pytest.mark.e2e

BATCH_RECORDS = 260  # more than a tile: one is completed whatever the log's size
PATIENCE = 30.0


@pytest.fixture(scope="module")
def web(installation: Installation) -> Iterator[Web]:
    """A web process with faults in it, started again whenever it ended."""
    over = threading.Event()
    with installation.web() as server:

        def look_after() -> None:
            while not over.wait(0.02):
                if server.ended():
                    server.start()

        thread = threading.Thread(target=look_after)
        thread.start()
        yield server
        over.set()
        thread.join()


@pytest.fixture(scope="module")
def senders(installation: Installation) -> Iterator[Sender]:
    """A log for each case: what is derived again after a fault stays small."""
    return iter([new_sender() for _ in range(2 * len(STEPS) * len(Action))])


@pytest.fixture
def sender(senders: Iterator[Sender]) -> Sender:
    return next(senders)


@pytest.fixture
def client(installation: Installation, web: Web, sender: Sender, new_client: NewClient) -> RetryingClient:
    """A client that has posted before: the register knows its model version, the committer has its connection."""
    installation.wait_answers()
    client = new_client(web, sender)
    client.post(sender.record())
    client.refusals.clear()
    return client


Send = Callable[[RetryingClient, list[dict[str, Any]]], list[dict[str, Any]]]


def _one(client: RetryingClient, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [client.post(records[0])]


def _many(client: RetryingClient, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return client.post_batch(records)


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("send", "count"), [(_one, 1), (_many, BATCH_RECORDS)], ids=["single", "batch"])
def test_what_is_acknowledged_after_a_fault_is_there_once(
    installation: Installation,
    client: RetryingClient,
    sender: Sender,
    step: str,
    action: Action,
    send: Send,
    count: int,
) -> None:
    records = [sender.record() for _ in range(count)]
    installation.faults.arm(step, action)
    try:
        with ThreadPoolExecutor(1) as pool:
            receipts = _let_go_on(installation, pool.submit(send, client, records), step)
    finally:
        installation.faults.disarm()
    assert installation.faults.fired() is not None
    assert [receipt["id"] for receipt in receipts] == [record["id"] for record in records]
    assert_as_a_client_sees_it(client, step, action, receipts)
    again = send(client, records)
    assert {receipt["status"] for receipt in again} == {"duplicate"}
    assert [each["leaf_index"] for each in again] == [each["leaf_index"] for each in receipts]
    claims.assert_nothing_lost(installation, client, receipts)


def assert_as_a_client_sees_it(
    client: RetryingClient, step: str, action: Action, receipts: list[dict[str, Any]]
) -> None:
    """Never anything but a broken connection or a 503; and a receipt that tells where the fault really was."""
    assert set(client.refusals) <= {0, 503}
    statuses = {receipt["status"] for receipt in receipts}
    if action is Action.CUT_SOCKET:
        assert (client.refusals, statuses) == ([], {"accepted"})  # healed inside the request
    if action is Action.KILL_WEB:
        assert 0 in client.refusals
        assert statuses == {"duplicate" if STEPS.index(step) >= STEPS.index(COMMIT_SENT) else "accepted"}


def _let_go_on(installation: Installation, sent: Future[Any], step: str) -> Any:
    """The receipts. A backend that is held at its COMMIT goes on when somebody waits for the lock that it has."""
    assert wait_until(lambda: installation.faults.fired() is not None, patience=PATIENCE)
    fired = installation.faults.fired()
    if fired and fired.is_held and step == COMMIT_SENT:
        _release(installation, fired, sent)
    return sent.result(PATIENCE)


def _release(installation: Installation, fired: Fired, sent: Future[Any]) -> None:
    try:
        wait_until(lambda: sent.done() or _is_waited_for(installation), patience=PATIENCE)
    finally:
        resume(fired.backend)


def _is_waited_for(installation: Installation) -> bool:
    # after kill -9 of a backend the server restarts, and takes the held one with it
    return not installation._answers() or installation.waits_for_lock()


def test_after_all_faults_every_log_verifies(installation: Installation, web: Web) -> None:
    claims.assert_verifies()
    claims.assert_contiguous(installation)
