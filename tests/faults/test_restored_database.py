"""An old database under a newer head store, and a host without a head: refused, said aloud, and the way out."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from pytest_django.plugin import DjangoDbBlocker

from config.standalone.options import PROJECT
from governance.models import Person
from ledger.heads import head_store
from tests import running
from tests.factories.register import make_person
from tests.faults import claims
from tests.faults.client import RetryingClient
from tests.faults.conftest import NewClient, Sender, new_sender
from tests.faults.installation import REAL, Installation, Web

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def own(
    throwaway_cluster: None, django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Installation]:
    """An installation whose past these tests may change."""
    with running.data_folder(installed=True) as folder, django_db_blocker.unblock():
        found = Installation(folder)
        try:
            found.start()
            with found.connected():
                yield found
        finally:
            found.stop()


@pytest.fixture(scope="module")
def administrators(own: Installation) -> list[Person]:
    people = [make_person(administrator=True) for _ in range(2)]
    Person.objects.filter(pk__in=[person.pk for person in people]).update(password=make_password(PASSWORD))
    return people


@pytest.fixture(scope="module")
def sender_of_module(own: Installation) -> Sender:
    return new_sender()


@pytest.fixture
def web(own: Installation) -> Iterator[Web]:
    with own.web(REAL) as server:
        yield server


def custody(own: Installation, command: str, people: list[Person], *, log: str, refused: bool = False) -> str:
    """`manage.py close_log` or `adopt_head` as two people type it; without a terminal it reads standard input."""
    emails = [str(person.email) for person in people]
    done = subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), command, log, "--by", emails[0], "--with", emails[1]],
        env=own.environment(), cwd=PROJECT, input=f"{PASSWORD}\n{PASSWORD}\n", start_new_session=True,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode != 0) == refused, done.stdout + done.stderr
    return done.stdout + done.stderr


def entries(own: Installation) -> int:
    return int(own.query("SELECT count(*) FROM ledger_entry")[0][0])


def assert_refuses(own: Installation, web: Web, client: RetryingClient, sender: Sender, log: str, code: str) -> None:
    """Nothing is sealed, nothing is signed, readiness fails, and each says why."""
    before = entries(own)
    answers = [client.try_once(sender.record()), client.http.get(f"/logs/{log}/checkpoint")]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert {answer.json()["type"] for answer in answers} == {f"/problems/{code}"}
    assert all("Retry-After" in answer.headers for answer in answers)
    assert web.status("/readyz") == 503
    assert web.readiness()["ledger"]["status"] == "failed"
    assert entries(own) == before


def origin_of(own: Installation, slug: str) -> str:
    [[origin]] = own.query(
        "SELECT l.origin FROM ledger_log l JOIN governance_aisystem s ON s.id = l.system_id WHERE s.slug = %s", slug
    )
    return str(origin)


def log_of(receipt: dict[str, Any]) -> str:
    return str(receipt["log"]).rsplit("/", 1)[1]


@dataclass(frozen=True)
class Past:
    """What was acknowledged before the old database came back: the backup has what was `sent`, and not `lost`.

    The registry log lost its tail too, and with it an AI system registered after the backup; `bystander` lost nothing.
    """

    sent: list[dict[str, Any]]
    kept: list[dict[str, Any]]
    lost: list[dict[str, Any]]
    bystander: str
    gone: str
    """The slug of the AI system that was registered after the backup."""

    @property
    def log(self) -> str:
        return log_of(self.kept[0])


@pytest.fixture(scope="module")
def past(own: Installation, administrators: list[Person], sender_of_module: Sender) -> Past:
    """Five decisions, a backup, seven more, the backup restored."""
    bystander = new_sender()
    sent = [sender_of_module.record() for _ in range(5)]
    kept = _post(own, sender_of_module, sent)
    own.take_copy("backup")
    lost = [sender_of_module.record() for _ in range(7)]
    _post(own, sender_of_module, lost)
    gone = new_sender()
    own.restore_copy("backup")
    return Past(sent, kept, lost, bystander.system, gone.system)


def _post(own: Installation, sender: Sender, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with own.web(REAL) as web, closing(RetryingClient(web.url, sender.key)) as client:
        return client.post_batch(records)


def test_under_a_newer_head_store_an_old_database_is_neither_written_nor_signed(
    own: Installation, past: Past, web: Web, sender_of_module: Sender, new_client: NewClient
) -> None:
    client = new_client(web, sender_of_module)
    assert_refuses(own, web, client, sender_of_module, past.log, "ledger-rolled-back")


def test_verify_logs_says_rolled_back(own: Installation, past: Past) -> None:
    said = own.manage("verify_logs", "--json", "--quiet", refused=True)
    findings = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert {(each["code"], each.get("log")) for each in findings} >= {("rolled-back", past.kept[0]["log"])}
    assert {each["code"] for each in findings} == {"rolled-back", "log-missing"}
    [gone] = [each for each in findings if each["code"] == "log-missing"]
    assert gone["detail"].startswith(f"AI system {past.gone},")


def test_one_administrator_alone_closes_nothing(own: Installation, past: Past, administrators: list[Person]) -> None:
    alone = [administrators[0], administrators[0]]
    assert "Two different administrators" in custody(own, "close_log", alone, log="all", refused=True)


def test_two_administrators_close_the_logs_and_posting_goes_on_in_the_successor(
    own: Installation,
    past: Past,
    web: Web,
    administrators: list[Person],
    sender_of_module: Sender,
    new_client: NewClient,
) -> None:
    client = new_client(web, sender_of_module)
    assert client.try_once(sender_of_module.record()).status_code == 503
    said = custody(own, "close_log", administrators, log="all")
    assert said.count("closed; continued by") == 2  # the registry's and the AI system's
    assert f"{origin_of(own, past.bystander)}: left as it is" in said
    again = client.post_batch(past.lost)
    assert past.log not in {log_of(receipt) for receipt in again}
    assert {receipt["status"] for receipt in again} == {"accepted"}
    assert set(client.refusals) <= {503}
    claims.assert_stored_once(own, [*past.kept, *again])
    claims.assert_others_accept(client, again)
    assert web.status("/readyz") == 200


def test_a_repeat_of_what_stands_in_the_closed_log_is_told_its_place(
    own: Installation, past: Past, web: Web, sender_of_module: Sender, new_client: NewClient
) -> None:
    client = new_client(web, sender_of_module)
    for receipts in ([client.post(past.sent[0])], client.post_batch(past.sent)):
        assert {receipt["status"] for receipt in receipts} == {"duplicate"}
        first = past.kept[: len(receipts)]
        assert [each["leaf_index"] for each in receipts] == [each["leaf_index"] for each in first]
        assert {receipt["log"] for receipt in receipts} == {past.kept[0]["log"]}


def test_the_successors_first_entry_states_what_is_missing(own: Installation, past: Past) -> None:
    [[data]] = own.query(
        "SELECT data FROM ledger_entry e JOIN ledger_log l ON l.id = e.log_id AND l.kind = 'system'"
        " WHERE l.predecessor_id IS NOT NULL AND e.leaf_index = 0"
    )
    stated = json.loads(bytes(data))["body"]["predecessor"]
    assert stated["origin"] == past.kept[0]["log"]
    assert stated["missing"] == [stated["found"], stated["tree_size"]]
    assert stated["tree_size"] - stated["found"] == len(past.lost)


def test_a_loss_that_two_people_stated_is_no_finding(own: Installation, past: Past) -> None:
    claims.assert_verifies()
    own.manage("verify_logs", "--quiet")


def test_a_host_without_a_head_refuses_until_two_administrators_adopt_it(
    own: Installation, past: Past, administrators: list[Person], new_client: NewClient, sender_of_module: Sender
) -> None:
    head_store().close()
    for path in own.data_dir.glob("heads.sqlite3*"):
        path.unlink()
    [[log]] = own.query("SELECT id::text FROM ledger_log WHERE kind = 'system' AND predecessor_id IS NOT NULL")
    with own.web(REAL) as web:
        client = new_client(web, sender_of_module)
        assert_refuses(own, web, client, sender_of_module, log, "head-missing")
        custody(own, "adopt_head", administrators, log="all")
        receipts = [client.post(sender_of_module.record())]
        claims.assert_stored_once(own, receipts)
        claims.assert_others_accept(client, receipts)
        assert web.status("/readyz") == 200
