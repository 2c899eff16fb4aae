"""What a card may hold, what it must hold, and how two of them differ."""

import json
from copy import deepcopy
from typing import Any

import pytest

from config.errors import InvalidInput
from console.cards.showing import shown_card
from governance.cards.comparing import differences
from governance.cards.completeness import blocking, gaps_of
from governance.cards.content import MAX_BYTES, canonical, checked_content, digest_of, json_schema, read_document
from governance.cards.fields import MAX_ROWS, MAX_TEXT, Rows
from governance.cards.sections import SECTIONS
from tests.factories.cards import COMPLETE, RANGE, content


def refused(document: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        checked_content(document)
    return {problem.pointer: problem.detail for problem in caught.value.errors}


def test_a_complete_card_lacks_nothing_that_blocks() -> None:
    checked = checked_content(COMPLETE)
    assert blocking(checked) == []
    assert all(gap.law and not gap.blocks for gap in gaps_of(checked))


def test_an_empty_card_lacks_what_no_card_goes_without() -> None:
    assert {gap.pointer for gap in blocking({})} == {
        "/purpose/capabilities",
        "/purpose/intended",
        "/purpose/affected",
        "/purpose/out_of_scope",
        "/purpose/limitations",
        "/purpose/failures",
        "/performance/results",
        "/oversight/measures",
        "/data/sources",
        "/contacts/people",
    }
    assert all(gap.law for gap in blocking({}))


@pytest.mark.parametrize("pointer", [gap.pointer for gap in blocking({})])
def test_each_of_them_blocks_alone(pointer: str) -> None:
    document = deepcopy(COMPLETE)
    section, name = pointer.strip("/").split("/")
    del document[section][name]
    assert [gap.pointer for gap in blocking(checked_content(document))] == [pointer]


def test_a_result_that_misses_its_threshold_is_published_with_a_reason_or_not_at_all() -> None:
    document = content()
    (result,) = document["performance"]["results"]
    result["value"] = 0.7
    (gap,) = [each for each in gaps_of(checked_content(document)) if each.blocks]
    assert (gap.pointer, gap.section) == ("/performance/results/0/accepted_because", "performance")
    result["accepted_because"] = "Only until 5.1, under review of each case."
    assert not any(each.blocks for each in gaps_of(checked_content(document)))
    (row,) = next(each for each in shown_card(document) if each.name == "performance").fields[0].rows
    assert ("not met", "Accepted: Only until 5.1, under review of each case.") in [
        (each.text, each.note) for each in row
    ]


def test_spaces_say_nothing() -> None:
    document = content(purpose=COMPLETE["purpose"] | {"intended": " \n "})
    assert [gap.pointer for gap in blocking(checked_content(document))] == ["/purpose/intended"]


def test_a_result_without_its_test_blocks() -> None:
    document = content(performance={"results": [{"metric": "AUC", "value": 0}]})
    found = {gap.pointer for gap in blocking(checked_content(document))}
    assert found == {"/performance/results/0/test", "/performance/results/0/tested_on"}


@pytest.mark.parametrize(
    ("rule", "pointer"),
    [
        ({"pointer": "age", "check": "range", "minimum": 1}, "pointer"),
        ({"pointer": "/a~2", "check": "range", "minimum": 1}, "pointer"),
        ({"pointer": "/age", "check": "range"}, "minimum"),
        ({"pointer": "/age", "check": "range", "minimum": 2, "maximum": 1}, "maximum"),
        ({"pointer": "/kind", "check": "one_of"}, "values"),
        ({"pointer": "/language", "check": "language", "values": ["German!"]}, "values"),
    ],
)
def test_a_rule_that_says_nothing_blocks_and_can_be_saved(rule: dict[str, Any], pointer: str) -> None:
    checked = checked_content(content(rule))
    assert [gap.pointer for gap in blocking(checked)] == [f"/inputs/rules/0/{pointer}"]


def test_everything_wrong_is_told_at_once_with_its_place() -> None:
    assert refused(
        {
            "purpose": {"intended": 7, "unknown": "x"},
            "nothing": {},
            "performance": {"results": [{"value": "0.8", "tested_on": "4 May"}, "row"]},
            "classification": {"annex_iii": "9", "profiling": "yes"},
            "inputs": {"rules": [{"values": ["a\nb", 1]}]},
            "build": [],
            "schema": 2,
        }
    ).keys() == {
        "/purpose/intended",
        "/purpose/unknown",
        "/nothing",
        "/performance/results/0/value",
        "/performance/results/0/tested_on",
        "/performance/results/1",
        "/classification/annex_iii",
        "/classification/profiling",
        "/inputs/rules/0/values/0",
        "/inputs/rules/0/values/1",
        "/build",
        "/schema",
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**16, True, "1", [1]])
def test_no_number_but_a_finite_one(value: Any) -> None:
    assert refused({"performance": {"results": [{"value": value}]}}).keys() == {"/performance/results/0/value"}


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\x1b[2J", "x" * (MAX_TEXT + 1)])
def test_no_text_that_cannot_be_stored_or_shown(text: str) -> None:
    assert refused({"purpose": {"intended": text}}).keys() == {"/purpose/intended"}


@pytest.mark.parametrize("day", ["2026-02-30", "2026-W01-1", "20260101", 20260101])
def test_no_day_but_a_calendar_day(day: Any) -> None:
    assert refused({"review": {"next_on": day}}).keys() == {"/review/next_on"}


@pytest.mark.parametrize("document", [None, [], "text", 1])
def test_a_card_is_an_object(document: Any) -> None:
    assert refused(document).keys() == {""}


def test_no_card_is_larger_than_it_may_be() -> None:
    rows = [{"risk": "ü" * 200, "measure": "ü" * 200, "accepted_by": "ü" * 200}] * MAX_ROWS
    text = "ü" * MAX_TEXT
    texts: dict[str, Any] = {section.name: {} for section in SECTIONS} | {"risk": {"register": rows}}
    for section in SECTIONS:
        for field in section.fields:
            if not isinstance(field, Rows) and field.schema() == {"type": "string", "maxLength": MAX_TEXT}:
                texts[section.name][field.name] = text
    assert len(canonical(texts)) > MAX_BYTES
    assert refused(texts)[""].startswith("The card has 770,")


def test_more_rows_than_a_table_holds_are_refused() -> None:
    assert refused({"risk": {"register": [{}] * (MAX_ROWS + 1)}}).keys() == {"/risk/register"}


def test_the_document_is_one_whatever_the_order_it_came_in() -> None:
    turned = dict(reversed([(name, dict(reversed(section.items()))) for name, section in COMPLETE.items()]))
    one, other = canonical(checked_content(COMPLETE)), canonical(checked_content(turned))
    assert one == other
    assert json.loads(one)["schema"] == 1
    assert digest_of(one.decode()).startswith("sha256:")
    assert read_document(one.decode()) == checked_content(COMPLETE)


def test_what_says_nothing_is_not_kept() -> None:
    document = {"purpose": {"intended": " a ", "users": ""}, "risk": {"register": [{}, {"risk": ""}]}, "data": None}
    assert checked_content(document) == {"purpose": {"intended": "a"}}


def test_differences_name_the_field_and_both_values() -> None:
    before, after = checked_content(COMPLETE), checked_content(content(RANGE, data={"sources": "Other."}))
    found = {each.pointer: (each.before, each.after) for each in differences(before, after)}
    assert found == {
        "/data/sources": ("Applications of three years.", "Other."),
        "/inputs/rules": (None, [RANGE]),
    }


def test_names_are_said_once_and_described() -> None:
    assert len({section.name for section in SECTIONS}) == len(SECTIONS) == 15
    for section in SECTIONS:
        assert len({field.name for field in section.fields}) == len(section.fields)
    described = json_schema()
    assert described["properties"]["performance"]["properties"]["results"]["items"]["additionalProperties"] is False
