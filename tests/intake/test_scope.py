"""The card in force on each decision, and the check of what it declares: recorded and flagged, never refused."""

from typing import Any

import pytest

from audit.entries import DecisionBody, read_entry
from audit.models import Decision
from evidence.verification import verify_everything
from ledger.models import Entry
from tests.factories import cards
from tests.factories.cards import RANGE, content
from tests.intake.conftest import Sender

pytestmark = pytest.mark.committing
AGE = {"pointer": "/age", "check": "range", "minimum": 18, "required": True}


def recorded(sender: Sender, **changes: Any) -> tuple[DecisionBody, list[str]]:
    """What stands in the entry, and the warnings of the receipt."""
    answer = sender.post(sender.record(**changes))
    assert answer.status_code == 201
    entry = Entry.objects.get(id=answer.json()["id"])
    return read_entry(bytes(entry.data)).body, answer.json()["warnings"]


def test_each_decision_names_the_card_in_force(sender: Sender) -> None:
    (system,) = sender.systems
    assert recorded(sender)[0].card is None
    cards.publish(system)
    body, warnings = recorded(sender)
    assert body.card == 1 and "outside_scope" not in warnings
    cards.publish(system, content(RANGE))
    assert recorded(sender)[0].card == 2
    assert list(verify_everything()) == []


def test_outside_the_scope_it_is_recorded_and_flagged(sender: Sender) -> None:
    cards.publish(sender.systems[0], content(RANGE, AGE))
    inside: dict[str, Any] = {"income": 5000, "age": 41}
    for given, is_outside in [
        (inside, False),
        (inside | {"income": 9001}, True),
        (inside | {"income": "much"}, True),
        ({"age": 41}, False),
        ({"income": 5000}, True),
        ([1, 2], True),
        (inside, False),
    ]:
        body, warnings = recorded(sender, input=given)
        assert ("outside_scope" in body.flags) is ("outside_scope" in warnings) is is_outside, given
    assert Decision.objects.filter(flags__contains=["outside_scope"]).count() == 4
    assert list(verify_everything()) == []


def test_of_a_batch_only_those_outside_are_flagged(sender: Sender) -> None:
    cards.publish(sender.systems[0], content(RANGE))
    sent = [sender.record(input={"income": income}) for income in (10, 5000, 10_000, 5001)]
    answer = sender.batch(sent).json()
    flagged = ["outside_scope" in item["warnings"] for item in answer["results"]]
    assert flagged == [True, False, True, False]


def test_input_that_no_number_holds_is_outside_and_recorded(sender: Sender) -> None:
    cards.publish(sender.systems[0], content(RANGE))
    raw = b'{"system":"%b","model_version":"1","occurred_at":"2026-11-21T07:00:00Z","input":{"income":1e999},' % (
        sender.systems[0].slug.encode()
    )
    answer = sender.post(raw + b'"output":{},"outcome":"approved"}')
    assert answer.status_code == 201 and "outside_scope" in answer.json()["warnings"]
