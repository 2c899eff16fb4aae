"""OCSF lines: by the rules of its schema, chained, canonical; and of what people wrote nothing."""

import json
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.entries import read_entry
from config.ids import new_id
from evidence.exports.ocsf import _number, canonical
from governance.models import AISystem, Person
from ledger.models import Entry
from ledger.tlog import leaf_hash
from tests.evidence.exports.ocsf_rules import problems_of
from tests.evidence.exports.test_tables import FORMS, data_of, lines_of
from tests.factories.exports import export_of, files_of, old_system
from tests.factories.record import record_decision, record_many
from tests.factories.register import make_person
from tests.factories.versions import make_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return old_system(slug="credit", accountable=make_person())


def test_events_follow_the_rules_of_the_schema(system: AISystem, auditor: Person) -> None:
    record_decision(system, source_id=new_id(), source_seq=1, flags=("drift",), score=1e-9, confidence=None)
    record_decision(system, outcome="failed", error_type="timeout")
    record_decision(system, adverse=True, directive="review", capability="loans")
    events = lines_of(export_of(auditor, system, form="ocsf"))
    assert [problems_of(event) for event in events] == [[], [], []]
    assert [event["status"] for event in events] == ["Success", "Failure", "Success"]
    assert events[1]["status_code"] == "timeout"
    assert events[0]["unmapped"]["source_seq"] == 1
    assert {event["resources"][0]["name"] for event in events} == {"credit"}


def test_the_rules_find_what_breaks_them(system: AISystem, auditor: Person) -> None:
    record_decision(system)
    [event] = lines_of(export_of(auditor, system, form="ocsf"))
    damages: tuple[dict[str, Any], ...] = (
        {"class_uid": 6004},
        {"time": "2026"},
        {"time": 5},
        {"api": {}},
        {"actor": {"user": {}}},
        {"colour": "red"},
        {"type_name": "Other"},
        {"metadata": event["metadata"] | {"profiles": []}},
        {"attestation_list": [{"uid": "1"}]},
    )
    for damage in damages:
        assert problems_of(event | damage), damage


def test_events_are_chained_in_their_order(system: AISystem, auditor: Person) -> None:
    record_many(system, 40)
    events, before = lines_of(export_of(auditor, system, form="ocsf")), None
    for event in events:
        [attestation] = event["attestation_list"]
        stated = attestation.pop("fingerprint")
        assert sha256(jcs(event).encode()).hexdigest() == stated["value"]
        assert attestation.get("prev_event") == before
        before = {"uid": event["metadata"]["uid"], "type_uid": event["type_uid"], "fingerprint": stated}
    assert len({event["attestation_list"][0]["chain_uid"] for event in events}) == 1
    assert len({event["attestation_list"][0]["uid"] for event in events}) == 40


def test_the_log_s_place_is_in_each_event(system: AISystem, auditor: Person) -> None:
    decision = record_decision(system)
    [event] = lines_of(export_of(auditor, system, form="ocsf"))
    entry = Entry.objects.get(id=decision.id)
    assert (event["metadata"]["log_name"], event["metadata"]["sequence"]) == (entry.log.origin, entry.leaf_index)
    assert event["unmapped"]["leaf_hash"] == leaf_hash(bytes(entry.data)).hex()
    assert event["metadata"]["original_time"] == read_entry(bytes(entry.data)).body.occurred_at


@pytest.mark.parametrize("form", FORMS)
def test_what_people_wrote_of_a_model_is_in_no_line(system: AISystem, auditor: Person, form: str) -> None:
    """It can be erased: then no file of an export may hold it."""
    make_version(system, "7.0", name="zq-name-of-a-model", provider="zq-provider")
    record_decision(system, model_version="7.0")
    made = export_of(auditor, system, form=form)
    assert b"7.0" in data_of(made)
    assert b"zq-" not in b"".join(files_of(made).values())


# --- RFC 8785, written from the text of the standard ------------------------------------------------------------------
def jcs(value: Any) -> str:
    """JSON Canonicalization Scheme."""
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
        return "{" + ",".join(f"{jcs(name)}:{jcs(each)}" for name, each in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(jcs, value)) + "]"
    if isinstance(value, float):
        return ecmascript(value)
    return json.dumps(value, ensure_ascii=False)


def ecmascript(value: float) -> str:
    """`Number::toString` of ECMAScript, from the shortest digits that Python finds too."""
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    text, count = "".join(map(str, digits)), len(digits)
    point = count + exponent
    if count <= point <= 21:
        shown = text + "0" * (point - count)
    elif 0 < point <= 21:
        shown = f"{text[:point]}.{text[point:]}"
    elif -6 < point <= 0:
        shown = f"0.{'0' * -point}{text}"
    else:
        mantissa = text[0] + (f".{text[1:]}" if count > 1 else "")
        shown = f"{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return ("-" if sign else "") + shown


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_canonical(value: float) -> None:
    assert canonical(_number(value)).decode() == ecmascript(value)


@pytest.mark.parametrize("number", [2**53, 2**53 + 1, 2**63 - 1])
def test_numbers_that_no_double_holds_are_text(system: AISystem, auditor: Person, number: int) -> None:
    """So a reader of doubles hashes the same bytes."""
    record_decision(system, source_id=new_id(), source_seq=number)
    made = export_of(auditor, system, form="ocsf")
    [event] = lines_of(made)
    assert event["unmapped"]["source_seq"] == (number if number <= 2**53 else str(number))
    [of_doubles] = [json.loads(line, parse_int=as_a_double) for line in data_of(made).splitlines()]
    stated = of_doubles["attestation_list"][0].pop("fingerprint")
    assert sha256(jcs(of_doubles).encode()).hexdigest() == stated["value"]


def as_a_double(text: str) -> int:
    return int(float(text))


@given(
    st.recursive(
        st.text(max_size=8) | st.integers(-(2**53), 2**53) | st.booleans() | st.none(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text("abcXYZ_09", max_size=4), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_everything_else_is_canonical_too(value: Any) -> None:
    assert canonical(value).decode() == jcs(value)
