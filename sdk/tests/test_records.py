"""What a record may be, and how it is written."""

import json
import math
import threading
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from answerable import InvalidRecord
from answerable._ids import Ids, ServerClock, time_of
from answerable._records import encode_record

ID = "01a1fd9c-bc38-7026-93b0-108ba8d1b7e3"
WHOLE: dict[str, Any] = {
    "id": ID, "system": "credit-limit", "model_version": "2.1", "occurred_at": "2026-11-21T09:30:00+01:00",
    "input": {"ä": 1}, "output": None, "outcome": "refused",
}  # fmt: skip


def test_a_record_keeps_every_field_and_leaves_out_what_is_none() -> None:
    more = {
        "confidence": 0.5, "score": -1.5, "threshold": 0, "labels": {"branch": "north"}, "ai_role": "advisory",
        "adverse": True, "phase": "proposed", "config_digest": "sha256:" + "a" * 64, "trace_id": "a" * 32,
        "span_id": "b" * 16, "parent_id": ID, "latency_ms": 12.5, "subject": "customer-4711", "error_type": None,
        "explanation": {"summary": "why"}, "context": [1], "conversation_id": "c", "prompt_version": "3",
    }  # fmt: skip
    found = json.loads(encode_record({**WHOLE, **more}))
    assert found == {name: value for name, value in {**WHOLE, **more}.items() if name != "error_type"}


def test_null_is_an_output() -> None:
    assert json.loads(encode_record(WHOLE))["output"] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("system", ""), ("system", "a b"), ("system", 7), ("outcome", "x" * 101), ("outcome", None),
        ("model_version", None), ("id", str(uuid4())), ("id", "x"), ("confidence", 1.1), ("confidence", math.nan),
        ("confidence", True), ("score", math.inf), ("latency_ms", -1), ("labels", {"a": 1}), ("labels", {"": "x"}),
        ("labels", {str(n): "" for n in range(33)}), ("subject", ""), ("subject", "x" * 201), ("subject", "a\0"),
        ("ai_role", "boss"), ("adverse", 1), ("phase", "later"), ("config_digest", "abc"), ("trace_id", "xyz"),
        ("parent_id", "1"), ("occurred_at", datetime(2026, 1, 1)), ("occurred_at", 7), ("surprise", 1),
    ],
)  # fmt: skip
def test_what_the_server_would_refuse_is_refused_with_its_field(field: str, value: Any) -> None:
    with pytest.raises(InvalidRecord) as caught:
        encode_record({**WHOLE, field: value})
    assert caught.value.field == f"/{field}"


@pytest.mark.parametrize("value", [math.nan, {"a": math.inf}, object(), "\ud800", {1, "a"}, b"bytes"])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRecord):
        encode_record({**WHOLE, "input": value})


def test_a_circle_and_a_giant_are_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    for value in (circle, "x" * (1 << 20)):
        with pytest.raises(InvalidRecord):
            encode_record({**WHOLE, "input": value})


@dataclass
class Applicant:
    income: int


def test_what_everybody_writes_alike_is_written() -> None:
    sent = {"at": datetime(2026, 1, 2, tzinfo=timezone.utc), "of": UUID(ID), "sum": Decimal("1.10"),
            "who": Applicant(3), "tags": {"b", "a"}}  # fmt: skip
    assert json.loads(encode_record({**WHOLE, "input": sent}))["input"] == {
        "at": "2026-01-02T00:00:00+00:00", "of": ID, "sum": "1.10", "who": {"income": 3}, "tags": ["a", "b"],
    }  # fmt: skip


def test_ids_of_many_threads_are_distinct_version_seven_and_rise() -> None:
    ids, found = Ids(ServerClock()), list[list[str]]()
    threads = [threading.Thread(target=lambda: found.append([ids.new() for _ in range(2000)])) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    every = [each for batch in found for each in batch]
    assert len(set(every)) == 8000
    assert all(batch == sorted(batch) for batch in found)
    assert all(UUID(each).version == 7 and UUID(each).variant == "specified in RFC 4122" for each in every[:100])


def test_ids_follow_the_servers_clock_where_ours_is_an_hour_off() -> None:
    clock = ServerClock()
    ids = Ids(clock)
    before = time_of(ids.new())
    clock.offset = -3600.0
    assert before - time_of(ids.new()) == pytest.approx(3600, abs=2)
