"""What differs between two documents, place by place, whatever somebody sent."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.comparing import LONGEST_POINTER, MOST, Difference, compare_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


def compared(before: Any, after: Any) -> list[Difference]:
    return compare_json(json.dumps(before).encode(), json.dumps(after).encode()).differences


def test_each_place_is_told_in_the_order_of_the_first_document() -> None:
    found = compared({"b": 1, "a": [1, 2], "c": None}, {"a": [1, 3, 4], "c": None, "d": {"e": True}})
    assert [(each.pointer, each.before, each.after) for each in found] == [
        ("/b", "1", None),
        ("/a/1", "2", "3"),
        ("/a/2", None, "4"),
        ("/d", None, '{"e": true}'),
    ]


@given(document=JSON)
def test_a_document_does_not_differ_from_itself_in_another_spelling(document: Any) -> None:
    spelt = json.dumps(document, indent=3, ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert compare_json(json.dumps(document).encode(), spelt).differences == []


@given(before=JSON, after=JSON)
def test_it_is_the_same_the_other_way_round(before: Any, after: Any) -> None:
    there = {(each.pointer, each.before, each.after) for each in compared(before, after)}
    back = {(each.pointer, each.after, each.before) for each in compared(after, before)}
    assert there == back
    assert bool(there) == (json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True))


def test_numbers_inside_of_what_is_new_are_numbers_as_they_were_written() -> None:
    (found,) = compare_json(b"{}", b'{"new": {"a": [1, 2.50, -1e3], "b": "1", "c": {"1": 7}}}').differences
    assert found.after == '{"a": [1, 2.50, -1e3], "b": "1", "c": {"1": 7}}'


def test_a_long_name_above_a_long_list_costs_no_more_than_the_documents() -> None:
    before = {"k" * 100_000: [0] * 30_000}
    after = {"k" * 100_000: [0] * 30_000 + [1]}
    tracemalloc.start()
    try:
        found = compared(before, after)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [(each.before, each.after) for each in found] == [(None, "1")]
    assert found[0].pointer.endswith("k/30000") and len(found[0].pointer) == LONGEST_POINTER + 1
    assert most < 20_000_000


def test_a_document_may_be_deep() -> None:
    deep: Any = "[" * 5_000 + "1" + "]" * 5_000
    found = compare_json(deep.encode(), deep.replace("1", "2").encode())
    assert found.differences


def test_of_many_differences_it_is_said_that_there_are_more() -> None:
    found = compare_json(json.dumps([0] * 2_000).encode(), json.dumps([1] * 2_000).encode())
    assert (len(found.differences), found.is_all) == (MOST, False)


@pytest.mark.parametrize(("before", "after"), [(None, b"1"), (b"1", None), (b"{", b"1"), (b"\xff", b"1")])
def test_what_is_not_there_or_no_json_differs_as_a_whole(before: bytes | None, after: bytes | None) -> None:
    [found] = compare_json(before, after).differences
    assert found.pointer == ""
