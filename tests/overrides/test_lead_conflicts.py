"""A lead who comes into a conflict later: named, alerted once, and concluding nothing; the evidence stays in."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from audit.case_errors import LeadHasConflict
from audit.models import Case
from governance.acts import Role
from governance.models import AISystem, Assignment, Person
from governance.scopes import Scope
from governance.services.assignments import end_assignment
from notices.models import Alert
from overrides.services.case_leads import _changed_since, advance_case, lead_case, watch_leads, why_not_lead
from overrides.services.overriding import override_decision
from overrides.services.queues import publish_reasons
from overrides.tasks import watch_every_lead_task, watch_leads_task
from tests.factories.cases import attach, find, have_lead, make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system()


@pytest.fixture
def lead(system: AISystem) -> Person:
    return make_person(name="Ivy", investigator=True)


def in_conflict(system: AISystem, lead: Person) -> Case:
    """The lead overrode a decision of their own case, as somebody who answered for a while."""
    decision = record_decision(system, outcome="refused")
    case, _ = make_led_case(system, lead=lead, decisions=[decision])
    held = give_role(lead, Role.DEPUTY, Scope.system(system.pk))
    codes = [{"code": "other", "words": "Other", "for": ["override"]}]
    publish_reasons(actor=actor_of(make_person(administrator=True)), queue_id=None, codes=codes)
    override_decision(
        actor=actor_of(lead), decision_id=decision.id, outcome="approved", reason_code="other", note="Mine."
    )
    end_assignment(actor=actor_of(lead), assignment_id=held.pk)
    return case


def test_it_is_found_named_and_alerted_once(system: AISystem, lead: Person) -> None:
    officer, clean = make_person(dpo=True), make_led_case(system)[0]
    assert watch_leads() == 0
    case = in_conflict(system, lead)
    assert (watch_leads(), watch_leads()) == (1, 1)
    alerts = Alert.objects.filter(kind="case.lead_conflict")
    assert set(alerts.values_list("owner_id", flat=True)) == {officer.pk, lead.pk}
    assert {each.about_id for each in alerts} == {case.pk}
    assert "overrode" in why_not_lead(case, lead.pk), "the register knows nothing of it any more"
    assert why_not_lead(clean, clean.lead_id or clean.pk) == ""
    looking = Client()
    looking.force_login(officer)
    page = looking.get(f"/admin/cases/{case.pk}/").content.decode()
    assert "must not lead this case any more" in page


def test_a_sweep_looks_at_what_changed_since_and_a_daily_one_at_everything(
    system: AISystem, lead: Person, django_assert_max_num_queries: Any
) -> None:
    for _ in range(3):
        make_led_case(system)
    in_conflict(system, lead)
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        recently = timezone.now() - timedelta(minutes=20)
        with django_assert_max_num_queries(14):
            assert watch_leads(since=recently) == 0, "nothing of it is new"
        assert watch_leads() == 1
    assert watch_leads(since=timezone.now() - timedelta(minutes=20)) == 1
    assert watch_every_lead_task() == watch_leads_task() == 1


@pytest.mark.parametrize("what", ["attached", "acted", "role over", "another lead"])
def test_whatever_could_make_a_conflict_is_seen_by_the_next_sweep(system: AISystem, lead: Person, what: str) -> None:
    decision = record_decision(system, outcome="refused")
    case, _ = make_led_case(system, lead=lead, decisions=[decision])
    ends_at = timezone.now() + timedelta(hours=2, minutes=-1)
    if what == "role over":
        Assignment.objects.filter(person=lead).update(ends_at=ends_at)
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        since = timezone.now() - timedelta(minutes=20)
        if what == "attached":
            attach(case, lead, record_decision(system))
        elif what == "acted":
            give_role(lead, Role.DEPUTY, Scope.system(system.pk))
        elif what == "another lead":
            other = make_person(investigator=True)
            lead_case(actor=actor_of(make_person(dpo=True)), case_id=case.pk, person_id=other.pk, reason="Holiday.")
        assert case.pk in Case.objects.filter(_changed_since(since)).values_list("pk", flat=True)


def test_nothing_is_concluded_under_them_and_another_one_goes_on(system: AISystem, lead: Person) -> None:
    case = in_conflict(system, lead)
    find(case, lead)
    with pytest.raises(LeadHasConflict):
        advance_case(actor=actor_of(lead), case_id=case.pk, to="concluded")
    other = make_person(investigator=True)
    have_lead(case, other)
    assert advance_case(actor=actor_of(other), case_id=case.pk, to="concluded").status == "concluded"
    assert watch_leads() == 0
