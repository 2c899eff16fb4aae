"""Webhooks of cases and incidents: ids and states, only to endpoints whose owner may know of the cases."""

import json

import pytest
from django.utils import timezone

from governance.acts import Role
from governance.models import AISystem
from governance.scopes import Scope
from notices.models import Delivery, Event
from notices.services.fan_out import fan_out
from overrides.services.case_leads import advance_case
from tests.factories.cases import declare, find, make_case, make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.notices.endpoints import make_endpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit")


def test_they_tell_reference_and_state_and_nothing_that_was_written(system: AISystem) -> None:
    owner = make_person(administrator=True, dpo=True)
    make_endpoint(owner=owner, event_types=("case.*", "incident.*"))
    case, lead = make_led_case(system)
    declare(case, lead, narrative="Somebody by name was hurt.")
    find(case, lead, text="Very private.")
    advance_case(actor=actor_of(lead), case_id=case.pk, to="concluded")
    fan_out()
    bodies = [json.loads(bytes(each.body)) for each in Delivery.objects.order_by("event__id")]
    assert [body["type"] for body in bodies] == ["case.opened", "case.lead_assigned", "incident.declared", "case.moved"]
    assert bodies[0]["data"]["facts"] == {"case": case.reference, "status": "open", "severity": "moderate"}
    assert bodies[3]["data"]["facts"]["status"] == "concluded"
    assert bodies[2]["data"]["facts"]["due_at"] > timezone.now().isoformat()
    assert bodies[0]["data"]["link"].endswith(f"/admin/cases/{case.pk}/")
    text = json.dumps(bodies)
    assert "private" not in text and "hurt" not in text and case.title not in text


def test_whoever_may_not_know_of_cases_is_told_nothing(system: AISystem) -> None:
    technical = make_person()
    give_role(technical, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    make_endpoint("https://hooks.example.org/a", owner=make_person(administrator=True))
    make_endpoint("https://hooks.example.org/b", system, owner=technical)
    make_led_case(system)
    fan_out()
    assert Event.objects.filter(type__startswith="case.").count() == 2
    assert not Delivery.objects.filter(event__type__startswith="case.").exists()


def test_a_case_of_two_systems_is_told_of_once_for_each(system: AISystem) -> None:
    other = make_system()
    make_case(make_person(investigator=True), decisions=[record_decision(system), record_decision(other)])
    told = Event.objects.filter(type="case.opened").values_list("system_id", flat=True)
    assert set(told) == {system.pk, other.pk}
