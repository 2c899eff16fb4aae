"""Legal holds: what they keep, who places one, and that lifting one takes two."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.case_selectors import held
from audit.services.holds import approve_lift, place_hold, place_span_hold, refuse_lift, request_lift
from config.errors import Conflict, Forbidden, InvalidInput
from governance.errors import ApprovalForbidden
from governance.models import AISystem
from tests.factories.cases import attach, detach, make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system(accountable=make_person())


def test_a_hold_on_a_case_keeps_all_that_was_ever_in_it(system: AISystem) -> None:
    case, lead = make_led_case(system)
    one, two, other = (record_decision(system) for _ in range(3))
    attach(case, lead, one)
    place_hold(actor=actor_of(lead), case_id=case.pk, reason="A claim for damages.")
    attach(case, lead, two)
    detach(case, lead, one)
    assert held([one.id, two.id, other.id]) == {one.id, two.id}
    with pytest.raises(Conflict):
        place_hold(actor=actor_of(lead), case_id=case.pk, reason="Again.")


def test_a_hold_on_a_span_keeps_what_was_recorded_in_it(system: AISystem) -> None:
    now = timezone.now()
    before, within = record_decision(system, at=now - timedelta(days=3)), record_decision(system)
    foreign = record_decision(make_system())
    dpo = make_person(dpo=True)
    since, until = now - timedelta(days=1), now + timedelta(days=1)
    place_span_hold(actor=actor_of(dpo), system_id=system.pk, since=since, until=until, reason="A court asks.")
    assert held([before.id, within.id, foreign.id]) == {within.id}
    with pytest.raises(InvalidInput):
        place_span_hold(actor=actor_of(dpo), system_id=system.pk, since=until, until=since, reason="x")
    with pytest.raises(Forbidden):
        place_span_hold(
            actor=actor_of(make_person(accountable=system)), system_id=system.pk, since=since, until=until, reason="x"
        )


def test_a_hold_is_lifted_by_two(system: AISystem) -> None:
    decision = record_decision(system)
    case, lead = make_led_case(system, decisions=[decision])
    both = make_person(investigator=True, dpo=True)
    hold = place_hold(actor=actor_of(lead), case_id=case.pk, reason="A claim.")
    with pytest.raises(Forbidden):
        request_lift(actor=actor_of(make_person(accountable=system)), hold_id=hold.pk, reason="It is over.")
    with pytest.raises(ApprovalForbidden):
        approve_lift(actor=actor_of(lead), hold_id=hold.pk)
    request_lift(actor=actor_of(both), hold_id=hold.pk, reason="It is over.")
    assert held([decision.id]) == {decision.id}, "as long as nobody agreed it stays"
    for person in (both, lead):
        with pytest.raises(ApprovalForbidden):
            approve_lift(actor=actor_of(person), hold_id=hold.pk)
    approve_lift(actor=actor_of(make_person(dpo=True)), hold_id=hold.pk)
    assert held([decision.id]) == set()
    with pytest.raises(Conflict):
        approve_lift(actor=actor_of(make_person(dpo=True)), hold_id=hold.pk)


def test_a_lift_is_refused_by_the_second_or_taken_back_by_the_first(system: AISystem) -> None:
    case, lead = make_led_case(system)
    hold = place_hold(actor=actor_of(lead), case_id=case.pk, reason="A claim.")
    for person in (make_person(dpo=True), lead):
        request_lift(actor=actor_of(lead), hold_id=hold.pk, reason="It is over.")
        assert refuse_lift(actor=actor_of(person), hold_id=hold.pk).status == "in_force"
