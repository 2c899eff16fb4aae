"""What goes wrong when witnesses are asked, and who waits for whom: a slow one slows nobody else."""

import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import psycopg
import pytest
from django.db import connection, connections
from django.utils import timezone
from pytest_django.fixtures import Settings

from config.ids import new_id
from evidence.models import Anchor, Cosignature, Outcome
from evidence.services import anchoring
from governance.services.systems import register_system
from ledger.entries import COMMAND
from ledger.models import Checkpoint
from ledger.selectors import latest_head
from tests.evidence.conftest import Organisation, found_organisation
from tests.evidence.witnessing.conftest import Configure, later, sweep, trust_all
from tests.evidence.witnessing.strict_witness import Answer, StrictWitness, strict_witness
from tests.evidence.witnessing.test_anchoring import anchor_of, sizes


def answering(status: int, body: bytes = b"", content_type: str = "text/plain") -> Any:
    def behave(witness: StrictWitness, handler: BaseHTTPRequestHandler) -> Answer | None:
        return (status, body, content_type) if handler.command == "POST" else None

    return behave


class TestFailures:
    @pytest.mark.parametrize(
        ("behave", "outcome"),
        [
            (answering(400), Outcome.MALFORMED),
            (answering(401), Outcome.REFUSED),
            (answering(403), Outcome.KEY_UNKNOWN),
            (answering(404), Outcome.LOG_UNKNOWN),
            (answering(409, b"17\n", "text/x.tlog.size"), Outcome.BEHIND),
            (answering(409, b"017\n", "text/x.tlog.size"), Outcome.CONTRADICTS),
            (answering(409, b"<html>", "text/html"), Outcome.CONTRADICTS),
            (answering(422), Outcome.CONTRADICTS),
            (answering(429), Outcome.THROTTLED),
            (answering(500), Outcome.REFUSED),
            (answering(503), Outcome.THROTTLED),
            (answering(301), Outcome.REDIRECTED),
            (answering(204), Outcome.REFUSED),
            (answering(200), Outcome.UNCOSIGNED),
            (answering(200, b"ok\n"), Outcome.UNCOSIGNED),
            (answering(200, b"x" * 70_000), Outcome.BROKEN_OFF),
        ],
    )
    def test_each_answer_has_its_words_and_nothing_is_kept(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, behave: Any, outcome: Outcome
    ) -> None:
        configure(witness)
        trust_all(witness)
        witness.behave = behave
        sweep()
        row = anchor_of(organisation.log)
        assert (row.outcome, row.failures, row.lease, row.tree_size) == (outcome, 1, None, 0)
        assert row.next_attempt_at > timezone.now()
        assert Cosignature.objects.count() == 0
        witness.behave = None
        later(hours=2)
        sweep()
        row.refresh_from_db()
        assert (row.outcome, row.failures) == (Outcome.ANCHORED, 0)

    def test_a_cosignature_over_another_tree_or_by_another_key_is_not_taken(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, second: StrictWitness
    ) -> None:
        configure(witness)
        for liar in (second.line, lambda text: witness.line(text.replace("\n", "\nx", 1))):
            witness.behave = answering(200, liar("a\n1\nb\n").encode())
            sweep()
            assert anchor_of(organisation.log).outcome == Outcome.UNCOSIGNED
            later(hours=2)
        assert Cosignature.objects.count() == 0

    def test_a_witness_whose_clock_is_far_ahead_says_nothing_about_time(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        configure(witness)
        trust_all(witness)
        witness.clock = lambda: time.time() + 7200
        sweep()
        row = anchor_of(organisation.log)
        assert row.outcome == Outcome.UNCOSIGNED and "clock" in row.detail
        assert Cosignature.objects.count() == 0

    def test_nobody_there(self, organisation: Organisation, configure: Configure) -> None:
        with strict_witness() as gone:
            configure(gone)
        sweep()
        assert anchor_of(organisation.log).outcome == Outcome.UNREACHABLE

    def test_an_address_inside_that_the_operator_did_not_name_is_not_asked(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, settings: Settings
    ) -> None:
        """A name that leads inside after all: what the file says was looked at when it was read."""
        policy = configure(witness)
        policy.write_text(policy.read_text().replace("127.0.0.1", "localhost"))
        settings.ANCHOR_NETWORKS = []
        trust_all(witness)
        sweep()
        assert anchor_of(organisation.log).outcome == Outcome.BAD_ADDRESS
        assert witness.requests == []

    def test_it_is_tried_again_ever_later(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        configure(witness)
        witness.behave = answering(500)
        waits = []
        for _ in range(9):
            sweep()
            row = anchor_of(organisation.log)
            waits.append((row.next_attempt_at - timezone.now()).total_seconds())
            later(hours=2)
        for wait, planned in zip(waits, [*anchoring.SCHEDULE, 3600.0, 3600.0], strict=True):
            assert planned - 5 <= wait <= planned * 1.2 + 1

    def test_no_sooner_than_it_asks_for_and_not_for_days(self) -> None:
        assert anchoring.pause(1, 500.0) == 500.0
        assert 30.0 <= anchoring.pause(1, 3.0) <= 36.0
        assert anchoring.pause(1, 10_000_000.0) == 3600.0
        assert 3600.0 <= anchoring.pause(500, None) <= 4320.0

    def test_a_failure_on_our_side_is_told_and_tried_again(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        configure(witness)
        trust_all(witness)

        def broken(*arguments: Any, **more: Any) -> Any:
            raise LookupError("a tile is gone")

        with monkeypatch.context() as patch:
            patch.setattr(anchoring, "prove_consistency", broken)
            sweep()
        row = anchor_of(organisation.log)
        assert (row.outcome, row.lease, row.failures) == (Outcome.OUR_FAULT, None, 1)


class TestSharingTheWork:
    def test_a_dead_witness_is_asked_one_at_a_time_and_a_live_one_is_not_kept_waiting(
        self, configure: Configure, witness: StrictWitness, db: None
    ) -> None:
        found_organisation(decisions=1)
        for number in range(8):
            register_system(actor=COMMAND, slug=f"more-{number}", name="More")
        with strict_witness("witness.example/gone", bytes([23]) * 32) as gone:
            configure(witness, gone)
        trust_all(witness)
        first = Anchor.objects.filter(pk__in=anchoring.due_anchors())
        assert {name: first.filter(name=name).count() for name in ("w1", "w2")} == {"w1": 4, "w2": 4}
        for anchor in first:
            anchoring.ask(anchor.pk)
        then = Anchor.objects.filter(pk__in=anchoring.due_anchors())
        assert {name: then.filter(name=name).count() for name in ("w1", "w2")} == {"w1": 4, "w2": 1}

    def test_what_is_leased_counts_and_a_lease_that_ran_out_does_not(
        self, configure: Configure, witness: StrictWitness, db: None
    ) -> None:
        found_organisation(decisions=1)
        for number in range(8):
            register_system(actor=COMMAND, slug=f"more-{number}", name="More")
        configure(witness)
        due = anchoring.due_anchors()
        soon = timezone.now() + timedelta(seconds=30)
        Anchor.objects.filter(pk__in=due[:3]).update(lease=new_id(), leased_until=soon)
        assert len(anchoring.due_anchors()) == 1
        Anchor.objects.filter(pk__in=due[:3]).update(leased_until=timezone.now() - timedelta(seconds=1))
        assert len(anchoring.due_anchors()) == 4

    def test_whoever_has_sent_one_goes_on_with_the_next_of_the_same_party(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, second: StrictWitness
    ) -> None:
        configure(witness, second)
        trust_all(witness, second)
        anchoring.due_anchors()
        first = Anchor.objects.filter(name="w1").order_by("pk")[0]
        anchoring.ask(first.pk)
        following = anchoring.next_after(first.pk)
        assert following is not None
        row = Anchor.objects.get(pk=following)
        assert (row.name, row.pk != first.pk) == ("w1", True)
        anchoring.ask(following)
        assert anchoring.next_after(first.pk) is None

    def test_who_lost_the_lease_keeps_the_cosignature_and_changes_nothing_else(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        configure(witness)
        trust_all(witness)
        due = anchoring.due_anchors()

        genuine = anchoring._keep_cosignature

        def slow(*arguments: Any) -> None:
            genuine(*arguments)
            Anchor.objects.filter(pk=due[0]).update(lease=new_id(), failures=7)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(anchoring, "_keep_cosignature", slow)
            anchoring.ask(due[0])
        row = Anchor.objects.get(pk=due[0])
        assert (row.failures, row.tree_size) == (7, 0)
        assert Cosignature.objects.filter(log=row.log).count() == 1

    @pytest.mark.committing
    def test_two_workers_and_two_beats_at_once_ask_each_once(
        self, configure: Configure, witness: StrictWitness
    ) -> None:
        organisation = found_organisation(decisions=20)
        configure(witness)
        trust_all(witness)
        barrier, failed = threading.Barrier(4), []

        def work() -> None:
            try:
                barrier.wait()
                for anchor_id in anchoring.due_anchors():
                    anchoring.ask(anchor_id)
            except Exception as error:  # noqa: BLE001 - shown by the test
                failed.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        sweep()
        size = latest_head(organisation.log.id).tree_size
        assert sizes(organisation.log) == [size]
        assert Checkpoint.objects.filter(log=organisation.log).count() == 1
        assert len([each for each in witness.requests if organisation.log.origin in each.note]) == 1

    @pytest.mark.committing
    def test_no_transaction_is_open_while_a_witness_is_waited_for(
        self, configure: Configure, witness: StrictWitness, database_url: str
    ) -> None:
        found_organisation(decisions=5)
        configure(witness)
        trust_all(witness)
        states: list[str] = []

        def looks(_: StrictWitness, handler: BaseHTTPRequestHandler) -> None:
            with psycopg.connect(database_url) as other:
                rows = other.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", [own]).fetchall()
                states.extend(row[0] for row in rows)

        connection.ensure_connection()
        own = connection.connection.info.backend_pid
        witness.behave = looks
        for anchor_id in anchoring.due_anchors():
            anchoring.ask(anchor_id)
        assert set(states) == {"idle"}
        assert Cosignature.objects.exists()
