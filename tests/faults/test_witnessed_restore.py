"""An old database comes back together with an old head store: nobody on this host knows, but a witness does.

The witness is ours, a process of its own that watches the whole installation by one key, as an auditor's machine would.
"""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.test import override_settings
from pytest_django.plugin import DjangoDbBlocker

from evidence.verification import verify_everything
from governance.models import Person
from ledger import signing
from ledger.heads import head_store
from ledger.selectors import registry_log
from ledger.signing import signers_for
from notices.models import Alert
from tests import running
from tests.evidence.witnessing.conftest import later, look_round, sweep
from tests.factories.register import make_person
from tests.faults import claims
from tests.faults.client import RetryingClient
from tests.faults.conftest import NewClient, Sender, new_sender
from tests.faults.installation import REAL, Installation, Web
from tests.faults.test_restored_database import PASSWORD, custody, log_of
from tests.ledger.witness.processes import RunningWitness, new_witness, serving

pytestmark = pytest.mark.e2e


@dataclass
class Witnessed:
    """An installation and the witness outside."""

    own: Installation
    witness: RunningWitness
    policy: Path
    sender: Sender

    @property
    def settings(self) -> dict[str, Any]:
        return {"WITNESS_POLICY_FILE": str(self.policy), "ANCHOR_NETWORKS": ["127.0.0.0/8"]}

    @property
    def env(self) -> dict[str, str]:
        named = {"ANSWERABLE_WITNESS_POLICY_FILE": str(self.policy), "ANSWERABLE_ANCHOR_NETWORKS": "127.0.0.0/8"}
        return self.own.environment() | named

    def anchor(self) -> None:
        """What beat and the workers do."""
        with override_settings(**self.settings):
            later(hours=1)
            sweep()

    @contextmanager
    def web(self) -> Iterator[Web]:
        with self.own.web(REAL) as server:
            yield server

    def post(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        with self.web() as web, closing(RetryingClient(web.url, self.sender.key)) as client:
            return client.post_batch(records)

    def keep(self, name: str) -> None:
        """A backup of the database, and of the head store beside it."""
        self.own.take_copy(name)
        head_store().close()
        with closing(sqlite3.connect(self._heads)) as source, closing(sqlite3.connect(self._kept(name))) as target:
            source.backup(target)

    def restore(self, name: str) -> None:
        """Both, as of the same moment: they agree with each other."""
        self.own.restore_copy(name)
        head_store().close()
        for path in self._heads.parent.glob("heads.sqlite3*"):
            path.unlink()
        shutil.copyfile(self._kept(name), self._heads)
        signing.forget()

    @property
    def _heads(self) -> Path:
        return self.own.data_dir / "heads.sqlite3"

    def _kept(self, name: str) -> Path:
        return self.own.data_dir / f"{name}.sqlite3"


@pytest.fixture(scope="module")
def witnessed(
    throwaway_cluster: None,
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Witnessed]:
    outside = tmp_path_factory.mktemp("auditor")
    with running.data_folder(installed=True) as folder, django_db_blocker.unblock():
        own = Installation(folder)
        try:
            own.start()
            with own.connected():
                key = signers_for(registry_log().origin)[0].vkey
                vkey = new_witness(outside / "w", f"installation {key}", name="auditor.example/w1")
                with serving(outside / "w") as witness:
                    policy = outside / "policy"
                    policy.write_text(f"witness auditor {vkey} {witness.url}\nquorum auditor\n")
                    yield Witnessed(own, witness, policy, new_sender())
        finally:
            own.stop()


@pytest.fixture(scope="module")
def administrators(witnessed: Witnessed) -> list[Person]:
    people = [make_person(administrator=True) for _ in range(2)]
    Person.objects.filter(pk__in=[person.pk for person in people]).update(password=make_password(PASSWORD))
    return people


@dataclass(frozen=True)
class Past:
    """What was acknowledged: the backup has what was `kept`; the witness has seen what was `lost` as well."""

    kept: list[dict[str, Any]]
    lost: list[dict[str, Any]]

    @property
    def log(self) -> str:
        return log_of(self.kept[0])


@pytest.fixture(scope="module")
def past(witnessed: Witnessed, administrators: list[Person]) -> Past:
    kept = witnessed.post([witnessed.sender.record() for _ in range(5)])
    witnessed.anchor()
    witnessed.keep("backup")
    lost = witnessed.post([witnessed.sender.record() for _ in range(7)])
    witnessed.anchor()
    witnessed.restore("backup")
    return Past(kept, lost)


def test_the_host_itself_notices_nothing(witnessed: Witnessed, past: Past) -> None:
    """It is consistent with itself; were it not for somebody else, a second history would begin here."""
    with witnessed.web() as web:
        assert web.status("/readyz") == 200
    claims.assert_verifies()


def test_what_is_asked_before_the_start_finds_it(witnessed: Witnessed, past: Past) -> None:
    said = witnessed.own.manage("check_witnesses", "--at-start", env=witnessed.env)
    contradicted = [line for line in said.splitlines() if line.startswith("CONTRADICTED")]
    assert len(contradicted) == 1 and past.log in contradicted[0] and "auditor" in contradicted[0]


def test_from_then_on_nothing_is_sealed_and_nothing_signed_there(
    witnessed: Witnessed, past: Past, new_client: NewClient
) -> None:
    with witnessed.web() as web:
        client = new_client(web, witnessed.sender)
        answers = [client.try_once(witnessed.sender.record()), client.http.get(f"/logs/{past.log}/checkpoint")]
        assert [answer.status_code for answer in answers] == [503, 503]
        assert {answer.json()["type"] for answer in answers} == {"/problems/ledger-rolled-back"}
        assert web.status("/readyz") == 503 and web.readiness()["ledger"]["status"] == "failed"


def test_it_is_alerted_sealed_and_named(witnessed: Witnessed, past: Past) -> None:
    alert = Alert.objects.get(kind="ledger.witness_contradicts")
    assert (alert.severity, alert.facts["verdict"], alert.facts["proven"]) == ("critical", "ahead", "yes")
    assert alert.facts["seen_size"] - alert.facts["entries"] == len(past.lost)
    [[data]] = witnessed.own.query("SELECT data FROM ledger_entry WHERE kind = 'checkpoint.contradicted'")
    assert json.loads(bytes(data))["body"]["witness"] == "auditor.example/w1"
    assert {finding.code for finding in verify_everything()} == {"contradicted", "rolled-back"}


def test_the_same_backup_restored_once_more_is_known_without_asking(witnessed: Witnessed, past: Past) -> None:
    """The database forgets what was found; the head store has learnt it. (It is not restored this time.)"""
    witnessed.own.restore_copy("backup")
    with witnessed.web() as web:
        assert web.status("/readyz") == 503
    said = witnessed.own.manage("check_witnesses", env=witnessed.env, refused=True)
    assert "CONTRADICTED" in said


def test_two_administrators_close_the_log_and_the_witness_goes_on_with_its_successor(
    witnessed: Witnessed, past: Past, administrators: list[Person], new_client: NewClient
) -> None:
    said = custody(witnessed.own, "close_log", administrators, log="all")
    assert said.count("closed; continued by") == 2  # the registry log lost what was sealed of the first restore
    with witnessed.web() as web:
        client = new_client(web, witnessed.sender)
        again = client.post_batch([witnessed.sender.record() for _ in range(3)])
        assert past.log not in {log_of(receipt) for receipt in again}
        assert web.status("/readyz") == 200
        claims.assert_others_accept(client, again)
    claims.assert_verifies()
    witnessed.anchor()
    with override_settings(**witnessed.settings):
        later(hours=1)
        assert not any(look.verdict.contradicts for look in look_round())
    successor = log_of(again[0])
    assert witnessed.own.query("SELECT 1 FROM evidence_cosignature WHERE log_id = %s", successor)
    [[opening]] = witnessed.own.query("SELECT data FROM ledger_entry WHERE leaf_index = 0 AND log_id = %s", successor)
    stated = json.loads(bytes(opening))["body"]["predecessor"]
    assert stated["tree_size"] - stated["found"] == len(past.lost) and len(stated["contradicted"]) == 1
