"""The name of somebody who has left: asked for at once, gone after the last floor and hold that needs it."""

from datetime import timedelta

import pytest

from audit.erasing import staff_floor_ends, staff_held
from audit.models import ErasureRequest
from audit.services.holds import approve_lift, place_hold, request_lift
from audit.services.investigating import add_note
from evidence.erasure.reading import standing_of
from evidence.services.erasure_runs import run_erasures
from evidence.services.leaving import leave
from evidence.verification import verify_everything
from governance.acts import Role
from governance.models import AISystem, Assignment, Person
from governance.scopes import Scope
from governance.services.assignments import end_assignment
from ledger.entries import timestamp
from overrides.models import Override
from overrides.services.case_leads import lead_case
from overrides.services.overriding import override_decision
from tests.factories.cases import make_led_case
from tests.factories.erasing import (
    SECONDS,
    agreeing,
    erased,
    long_ago,
    no_floor,
    officer,
    put_in_force,
)
from tests.factories.purging import hold_over, said
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", accountable=make_person())


@pytest.fixture
def dpo() -> Person:
    return make_person(dpo=True)


def test_a_name_is_asked_for_at_once_and_goes_after_the_last_floor_that_needs_it(system: AISystem, dpo: Person) -> None:
    person = gone()
    request = erased(kind="person", person_id=person.pk)
    ends = staff_floor_ends(person.pk)
    assert request.status == "scheduled" and ends is not None
    assert standing_of(request).waits_until == ends
    assert [body.get("until") for body in said("erasure.scheduled")] == [timestamp(ends)]
    person.refresh_from_db()
    assert person.name == "Grace Hopper"
    no_floor(system)
    put_in_force("staff")
    go_on(request)
    person.refresh_from_db()
    request.refresh_from_db()
    assert (person.name, request.status) == ("", "performed")
    assert list(verify_everything()) == []


@pytest.mark.parametrize("kind", ["people_said", "letters", "quarantine", "cases", "searches"])
def test_a_name_is_kept_by_the_floor_of_every_kind(system: AISystem, kind: str) -> None:
    person = gone()
    no_floor(system)
    put_in_force("staff")
    before = staff_floor_ends(person.pk)
    put_in_force(kind, None if kind in ("cases", "searches") else system, floor=300)
    ends = staff_floor_ends(person.pk)
    assert before is not None and ends is not None and ends - before == timedelta(days=300)
    assert erased(kind="person", person_id=person.pk).status == "scheduled"
    person.refresh_from_db()
    assert person.name == "Grace Hopper"


@pytest.mark.parametrize("way", ["lead", "note", "accountable", "override"])
def test_a_name_is_kept_as_long_as_a_hold_covers_what_it_stands_under(system: AISystem, way: str) -> None:
    owner, decision = agreeing(system), record_decision(system)
    no_floor(system)
    put_in_force("staff")
    case, lead = make_led_case(system, decisions=[decision])
    person = {"lead": lead, "accountable": owner}.get(way) or make_person(name="Grace Hopper")
    if way == "note":
        give_role(person, Role.INVESTIGATOR, Scope.case(case.pk))
        add_note(actor=actor_of(person), case_id=case.pk, text="Asked the branch.")
    elif way == "override":
        made = override_decision(
            actor=actor_of(owner), decision_id=decision.id, outcome="refused", reason_code="other", note="No."
        )
        Override.objects.filter(pk=made.pk).update(person_id=person.pk)
    if way == "lead":
        give_role(investigator := make_person(), Role.INVESTIGATOR)
        lead_case(actor=actor_of(lead), case_id=case.pk, person_id=investigator.pk)
        lead = investigator
    hold = place_hold(actor=actor_of(lead), case_id=case.pk, reason="Evidence.")
    if way == "accountable":
        answered = Assignment.objects.get(person=owner, role=Role.ACCOUNTABLE)
        end_assignment(actor=actor_of(owner), assignment_id=answered.pk, accepts_gap=True, reason="Gone.")
        give_role(make_person(), Role.ACCOUNTABLE, Scope.system(system.pk))
    leave(actor=actor_of(make_person(administrator=True)), person_id=person.pk)
    assert staff_held(person.pk)
    request = erased(kind="person", person_id=person.pk)
    person.refresh_from_db()
    assert (request.status, bool(person.name)) == ("scheduled", True)
    request_lift(actor=actor_of(make_person(investigator=True)), hold_id=hold.pk, reason="Settled.")
    approve_lift(actor=actor_of(officer()), hold_id=hold.pk)
    go_on(request)
    person.refresh_from_db()
    assert person.name == ""


def test_a_hold_on_what_others_did_keeps_no_name(system: AISystem) -> None:
    person = gone()
    hold_over(system)
    assert not staff_held(person.pk)


def gone() -> Person:
    """Somebody who has left."""
    person = make_person(name="Grace Hopper")
    leave(actor=actor_of(make_person(administrator=True)), person_id=person.pk)
    return person


def go_on(request: ErasureRequest) -> None:
    """What waited is looked at again, announced, and its day has come."""
    ErasureRequest.objects.filter(pk=request.pk).update(looked_at=None)
    with long_ago():
        run_erasures(seconds=SECONDS)
    run_erasures(seconds=SECONDS)
