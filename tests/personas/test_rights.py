"""When a right counts: from acceptance to its end, for its place, between two people who are two."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from governance import rights
from governance.acts import RULES, Condition, Role
from governance.models import Assignment, Person, ServiceKey
from governance.scopes import ORGANISATION, Scope
from governance.services.offers import ORGANISATION_ONLY
from governance.services.people import deactivate_person, issue_setup_link, register_person
from governance.services.versions import register_version
from ledger.entries import COMMAND, SERVER, Actor
from tests.factories.register import actor_of, give_role, make_account, make_key, make_person, make_system
from tests.personas.people import PERSONAS, make_persona

pytestmark = pytest.mark.django_db
EVERYTHING_HOLDS = frozenset(Condition)
BY_TWO = [act for act, rule in RULES.items() if rule.approves]
ROLES = [Role(name) for name in PERSONAS if name != "stranger"]


def _may_something(person: Person, place: Scope) -> bool:
    """Whether there is an act that somebody may ask for or agree to there, whatever conditions hold."""
    other = make_person().pk
    asks = any(rights.can(person, act, place, given=EVERYTHING_HOLDS) for act in RULES)
    return asks or any(
        rights.may_approve(person, act, place, requested_by=other, given=EVERYTHING_HOLDS) for act in BY_TWO
    )


def _ended(held: Assignment) -> None:
    Assignment.objects.filter(pk=held.pk).update(ends_at=timezone.now() - timedelta(seconds=1))


def _offered(held: Assignment) -> None:
    Assignment.objects.filter(pk=held.pk).update(status=Assignment.Status.OFFERED, accepted_at=None)


def _accepted_later(held: Assignment) -> None:
    Assignment.objects.filter(pk=held.pk).update(accepted_at=timezone.now() + timedelta(minutes=1))


def _left(held: Assignment) -> None:
    make_person(administrator=True)  # the last one could not leave
    deactivate_person(actor=COMMAND, person_id=held.person_id)


@pytest.mark.parametrize("unmake", [_ended, _offered, _accepted_later, _left])
def test_a_role_gives_nothing_before_it_counts_and_nothing_after(unmake: Callable[[Assignment], None]) -> None:
    system = make_system()
    place = Scope.system(system.pk)
    for role in ROLES:
        person = make_persona(role.value, system).person
        assert _may_something(person, place), role
        unmake(person.assignments.get())
        assert not _may_something(person, place), role


def test_a_role_for_a_part_is_a_role_for_that_part_alone() -> None:
    system = make_system()
    one, two = (register_version(actor=COMMAND, system_id=system.pk, version=each) for each in ("1", "2"))
    parts = {
        Scope.of_capability(system.pk, "limits"): Scope.of_capability(system.pk, "terms"),
        Scope.model_version(system.pk, one.pk): Scope.model_version(system.pk, two.pk),
    }
    for mine, other in parts.items():
        person = make_person()
        give_role(person, Role.OPERATOR, mine)
        assert _may_something(person, mine)
        assert not _may_something(person, other) and not _may_something(person, Scope.system(system.pk))
        assert all(system.pk not in (rights.systems_where(person, act) or ()) for act in RULES)


def test_a_role_for_one_case_is_none_for_another_nor_for_its_ai_systems() -> None:
    system, person = make_system(), make_person()
    mine, other = (Scope.case(make_person().pk) for _ in range(2))
    give_role(person, Role.INVESTIGATOR, mine)
    assert _may_something(person, mine)
    assert not _may_something(person, other) and not _may_something(person, Scope.system(system.pk))


def test_nobody_is_both_halves_of_an_approval() -> None:
    system = make_system()
    place = Scope.system(system.pk)
    for role in ROLES:
        person = make_persona(role.value, system).person
        for act in BY_TWO:
            assert not rights.may_approve(person, act, place, requested_by=person.pk, given=EVERYTHING_HOLDS), act


@pytest.mark.parametrize("made", [True, False])
def test_nobody_agrees_to_what_somebody_asked_whose_account_they_made_or_reset_lately(made: bool) -> None:
    place = Scope.system(make_system().pk)
    for role in ROLES:
        maker = make_person(administrator=True)
        asker = register_person(actor=actor_of(maker) if made else COMMAND, name="New", email=f"{role}-{made}@x.org")
        if not made:
            issue_setup_link(actor=actor_of(maker), person_id=asker.pk)
        if role is not Role.ADMINISTRATOR:
            give_role(maker, role, ORGANISATION if role in ORGANISATION_ONLY else place)
        for act in BY_TWO:
            for one, other in ((maker, asker), (asker, maker)):
                given = EVERYTHING_HOLDS
                assert not rights.may_approve(one, act, place, requested_by=other.pk, given=given), (role, act)


def test_no_service_and_no_command_ever_agrees() -> None:
    system, account = make_system(), make_account()
    make_key(system, account=account, scopes=list(ServiceKey.Scope))
    for actor in (Actor("service", account.pk), COMMAND, SERVER):
        for act in BY_TWO:
            assert not rights.may_approve(
                actor, act, Scope.system(system.pk), requested_by=make_person().pk, given=EVERYTHING_HOLDS
            )
