"""What the decoder takes and what it refuses."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.diagnosis import explain
from intake.errors import MalformedRecord, RecordTooLarge
from intake.wire import DecisionRecord, decode_record, split_array
from tests.intake.conftest import record


def sent(**changes: Any) -> bytes:
    return json.dumps(record(**changes)).encode()


def pointers(raw: bytes) -> list[str]:
    with pytest.raises(MalformedRecord):
        decode_record(raw)
    return [problem.pointer for problem in explain(raw)]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_every_field_of_the_record_is_read() -> None:
    full = record(
        external_id="order-1", environment="production", capability="limit", score=1, threshold=0.5,
        explanation={"summary": "x"}, context=[1], subject="p-1", labels={"channel": "web"}, ai_role="advisory",
        adverse=True, phase="proposed", config_digest="sha256:" + "a" * 64, model_digest="sha256:" + "b" * 64,
        prompt_version="7", trace_id="a" * 32, span_id="b" * 16, conversation_id="c", parent_id=record()["id"],
        latency_ms=3, error_type="timeout", source={"id": "spool", "seq": 0}, control_epoch="12",
    )  # fmt: skip
    assert full.keys() == set(DecisionRecord.__struct_fields__)
    decoded = decode_record(json.dumps(full).encode())
    assert decoded.score == 1.0
    assert decoded.labels == {"channel": "web"}


def test_parts_are_kept_byte_for_byte() -> None:
    raw = sent(input="@").replace(b'"@"', b'{ "a" : 1.50, "a":2, "u": "\\u00e9\\u0000" }')
    assert bytes(decode_record(raw).input) == b'{ "a" : 1.50, "a":2, "u": "\\u00e9\\u0000" }'


def test_null_counts_as_absent_but_not_for_parts_and_required_fields() -> None:
    raw = sent().replace(b"{", b'{"subject": null, "explanation": null, ', 1)
    decoded = decode_record(raw)
    assert decoded.subject is None
    assert bytes(decoded.explanation) == b"null"  # type: ignore[arg-type]
    assert pointers(sent(outcome="@").replace(b'"@"', b"null")) == ["/outcome"]


WRONG: dict[str, list[Any]] = {
    "id": [1, "x", "", "0190163d-8694-4f5b-8e1f-3a5c1d2e4f60", True, [], {}],
    "external_id": [1, "", "x" * 201, "a\0b", [], True],
    "system": [1, "", "a b", "é", "x" * 101, {}],
    "environment": [1, "", "a b"],
    "model_version": [1.5, "", "v 1"],
    "capability": [False, "limit increase"],
    "occurred_at": [1, "", "yesterday", "2026-11-21", "2026-11-21T07:00:00", "2026-02-30T07:00:00Z",
                    "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"],
    "outcome": [1, "", "was approved", ["approved"]],
    "confidence": ["0.5", -0.1, 1.1, True, [0.5]],
    "score": ["1", True, {}],
    "threshold": ["1", False],
    "subject": [1, "", "x" * 201, "a\0"],
    "labels": [[], "a", {"a": 1}, {"": "x"}, {"a": "x" * 501}, {"a\0": "b"}, {"a": "\0"},
               {str(n): "x" for n in range(33)}, {"a": None}],
    "ai_role": ["Sole", 1, "judge"],
    "adverse": ["true", 0, 1],
    "phase": ["done", 1],
    "config_digest": ["abc", "sha256:xyz", "sha512:" + "a" * 128, 1],
    "model_digest": ["sha256:", 1],
    "prompt_version": ["v 2", 2],
    "trace_id": ["a" * 31, "g" * 32, 1],
    "span_id": ["a" * 15, "z" * 16],
    "conversation_id": ["", 1],
    "parent_id": ["x", 1, "{0190163d-8694-7f5b-8e1f-3a5c1d2e4f60}"],
    "latency_ms": ["1", -1, True],
    "error_type": ["time out", 1],
    "source": ["spool", {}, {"id": "a"}, {"seq": 1}, {"id": "a b", "seq": 1}, {"id": "a", "seq": -1},
               {"id": "a", "seq": 1.0}, {"id": "a", "seq": 2**63}, {"id": "a", "seq": 1, "x": 1}, {"id": 1, "seq": 1}],
    "control_epoch": [1, "a b"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_and_the_field_is_named(name: str, value: Any) -> None:
    found = pointers(sent(**{name: value}))
    assert found
    assert all(pointer.startswith(f"/{name}") for pointer in found)


@pytest.mark.parametrize("name", ["system", "model_version", "occurred_at", "input", "output", "outcome"])
def test_a_missing_field_is_named(name: str) -> None:
    assert pointers(sent(**{name: None})) == [f"/{name}"]


def test_every_problem_is_named_at_once() -> None:
    assert sorted(pointers(sent(confidence=2, outcome="", foo=1))) == ["/confidence", "/foo", "/outcome"]


@pytest.mark.parametrize(
    ("find", "write", "pointer"),
    [
        (b'"outcome"', b'"outcome": "x", "outcome"', "/outcome"),
        (b'"confidence"', b'"subject": "\\u0022\\u0022", "confidence": 1, "confidence"', "/confidence"),
        (b'"seq"', b'"seq": 1, "seq"', "/source/seq"),
        (b'"channel"', b'"channel": "x", "channel"', "/labels/channel"),
        (b'"outcome"', b'"out\\u0063ome": "x", "outcome"', "/outcome"),
    ],
)
def test_names_of_the_record_occur_once(find: bytes, write: bytes, pointer: str) -> None:
    raw = sent(source={"id": "a", "seq": 2}, labels={"channel": "web"}).replace(find, write)
    assert pointer in pointers(raw)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_there_is_no_nan_anywhere(number: bytes) -> None:
    assert pointers(sent(confidence="@").replace(b'"@"', number)) == ["/confidence"]
    assert pointers(sent(input={"a": ["@"]}).replace(b'"@"', number)) == ["/input/a/0"]


@pytest.mark.parametrize("half", ["\\ud800", "\\udc00", "\\ud800\\u0041", "\\udc00\\ud800"])
def test_half_a_surrogate_pair_is_refused_everywhere(half: str) -> None:
    for field in ("subject", "input"):
        raw = sent(**{field: "@"}).replace(b"@", half.encode())
        assert pointers(raw) == [f"/{field}"]


def test_nesting_ends_at_64_levels_within_parts_too() -> None:
    decode_record(sent(input=nested(63)))
    decode_record(sent(input={"text": "[" * 200, "more": [[], {}] * 40}))
    assert pointers(sent(input=nested(64))) == ["/input"]
    assert pointers(sent(input="@").replace(b'"@"', b'[{"a":' * 40 + b"1" + b"}]" * 40)) == ["/input"]
    assert pointers(sent(input="@").replace(b'"@"', b"[" * 100_000 + b"]" * 100_000)) == [""]


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"1", b'"x"', b"null", b"{}x", b'{"a" 1}', b"\xef\xbb\xbf{}", b'{"a": tru}', b'{"\x01": 1}'],
)
def test_what_is_no_record_is_explained(raw: bytes) -> None:
    assert pointers(raw)


def test_a_record_has_a_size_limit() -> None:
    with pytest.raises(RecordTooLarge):
        decode_record(sent(input="x" * (1 << 20)))


def test_problems_never_quote_what_was_sent() -> None:
    secret = "Jane-Doe-1970"
    raw = sent(subject=[secret], outcome=secret + " x", labels={"a": {"b": secret}}, confidence=secret)
    assert secret not in repr(explain(raw))


def test_an_array_is_split_into_the_bytes_that_were_sent() -> None:
    assert split_array(b'[ {"a" : 1}, {"b":2} ]') == [b'{"a" : 1}', b'{"b":2}']
    with pytest.raises(MalformedRecord):
        split_array(b'[{"a":1},')


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
names = st.sampled_from([*DecisionRecord.__struct_fields__, "unknown"])


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(names, values, max_size=4))
def test_the_decoder_and_the_diagnosis_agree(changes: dict[str, Any]) -> None:
    raw = json.dumps(record() | changes).encode()
    try:
        decode_record(raw)
    except MalformedRecord:
        assert not any("cannot be read" in problem.detail for problem in explain(raw))
    else:
        assert [problem.detail for problem in explain(raw)] == ["The record cannot be read."]
