"""Clocks that are wrong: a witness's, an authority's, and this host's, which somebody puts right in the end."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from config.ids import new_id
from evidence.models import Anchor, AnchorTarget, Cosignature, Outcome
from evidence.services import anchoring
from ledger.selectors import latest_head
from tests.evidence.conftest import Organisation, record
from tests.evidence.witnessing.conftest import Configure, later, look_round, sweep, trust_all
from tests.evidence.witnessing.strict_witness import StrictWitness
from tests.evidence.witnessing.test_anchoring import anchor_of, sizes

HOUR = 3600.0


def ahead(seconds: float) -> Any:
    return lambda: time.time() + seconds


class TestOfAWitness:
    @pytest.mark.parametrize("seconds", [-30 * 365 * 24 * HOUR, -1.1 * HOUR, 1.1 * HOUR, 10 * 365 * 24 * HOUR])
    def test_that_is_wrong_by_more_than_an_hour_its_word_is_not_kept(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, seconds: float
    ) -> None:
        configure(witness)
        trust_all(witness)
        witness.clock = ahead(seconds)
        sweep()
        row = anchor_of(organisation.log)
        assert (row.outcome, row.tree_size) == (Outcome.UNCOSIGNED, 0) and "clock" in row.detail
        assert not Cosignature.objects.exists()
        witness.clock = time.time
        later(hours=2)
        sweep()
        assert anchor_of(organisation.log).outcome == Outcome.ANCHORED

    @pytest.mark.parametrize("seconds", [-0.9 * HOUR, 0.9 * HOUR])
    def test_that_is_wrong_by_less_says_what_it_says(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, seconds: float
    ) -> None:
        configure(witness)
        trust_all(witness)
        witness.clock = ahead(seconds)
        sweep()
        [row] = Cosignature.objects.filter(log=organisation.log)
        assert abs((row.cosigned_at - timezone.now()).total_seconds() - seconds) < 60

    def test_one_that_repeats_its_earlier_line_for_a_tree_that_did_not_grow_is_believed(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The answer was lost, and a day later it gives the same line again: it says since when it has known."""
        configure(witness)
        trust_all(witness)
        lines: dict[str, str] = {}
        genuine = witness.line
        witness.line = lambda text: lines.setdefault(text, genuine(text))  # type: ignore[method-assign]
        with monkeypatch.context() as patch:
            patch.setattr(anchoring, "_keep_cosignature", lambda *lost: None)
            sweep()
        Anchor.objects.all().delete()
        AnchorTarget.objects.all().delete()
        with time_machine.travel(datetime.now(UTC) + timedelta(days=1)):
            sweep()
        size = latest_head(organisation.log.id).tree_size
        assert sizes(organisation.log) == [size] and anchor_of(organisation.log).outcome == Outcome.ANCHORED


class TestOfThisHost:
    def test_entries_from_a_future_that_was_none_are_cosigned_once_the_clock_is_right(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        configure(witness)
        with time_machine.travel(datetime.now(UTC) + timedelta(days=3)):
            record(organisation.log, organisation.account, 2)
        trust_all(witness)
        sweep()
        assert anchor_of(organisation.log).outcome == Outcome.ANCHORED

    def test_that_was_days_ahead_holds_nothing_up_when_it_is_put_right(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        """What it had planned for days from now is due at once: attempts, looks, the next choice, a killed one's."""
        configure(witness)
        witness.behave = lambda _, handler: (500, b"", "text/plain")
        with time_machine.travel(datetime.now(UTC) + timedelta(days=3)):
            sweep()
            look_round()
        row = anchor_of(organisation.log)
        assert row.next_attempt_at > timezone.now() + timedelta(days=2)
        leased = timezone.now() + timedelta(days=3)
        Anchor.objects.filter(pk=row.pk).update(lease=new_id(), leased_until=leased)
        witness.behave = None
        trust_all(witness)
        record(organisation.log, organisation.account, 3)
        sweep()
        assert sizes(organisation.log) == [latest_head(organisation.log.id).tree_size]
        assert {look.size for look in look_round()} >= {latest_head(organisation.log.id).tree_size}

    def test_that_is_a_little_ahead_of_another_host_changes_no_plan(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        configure(witness)
        trust_all(witness)
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=2)):
            sweep()
        record(organisation.log, organisation.account, 3)
        assert sweep() == []

    def test_that_goes_back_asks_no_more_often_than_planned(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        configure(witness)
        witness.behave = lambda _, handler: (500, b"", "text/plain")
        sweep()
        asked = len(anchoring.due_anchors())
        with time_machine.travel(datetime.now(UTC) - timedelta(minutes=10)):
            assert (asked, anchoring.due_anchors()) == (0, [])
