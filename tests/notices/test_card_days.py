"""The days that system cards name are said 14, 7 and 1 days before, and when they have passed."""

from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from config.days import today
from console.mine import waits_for
from governance.models import AISystem, Person
from governance.services.systems import retire_system
from notices.letters import letter_for
from notices.models import Alert, Message
from notices.services.card_days import remind_of_card_days
from notices.words import in_words
from tests.factories import cards
from tests.factories.cards import content
from tests.factories.register import actor_of, make_person, make_system
from tests.overrides.test_assignments_api import api

pytestmark = pytest.mark.django_db
FAR = 60


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit")


@pytest.fixture
def owner(system: AISystem) -> Person:
    return make_person(accountable=system)


@pytest.fixture
def engineer(system: AISystem) -> Person:
    return make_person(technical_owner=system)


def publish(system: AISystem, owner: Person, engineer: Person, **review: date) -> None:
    said = {name: day.isoformat() for name, day in review.items()}
    cards.publish(system, content(review=said), writer=engineer, publisher=owner)


def days_before(days: int) -> Any:
    return time_machine.travel(timezone.now() + timedelta(days=FAR - days), tick=False)


def in_days(days: int) -> date:
    return today() + timedelta(days=days)


def told() -> set[Any]:
    return set(Message.objects.filter(kind="card.day_due").values_list("person_id", flat=True))


@pytest.mark.parametrize("field", ["next_on", "retirement_on"])
def test_each_step_writes_once_to_who_answers_and_who_looks_after_it(
    system: AISystem, owner: Person, engineer: Person, field: str
) -> None:
    make_person(operator=system), make_person(administrator=True), make_person(accountable=make_system())
    publish(system, owner, engineer, **{field: in_days(FAR)})
    with days_before(15):
        assert remind_of_card_days() == 0
    for days in (14, 8, 7, 2, 1, 0, -1, -9):
        with days_before(days):
            assert [remind_of_card_days(), remind_of_card_days()] == [1, 1]
    assert told() == {owner.pk, engineer.pk}
    assert Message.objects.filter(kind="card.day_due").count() == 4 * 2


def test_a_day_that_has_passed_is_one_alert_of_who_answers_until_another_card_is_in_force(
    system: AISystem, owner: Person, engineer: Person
) -> None:
    publish(system, owner, engineer, next_on=in_days(FAR))
    with days_before(0):
        remind_of_card_days()
        assert not Alert.objects.exists(), "the day itself is in time"
    with days_before(-1):
        for _ in range(2):
            remind_of_card_days()
        alert = Alert.objects.get()
        assert (alert.kind, alert.owner_id, alert.occurrences) == ("card.day_passed", owner.pk, 1)
        words = dict(in_words(alert))
        assert words["What was due"] == "Next review" and "Card 1" in words["System card"]
        publish(system, owner, engineer, next_on=in_days(FAR))
        remind_of_card_days()
    assert Alert.objects.get().status == Alert.Status.CLOSED


def test_an_alert_that_somebody_closed_does_not_come_back_for_the_same_day(
    system: AISystem, owner: Person, engineer: Person
) -> None:
    publish(system, owner, engineer, next_on=in_days(FAR))
    with days_before(-1):
        remind_of_card_days()
        Alert.objects.update(status=Alert.Status.CLOSED)
        remind_of_card_days()
    assert Alert.objects.count() == 1


def test_of_a_retired_ai_system_nothing_is_asked_any_more(system: AISystem, owner: Person, engineer: Person) -> None:
    publish(system, owner, engineer, retirement_on=in_days(3))
    remind_of_card_days()
    message = Message.objects.filter(kind="card.day_due").latest("id")
    assert letter_for(message).subject == f"Planned retirement of Credit: due by {in_days(3)}"
    retire_system(actor=actor_of(owner), system_id=system.pk, reason="Over.")
    assert remind_of_card_days() == 0
    assert letter_for(message).lines == ["Nothing is left to do."]


def test_a_card_that_names_the_same_day_again_answers_nothing(
    system: AISystem, owner: Person, engineer: Person
) -> None:
    day = in_days(3)
    publish(system, owner, engineer, next_on=day)
    remind_of_card_days()
    publish(system, owner, engineer, next_on=day, retirement_on=in_days(300))
    assert remind_of_card_days() == 1
    assert Message.objects.filter(kind="card.day_due").count() == 2
    said = letter_for(Message.objects.filter(kind="card.day_due").latest("id"))
    assert said.subject == f"Review of the system card of Credit: due by {day}"
    assert said.page.endswith("/cards/2/")


def test_the_day_stands_on_the_card_and_in_my_work_of_those_who_see_to_it(
    system: AISystem, owner: Person, engineer: Person
) -> None:
    publish(system, owner, engineer, next_on=in_days(FAR))
    assert page(owner, system).count("planned</span> Review of the system card") == 1
    assert not waits_for(owner).card_days
    with days_before(3):
        assert page(owner, system).count("soon</span> Review of the system card") == 1
        assert "Review of the system card: Credit" in mine(engineer)
        (said,) = api(owner).get("/api/v1/my-work").json()["card_days"]
        assert said == {"system": "credit", "card": 1, "what": "review", "day": str(in_days(3))}
        assert not waits_for(make_person(operator=system)).card_days
    with days_before(-1):
        assert page(owner, system).count("overdue</span> Review of the system card") == 1
        assert "was due" in mine(owner)


def page(person: Person, system: AISystem) -> str:
    return seen(person, f"/admin/systems/{system.pk}/cards/1/")


def mine(person: Person) -> str:
    return seen(person, "/admin/mine/")


def seen(person: Person, path: str) -> str:
    browser = Client()
    browser.force_login(person)
    return browser.get(path).content.decode()
