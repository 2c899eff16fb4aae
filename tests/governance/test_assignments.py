"""Assignments: one starts at its acceptance, by the person asked, and privileged ones need a second administrator."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from config.errors import Forbidden, InvalidInput, ServiceError
from governance import rights
from governance.acts import Act, Role
from governance.errors import (
    ApprovalForbidden,
    AssignmentExists,
    AssignmentNotFound,
    AssignmentNotOpen,
    BadRequestedScope,
    LastAdministrator,
    RequestVoid,
    RolesConflict,
)
from governance.models import Assignment, Person
from governance.scopes import ORGANISATION, Scope
from governance.services.assignments import (
    accept_assignments,
    approve_proposal,
    decline_assignment,
    delegate_assignment,
    end_assignment,
    offer_assignment,
    refuse_proposal,
)
from governance.services.people import deactivate_person, register_person
from governance.services.systems import register_system
from ledger.entries import COMMAND, Actor
from ledger.models import Entry
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db
Status = Assignment.Status


def offered(person: Person, role: Role = Role.OPERATOR, scope: Scope = ORGANISATION) -> Assignment:
    return offer_assignment(actor=COMMAND, person=person, role=role, scope=scope)


def kinds_about(assignment: Assignment) -> list[str]:
    return list(Entry.objects.filter(about_id=assignment.pk).order_by("leaf_index").values_list("kind", flat=True))


def test_an_offer_gives_no_right_before_it_is_accepted() -> None:
    person, system = make_person(), make_system()
    offer = offered(person, Role.OPERATOR, Scope.system(system.pk))
    assert not rights.can(person, Act.SWITCH_TIGHTEN, Scope.system(system.pk))
    accept_assignments(actor=actor_of(person), assignment_ids=[offer.pk])
    assert rights.can(person, Act.SWITCH_TIGHTEN, Scope.system(system.pk))
    assert kinds_about(offer) == ["assignment.offered", "assignment.accepted"]


def test_only_the_person_asked_accepts() -> None:
    offer = offered(make_person())
    for somebody in (actor_of(make_person(administrator=True)), COMMAND, Actor("service", uuid.uuid4())):
        with pytest.raises((Forbidden, AssignmentNotFound)):
            accept_assignments(actor=somebody, assignment_ids=[offer.pk])


def test_several_are_accepted_at_once_or_none() -> None:
    person, systems = make_person(), [make_system(), make_system()]
    offers = [offered(person, Role.DEPUTY, Scope.system(system.pk)) for system in systems]
    with pytest.raises(AssignmentNotFound):
        accept_assignments(actor=actor_of(person), assignment_ids=[*(o.pk for o in offers), uuid.uuid4()])
    assert not rights.in_force().filter(person=person).exists()
    accept_assignments(actor=actor_of(person), assignment_ids=[o.pk for o in offers])
    assert rights.in_force().filter(person=person).count() == 2


def test_a_declined_offer_is_not_accepted_later() -> None:
    person = make_person()
    offer = offered(person)
    decline_assignment(actor=actor_of(person), assignment_id=offer.pk)
    with pytest.raises(AssignmentNotOpen):
        accept_assignments(actor=actor_of(person), assignment_ids=[offer.pk])


def test_an_assignment_counts_until_its_end_and_no_longer() -> None:
    person, end = make_person(), timezone.now() + timedelta(days=1)
    offer = offer_assignment(actor=COMMAND, person=person, role=Role.VIEWER, scope=ORGANISATION, ends_at=end)
    accept_assignments(actor=actor_of(person), assignment_ids=[offer.pk])
    assert rights.can(person, Act.DECISION_VIEW)
    with time_machine.travel(end, tick=False):
        assert not rights.can(person, Act.DECISION_VIEW)


def test_an_offer_whose_span_is_over_is_not_accepted() -> None:
    person, end = make_person(), timezone.now() + timedelta(days=1)
    offer = offer_assignment(actor=COMMAND, person=person, role=Role.VIEWER, scope=ORGANISATION, ends_at=end)
    with time_machine.travel(end, tick=False), pytest.raises(AssignmentNotOpen):
        accept_assignments(actor=actor_of(person), assignment_ids=[offer.pk])


def test_an_end_in_the_past_is_not_valid() -> None:
    with pytest.raises(InvalidInput):
        offer_assignment(
            actor=COMMAND, person=make_person(), role=Role.VIEWER, scope=ORGANISATION, ends_at=timezone.now()
        )


def test_the_same_offer_is_not_made_twice() -> None:
    person = make_person()
    offered(person)
    with pytest.raises(AssignmentExists):
        offered(person)


def test_a_new_accountable_person_takes_over_from_the_one_before() -> None:
    system = make_system()
    first, second = make_person(accountable=system), make_person()
    offer = offered(second, Role.ACCOUNTABLE, Scope.system(system.pk))
    accept_assignments(actor=actor_of(second), assignment_ids=[offer.pk])
    before = Assignment.objects.get(person=first, role=Role.ACCOUNTABLE)
    assert (before.status, before.ends_at) == (Status.ENDED, Assignment.objects.get(pk=offer.pk).accepted_at)


@pytest.mark.committing
def test_of_two_who_accept_one_responsibility_at_once_one_is_accountable_in_the_end() -> None:
    system = make_system()
    people = [make_person(), make_person()]
    offers = [offered(person, Role.ACCOUNTABLE, Scope.system(system.pk)) for person in people]

    def accept(person: Person, offer: Assignment) -> Callable[[], object]:
        return lambda: accept_assignments(actor=actor_of(person), assignment_ids=[offer.pk])

    refusals = at_once(*(accept(person, offer) for person, offer in zip(people, offers, strict=True)))
    assert refusals == []
    held = rights.in_force().filter(system=system, role=Role.ACCOUNTABLE)
    assert held.count() == 1
    assert Assignment.objects.filter(system=system, status=Status.ENDED).count() == 1


def test_an_administrators_privileged_appointment_waits_for_a_second_one() -> None:
    first, second, person = make_person(administrator=True), make_person(administrator=True), make_person()
    proposal = offer_assignment(actor=actor_of(first), person=person, role=Role.APPROVER, scope=ORGANISATION)
    assert proposal.status == Status.PROPOSED
    with pytest.raises(AssignmentNotOpen):
        accept_assignments(actor=actor_of(person), assignment_ids=[proposal.pk])
    approve_proposal(actor=actor_of(second), assignment_id=proposal.pk)
    accept_assignments(actor=actor_of(person), assignment_ids=[proposal.pk])
    assert rights.can_anywhere(person, Act.DECISION_VIEW)


def test_requester_cannot_approve_their_own_assignment() -> None:
    admin = make_person(administrator=True)
    make_person(administrator=True)
    proposal = offer_assignment(actor=actor_of(admin), person=make_person(), role=Role.DPO, scope=ORGANISATION)
    with pytest.raises(ApprovalForbidden):
        approve_proposal(actor=actor_of(admin), assignment_id=proposal.pk)


@pytest.mark.parametrize("leaves", [True, False])
def test_a_proposal_is_void_once_its_asker_left_or_is_no_administrator_any_more(leaves: bool) -> None:
    second, person, asker = make_person(administrator=True), make_person(), make_person()
    held = give_role(asker, Role.ADMINISTRATOR)
    proposal = offer_assignment(actor=actor_of(asker), person=person, role=Role.APPROVER, scope=ORGANISATION)
    if leaves:
        Person.objects.filter(pk=asker.pk).update(is_active=False)
    else:
        end_assignment(actor=actor_of(asker), assignment_id=held.pk)
    with pytest.raises(RequestVoid):
        approve_proposal(actor=actor_of(second), assignment_id=proposal.pk)
    proposal.refresh_from_db()
    assert proposal.status == Status.PROPOSED
    assert refuse_proposal(actor=actor_of(second), assignment_id=proposal.pk).status == Status.REFUSED


def test_nobody_approves_a_role_for_themself() -> None:
    first, second = make_person(administrator=True), make_person(administrator=True)
    proposal = offer_assignment(actor=actor_of(first), person=second, role=Role.INVESTIGATOR, scope=ORGANISATION)
    with pytest.raises(Forbidden):
        approve_proposal(actor=actor_of(second), assignment_id=proposal.pk)


@pytest.mark.parametrize(("days", "allowed"), [(6, False), (8, True)])
def test_whoever_made_an_account_is_no_pair_with_it_for_seven_days(days: int, allowed: bool) -> None:
    first = make_person(administrator=True)
    made = register_person(actor=actor_of(first), name="Made", email="made@example.org")
    give_role(made, Role.ADMINISTRATOR)
    proposal = offer_assignment(actor=actor_of(first), person=make_person(), role=Role.DPO, scope=ORGANISATION)
    with time_machine.travel(timezone.now() + timedelta(days=days), tick=False):
        scope = Scope.of(proposal)
        found = rights.may_approve(made, Act.PRIVILEGED_ROLE_ASSIGN, scope, requested_by=proposal.requested_by_id)
    assert found is allowed


def test_a_sole_administrator_appoints_the_second_alone_and_nobody_else() -> None:
    sole, person = make_person(administrator=True), make_person()
    approver = offer_assignment(actor=actor_of(sole), person=person, role=Role.APPROVER, scope=ORGANISATION)
    second = offer_assignment(actor=actor_of(sole), person=person, role=Role.ADMINISTRATOR, scope=ORGANISATION)
    assert (approver.status, second.status) == (Status.PROPOSED, Status.OFFERED)
    accept_assignments(actor=actor_of(person), assignment_ids=[second.pk])
    third = offer_assignment(actor=actor_of(sole), person=make_person(), role=Role.ADMINISTRATOR, scope=ORGANISATION)
    assert third.status == Status.PROPOSED


def test_who_became_the_only_administrator_by_ending_the_other_appoints_nobody_alone() -> None:
    first, second, puppet = make_person(administrator=True), make_person(administrator=True), make_person()
    end_assignment(actor=actor_of(first), assignment_id=Assignment.objects.get(person=second).pk)
    proposal = offer_assignment(actor=actor_of(first), person=puppet, role=Role.ADMINISTRATOR, scope=ORGANISATION)
    assert proposal.status == Status.PROPOSED


def test_a_sole_administrator_offers_the_role_to_one_at_a_time() -> None:
    sole = make_person(administrator=True)
    for status in (Status.OFFERED, Status.PROPOSED):
        offer = offer_assignment(
            actor=actor_of(sole), person=make_person(), role=Role.ADMINISTRATOR, scope=ORGANISATION
        )
        assert offer.status == status


def test_somebody_at_the_host_helps_who_was_left_as_the_only_administrator() -> None:
    first, second, person = make_person(administrator=True), make_person(administrator=True), make_person()
    with pytest.raises(CommandError):
        call_command("offer_administrator", person.email)
    deactivate_person(actor=actor_of(first), person_id=second.pk)
    call_command("offer_administrator", person.email)
    offer = Assignment.objects.get(person=person)
    accept_assignments(actor=actor_of(person), assignment_ids=[offer.pk])
    assert rights.administrators().count() == 2


def test_nobody_offers_a_role_to_themself() -> None:
    admin, system = make_person(administrator=True), make_system()
    for role in (Role.DEPUTY, Role.OPERATOR):
        with pytest.raises(Forbidden):
            offer_assignment(actor=actor_of(admin), person=admin, role=role, scope=Scope.system(system.pk))
    with pytest.raises(Forbidden):
        register_system(actor=actor_of(admin), slug="mine", name="Mine", accountable=admin)
    owner = make_person()
    held = give_role(owner, Role.ACCOUNTABLE, Scope.system(system.pk))
    with pytest.raises(RolesConflict, match="Nobody stands in for themself"):
        delegate_assignment(actor=actor_of(owner), assignment_id=held.pk, to=owner)


def test_the_command_line_proposes_privileged_roles_and_never_approves_them() -> None:
    make_person(administrator=True)
    make_person(administrator=True)
    proposal = offer_assignment(actor=COMMAND, person=make_person(), role=Role.AUDITOR, scope=ORGANISATION)
    assert proposal.status == Status.PROPOSED
    with pytest.raises(ApprovalForbidden):
        approve_proposal(actor=COMMAND, assignment_id=proposal.pk)


def test_the_last_administrator_is_not_ended() -> None:
    admin = make_person(administrator=True)
    assignment = Assignment.objects.get(person=admin)
    with pytest.raises(LastAdministrator):
        end_assignment(actor=actor_of(admin), assignment_id=assignment.pk)


@pytest.mark.committing
def test_two_administrators_who_end_each_other_at_once_leave_one() -> None:
    people = [make_person(administrator=True), make_person(administrator=True)]
    theirs = [Assignment.objects.get(person=person) for person in people]

    def end(person: Person, assignment: Assignment) -> Callable[[], object]:
        return lambda: end_assignment(actor=actor_of(person), assignment_id=assignment.pk)

    refusals = at_once(end(people[0], theirs[1]), end(people[1], theirs[0]))
    assert len(refusals) == 1
    assert rights.administrators().count() == 1


def test_a_delegate_stands_beside_the_holder_and_goes_with_them() -> None:
    system, holder, delegate = make_system(), make_person(), make_person()
    held = give_role(holder, Role.ACCOUNTABLE, Scope.system(system.pk))
    offer = delegate_assignment(actor=actor_of(holder), assignment_id=held.pk, to=delegate)
    assert offer.role == Role.DEPUTY
    accept_assignments(actor=actor_of(delegate), assignment_ids=[offer.pk])
    assert rights.in_force().filter(system=system).count() == 2
    end_assignment(actor=actor_of(holder), assignment_id=held.pk)
    assert not rights.in_force().filter(system=system).exists()


def test_only_the_holder_delegates() -> None:
    system, holder = make_system(), make_person()
    held = give_role(holder, Role.OPERATOR, Scope.system(system.pk))
    with pytest.raises(Forbidden):
        delegate_assignment(actor=actor_of(make_person(administrator=True)), assignment_id=held.pk, to=make_person())


def test_the_accountable_person_appoints_for_their_own_system_only() -> None:
    mine, other, person = make_system(), make_system(), make_person()
    owner = make_person(accountable=mine)
    offer_assignment(actor=actor_of(owner), person=person, role=Role.OPERATOR, scope=Scope.system(mine.pk))
    for scope in (Scope.system(other.pk), ORGANISATION, Scope.system(uuid.uuid4())):
        with pytest.raises(Forbidden):
            offer_assignment(actor=actor_of(owner), person=person, role=Role.OPERATOR, scope=scope)


def test_owners_answer_for_something_named_and_administrators_for_everything() -> None:
    person, system = make_person(), make_system()
    with pytest.raises(BadRequestedScope):
        offered(person, Role.ACCOUNTABLE, ORGANISATION)
    with pytest.raises(BadRequestedScope):
        offered(person, Role.ADMINISTRATOR, Scope.system(system.pk))


def at_once(*acts: Callable[[], object]) -> list[ServiceError]:
    """Run acts in threads that start together; the refusals there were."""
    refusals: list[ServiceError] = []
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        start.wait()
        try:
            act()
        except ServiceError as refusal:
            refusals.append(refusal)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refusals
