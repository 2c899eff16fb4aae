"""A change that waits for a second person, in words that person can judge."""

import pytest

from governance.models import Person
from overrides.admin.change_words import changes_in_words, length_in_words
from overrides.services.queues import update_queue
from overrides.services.rules import change_rule
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.reviews import make_queue, make_rule

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Person:
    return make_person(name="Grace Lindqvist")


def test_of_a_rule(owner: Person) -> None:
    system = make_system()
    rule = make_rule(system, make_queue(owner, slug="limits"), reviews_required=2, is_blind=True, required_skill="law")
    asked = change_rule(
        actor=actor_of(make_person(operator=system)),
        rule_id=rule.pk,
        changes={
            "deadline_s": 5400,
            "is_blind": False,
            "queue_id": make_queue(owner, slug="other").pk,
            "required_skill": "",
            "reviews_required": 1,
        },
    )
    assert asked.request is not None
    assert set(changes_in_words(asked.request)) == {
        "deadline: 90 minutes (was 1 hour)",
        "blind: no (was yes)",
        "queue: other (was limits)",
        "skill asked for: none (was law)",
        "reviewers: 1 (was 2)",
    }


def test_of_a_queue(owner: Person) -> None:
    queue = make_queue(owner, capacity=None, when_full="accept")
    changes = {"capacity": 5, "when_full": "block", "owner_id": make_person(name="Olga Owner").pk}
    asked = update_queue(actor=actor_of(make_person(administrator=True)), queue_id=queue.pk, changes=changes)
    assert asked.request is not None
    assert set(changes_in_words(asked.request)) == {
        "capacity: 5 (was no limit)",
        "when full: what is beyond its capacity may not be carried out (was takes more all the same)",
        "owner: Olga Owner (was Grace Lindqvist)",
    }


@pytest.mark.parametrize(("seconds", "words"), [(1, "1 second"), (90, "90 seconds"), (86_400, "24 hours")])
def test_lengths(seconds: int, words: str) -> None:
    assert length_in_words(seconds) == words
