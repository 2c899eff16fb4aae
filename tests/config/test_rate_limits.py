"""Token buckets: what they let through, and what they say."""

import pytest

from config.errors import TooManyRequests
from config.rate_limits import TokenBuckets


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def buckets(clock: Clock) -> TokenBuckets:
    return TokenBuckets(name="test", per_second=2, burst=4, clock=clock)


def test_a_burst_is_let_through_and_what_follows_is_refused(buckets: TokenBuckets) -> None:
    assert [buckets.take("key").refused for _ in range(5)] == [False, False, False, False, True]


def test_a_refusal_says_when_to_return_and_costs_nothing(buckets: TokenBuckets, clock: Clock) -> None:
    buckets.take("key", 4)

    with pytest.raises(TooManyRequests) as refusal:
        buckets.take("key", 4).refuse()

    assert refusal.value.headers["Retry-After"] == "2"
    assert refusal.value.headers["RateLimit"] == '"test";r=0;t=2'
    assert refusal.value.headers["RateLimit-Policy"] == '"test";q=4;w=2'
    clock.now = 2.0
    assert not buckets.take("key", 4).refused


def test_keys_do_not_pay_for_each_other(buckets: TokenBuckets) -> None:
    buckets.take("one", 4)

    assert not buckets.take("other", 4).refused


def test_a_cost_over_the_burst_passes_a_full_bucket(buckets: TokenBuckets) -> None:
    assert not buckets.take("key", 100).refused
    assert buckets.take("key").refused


def test_taking_does_not_raise_so_that_repeats_of_sealed_work_can_be_answered(buckets: TokenBuckets) -> None:
    buckets.take("key", 4)

    assert buckets.take("key").refused


def test_no_limit_takes_nothing_and_says_nothing() -> None:
    allowance = TokenBuckets(name="none", per_second=0, burst=0).take("key", 1_000_000)

    assert (allowance.refused, allowance.headers) == (False, {})


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, buckets: TokenBuckets) -> None:
    monkeypatch.setattr("config.rate_limits.MAX_BUCKETS", 3)
    for number in range(10):
        buckets.take(number)

    assert len(buckets._levels) == 3
