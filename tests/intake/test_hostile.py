"""Bodies made to break or to slow the reader: each is refused, soon, and costs its neighbours nothing."""

import gzip
import json
import time
import tracemalloc
from typing import Any

import pytest
from django.db import DatabaseError

from audit.models import Decision
from config.errors import PayloadTooLarge
from config.pointers import pointer
from intake import bodies
from intake.bodies import IN_FLIGHT, decompress
from intake.diagnosis import explain
from intake.errors import MalformedRecord, UnreadableBody
from intake.models import QuarantinedRecord
from intake.pairs import Pairs
from intake.wire import MAX_RECORDS, decode_record, split_array, split_lines
from tests.intake.conftest import Sender, record


def unpack(packed: bytes, cap: int) -> bytes:
    with IN_FLIGHT.lease() as lease:
        return decompress(packed, cap, lease)


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x\udfff"])
@pytest.mark.committing
def test_field_names_that_no_database_can_hold_are_told_and_kept(sender: Sender, name: str) -> None:
    answer = sender.post(sender.record(**{name: 1, "labels": {name: "x"}}))
    assert answer.status_code == 422
    kept = QuarantinedRecord.objects.get(pk=answer.json()["quarantine_id"])
    assert kept.problems is not None
    assert kept.problems["errors"][0]["pointer"] in ("/a\\u0000b", "/\\ud800", "/x\\udfff")


def test_a_pointer_can_always_be_written() -> None:
    assert pointer("a/b~", "é\0", "\udc00") == "/a~1b~0/é\\u0000/\\udc00"


@pytest.mark.committing
def test_what_was_sealed_is_answered_when_the_quarantine_fails(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> Any:
        raise DatabaseError("no room")

    monkeypatch.setattr("intake.api.quarantine", fail)
    answer = sender.batch([sender.record(), sender.record(confidence=5)])
    assert answer.status_code == 200
    rejected = answer.json()["results"][1]["problem"]
    assert (rejected["quarantine_id"], "could not be kept" in rejected["detail"]) == (None, True)
    assert Decision.objects.count() == 1


def test_depth_is_refused_before_names_are_read() -> None:
    """Some depths, which depend on the stack, the fast decoder can read and the standard library's cannot."""
    raw = json.dumps(record(input="@")).replace("{", '{"subject": null, ', 1)
    for depth in (65, 400, *range(850, 1_050), 5_000):
        with pytest.raises(MalformedRecord):
            decode_record(raw.replace('"@"', "[" * depth + "]" * depth).encode())
    assert explain(raw.replace('"@"', "[" * 5_000 + "]" * 5_000).encode())


def test_twenty_thousand_repeated_names_take_no_time() -> None:
    pairs = Pairs((str(number % 20_000), 1) for number in range(40_000))
    started = time.perf_counter()
    assert len(pairs.repeated()) == 20_000
    assert time.perf_counter() - started < 0.5


def test_many_gzip_members_take_no_time() -> None:
    started = time.perf_counter()
    with pytest.raises(UnreadableBody):
        unpack(gzip.compress(b"") * 500_000, 16 << 20)
    assert time.perf_counter() - started < 5


def test_gzip_members_may_end_anywhere() -> None:
    text = bytes(range(256)) * 300
    packed = b"".join(gzip.compress(text[start : start + 97], 0) for start in range(0, len(text), 97))
    assert unpack(packed, len(text)) == text
    with pytest.raises(PayloadTooLarge):
        unpack(packed, len(text) - 1)
    with pytest.raises(UnreadableBody):
        unpack(packed[:-1], len(text))


@pytest.mark.parametrize(
    ("split", "body"),
    [
        (split_array, b"[" + b"1," * 8_000_000 + b"1]"),
        (split_lines, b"1\n" * 8_000_000),
        (split_lines, b" \n" * 8_000_000 + b"1\n" * 5_001),
    ],
    ids=["array", "lines", "blank lines"],
)
def test_splitting_stops_one_past_what_is_allowed(split: Any, body: bytes) -> None:
    tracemalloc.start()
    started = time.perf_counter()
    assert split(body) == [b"1"] * (MAX_RECORDS + 1)
    assert time.perf_counter() - started < 3
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def test_lines_stay_as_they_were_sent() -> None:
    assert split_lines(b'\n \r\n  {"a":1}\r\n\t\n{"b":2} ') == [b'  {"a":1}\r', b'{"b":2} ']


@pytest.mark.committing
def test_a_process_holds_so_many_bytes_of_bodies_and_no_more(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sender.post(sender.record()).status_code == 201
    monkeypatch.setattr(bodies, "BYTES_IN_FLIGHT", 2_000)
    with IN_FLIGHT.lease() as another:
        another.add(1_900)
        answer = sender.batch([sender.record()])
        assert (answer.status_code, answer.json()["type"], answer["Retry-After"]) == (503, "/problems/intake-busy", "2")
    assert sender.batch([sender.record()]).status_code == 200
    assert IN_FLIGHT.size == 0
