"""Who answered on this date: asked of services and over the API, as it was then and not as it is now."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from config.errors import InvalidInput
from governance.acts import Role
from governance.answering import Answering, answering_at
from governance.models import AISystem, Person
from governance.scopes import Scope
from governance.services.assignments import (
    accept_assignments,
    decline_assignment,
    delegate_assignment,
    end_assignment,
    hand_over_assignment,
    offer_assignment,
)
from governance.services.tokens import create_token
from ledger.entries import COMMAND
from tests.factories.live import make_live
from tests.factories.register import actor_of, make_key, make_person, make_system

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


class Past:
    """Days of a system's life, one after the other."""

    def __init__(self) -> None:
        self.began = timezone.now() - 100 * DAY

    def on(self, day: float) -> datetime:
        return self.began + day * DAY

    def at(self, day: float) -> Any:
        return time_machine.travel(self.on(day), tick=True)


@pytest.fixture
def past() -> Past:
    return Past()


def who(found: Answering) -> Person | None:
    return found.accountable.assignment.person if found.accountable else None


def test_each_day_names_who_answered_then(past: Past) -> None:
    first, second = make_person(), make_person()
    with past.at(0):
        system = make_live(first)
    with past.at(10):
        offer = hand_over_assignment(actor=actor_of(first), assignment_id=_accountable(system), to=second)
    with past.at(20):
        accept_assignments(actor=actor_of(second), assignment_ids=[offer.pk])
    assert [who(answering_at(system, past.on(day))) for day in (1, 11, 21)] == [first, first, second]
    assert who(answering_at(system)) == second
    then = answering_at(system, past.on(11)).of(Role.ACCOUNTABLE)
    assert [(each.assignment.person, each.accepted) for each in then] == [(first, True), (second, False)]


def test_until_it_was_accepted_they_were_only_asked(past: Past) -> None:
    person = make_person()
    with past.at(0):
        system = make_system(accountable=person)
    with past.at(5):
        accept_assignments(actor=actor_of(person), assignment_ids=[_accountable(system)])
    assert [_standing(answering_at(system, past.on(day))) for day in (1, 6)] == [(person, False), (person, True)]
    assert answering_at(system, past.on(1)).status == "draft"


def test_an_offer_that_was_declined_or_taken_back_stands_until_then(past: Past) -> None:
    person, other = make_person(), make_person()
    with past.at(0):
        system = make_system()
        here = Scope.system(system.pk)
        declined = offer_assignment(actor=COMMAND, person=person, role=Role.DEPUTY, scope=here)
        taken_back = offer_assignment(actor=COMMAND, person=other, role=Role.DEPUTY, scope=here)
    with past.at(2):
        decline_assignment(actor=actor_of(person), assignment_id=declined.pk)
    with past.at(3):
        end_assignment(actor=COMMAND, assignment_id=taken_back.pk)
    deputies = [
        {each.assignment.person for each in answering_at(system, past.on(d)).of(Role.DEPUTY)} for d in (1, 2.5, 4)
    ]
    assert deputies == [{person, other}, {other}, set()]


def test_deputies_and_delegates_of_then_are_named_with_who_delegated(past: Past) -> None:
    owner, helper = make_person(), make_person()
    with past.at(0):
        system = make_live(owner)
        offer = delegate_assignment(
            actor=actor_of(owner), assignment_id=_accountable(system), to=helper, ends_at=past.on(9)
        )
        accept_assignments(actor=actor_of(helper), assignment_ids=[offer.pk])
    (deputy,) = answering_at(system, past.on(8)).of(Role.DEPUTY)
    assert deputy.assignment.delegated_from is not None
    assert (deputy.assignment.person, deputy.assignment.delegated_from.person) == (helper, owner)
    assert answering_at(system, past.on(9)).of(Role.DEPUTY) == []


