"""Two web servers on one database: one log, two logs, and ids that are sent to both."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.faults import claims
from tests.faults.client import BATCH, RetryingClient
from tests.faults.conftest import NewClient, Sender, new_sender
from tests.faults.installation import REAL, Installation, Web

pytestmark = pytest.mark.e2e

SENDERS = 6
ROUNDS = 12


@pytest.fixture(scope="module")
def servers(installation: Installation) -> Iterator[list[Web]]:
    """Two servers with ports of their own, as on two hosts that share database and head store; one has two workers."""
    with installation.web(REAL, workers=2) as first, installation.web(REAL) as second:
        yield [first, second]


def _send(client: RetryingClient, sender: Sender, shared: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Singles and batches of its own, and now and then a record that others send as well."""
    receipts = []
    for turn in range(ROUNDS):
        receipts.append(client.post(sender.record()))
        receipts += client.post_batch([sender.record() for _ in range(20)])
        receipts.append(client.post(shared[turn % len(shared)]))
    return receipts


def test_one_log_stays_one_under_two_processes(
    installation: Installation, servers: list[Web], sender: Sender, new_client: NewClient
) -> None:
    clients = [new_client(servers[number % 2], sender) for number in range(SENDERS)]
    for client in clients:
        client.try_known(sender.record())
    shared = [sender.record() for _ in range(5)]
    with ThreadPoolExecutor(SENDERS) as pool:
        sent = pool.map(lambda client: _send(client, sender, shared), clients)
        receipts = [receipt for each in sent for receipt in each]
    assert len({receipt["id"] for receipt in receipts}) == SENDERS * ROUNDS * 21 + len(shared)
    accepted = [receipt for receipt in receipts if receipt["status"] == "accepted"]
    assert len(accepted) == len({receipt["id"] for receipt in receipts})
    claims.assert_nothing_lost(installation, clients[0], receipts)


def test_the_same_ids_in_opposite_order_to_two_logs_belong_to_one_each(
    installation: Installation, servers: list[Web], new_client: NewClient
) -> None:
    senders = [new_sender(), new_sender()]
    clients = [new_client(server, sender) for server, sender in zip(servers, senders, strict=True)]
    for client, sender in zip(clients, senders, strict=True):
        client.try_known(sender.record())
    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            records = [senders[0].record() for _ in range(100)]
            mine = {"system": senders[1].system}
            orders = [records, [record | mine for record in reversed(records)]]
            answers = list(pool.map(_post_until_settled, clients, orders))
            _assert_each_id_has_one_owner(answers)
    claims.assert_verifies()
    claims.assert_contiguous(installation)


def _post_until_settled(client: RetryingClient, records: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Accepted or refused, by id; what was to be sent again was sent again."""
    settled: dict[str, str] = {}
    while waiting := [record for record in records if record["id"] not in settled]:
        answer = client.http.post(BATCH, json=waiting)
        assert answer.status_code in (200, 503), answer.text
        if answer.status_code == 200:
            settled |= _settled(waiting, answer)
    return settled


def _settled(sent: Sequence[dict[str, Any]], answer: httpx.Response) -> dict[str, str]:
    results = answer.json()["results"]
    return {sent[each["index"]]["id"]: each["status"] for each in results if each["status"] != "retry"}


def _assert_each_id_has_one_owner(answers: list[dict[str, str]]) -> None:
    first, second = answers
    assert first.keys() == second.keys()
    assert {frozenset((first[each], second[each])) for each in first} <= {
        frozenset(("accepted", "conflict")),
        # a group that was rerun after its COMMIT finds its own records
        frozenset(("duplicate", "conflict")),
    }
