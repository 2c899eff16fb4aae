"""Some roles watch over others, so nobody holds both in one place: at the offer, at the second yes, at acceptance."""

import pytest

from governance.acts import Role
from governance.conflicts import CONFLICTS, clashes
from governance.errors import RolesConflict
from governance.rights import in_force
from governance.scopes import ORGANISATION, Scope
from governance.services.assignments import (
    accept_assignments,
    approve_proposal,
    delegate_assignment,
    end_assignment,
    hand_over_assignment,
    offer_assignment,
)
from governance.services.offers import ORGANISATION_ONLY
from ledger.entries import COMMAND
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db
PAIRS = [tuple(sorted(conflict.roles)) for conflict in CONFLICTS]


def _place(role: Role, system: Scope) -> Scope:
    return ORGANISATION if role in ORGANISATION_ONLY else system


@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_neither_is_offered_to_who_holds_the_other(pair: tuple[str, str]) -> None:
    here = Scope.system(make_system().pk)
    for held, offered in (pair, pair[::-1]):
        person = make_person()
        give_role(person, Role(held), _place(Role(held), here))
        with pytest.raises(RolesConflict):
            offer_assignment(actor=COMMAND, person=person, role=Role(offered), scope=_place(Role(offered), here))


def test_the_refusal_names_what_is_held_where_and_why() -> None:
    system = make_system()
    person = make_person(name="Olga", operator=system)
    with pytest.raises(RolesConflict) as refusal:
        offer_assignment(actor=COMMAND, person=person, role=Role.APPROVER, scope=ORGANISATION)
    assert refusal.value.detail.startswith(f"Olga is operator of {system.name}. Who approves")
    assert refusal.value.errors[0].pointer == "/role"


def test_in_another_ai_system_the_same_two_roles_are_fine() -> None:
    mine, other = make_system(), make_system()
    person = make_person(auditor=mine)
    assert offer_assignment(actor=COMMAND, person=person, role=Role.OPERATOR, scope=Scope.system(other.pk))


def test_of_two_offers_the_second_is_not_accepted_even_in_one_go() -> None:
    person, here = make_person(), Scope.system(make_system().pk)
    offers = [
        offer_assignment(actor=COMMAND, person=person, role=role, scope=here) for role in (Role.OPERATOR, Role.DEPUTY)
    ]
    give_role(person, Role.AUDITOR, here)
    for chosen in ([offers[0]], offers):
        with pytest.raises(RolesConflict):
            accept_assignments(actor=actor_of(person), assignment_ids=[each.pk for each in chosen])
    assert list(in_force().filter(person=person).values_list("role", flat=True)) == ["auditor"]


def test_a_proposal_is_not_agreed_to_once_the_person_holds_the_other_role() -> None:
    first, second, person = make_person(administrator=True), make_person(administrator=True), make_person()
    proposal = offer_assignment(actor=actor_of(first), person=person, role=Role.APPROVER, scope=ORGANISATION)
    give_role(person, Role.OPERATOR)
    with pytest.raises(RolesConflict):
        approve_proposal(actor=actor_of(second), assignment_id=proposal.pk)


def test_nothing_is_delegated_or_handed_over_into_a_conflict() -> None:
    system = make_system()
    owner, auditor = make_person(accountable=system), make_person(auditor=system)
    held = owner.assignments.get()
    for way in (delegate_assignment, hand_over_assignment):
        with pytest.raises(RolesConflict):
            way(actor=actor_of(owner), assignment_id=held.pk, to=auditor)


def test_a_role_that_has_ended_stands_in_no_ones_way() -> None:
    system = make_system()
    person = make_person(operator=system)
    end_assignment(actor=actor_of(person), assignment_id=person.assignments.get().pk)
    assert offer_assignment(actor=COMMAND, person=person, role=Role.APPROVER, scope=ORGANISATION)


def test_what_was_held_together_before_the_rule_is_found() -> None:
    system, person = make_system(), make_person(approver=True)
    give_role(person, Role.OPERATOR, Scope.system(system.pk))
    make_person(operator=system)
    (clash,) = clashes(in_force().select_related("person", "system"))
    assert clash.person == person
    assert {clash.held.role, clash.other.role} == {"operator", "approver"}


def test_every_conflict_says_why_and_stands_once() -> None:
    assert len(set(PAIRS)) == len(PAIRS)
    assert all(conflict.why.endswith(".") and len(conflict.roles) == 2 for conflict in CONFLICTS)
