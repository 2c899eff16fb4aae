"""Counts by minute: what was recorded, counted once however often it is counted."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import DecisionTally
from audit.services.tallying import forget_old_tallies, tally_decisions
from ledger.entries import SERVER
from tests.factories.record import record_decision
from tests.factories.register import make_system

pytestmark = pytest.mark.django_db


def test_decisions_are_counted_by_minute_system_and_outcome_and_never_twice() -> None:
    system, at = make_system(), timezone.now() - timedelta(minutes=2)
    for outcome, adverse in (("approved", False), ("refused", True), ("refused", True)):
        record_decision(system, at=at, outcome=outcome, adverse=adverse)
    tally_decisions(actor=SERVER)
    record_decision(system, at=at, outcome="refused", directive="hold")
    tally_decisions(actor=SERVER)
    counted = DecisionTally.objects.filter(system_id=system.pk).values_list("outcome", "count", "adverse", "held")
    assert sorted(counted) == [("approved", 1, 0, 0), ("refused", 3, 2, 1)]


def test_counting_goes_on_after_a_long_silence() -> None:
    system, now = make_system(), timezone.now()
    record_decision(system, at=now - timedelta(hours=20))
    tally_decisions(actor=SERVER, now=now - timedelta(hours=19))
    record_decision(system, at=now)
    tally_decisions(actor=SERVER, now=now)
    assert DecisionTally.objects.count() == 2


def test_old_counts_are_forgotten() -> None:
    record_decision(make_system(), at=timezone.now())
    tally_decisions(actor=SERVER)
    assert forget_old_tallies(actor=SERVER, now=timezone.now() + timedelta(days=40)) == 1