def test_a_gap_of_then_is_said_and_nobody_is_named(past: Past) -> None:
    owner, heir = make_person(), make_person()
    with past.at(0):
        system = make_live(owner)
    with past.at(5):
        end_assignment(actor=actor_of(owner), assignment_id=_accountable(system), reason="Gone.", accepts_gap=True)
    with past.at(7):
        offer = offer_assignment(actor=COMMAND, person=heir, role=Role.ACCOUNTABLE, scope=Scope.system(system.pk))
        accept_assignments(actor=actor_of(heir), assignment_ids=[offer.pk])
    in_it, after = answering_at(system, past.on(6)), answering_at(system, past.on(8))
    assert (who(in_it), after.gap, who(after)) == (None, None, heir)
    assert in_it.gap is not None
    assert in_it.gap.closed_at is not None


def test_roles_of_the_organisation_count_for_every_system(past: Past) -> None:
    with past.at(0):
        system, auditor = make_system(), make_person(auditor=True)
    (found,) = answering_at(system, past.on(1)).of(Role.AUDITOR)
    assert (found.assignment.person, found.is_of_whole) == (auditor, False)


def test_each_step_up_to_then_names_the_entry_that_sealed_it(past: Past) -> None:
    person = make_person()
    with past.at(0):
        system = make_system(accountable=person)
    with past.at(5):
        accept_assignments(actor=actor_of(person), assignment_ids=[_accountable(system)])
    kinds = [[e.kind for e in answering_at(system, past.on(day)).holdings[0].entries] for day in (1, 6)]
    assert kinds == [["assignment.offered"], ["assignment.offered", "assignment.accepted"]]


def test_a_moment_that_has_not_come_or_was_before_the_system_is_refused() -> None:
    system = make_system()
    for at in (timezone.now() + DAY, timezone.now() - DAY):
        with pytest.raises(InvalidInput) as refusal:
            answering_at(system, at)
        assert refusal.value.errors[0].pointer == "/at"


# --- over the API ----------------------------------------------------------------------------------------------------
def test_a_key_of_the_system_and_who_may_see_it_are_told(past: Past) -> None:
    owner = make_person(name="Petra")
    with past.at(0):
        system = make_live(owner)
    key = make_key(system, scopes=("decisions:read",)).text
    for client in (bearing(key), of_person(make_person(viewer=system))):
        found = client.get(url(system), {"at": past.on(3).isoformat()}).json()
        assert found["accountable"]["person"] == {"id": str(owner.pk), "name": "Petra"}
        assert (found["system"], found["status"], found["gap"]) == (system.slug, "live", None)
        assert [each["kind"] for each in found["roles"][0]["entries"]] == ["assignment.offered", "assignment.accepted"]
        assert found["roles"][0]["entries"][0]["log"].endswith(f"/{system.slug}") or found["roles"][0]["entries"]


def test_who_may_not_see_it_gets_what_an_unknown_one_gives() -> None:
    mine, foreign = make_system(), make_system()
    clients = [
        bearing(make_key(mine, scopes=("decisions:read",)).text),
        of_person(make_person(operator=mine)),
        of_person(make_person()),
    ]
    for client in clients:
        answers = [client.get(url(foreign)), client.get("/api/v1/systems/nowhere/accountable")]
        assert [each.status_code for each in answers] == [404, 404]
        assert len({each.json()["detail"].replace(foreign.slug, "nowhere") for each in answers}) == 1


def test_a_key_for_something_else_and_nobody_at_all_are_refused() -> None:
    system = make_system()
    assert bearing(make_key(system).text).get(url(system)).status_code == 403
    assert APIClient().get(url(system)).status_code == 401


@pytest.mark.parametrize(
    "at", ["", "yesterday", "2026-03-03", "2026-03-03T12:00:00", "9" * 5000, "2026-03-03T12:00:00Z\0"]
)
def test_what_is_no_moment_is_said_so(at: str) -> None:
    system = make_system()
    answer = of_person(make_person(viewer=True)).get(url(system), {"at": at})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/at"


def _accountable(system: AISystem) -> uuid.UUID:
    return system.assignments.get(role=Role.ACCOUNTABLE).pk


def _standing(found: Answering) -> tuple[Person, bool] | None:
    return (found.accountable.assignment.person, found.accountable.accepted) if found.accountable else None


def url(system: AISystem) -> str:
    return f"/api/v1/systems/{system.slug}/accountable"


def bearing(text: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def of_person(person: Person) -> APIClient:
    return bearing(create_token(actor=actor_of(person), name="test", proven_at=timezone.now()).text)
