"""A live AI system has somebody accountable; where it has not, that was confirmed or is alerted, and it is sealed."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from config.errors import Conflict, Forbidden
from governance import memory
from governance.acts import Role
from governance.errors import AssignmentNotOpen, GapWouldOpen, RolesConflict
from governance.models import AccountabilityGap, AISystem, Assignment, Person
from governance.scopes import Scope
from governance.services.answering import settle_passed_gaps
from governance.services.assignments import (
    accept_assignments,
    decline_assignment,
    delegate_assignment,
    end_assignment,
    hand_over_assignment,
    offer_assignment,
)
from governance.services.people import deactivate_person
from governance.services.systems import retire_system
from ledger.entries import COMMAND
from ledger.models import Entry
from tests.factories.live import make_live
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.governance.test_assignments import at_once

pytestmark = pytest.mark.django_db
Status = Assignment.Status


def answering(system: AISystem) -> Assignment:
    return Assignment.objects.get(system=system, role=Role.ACCOUNTABLE, status=Status.ACCEPTED)


def gap_kinds(system: AISystem) -> list[str]:
    found = Entry.objects.filter(log__system_id=system.pk, kind__startswith="accountability.")
    return list(found.order_by("leaf_index").values_list("kind", flat=True))


def test_ending_what_a_live_system_rests_on_is_refused_and_names_the_system() -> None:
    owner = make_person()
    system = make_live(owner)
    with pytest.raises(GapWouldOpen) as refusal:
        end_assignment(actor=actor_of(owner), assignment_id=answering(system).pk, reason="I move on.")
    assert system.name in refusal.value.detail
    assert [each.detail for each in refusal.value.errors] == [f"{system.name} would have nobody accountable."]
    assert answering(system).person == owner


def test_a_confirmed_gap_takes_a_reason_and_is_sealed() -> None:
    owner = make_person()
    system = make_live(owner)
    held = answering(system)
    with pytest.raises(GapWouldOpen):
        end_assignment(actor=actor_of(owner), assignment_id=held.pk, accepts_gap=True, reason=" ")
    ended = end_assignment(actor=actor_of(owner), assignment_id=held.pk, accepts_gap=True, reason="I resign today.")
    gap = AccountabilityGap.objects.get(system=system)
    assert (gap.opened_at, gap.closed_at, gap.last_assignment_id) == (ended.ends_at, None, held.pk)
    assert gap_kinds(system) == ["accountability.gap_opened"]


def test_whoever_accepts_closes_the_gap_at_that_moment() -> None:
    owner, next_one = make_person(), make_person()
    system = make_live(owner)
    end_assignment(actor=actor_of(owner), assignment_id=answering(system).pk, accepts_gap=True, reason="Gone.")
    offer = offer_assignment(actor=COMMAND, person=next_one, role=Role.ACCOUNTABLE, scope=Scope.system(system.pk))
    assert AccountabilityGap.objects.get().closed_at is None
    (accepted,) = accept_assignments(actor=actor_of(next_one), assignment_ids=[offer.pk])
    assert AccountabilityGap.objects.get().closed_at == accepted.accepted_at
    assert gap_kinds(system) == ["accountability.gap_opened", "accountability.gap_closed"]


def test_a_hand_over_leaves_no_gap_and_what_was_delegated_ends_with_it() -> None:
    owner, heir, helper = make_person(), make_person(), make_person()
    system = make_live(owner)
    held = answering(system)
    offer = hand_over_assignment(actor=actor_of(owner), assignment_id=held.pk, to=heir, reason="New post.")
    delegated = delegate_assignment(actor=actor_of(owner), assignment_id=held.pk, to=helper)
    accept_assignments(actor=actor_of(helper), assignment_ids=[delegated.pk])
    assert answering(system).person == owner
    (accepted,) = accept_assignments(actor=actor_of(heir), assignment_ids=[offer.pk])
    held.refresh_from_db()
    delegated.refresh_from_db()
    assert (held.status, held.ends_at, delegated.status) == (Status.ENDED, accepted.accepted_at, Status.ENDED)
    assert answering(system).person == heir
    assert gap_kinds(system) == []


def test_any_role_is_handed_over_by_its_holder_or_by_who_gives_it_and_by_nobody_else() -> None:
    system = make_system()
    engineer, heir = make_person(technical_owner=system), make_person()
    owner, stranger = make_person(accountable=system), make_person(technical_owner=make_system())
    held = engineer.assignments.get()
    with pytest.raises(Forbidden):
        hand_over_assignment(actor=actor_of(stranger), assignment_id=held.pk, to=heir)
    offer = hand_over_assignment(actor=actor_of(owner), assignment_id=held.pk, to=heir)
    accept_assignments(actor=actor_of(heir), assignment_ids=[offer.pk])
    held.refresh_from_db()
    assert held.status == Status.ENDED
    assert offer.succeeds_id == held.pk


def test_a_role_that_takes_two_is_not_handed_over() -> None:
    person = make_person(approver=True)
    with pytest.raises(Conflict):
        hand_over_assignment(actor=actor_of(person), assignment_id=person.assignments.get().pk, to=make_person())


def test_a_deputy_who_becomes_accountable_stands_in_for_themself_no_more() -> None:
    system, owner, deputy = make_system(), make_person(), make_person()
    give_role(owner, Role.ACCOUNTABLE, Scope.system(system.pk))
    standing_in = give_role(deputy, Role.DEPUTY, Scope.system(system.pk))
    offer = hand_over_assignment(actor=actor_of(owner), assignment_id=answering(system).pk, to=deputy)
    accept_assignments(actor=actor_of(deputy), assignment_ids=[offer.pk])
    standing_in.refresh_from_db()
    assert standing_in.status == Status.ENDED


def test_nobody_stands_in_for_themself() -> None:
    system = make_system()
    owner, here = make_person(accountable=system), Scope.system(system.pk)
    with pytest.raises(RolesConflict, match="Nobody stands in for themself"):
        offer_assignment(actor=COMMAND, person=owner, role=Role.DEPUTY, scope=here)
    person, other = make_person(), Scope.system(make_system().pk)
    offers = [
        offer_assignment(actor=COMMAND, person=person, role=role, scope=other)
        for role in (Role.ACCOUNTABLE, Role.DEPUTY)
    ]
    with pytest.raises(RolesConflict):
        accept_assignments(actor=actor_of(person), assignment_ids=[each.pk for each in offers])


def test_a_date_that_passes_opens_a_gap_at_that_date_whenever_it_is_noticed() -> None:
    owner = make_person()
    system = make_live(owner, ends_at=timezone.now() + timedelta(days=30))
    ended = answering(system).ends_at
    assert settle_passed_gaps() == 0
    with time_machine.travel(timezone.now() + timedelta(days=40), tick=False):
        assert settle_passed_gaps() == 1
        assert settle_passed_gaps() == 0
        assert memory.refresh().owner_at(system.pk, None, "", timezone.now()) is None
    assert AccountabilityGap.objects.get().opened_at == ended


def test_a_retired_system_has_no_gap_any_more() -> None:
    owner, deputy = make_person(), make_person()
    system = make_live(owner)
    end_assignment(actor=actor_of(owner), assignment_id=answering(system).pk, accepts_gap=True, reason="Gone.")
    offer = offer_assignment(actor=COMMAND, person=deputy, role=Role.ACCOUNTABLE, scope=Scope.system(system.pk))
    accept_assignments(actor=actor_of(deputy), assignment_ids=[offer.pk])
    retire_system(actor=actor_of(deputy), system_id=system.pk)
    end_assignment(actor=actor_of(deputy), assignment_id=offer.pk)
    assert gap_kinds(system) == ["accountability.gap_opened", "accountability.gap_closed"]


def test_a_part_of_a_live_system_may_lose_its_own_owner() -> None:
    owner, narrow = make_person(), make_person()
    system = make_live(owner)
    held = give_role(narrow, Role.ACCOUNTABLE, Scope.of_capability(system.pk, "limits"))
    assert end_assignment(actor=actor_of(narrow), assignment_id=held.pk).status == Status.ENDED
    assert not AccountabilityGap.objects.exists()


@pytest.mark.committing
def test_of_an_end_and_an_acceptance_at_once_one_comes_first_and_the_trail_is_true() -> None:
    owner, heir = make_person(), make_person()
    system = make_live(owner)
    held = answering(system)
    offer = hand_over_assignment(actor=actor_of(owner), assignment_id=held.pk, to=heir)

    def end() -> object:
        return end_assignment(actor=actor_of(owner), assignment_id=held.pk, accepts_gap=True, reason="Gone.")

    def accept() -> object:
        return accept_assignments(actor=actor_of(heir), assignment_ids=[offer.pk])

    pair: list[Callable[[], object]] = [end, accept]
    refusals = at_once(*pair)
    assert all(each.code == "assignment-not-open" for each in refusals)
    assert len(refusals) == 1, "what was accepted is not ended any more, and what ended is not handed over"
    accepted = Assignment.objects.get(pk=offer.pk).status == Status.ACCEPTED
    assert gap_kinds(system) == ([] if accepted else ["accountability.gap_opened"])
    assert AccountabilityGap.objects.filter(closed_at=None).exists() is not accepted
    assert Person.objects.filter(is_active=True).count() >= 2


# --- an offer to take over lives and dies with what it hands over ----------------------------------------------------
def handed_over(owner: Person, heir: Person) -> tuple[Assignment, Assignment]:
    held = give_role(owner, Role.ACCOUNTABLE, Scope.system(make_system().pk))
    return held, hand_over_assignment(actor=actor_of(owner), assignment_id=held.pk, to=heir)


def test_what_ended_is_not_handed_over_any_more() -> None:
    owner, heir = make_person(), make_person()
    held, offer = handed_over(owner, heir)
    end_assignment(actor=COMMAND, assignment_id=held.pk)
    offer.refresh_from_db()
    assert offer.status == "ended"
    assert Entry.objects.filter(about_id=offer.pk, kind="assignment.ended").exists()
    with pytest.raises(AssignmentNotOpen):
        accept_assignments(actor=actor_of(heir), assignment_ids=[offer.pk])


def test_nor_once_the_giver_left() -> None:
    owner, heir = make_person(), make_person()
    _, offer = handed_over(owner, heir)
    deactivate_person(actor=COMMAND, person_id=owner.pk)
    with pytest.raises(AssignmentNotOpen):
        accept_assignments(actor=actor_of(heir), assignment_ids=[offer.pk])


def test_nor_once_somebody_else_took_over() -> None:
    owner, heir, other = make_person(), make_person(), make_person()
    held, offer = handed_over(owner, heir)
    direct = offer_assignment(actor=COMMAND, person=other, role=Role.ACCOUNTABLE, scope=Scope.of(held))
    accept_assignments(actor=actor_of(other), assignment_ids=[direct.pk])
    with pytest.raises(AssignmentNotOpen):
        accept_assignments(actor=actor_of(heir), assignment_ids=[offer.pk])


def test_one_of_before_whose_giver_has_nothing_any_more_is_refused() -> None:
    """As an offer would be that was written before it ended with what it hands over."""
    owner, heir = make_person(), make_person()
    held, offer = handed_over(owner, heir)
    Assignment.objects.filter(pk=held.pk).update(status="ended", ends_at=timezone.now())
    with pytest.raises(AssignmentNotOpen, match="has ended"):
        accept_assignments(actor=actor_of(heir), assignment_ids=[offer.pk])


def test_nobody_hands_over_more_time_than_they_have() -> None:
    owner, heir, scope = make_person(), make_person(), Scope.system(make_system().pk)
    last = timezone.now() + timedelta(days=10)
    held = give_role(owner, Role.OPERATOR, scope, ends_at=last)
    later = last + timedelta(days=300)
    for ends_at in (None, later):
        offer = hand_over_assignment(actor=actor_of(owner), assignment_id=held.pk, to=heir, ends_at=ends_at)
        assert offer.ends_at == last
        decline_assignment(actor=actor_of(heir), assignment_id=offer.pk)
    for ends_at in (None, later):
        offer = hand_over_assignment(actor=COMMAND, assignment_id=held.pk, to=heir, ends_at=ends_at)
        assert offer.ends_at == ends_at, "who may give the role could offer it anew, for as long"
        decline_assignment(actor=actor_of(heir), assignment_id=offer.pk)
