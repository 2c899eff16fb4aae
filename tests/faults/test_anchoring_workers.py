"""Workers that are killed while they ask a witness, a broker that is away, two beats at once: nothing is lost.

With our own witness as well, killed between writing down and answering, and while it serves.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from django.db import connections
from django.test import override_settings

from config.standalone.broker import Broker
from config.standalone.processes import wait_until
from config.standalone.services import Command
from config.standalone.supervisor import OUTGOING_WORKER
from evidence.models import Anchor, AnchorTarget, Cosignature, Outcome
from governance.models import AISystem
from ledger.models import Log
from ledger.selectors import latest_head, open_log, registry_log
from ledger.signing import signers_for, verifier_keys
from tests.evidence.witnessing.conftest import later
from tests.evidence.witnessing.strict_witness import Answer, StrictWitness, strict_witness
from tests.factories.record import record_decision
from tests.factories.register import make_person, make_system
from tests.faults.installation import Installation
from tests.faults.test_outgoing import AGAIN_PATIENCE, CELERY, KEY, WORKER
from tests.ledger.witness.processes import RunningWitness, new_witness, serving

pytestmark = pytest.mark.e2e

NEVER = 10**8
"""Seconds between two rounds of anchoring: the tests make it due."""


class Anchoring:
    """Outgoing workers, two beats and a broker, with the witnesses that they are to ask."""

    def __init__(self, own: Installation, policy: Path) -> None:
        self.own, self.policy = own, policy
        self.broker = Broker(own.data_dir)
        self.sender = self._command("outgoing", [*WORKER, *OUTGOING_WORKER, "-n", "anchors-outgoing@%h"])
        beats = [
            [*CELERY, "beat", "--schedule", str(own.data_dir / f"beat-{n}"), "--pidfile", "", "--loglevel=INFO"]
            for n in (1, 2)
        ]
        self.beats = [self._command(f"beat-{n}", module) for n, module in enumerate(beats, 1)]

    def _command(self, name: str, module: list[str]) -> Command:
        env = self.own.environment() | {
            "ANSWERABLE_PROCESS": name,
            "ANSWERABLE_DIGEST_KEY": KEY,
            "ANSWERABLE_WITNESS_POLICY_FILE": str(self.policy),
            "ANSWERABLE_ANCHOR_NETWORKS": "127.0.0.0/8",
            "ANSWERABLE_WITNESS_SECONDS": str(NEVER),
            "ANSWERABLE_WITNESS_LOOK_SECONDS": str(NEVER),
        }
        log = self.own.data_dir / f"anchors-{name}.log"
        return Command(name, module, data_dir=self.own.data_dir, log=log, env=env, patience=10.0)

    def start(self) -> None:
        self.broker.start()
        for command in (self.sender, *self.beats):
            command.start()

    def stop(self) -> None:
        for command in (*self.beats, self.sender):
            command.stop()
        self.broker.stop()

    def kill_sender(self) -> None:
        """With all its threads, at once."""
        assert self.sender.process is not None
        worker = psutil.Process(self.sender.process.pid)
        for process in [worker, *worker.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        worker.wait(10)

    def start_what_ended(self) -> None:
        """As the supervisor does, every second."""
        for command in (self.sender, *self.beats):
            if command.ended() is not None:
                command.start()

    def logs(self) -> str:
        """The last that each process said."""
        commands = (self.sender, *self.beats)
        return "\n".join(f"{each.name}, {each.ended()}: {each.log.read_text()[-1500:]}" for each in commands)

    @contextmanager
    def without_broker(self) -> Iterator[None]:
        self.broker.stop()
        try:
            yield
        finally:
            self.broker.start()


@pytest.fixture(scope="module")
def strict() -> Iterator[StrictWitness]:
    with strict_witness() as found:
        yield found


@pytest.fixture(scope="module")
def ours(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWitness]:
    folder = tmp_path_factory.mktemp("witness") / "w"
    new_witness(folder, f"installation {signers_for(registry_log().origin)[0].vkey}")
    with serving(folder) as found:
        yield found


@pytest.fixture(scope="module")
def anchoring(
    installation: Installation,
    strict: StrictWitness,
    ours: RunningWitness,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Anchoring]:
    policy = tmp_path_factory.mktemp("policy") / "policy"
    policy.write_text(f"witness strict {strict.vkey} {strict.url}\nwitness ours {ours.vkey} {ours.url}\nquorum none\n")
    with override_settings(DIGEST_KEY=KEY):
        found = Anchoring(installation, policy)
        try:
            found.start()
            yield found
        finally:
            found.stop()


@pytest.fixture
def log(installation: Installation) -> Log:
    """Of an AI system with a decision in it."""
    connections.close_all()
    system = make_system(accountable=make_person())
    record_decision(system)
    return open_log(system.pk)


def trust(strict: StrictWitness, log: Log) -> None:
    strict.trust(log.origin, *verifier_keys(log.origin))


def anchored(log: Log, name: str) -> bool:
    found = Anchor.objects.filter(log=log, name=name).first()
    return found is not None and found.tree_size == latest_head(log.id).tree_size


def told(log: Log) -> list[dict[str, object]]:
    """How it stands with each witness, and the size that was chosen: what to look at when one does not come."""
    columns = (
        "name",
        "outcome",
        "detail",
        "tree_size",
        "known_size",
        "next_attempt_at",
        "leased_until",
        "attempted_at",
    )
    chosen = AnchorTarget.objects.filter(log=log).values("chosen_at", "checkpoint__tree_size")
    return [*Anchor.objects.filter(log=log).values(*columns), *chosen, {"size": latest_head(log.id).tree_size}]


def test_both_witnesses_cosign_and_two_beats_make_no_difference(
    anchoring: Anchoring, strict: StrictWitness, log: Log
) -> None:
    trust(strict, log)
    assert wait_until(lambda: anchored(log, "strict") and anchored(log, "ours"), patience=AGAIN_PATIENCE)
    assert Cosignature.objects.filter(log=log).count() == 2
    asked = [each for each in strict.requests if log.origin in each.note]
    assert len(asked) == 1 and strict.wrong == []


def test_a_worker_killed_while_it_waits_for_an_answer_asks_again(
    anchoring: Anchoring, strict: StrictWitness, log: Log
) -> None:
    waiting: list[str] = []

    def slow(witness: StrictWitness, handler: object) -> Answer | None:
        waiting.append("here")
        time.sleep(6)
        return None

    trust(strict, log)
    strict.behave = slow
    try:
        assert wait_until(lambda: bool(waiting), patience=AGAIN_PATIENCE)
        anchoring.kill_sender()
    finally:
        strict.behave = None
    leased = Anchor.objects.filter(name="strict", lease__isnull=False)
    assert leased.exists(), "the killed worker's lease stands"
    anchoring.sender.start()
    assert wait_until(lambda: anchored(log, "strict"), patience=AGAIN_PATIENCE)
    assert Cosignature.objects.filter(log=log, witness="strict").count() == 1


def test_what_was_due_while_the_broker_was_away_is_sent_when_it_is_back(
    anchoring: Anchoring, strict: StrictWitness, log: Log
) -> None:
    trust(strict, log)
    wait_until(lambda: anchored(log, "strict"), patience=AGAIN_PATIENCE)
    with anchoring.without_broker():
        record_decision(log_system(log))
        later(days=3000)
        time.sleep(15)
        assert not anchored(log, "strict")

    def has_come() -> bool:
        anchoring.start_what_ended()
        return anchored(log, "strict") and anchored(log, "ours")

    assert wait_until(has_come, patience=AGAIN_PATIENCE), f"{told(log)}\n{anchoring.logs()}"


def log_system(log: Log) -> AISystem:
    assert log.system_id is not None
    return AISystem.objects.get(pk=log.system_id)


def test_a_witness_killed_and_started_again_goes_on_where_it_was(
    installation: Installation, anchoring: Anchoring, strict: StrictWitness, ours: RunningWitness, log: Log
) -> None:
    trust(strict, log)
    assert wait_until(lambda: anchored(log, "ours"), patience=AGAIN_PATIENCE)
    port = int(ours.url.rpartition(":")[2])
    ours.kill()
    record_decision(log_system(log))
    later(days=3000)
    down = Anchor.objects.filter(log=log, name="ours", outcome=Outcome.UNREACHABLE)
    assert wait_until(down.exists, patience=AGAIN_PATIENCE)
    assert wait_until(lambda: anchored(log, "strict"), patience=AGAIN_PATIENCE), "the other is not kept waiting"
    with serving(ours.folder, port=port):
        later(hours=2)
        assert wait_until(lambda: anchored(log, "ours"), patience=AGAIN_PATIENCE)
    assert Cosignature.objects.filter(log=log, witness="ours").count() == 2
