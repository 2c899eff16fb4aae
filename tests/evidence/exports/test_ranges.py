"""The range of a log that answers a time, held against looking at every entry; in small steps, out of order, huge."""

import json
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from config.ids import new_id
from evidence.exports import ranges
from evidence.exports.making import DECISION_AT, Maker
from evidence.exports.plans import PlannedLog
from evidence.exports.ranges import at_of, index_range
from governance.models import AISystem
from ledger.entries import timestamp
from ledger.models import Entry
from ledger.selectors import open_log
from tests.factories.exports import old_system
from tests.factories.record import record_decision

pytestmark = pytest.mark.django_db
START = timezone.now() - timedelta(days=10)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def times_of(system: AISystem) -> list[str]:
    entries = Entry.objects.filter(log_id=open_log(system.pk).id).order_by("leaf_index")
    return [json.loads(bytes(data))["at"] for data in entries.values_list("data", flat=True)]


def found(system: AISystem, since: datetime | None, until: datetime | None) -> tuple[int, int]:
    log = open_log(system.pk)
    return index_range(log.id, system.pk, since, until, len(times_of(system)))


def test_times_are_read_from_where_they_stand() -> None:
    system = old_system()
    decision = record_decision(system, at=at(5))
    log = open_log(system.pk)
    entry = Entry.objects.get(id=decision.id)
    assert bytes(entry.data)[DECISION_AT : DECISION_AT + 27] == timestamp(at(5)).encode()
    assert [at_of(log.id, index).decode() for index in range(len(times_of(system)))] == times_of(system)
    with pytest.raises(LookupError):
        at_of(log.id, 99_999)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    minutes=st.lists(st.integers(0, 40), max_size=14),
    since=st.none() | st.integers(-5, 45),
    length=st.none() | st.integers(1, 30),
    slice_=st.integers(1, 7),
)
def test_every_entry_within_the_times_is_in_the_range(
    minutes: list[int], since: int | None, length: int | None, slice_: int
) -> None:
    """And nothing is lost by looking at it in slices, whatever the order."""
    system = old_system()
    for each in minutes:
        record_decision(system, at=at(each))
    first_at = at(since) if since is not None else None
    last_at = at((since or 0) + length) if length is not None else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "SLICE", slice_)
        patch.setattr(ranges, "LOOKED_AT", 50)
        first, end = found(system, first_at, last_at)
    times = times_of(system)
    low, high = (timestamp(first_at) if first_at else ""), (timestamp(last_at) if last_at else "9")
    within = [index for index, when in enumerate(times) if low <= when < high]
    assert 0 <= first <= end <= len(times)
    assert all(first <= index < end for index in within)
    if first_at is None:
        assert first == 0
    elif first:
        assert times[first - 1] < low, "the fence before it was received earlier"
    if last_at is None:
        assert end == len(times)
    elif end < len(times):
        assert times[end] >= high, "the fence behind it was received later"


def test_after_each_slice_somebody_hears_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred million decisions are looked through so: not in silence, and not without a rest."""
    system, beats = old_system(), list[str]()
    for each in range(12):
        record_decision(system, at=at(each))
    monkeypatch.setattr(ranges, "SLICE", 3)
    log = open_log(system.pk)
    index_range(log.id, system.pk, at(0), None, len(times_of(system)), beat=lambda: beats.append(""))
    assert len(beats) >= 4


def test_in_order_a_range_holds_nothing_else() -> None:
    system = old_system()
    for each in range(20):
        record_decision(system, at=at(each))
    times = times_of(system)
    first, end = found(system, at(5), at(12))
    assert [timestamp(at(each)) for each in range(5, 12)] == times[first:end]


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (datetime.fromisoformat("0001-01-02T00:00:00+00:00"), None),
        (datetime.fromisoformat("9999-12-30T00:00:00+00:00"), None),
        (None, datetime.fromisoformat("0001-01-02T00:00:00+00:00")),
        (datetime.fromisoformat("0001-01-02T00:00:00+00:00"), datetime.fromisoformat("9999-12-30T00:00:00+00:00")),
    ],
)
def test_times_at_the_ends_of_the_calendar(since: datetime | None, until: datetime | None) -> None:
    system = old_system()
    record_decision(system, at=at(1))
    first, end = found(system, since, until)
    assert 0 <= first <= end <= len(times_of(system))


# --- which entries are read -------------------------------------------------------------------------------------------
class _Maker(Maker):
    """Runs alone: places as a list, nothing else."""

    def __init__(self, places: list[tuple[int, bool]]) -> None:
        self.stated = places

    def _places(self, log: PlannedLog, start: int) -> Any:
        return iter([(index, withheld, False) for index, withheld in self.stated if start <= index < log.tree_size])


HUGE = 2**53 - 1


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), size=st.integers(1, 60), is_huge=st.booleans())
def test_runs_are_the_disclosed_entries_merged(data: st.DataObject, size: int, is_huge: bool) -> None:
    """Against a set of them; also near the largest index there can be."""
    base = HUGE - size if is_huge else 0
    span = data.draw(
        st.none() | st.tuples(st.integers(0, size), st.integers(0, size)).map(lambda pair: (min(pair), max(pair)))
    )
    places = data.draw(st.dictionaries(st.integers(0, size - 1), st.booleans(), max_size=20))
    start = data.draw(st.integers(0, size))
    log = PlannedLog(
        id=new_id(), origin="o/logs/l", is_registry=False, system_id=None, predecessor=None,
        tree_size=base + size, root_hash="", note="", timestamps=[],
        range=(base + span[0], base + span[1]) if span else None,
    )  # fmt: skip
    stated = sorted((base + index, withheld) for index, withheld in places.items())
    runs = list(_Maker(stated).runs(log, base + start))
    within = set(range(*span)) if span else set()
    disclosed = {index for index in within | set(places) if not places.get(index, False)}
    listed = [index - base for first, end in runs for index in range(first, end)]
    assert listed == sorted(index for index in disclosed if index >= start)
    assert all(one[1] < two[0] for one, two in pairwise(runs)), "they neither touch nor overlap"
