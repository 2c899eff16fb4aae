"""Counts by minute: what was recorded, counted once however often it is counted."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from audit.flags import Flag
from audit.models import CardTally, DecisionTally
from audit.services.tallying import forget_old_tallies, tally_decisions
from ledger.entries import SERVER
from tests.factories import cards
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


def test_decisions_are_counted_to_the_card_that_was_in_force() -> None:
    system, other, now = make_system(), make_system(), timezone.now()
    record_decision(system, at=now)
    first = cards.publish(system)
    record_decision(system, at=timezone.now())
    record_decision(other, at=timezone.now())
    record_decision(system, at=timezone.now(), flags=("not_live", Flag.OUTSIDE_SCOPE))
    second = cards.publish(system, cards.content(cards.RANGE))
    record_decision(system, at=timezone.now())
    for _ in range(2):
        tally_decisions(actor=SERVER)
    found = CardTally.objects.order_by("card").values_list("system_id", "card", "count", "outside")
    assert list(found) == [(system.pk, first.number, 2, 1), (system.pk, second.number, 1, 0)]


def test_old_counts_of_cards_become_hours_and_none_is_lost() -> None:
    system, hour = make_system(), datetime(2026, 3, 1, 10, tzinfo=UTC)
    for minute, outside in ((0, 1), (1, 2), (59, 4), (60, 8)):
        at = hour + timedelta(minutes=minute)
        CardTally.objects.create(minute=at, system_id=system.pk, card=1, count=10, outside=outside)
    for _ in range(2):
        forget_old_tallies(actor=SERVER, now=hour + timedelta(days=40))
    found = CardTally.objects.order_by("minute").values_list("minute", "count", "outside")
    assert list(found) == [(hour, 30, 7), (hour + timedelta(hours=1), 10, 8)]
