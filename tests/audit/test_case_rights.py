"""Who may widen a case, lead it, be appointed to it and work on it: two people, and nobody who answers for it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.case_access import may_read, own_cases
from audit.case_conflicts import conflict_of, without_conflict
from audit.case_errors import LeadHasConflict
from audit.case_selectors import holds_for, leaderless_for
from audit.models import Case
from audit.services.cases import edit_case
from audit.services.disclosure import may_read_payload
from audit.services.holds import place_hold
from audit.services.investigating import add_note
from config.errors import Forbidden
from governance.acts import Role
from governance.errors import ApprovalForbidden, RolesConflict
from governance.models import AISystem, Assignment, Person
from governance.scopes import Scope
from governance.services.people import register_person
from ledger.entries import COMMAND
from notices.models import Alert
from overrides.services.appointing import accept_assignments, offer_role
from overrides.services.case_leads import lead_case, watch_leads
from tests.factories.cases import act, attach, declare, detach, find, have_lead, make_case, make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system()


def appointed(case: Case, person: Person | None = None) -> Person:
    person = person or make_person()
    give_role(person, Role.INVESTIGATOR, Scope.case(case.pk))
    return person


# --- a case is not widened into what one could not have opened a case about -------------------------------------------
def test_an_investigator_of_a_case_does_not_widen_it_by_what_they_merely_see(system: AISystem) -> None:
    case, _ = make_led_case(system)
    foreign, person = make_system(), appointed(case)
    give_role(person, Role.VIEWER, Scope.system(foreign.pk))
    theirs = record_decision(foreign)
    with pytest.raises(Forbidden, match="not about"):
        attach(case, person, theirs)
    assert Case.objects.get(pk=case.pk).system_ids == [system.pk]
    assert not may_read_payload(actor_of(person), theirs)
    give_role(person, Role.INVESTIGATOR, Scope.system(foreign.pk))
    attach(case, person, theirs)
    assert set(Case.objects.get(pk=case.pk).system_ids) == {system.pk, foreign.pk}


def test_they_put_in_what_is_of_the_ai_systems_of_the_case(system: AISystem) -> None:
    case, _ = make_led_case(system)
    person = appointed(case)
    give_role(person, Role.VIEWER, Scope.system(system.pk))
    assert attach(case, person, record_decision(system)).count == 1


# --- two people open payloads -----------------------------------------------------------------------------------------
def test_nobody_names_themself_to_lead_and_so_reads_no_payload_alone(system: AISystem) -> None:
    decision, person = record_decision(system), make_person(investigator=True)
    case = make_case(person, decisions=[decision])
    with pytest.raises(Forbidden, match="names themself"):
        lead_case(actor=actor_of(person), case_id=case.pk, person_id=person.pk)
    assert not may_read_payload(actor_of(person), decision)
    lead_case(actor=actor_of(make_person(dpo=True)), case_id=case.pk, person_id=person.pk)
    assert may_read_payload(actor_of(person), decision)


def test_who_made_the_account_of_another_does_not_name_them(system: AISystem) -> None:
    namer = make_person(administrator=True, investigator=True)
    person = register_person(actor=actor_of(namer), name="Made", email="made@example.org")
    give_role(person, Role.INVESTIGATOR)
    case = make_case(namer, system)
    with pytest.raises(ApprovalForbidden):
        lead_case(actor=actor_of(namer), case_id=case.pk, person_id=person.pk)


# --- nobody who answers for it investigates it ------------------------------------------------------------------------
def test_nobody_who_answers_for_it_is_appointed_to_a_case(system: AISystem) -> None:
    case, _ = make_led_case(system)
    for person in (make_person(accountable=system), make_person(deputy=system), make_person(technical_owner=system)):
        with pytest.raises(RolesConflict):
            offer_role(actor=COMMAND, person=person, role=Role.INVESTIGATOR, scope=Scope.case(case.pk))
    outside = make_person()
    offer_role(actor=COMMAND, person=outside, role=Role.INVESTIGATOR, scope=Scope.case(case.pk))


def test_who_came_to_answer_for_it_since_does_not_accept(system: AISystem) -> None:
    case, _ = make_led_case(system)
    person = make_person()
    offer = offer_role(actor=COMMAND, person=person, role=Role.INVESTIGATOR, scope=Scope.case(case.pk))
    Assignment.objects.filter(pk=offer.pk).update(status="offered")
    give_role(person, Role.DEPUTY, Scope.system(system.pk))
    with pytest.raises(RolesConflict):
        accept_assignments(actor=actor_of(person), assignment_ids=[offer.pk])


def test_an_appointment_opens_nothing_to_who_answers_for_it_by_now(system: AISystem) -> None:
    case, _ = make_led_case(system)
    person = appointed(case)
    add_note(actor=actor_of(person), case_id=case.pk, text="Looked.")
    give_role(person, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    with pytest.raises(Forbidden):
        add_note(actor=actor_of(person), case_id=case.pk, text="Looked again.")
    assert not may_read(actor_of(person), case)
    assert watch_leads() == 1
    told = Alert.objects.filter(kind="case.lead_conflict").values_list("owner_id", flat=True)
    assert person.pk in told


@pytest.mark.parametrize("role", ["accountable", "deputy"])
def test_an_opener_who_is_no_investigator_attaches_and_notes_and_no_more(system: AISystem, role: str) -> None:
    roles: dict[str, Any] = {role: system}
    owner, decision = make_person(**roles), record_decision(system)
    case = make_case(owner, system)
    attach(case, owner, decision)
    add_note(actor=actor_of(owner), case_id=case.pk, text="They called.")
    for refused in (
        lambda: find(case, owner),
        lambda: act(case, owner, owner),
        lambda: declare(case, owner),
        lambda: detach(case, owner, decision),
        lambda: edit_case(actor=actor_of(owner), case_id=case.pk, title="Nothing at all", severity="low"),
    ):
        with pytest.raises(Forbidden):
            refused()
    assert may_read(actor_of(owner), case)


def test_an_investigator_who_answers_for_it_is_such_an_opener_too(system: AISystem) -> None:
    both, clean = make_person(investigator=True, deputy=system), make_person(investigator=True)
    with pytest.raises(Forbidden):
        find(make_case(both, system), both)
    assert find(make_case(clean, system), clean).text


# --- also who answered for it then ------------------------------------------------------------------------------------
def held_then(person: Person, role: Role, system: AISystem, *, start: int, end: int) -> None:
    """An assignment that stood for a span, in days from now."""
    held = give_role(person, role, Scope.system(system.pk))
    now = timezone.now()
    span = {"accepted_at": now + timedelta(days=start), "ends_at": now + timedelta(days=end)}
    Assignment.objects.filter(pk=held.pk).update(status="ended", **span)


@pytest.mark.parametrize("role", [Role.ACCOUNTABLE, Role.DEPUTY, Role.TECHNICAL_OWNER])
def test_who_answered_in_the_time_of_the_decisions_does_not_lead(system: AISystem, role: Role) -> None:
    former, earlier = make_person(investigator=True), make_person(investigator=True)
    case = make_case(make_person(investigator=True), decisions=[record_decision(system)])
    held_then(former, role, system, start=-30, end=1)
    held_then(earlier, role, system, start=-30, end=-20)
    namer = actor_of(make_person(dpo=True))
    with pytest.raises(LeadHasConflict, match="in the time of its decisions"):
        lead_case(actor=namer, case_id=case.pk, person_id=former.pk)
    assert lead_case(actor=namer, case_id=case.pk, person_id=earlier.pk).lead_id == earlier.pk


def test_the_time_is_that_of_the_decisions_of_the_same_ai_system(system: AISystem) -> None:
    other, person = make_system(), make_person(investigator=True)
    held_then(person, Role.TECHNICAL_OWNER, other, start=-30, end=1)
    case = make_case(make_person(investigator=True), system, other)
    attach_by_opener = make_case(make_person(investigator=True), other, decisions=[record_decision(system)])
    assert have_lead(case, person).lead_id == person.pk, "nothing of that system is in it"
    assert have_lead(attach_by_opener, person).lead_id == person.pk


# --- a lead without the role ------------------------------------------------------------------------------------------
def test_a_lead_without_the_role_has_no_case_and_reads_no_hold_and_somebody_is_told(system: AISystem) -> None:
    case, lead = make_led_case(system)
    place_hold(actor=actor_of(lead), case_id=case.pk, reason="A claim for damages.")
    assert list(own_cases(actor_of(lead))) == [case] and holds_for(actor_of(lead)).count() == 1
    officer = make_person(dpo=True)
    lead.assignments.update(status="ended", ends_at=timezone.now())
    assert not own_cases(actor_of(lead)).exists()
    assert not holds_for(actor_of(lead)).exists()
    assert (watch_leads(), watch_leads()) == (1, 1)
    alerts = Alert.objects.filter(kind="case.lead_without_role")
    assert set(alerts.values_list("owner_id", flat=True)) == {officer.pk, lead.pk}


def test_a_case_without_a_lead_waits_for_those_who_name_one(system: AISystem) -> None:
    case = make_case(make_person(accountable=system), system)
    outside = make_person(investigator=make_system())
    for person in (make_person(dpo=True), make_person(investigator=system)):
        assert list(leaderless_for(actor_of(person))) == [case]
    assert not leaderless_for(actor_of(outside)).exists()
    have_lead(case, make_person(investigator=True))
    assert not Case.objects.filter(lead_id=None).exists()


# --- somebody who answered for something once -------------------------------------------------------------------------
def answered_until_now(person: Person, system: AISystem) -> None:
    held = give_role(person, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    before = timezone.now() - timedelta(days=9)
    Assignment.objects.filter(pk=held.pk).update(
        status="ended", accepted_at=before, ends_at=timezone.now() - timedelta(days=1)
    )


def test_whose_cases_they_are_takes_the_same_queries_however_many_they_are(
    system: AISystem, django_assert_max_num_queries: Any
) -> None:
    person = make_person()
    answered_until_now(person, make_system())
    for number in range(12):
        appointed(make_case(make_person(investigator=True), decisions=[record_decision(system)]), person)
        if number in (0, 11):
            with django_assert_max_num_queries(8):
                found = own_cases(actor_of(person)).count()
            assert found == number + 1


def test_a_role_of_the_time_of_the_decisions_stands_against_it_and_one_before_does_not(system: AISystem) -> None:
    case = make_case(make_person(investigator=True), decisions=[record_decision(system)])
    before, during = make_person(), make_person()
    answered_until_now(before, system)
    held = give_role(during, Role.DEPUTY, Scope.system(system.pk))
    Assignment.objects.filter(pk=held.pk).update(
        status="ended", accepted_at=timezone.now() - timedelta(days=9), ends_at=timezone.now()
    )
    for person, is_free in ((before, True), (during, False)):
        assert (without_conflict(person.pk, [case.pk]) == {case.pk}) is is_free
        assert (conflict_of(case, person.pk) == "") is is_free
