"""The chart of decisions by outcome: how far back it looks, and that its geometry stays in its box."""

import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import Q
from django.utils import timezone

from audit.models import DecisionTally
from console.charts import LAST_LABEL, OTHERS, SERIES, Chart, decisions_by_outcome

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 15, 7, 40, tzinfo=UTC)
SYSTEM = uuid.UUID(int=7)


def tallied(ago: timedelta, outcome: str = "approved", count: int = 5) -> None:
    minute = (NOW - ago).replace(second=0, microsecond=0)
    DecisionTally.objects.create(minute=minute, system_id=SYSTEM, outcome=outcome, count=count, adverse=0, held=0)


def chart() -> Chart:
    return decisions_by_outcome(Q(system_id=SYSTEM), NOW)


@pytest.mark.parametrize(
    ("oldest", "words"),
    [
        (timedelta(minutes=0), "last hour"),
        (timedelta(minutes=59), "last hour"),
        (timedelta(minutes=61), "last 6 hours"),
        (timedelta(hours=5, minutes=50), "last 6 hours"),
        (timedelta(hours=7), "last 24 hours"),
        (timedelta(hours=23, minutes=50), "last 24 hours"),
    ],
)
def test_it_looks_back_just_far_enough_to_leave_nothing_out(oldest: timedelta, words: str) -> None:
    tallied(oldest, count=3)
    tallied(timedelta(0), outcome="refused", count=2)
    found = chart()
    assert found.span.words == words
    assert dict(found.names) == {"approved": 3, "refused": 2}
    assert all(0 <= box.x < found.span.bars for box in found.boxes)


def test_without_decisions_of_the_day_it_draws_no_bar() -> None:
    tallied(timedelta(hours=30))
    found = chart()
    assert (found.boxes, found.names, found.span.words) == ([], [], "last 24 hours")


def test_bars_stack_without_gaps_and_never_above_the_highest_line() -> None:
    for number in range(SERIES + 3):
        tallied(timedelta(minutes=3), outcome=f"o{number}", count=number + 1)
        tallied(timedelta(minutes=9), outcome=f"o{number}", count=1)
    found = chart()
    assert found.names[-1] == (OTHERS, 1 + 2 + 3 + 3)
    stacks = defaultdict(list)
    for box in found.boxes:
        stacks[box.x].append(box)
    assert len(stacks) == 2
    for boxes in stacks.values():
        edge = 100.0
        for box in boxes:
            assert box.y + box.height == pytest.approx(edge, abs=0.02)
            edge = box.y
        assert edge >= 0


def test_labels_are_round_times_of_the_viewers_zone_and_stay_inside() -> None:
    tallied(timedelta(minutes=5))
    with timezone.override("Asia/Kolkata"):
        marks = chart().hours
    assert [mark.text for mark in marks] == ["19:40", "19:50", "20:00", "20:10", "20:20", "20:30"]
    assert all(0 <= mark.at <= LAST_LABEL for mark in marks)
