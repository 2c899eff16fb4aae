"""What cases say of one decision, on its timeline: to those who may know of the case, and nothing to others."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.selectors import SealedDecision
from audit.services.holds import place_hold, place_span_hold
from console.timelines import timeline
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from tests.factories.cases import attach, detach, find, make_case, make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system()


def kinds(decision: SealedDecision, person: Person) -> list[str]:
    return [event.kind for event in timeline(decision, person.pk) if event.kind.startswith(("case.", "hold."))]


def told(decision: SealedDecision, person: Person) -> str:
    return "\n".join(event.text for event in timeline(decision, person.pk))


def test_it_tells_the_whole_story_to_its_investigator(system: AISystem) -> None:
    decision, other = record_decision(system), record_decision(system)
    lead = make_person(name="Ivy Investigator", investigator=True)
    case, _ = make_led_case(system, lead=lead, decisions=[decision])
    second = make_case(lead, system)
    attach(second, lead, decision, other)
    find(case, lead)
    place_hold(actor=actor_of(lead), case_id=case.pk, reason="A claim.")
    detach(second, lead, decision)
    assert kinds(decision, lead) == [
        "case.opened",
        "case.attached",
        "case.attached",
        "case.finding_recorded",
        "hold.placed",
        "case.detached",
    ]
    said = told(decision, lead)
    assert f"Ivy Investigator put it into case {second.reference}, with 1 other." in said
    assert f"recorded a finding in case {case.reference}: the data it was given." in said
    assert kinds(other, lead) == ["case.attached"]


def test_others_are_told_as_much_as_they_may_know_of_the_case(system: AISystem) -> None:
    decision, lead, owner = record_decision(system), make_person(investigator=True), make_person(name="Olga")
    give_role(owner, Role.ACCOUNTABLE, Scope.system(system.pk))
    case, _ = make_led_case(system, lead=lead, decisions=[decision])
    find(case, lead)
    place_hold(actor=actor_of(lead), case_id=case.pk, reason="A claim.")
    assert kinds(decision, owner) == ["case.opened", "case.attached", "hold.placed"], "findings once it is concluded"
    for role in (Role.REVIEWER, Role.VIEWER, Role.OPERATOR):
        person = make_person()
        give_role(person, role, Scope.system(system.pk) if role != Role.VIEWER else Scope())
        assert kinds(decision, person) == []
        assert case.reference not in told(decision, person)


def test_a_hold_on_a_span_is_told_to_those_who_place_them(system: AISystem) -> None:
    decision, lead, now = record_decision(system), make_person(investigator=True), timezone.now()
    span = {"since": now - timedelta(hours=1), "until": now + timedelta(hours=1)}
    place_span_hold(actor=actor_of(lead), system_id=system.pk, reason="A claim.", **span)
    place_span_hold(
        actor=actor_of(lead),
        system_id=system.pk,
        reason="Another time.",
        since=now - timedelta(days=2),
        until=now - timedelta(days=1),
    )
    assert kinds(decision, lead) == ["hold.placed"]
    assert kinds(decision, make_person(viewer=True)) == []
