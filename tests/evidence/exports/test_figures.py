"""The figures of an export, held against the plainest way to count the same."""

import json
from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from evidence.exports import figures
from evidence.exports.figures import Figures, Numbers, read_decision

NUMBERS = st.lists(st.integers(-50, 50) | st.integers(-(2**63), 2**63 - 1), max_size=60)


def plainly(numbers: list[int]) -> tuple[list[list[int]], list[int]]:
    """What is missing between the smallest and the largest, and what came twice."""
    there = sorted(set(numbers))
    missing = [[one + 1, next_ - 1] for one, next_ in pairwise(there) if next_ - one > 1]
    return missing, sorted(number for number, count in Counter(numbers).items() if count > 1)


@given(NUMBERS, st.integers(1, 7))
def test_missing_and_repeated_numbers_are_those_of_a_plain_count(numbers: list[int], kept: int) -> None:
    found = Numbers()
    for start in range(0, len(numbers), kept):
        found.add(numbers[start : start + kept])
        found.settle()  # sorted in at whatever moment
    found.settle()
    missing, twice = plainly(numbers)
    assert (found.missing(), list(found.twice), found.count) == (missing, twice, len(numbers))


@given(NUMBERS)
def test_numbers_that_were_kept_and_read_again_go_on_as_before(numbers: list[int]) -> None:
    half = len(numbers) // 2
    found = Numbers()
    found.add(numbers[:half])
    found = Numbers.of(json.loads(json.dumps(found.kept())))
    found.add(numbers[half:])
    found.settle()
    missing, twice = plainly(numbers)
    assert (found.missing(), list(found.twice), found.count) == (missing, twice, len(numbers))


@given(NUMBERS, st.integers(0, 5))
def test_a_list_that_is_cut_has_the_first_and_counts_all(numbers: list[int], at_most: int) -> None:
    found = Figures(keeps_sources=True)
    if numbers:
        found.sources["s"] = Numbers()
        found.sources["s"].add(numbers)
    missing, twice = plainly(numbers)
    told = found.told_sources(at_most)
    assert told is not None
    for each in told:
        assert (each["missing"], each["twice"]) == (missing[:at_most], twice[:at_most])
        assert each["missing_count"] == sum(last - first + 1 for first, last in missing)
    assert found.lines_of_sources() == 4 * len(missing) + len(twice)


def test_a_million_numbers_with_a_gap_each_stay_small() -> None:
    found = Numbers()
    for start in range(0, 400_000, 1_000):
        found.add(range(start, start + 1_000, 2))
    found.settle()
    assert len(found.missing()) == 199_999
    held = found.starts.itemsize * (len(found.starts) + len(found.ends) + len(found.twice))
    assert held <= 16 * 200_000


def entry(at: str = "2026-03-01T00:00:00.000000Z", **body: Any) -> bytes:
    said: dict[str, Any] = {"outcome": "approved", "model_version": "1.0", "flags": [], "commitments": {}} | body
    return json.dumps({"v": 1, "id": "x", "kind": "decision.recorded", "at": at, "body": said}).encode()


def test_everything_is_counted_and_survives_being_kept() -> None:
    found = Figures(keeps_sources=True)
    source = "0192f0c0-0000-7000-8000-000000000001"
    commitments = {"input": "00", "output": "00"}
    found.count([read_decision(entry(adverse=True, source_id=source, source_seq=7, commitments=commitments))])
    found = Figures.of(json.loads(json.dumps(found.kept())))
    late = "2026-03-02T00:00:00.000000Z"
    found.count([read_decision(entry(late, outcome="refused", flags=["not_live"], error_type="timeout"))])
    found.count([read_decision(entry(model_version="2.0", adverse=False, source_id=source, source_seq=9))])
    assert found.answer(entries=5, withheld_entries=1, overridden=2) == {
        "entries": 5,
        "decisions": 3,
        "first_at": "2026-03-01T00:00:00.000000Z",
        "last_at": late,
        "outcomes": {"approved": 2, "refused": 1},
        "adverse": 1,
        "flagged": 1,
        "failed": 1,
        "overridden": 2,
        "by_model_version": {"1.0": 2, "2.0": 1},
        "withheld_entries": 1,
    }
    assert found.told_sources() == [
        {
            "source": source,
            "first_seq": 7,
            "last_seq": 9,
            "decisions": 2,
            "missing": [[8, 8]],
            "missing_count": 1,
            "twice": [],
        }
    ]
    assert dict(found.parts) == {"input": 1, "output": 1}


def test_nothing_counted_has_no_times() -> None:
    said = Figures(keeps_sources=True).answer(entries=0, withheld_entries=0, overridden=0)
    assert (said["decisions"], said["first_at"], said["last_at"]) == (0, None, None)


def test_kinds_are_told_by_where_they_stand() -> None:
    """A decision that quotes another kind somewhere is none of that kind."""
    head = b'{"v":1,"id":"0192f0c0-0000-7000-8000-000000000001","kind":"'
    assert len(head) == figures.KIND_AT
    assert figures.is_decision(head + b'decision.recorded","at":')
    assert not figures.is_decision(head + b'decision.recorded_otherwise","at":')
    assert figures.is_override(head + b'decision.overridden","at":')
    assert figures.is_erasure(head + b'erasure.performed","at":')
    assert not figures.is_erasure(head + b'decision.recorded","kind":"erasure.performed"')
