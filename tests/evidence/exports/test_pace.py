"""Giving way: the more is written, the longer a worker rests."""

import pytest

from evidence.exports import pace
from evidence.exports.pace import BUSY, LONGEST_REST, QUIET, Pace, rest_at


class Clock:
    """Time that passes by being slept, and a log that grows with it."""

    def __init__(self, rate: float) -> None:
        self.now, self.rate, self.slept = 0.0, rate, list[float]()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def written(self) -> int:
        return int(self.now * self.rate)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock(0)
    monkeypatch.setattr(pace, "_written_so_far", found.written)
    return found


def worked(clock: Clock, *, rate: float, rounds: int = 20, each: float = 0.1) -> tuple[float, float]:
    """Seconds worked and rested."""
    clock.rate = rate
    found = Pace(clock=lambda: clock.now, sleep=clock.sleep)
    for _ in range(rounds):
        clock.now += each
        found.rest_after(each)
    return rounds * each, sum(clock.slept)


def test_idle_it_hardly_rests(clock: Clock) -> None:
    _, rested = worked(clock, rate=QUIET)
    assert rested == 0


def test_under_load_it_works_a_tenth_of_the_time(clock: Clock) -> None:
    busy, rested = worked(clock, rate=10 * BUSY, rounds=200)
    assert busy / (busy + rested) == pytest.approx(0.1, rel=0.1)


def test_between_the_two_it_rests_in_proportion() -> None:
    assert rest_at(0) == 0
    assert rest_at((QUIET + BUSY) / 2) == pytest.approx(LONGEST_REST / 2)
    assert rest_at(10**12) == LONGEST_REST


def test_rests_are_taken_in_steps_so_that_giving_up_is_noticed(clock: Clock) -> None:
    clock.rate = 10 * BUSY
    found = Pace(clock=lambda: clock.now, sleep=clock.sleep)
    found.rest_after(0.1)
    clock.now += 1
    looks = list[float]()
    found.rest_after(1.0, lambda: looks.append(clock.now))
    assert max(clock.slept) <= pace.STEP
    assert len(looks) >= 30


def test_alone_it_never_rests(clock: Clock) -> None:
    clock.rate = 10 * BUSY
    Pace(is_alone=True, clock=lambda: clock.now, sleep=clock.sleep).rest_after(100)
    assert clock.slept == []


@pytest.mark.django_db
def test_the_database_says_how_much_was_written() -> None:
    assert pace._written_so_far() > 0
