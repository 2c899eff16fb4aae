"""The table of acts, persona by persona: who may ask, who may approve, and what a key may do.

The table stands in docs/roles-and-rights.md, written by hand from what people were promised; a change of a right is a
change there.
"""

import pytest

from governance import rights
from governance.acts import RULES, Act, Condition, Role
from governance.models import Person
from governance.scopes import ORGANISATION, Scope
from governance.services.offers import NAMED_ONLY
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.personas.people import PERSONAS
from tests.personas.table import ACTS, BY_PROGRAM

pytestmark = pytest.mark.django_db
EVERYTHING_HOLDS = frozenset(Condition)
OF_PEOPLE_ALONE = {
    "switch.loosen",
    "parameter.loosen",
    "decision.override",
    "decision.confirm",
    "appeal.decide",
    "card.edit",
    "card.publish",
    "letter_template.edit",
    "letter_template.publish",
    "letter.issue",
    "case.open",
    "case.work",
    "case.lead",
    "hold.place",
    "version.promote",
    "erase",
    "hold.lift",
    "export.payloads",
    "payloads.grant",
}


def test_every_act_stands_in_the_table() -> None:
    assert {str(act) for act in RULES} == ACTS.keys()


def test_each_persona_may_exactly_what_the_table_says() -> None:
    system = make_system()
    place, other = Scope.system(system.pk), make_person()
    people = {persona: _persona(persona, place) for persona in PERSONAS}
    for act in RULES:
        assert {persona: _letter(people[persona], act, place, other) for persona in PERSONAS} == ACTS[act], act


def test_nobody_has_a_right_in_a_system_that_is_not_theirs() -> None:
    mine, foreign = make_system(), make_system()
    for persona in ("accountable", "deputy", "technical_owner"):
        person = _persona(persona, Scope.system(mine.pk))
        assert not any(rights.can(person, act, Scope.system(foreign.pk), given=EVERYTHING_HOLDS) for act in RULES)


def test_programs_may_exactly_what_the_table_says() -> None:
    found = {str(act): (rule.by_key, rule.by_command) for act, rule in RULES.items() if rule.by_key or rule.by_command}
    assert found == BY_PROGRAM


def test_no_key_and_no_command_does_what_needs_a_person() -> None:
    assert OF_PEOPLE_ALONE.isdisjoint(BY_PROGRAM)


def _persona(persona: str, place: Scope) -> Person:
    person = make_person(name=persona)
    if persona != "stranger":
        give_role(person, Role(persona), place if Role(persona) in NAMED_ONLY else ORGANISATION)
    return person


def _letter(person: Person, act: Act, place: Scope, other: Person) -> str:
    may = rights.can(person, act, place)
    may_sometimes = rights.can(person, act, place, given=EVERYTHING_HOLDS)
    approves = rights.may_approve(actor_of(person), act, place, requested_by=other.pk, given=EVERYTHING_HOLDS)
    assert not (approves and rights.may_approve(person, act, place, requested_by=person.pk, given=EVERYTHING_HOLDS))
    return {
        (True, True, False): "a",
        (False, True, False): "c",
        (False, False, True): "v",
        (True, True, True): "b",
        (False, True, True): "w",
        (False, False, False): ".",
    }[may, may_sometimes, approves]
