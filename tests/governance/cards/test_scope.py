"""The declared scope: what is inside, what is outside, and that nothing makes it fail."""

from typing import Any

import msgspec
import pytest

from governance.cards.scope import InputScope, scope_of

encode = msgspec.json.encode


def scope(*rules: dict[str, Any]) -> InputScope:
    found = scope_of({"inputs": {"rules": [*rules]}})
    assert found is not None
    return found


AGE = {"pointer": "/applicant/age", "check": "range", "minimum": 18, "maximum": 75}
KIND = {"pointer": "/kind", "check": "one_of", "values": ["card", "true", "7", "1.5"]}
LANGUAGE = {"pointer": "/language", "check": "language", "values": ["de", "pt-BR"]}


@pytest.mark.parametrize(
    ("rule", "document", "is_outside"),
    [
        (AGE, {"applicant": {"age": 18}}, False),
        (AGE, {"applicant": {"age": 75.0}}, False),
        (AGE, {"applicant": {"age": 75.01}}, True),
        (AGE, {"applicant": {"age": 17}}, True),
        (AGE, {"applicant": {"age": "40"}}, True),
        (AGE, {"applicant": {"age": True}}, True),
        (AGE, {"applicant": {"age": {}}}, True),
        (AGE, {"applicant": {}}, False),
        (AGE, {"applicant": {"age": None}}, False),
        (AGE, {"applicant": 7}, False),
        (AGE, [], False),
        (AGE, "text", False),
        (AGE | {"required": True}, {"applicant": {}}, True),
        (AGE | {"required": True}, {"applicant": {"age": None}}, True),
        (AGE | {"maximum": None}, {"applicant": {"age": 10**30}}, False),
        (KIND, {"kind": "card"}, False),
        (KIND, {"kind": "Card"}, True),
        (KIND, {"kind": True}, False),
        (KIND, {"kind": 7}, False),
        (KIND, {"kind": 1.5}, False),
        (KIND, {"kind": {"card": 1}}, True),
        (KIND, {"kind": ["card", "true"]}, False),
        (KIND, {"kind": ["card", "loan"]}, True),
        (KIND, {"kind": []}, False),
        (KIND | {"required": True}, {"kind": []}, True),
        (LANGUAGE, {"language": "de"}, False),
        (LANGUAGE, {"language": "de-AT"}, False),
        (LANGUAGE, {"language": "DE_at"}, False),
        (LANGUAGE, {"language": "den"}, True),
        (LANGUAGE, {"language": "pt-br"}, False),
        (LANGUAGE, {"language": "pt"}, True),
        (LANGUAGE, {"language": ""}, True),
        (LANGUAGE, {"language": 1}, True),
        (KIND | {"pointer": "/items/1"}, {"items": ["x", "card"]}, False),
        (KIND | {"pointer": "/items/0"}, {"items": ["x", "card"]}, True),
        (KIND | {"pointer": "/items/01"}, {"items": ["x", "x"]}, False),
        (KIND | {"pointer": "/items/-1"}, {"items": ["x", "x"]}, False),
        (KIND | {"pointer": "/a~1b/c~0d"}, {"a/b": {"c~d": "loan"}}, True),
        (KIND | {"pointer": "/"}, {"": "loan"}, True),
    ],
)
def test_what_is_outside(rule: dict[str, Any], document: Any, is_outside: bool) -> None:
    given = scope(rule)
    assert given.is_outside(encode(document)) is is_outside
    assert bool(given.broken_by(encode(document))) is is_outside


@pytest.mark.parametrize("data", [b"", b"{", b"[1e999999]", b"\xff", b'"\\ud800"', b"[" * 100_000])
def test_what_cannot_be_read_is_outside_and_nothing_fails(data: bytes) -> None:
    given = scope(AGE)
    assert given.is_outside(data) and given.broken_by(data) == list(given.rules)


def test_a_rule_that_says_nothing_is_left_out() -> None:
    assert scope_of({"inputs": {"rules": [{"pointer": "/a"}, {"check": "range"}, AGE | {"pointer": "age"}]}}) is None
    assert scope_of({}) is None
    assert len(scope({"pointer": "/a", "check": "range"}, AGE).rules) == 1


def test_every_broken_rule_is_named_in_words() -> None:
    given = scope(AGE, KIND, LANGUAGE)
    broken = given.broken_by(encode({"applicant": {"age": 3}, "kind": "loan", "language": "de"}))
    assert [(each.pointer, each.words) for each in broken] == [
        ("/applicant/age", "from 18 up to 75"),
        ("/kind", "one of card, true, 7, 1.5"),
    ]


def test_of_a_long_text_where_a_language_should_be_only_the_beginning_is_read() -> None:
    scope = scope_of({"inputs": {"rules": [{"pointer": "/l", "check": "language", "values": ["de", "pt-BR"]}]}})
    assert scope is not None
    endless = "-".join(["a"] * 400_000)
    said = (endless, f"de-{endless}", f"pt-{endless}")
    assert [scope.is_outside(msgspec.json.encode({"l": each})) for each in said] == [True, False, True]
