"""A broker that is down, and a worker that is killed while it sends: what people and programs are told comes once."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from django.db import connections
from django.test import override_settings

from config.standalone.broker import Broker
from config.standalone.processes import wait_until
from config.standalone.services import Command
from config.standalone.supervisor import OUTGOING_WORKER
from governance.models import AISystem, Assignment
from governance.scopes import Scope
from ledger.entries import SERVER
from notices.models import Alert, Delivery, Message
from notices.services import open_alert
from tests.factories.register import give_role, make_person, make_system
from tests.faults.installation import Installation
from tests.faults.test_stop_from_host import stop
from tests.notices.conftest import AnyPort
from tests.notices.endpoints import make_endpoint
from tests.notices.receivers import Receiver, receiver, silent

pytestmark = pytest.mark.e2e

KEY = "a digest key that this process shares with the workers"
CELERY = ["-m", "celery", "-A", "config.celery"]
WORKER = [*CELERY, "worker", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
AWAY_SECONDS = 15.0
AGAIN_PATIENCE = 150.0
"""A lease of a minute, half a minute until a worker looks for its broker again, and a busy machine."""


class Outgoing:
    """The workers and beat of an installation, and its broker."""

    def __init__(self, own: Installation, receiving: Receiver) -> None:
        self.own, self.receiving = own, receiving
        self.broker = Broker(own.data_dir)
        beat = [*CELERY, "beat", "--schedule", str(own.data_dir / "beat-schedule"), "--pidfile", "", "--loglevel=INFO"]
        self.sender = self._command("outgoing", [*WORKER, *OUTGOING_WORKER, "-n", "faults-outgoing@%h"])
        usual = self._command("worker", [*WORKER, "--pool", "threads", "--concurrency", "2", "-n", "faults@%h"])
        self.commands = [self.sender, usual, self._command("beat", beat)]

    def _command(self, name: str, module: list[str]) -> Command:
        own = {"ANSWERABLE_PROCESS": name, "ANSWERABLE_DIGEST_KEY": KEY}
        own |= {"ANSWERABLE_WEBHOOK_NETWORKS": "127.0.0.0/8", "ANSWERABLE_WEBHOOK_PORTS": str(self.receiving.port)}
        env = self.own.environment() | own
        log = self.own.data_dir / f"{name}.log"
        return Command(name, module, data_dir=self.own.data_dir, log=log, env=env, patience=10.0)

    def start(self) -> None:
        self.broker.start()
        for command in self.commands:
            command.start()

    def stop(self) -> None:
        for command in self.commands:
            command.stop()
        self.broker.stop()

    def kill_sender(self) -> None:
        """With all its threads, at once."""
        assert self.sender.process is not None
        worker = psutil.Process(self.sender.process.pid)
        for process in [worker, *worker.children(recursive=True)]:
            process.kill()
        worker.wait(10)

    @contextmanager
    def without_broker(self) -> Iterator[None]:
        self.broker.stop()
        try:
            yield
        finally:
            self.broker.start()

    def mails(self) -> list[str]:
        folder = self.own.data_dir / "mail"
        return [each.read_text() for each in folder.iterdir()] if folder.is_dir() else []

    def heard(self, system: AISystem) -> list[tuple[str, bytes]]:
        """Ids and bodies of what the receiver got about an AI system."""
        all_of_them = [(each.headers["webhook-id"], each.body) for each in list(self.receiving.requests)]
        return [(name, body) for name, body in all_of_them if str(system.pk) in body.decode()]

    def has_heard(self, system: AISystem) -> bool:
        return bool(self.heard(system))


@pytest.fixture(scope="module")
def outgoing(installation: Installation) -> Iterator[Outgoing]:
    own = {"DIGEST_KEY": KEY, "WEBHOOK_NETWORKS": ["127.0.0.0/8"], "WEBHOOK_PORTS": AnyPort()}
    with override_settings(**own), receiver() as receiving:
        found = Outgoing(installation, receiving)
        try:
            found.start()
            connections.close_all()
            make_endpoint(receiving.url, event_types=("switch.stopped",))
            yield found
        finally:
            found.stop()


@pytest.fixture
def system() -> AISystem:
    connections.close_all()
    made = make_system()
    give_role(make_person(email=f"owner-{made.pk}@example.org"), Assignment.Role.ACCOUNTABLE, Scope.system(made.pk))
    return made


def delivery_of(system: AISystem) -> Delivery:
    """The only one: anything else is an error."""
    return Delivery.objects.get(event__system_id=system.pk, event__type="switch.stopped")


def test_what_happened_while_the_broker_was_down_is_told_once_when_it_is_back(
    installation: Installation, outgoing: Outgoing, system: AISystem
) -> None:
    with outgoing.without_broker():
        assert "stop, harm-reported" in stop(installation, system)
        open_alert(
            actor=SERVER, kind="drill.overdue", severity=Alert.Severity.CRITICAL, fingerprint=f"down:{system.pk}",
            system_id=system.pk,
        )  # fmt: skip
        time.sleep(AWAY_SECONDS)
        assert outgoing.heard(system) == []
        message = Message.objects.get(fingerprint__contains=str(Alert.objects.get(system_id=system.pk).pk))
        assert message.status == Message.Status.WAITING
    wait_until(lambda: outgoing.has_heard(system), patience=AGAIN_PATIENCE)
    wait_until(lambda: _status(message) == Message.Status.SENT, patience=AGAIN_PATIENCE)
    time.sleep(10)  # whatever would be told twice is told by now: webhooks are swept every 2 s, e-mails every 10 s
    assert len(outgoing.heard(system)) == 1
    assert delivery_of(system).status == Delivery.Status.DELIVERED
    address = f"owner-{system.pk}@example.org"
    assert sum(address in mail and "drill" in mail.lower() for mail in outgoing.mails()) == 1


def _status(message: Message) -> str:
    message.refresh_from_db()
    return message.status


def test_a_worker_killed_while_it_sends_sends_again_what_is_one_delivery(
    installation: Installation, outgoing: Outgoing, system: AISystem
) -> None:
    outgoing.receiving.behave = silent(20)
    stop(installation, system)
    assert wait_until(lambda: outgoing.has_heard(system), patience=AGAIN_PATIENCE)
    outgoing.kill_sender()
    outgoing.receiving.behave = None
    assert delivery_of(system).status == Delivery.Status.WAITING
    outgoing.sender.start()
    assert wait_until(lambda: delivery_of(system).status == Delivery.Status.DELIVERED, patience=AGAIN_PATIENCE)
    first, *again = outgoing.heard(system)
    assert again == [first], "the same id and the same bytes, so that a receiver knows it for the same"


def test_the_logs_of_the_workers_name_no_secret(outgoing: Outgoing) -> None:
    logs: list[Path] = [command.log for command in outgoing.commands]
    assert all(KEY not in log.read_text() for log in logs)
