"""Responsibility that ends by its date is spoken of 14, 7 and 1 days before, to whoever can do something."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from governance.acts import Role
from governance.models import Person
from governance.scopes import Scope
from governance.services.assignments import accept_assignments, hand_over_assignment
from notices.letters import letter_for
from notices.models import Alert, Message
from notices.services.endings import warn_of_endings
from tests.factories.live import make_live
from tests.factories.register import actor_of, give_role, make_person

pytestmark = pytest.mark.django_db


def days_before(person_days: float) -> Any:
    return time_machine.travel(timezone.now() + timedelta(days=30 - person_days), tick=False)


@pytest.fixture
def owner() -> Person:
    return make_person(name="Petra")


@pytest.fixture
def people(owner: Person) -> set[Person]:
    system = make_live(owner, ends_at=timezone.now() + timedelta(days=30))
    deputy = make_person()
    give_role(deputy, Role.DEPUTY, Scope.system(system.pk))
    make_person(operator=system)
    return {owner, deputy, make_person(administrator=True)}


def told() -> set[Person]:
    ids = Message.objects.filter(kind="accountability.ends_soon").values("person_id")
    return set(Person.objects.filter(pk__in=ids))


def test_nothing_is_said_of_an_end_that_is_far(people: set[Person]) -> None:
    with days_before(15):
        assert warn_of_endings() == 0
    assert not Alert.objects.exists()


def test_each_step_writes_once_to_who_answers_stands_in_or_can_ask_somebody(people: set[Person]) -> None:
    for days in (14, 13, 7, 6, 1, 0.5):
        with days_before(days):
            assert [warn_of_endings(), warn_of_endings()] == [1, 1]
    assert told() == people
    assert Message.objects.filter(kind="accountability.ends_soon").count() == 3 * len(people)
    assert [alert.kind for alert in Alert.objects.all()] == ["accountability.ending"]


def test_an_alert_that_somebody_closed_does_not_come_back_for_the_same_end(people: set[Person]) -> None:
    with days_before(14):
        warn_of_endings()
        Alert.objects.update(status="closed")
    with days_before(7):
        warn_of_endings()
    assert Alert.objects.count() == 1


def test_who_was_only_asked_to_follow_silences_nobody_and_who_accepted_does(owner: Person, people: set[Person]) -> None:
    heir, held = make_person(), owner.assignments.get()
    offer = hand_over_assignment(actor=actor_of(owner), assignment_id=held.pk, to=heir)
    with days_before(14):
        assert warn_of_endings() == 1
        accept_assignments(actor=actor_of(heir), assignment_ids=[offer.pk])
        assert warn_of_endings() == 0


def test_the_letter_says_until_when_and_once_it_was_answered_that_nothing_is_left(owner: Person) -> None:
    system = make_live(owner, ends_at=timezone.now() + timedelta(days=5))
    warn_of_endings()
    message = Message.objects.filter(kind="accountability.ends_soon").latest("id")
    said = letter_for(message)
    assert system.name in said.subject
    assert "Petra answers for" in said.lines[0]
    heir = make_person()
    offer = hand_over_assignment(actor=actor_of(owner), assignment_id=owner.assignments.get().pk, to=heir)
    accept_assignments(actor=actor_of(heir), assignment_ids=[offer.pk])
    assert letter_for(message).lines == ["Nothing is left to do."]
