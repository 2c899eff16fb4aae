"""The table of acts, persona by persona: who may ask, who may approve, and what a key may do.

Written by hand from the table that people were promised; a change of a right is a change here.
"""

import pytest

from governance import rights
from governance.acts import RULES, Act, Condition, Role
from governance.models import Person
from governance.scopes import ORGANISATION, Scope
from governance.services.offers import NAMED_ONLY
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db

PERSONAS = (
    "administrator",
    "accountable",
    "deputy",
    "technical_owner",
    "operator",
    "approver",
    "reviewer",
    "investigator",
    "auditor",
    "dpo",
    "viewer",
    "stranger",
)
# a: may, or may ask.  c: only under a condition (a claimed item, an own case, a dated grant, no part in it).
# v: approves somebody else's.  b: a and v.  w: c and v.
TABLE = """
                            adm acc dep tec ope app rev inv aud dpo vie str
switch.tighten               .   a   a   .   a   .   .   .   .   .   .   .
switch.loosen                .   .   .   .   a   v   .   .   .   .   .   .
parameter.tighten            .   a   a   .   a   .   .   .   .   .   .   .
parameter.loosen             .   .   .   .   a   v   .   .   .   .   .   .
card.publish                 .   v   .   a   .   .   .   .   .   .   .   .
version.promote              .   v   .   a   .   .   .   .   .   .   .   .
review.view                  .   a   a   .   .   .   a   .   .   .   .   .
review.claim                 .   .   .   .   .   .   a   .   .   .   .   .
decision.override            .   a   a   .   .   .   w   .   .   .   .   .
decision.confirm             .   a   a   .   .   .   w   .   .   .   .   .
appeal.decide                .   .   .   .   .   .   c   .   .   .   .   .
export.plain                 .   a   .   .   .   .   .   c   a   .   .   .
export.payloads              .   .   .   .   .   .   .   a   a   v   .   .
payloads.grant               .   .   .   .   .   .   .   a   a   v   .   .
erase                        .   v   .   .   .   .   .   .   .   a   .   .
hold.lift                    .   .   .   .   .   .   .   a   .   v   .   .
quarantine.view              .   a   a   a   .   .   .   .   .   a   .   .
quarantine.replay            .   a   a   a   .   .   .   .   .   .   .   .
quarantine.dismiss           .   v   .   a   .   .   .   .   .   .   .   .
log.close                    b   .   .   .   .   .   .   .   .   .   .   .
head.adopt                   b   .   .   .   .   .   .   .   .   .   .   .
signing_key.rotate           b   .   .   .   .   .   .   .   .   .   .   .
privileged_role.assign       b   .   .   .   .   .   .   .   .   .   .   .
role.assign                  a   a   .   .   .   .   .   .   .   .   .   .
people.manage                a   .   .   .   .   .   .   .   .   .   .   .
accounts.manage              a   .   .   .   .   .   .   .   .   .   .   .
settings.manage              a   .   .   .   .   .   .   .   .   .   .   .
system.register              a   .   .   .   .   .   .   .   .   .   .   .
system.edit                  a   a   .   a   .   .   .   .   .   .   .   .
system.go_live               .   a   .   .   .   .   .   .   .   .   .   .
system.retire                .   a   .   .   .   .   .   .   .   .   .   .
environment.register         a   .   .   a   .   .   .   .   .   .   .   .
version.register             a   .   .   a   .   .   .   .   .   .   .   .
version.register_unverified  .   .   .   .   .   .   .   .   .   .   .   .
alert.handle                 a   a   a   a   a   a   .   .   .   .   .   .
system.view                  a   a   a   a   a   a   a   a   a   a   a   .
decision.view                .   a   a   a   a   a   a   a   a   a   a   .
payload.read                 .   a   a   .   .   .   c   c   c   a   .   .
people.view                  a   a   a   a   a   a   a   a   a   a   a   .
ledger.view                  a   a   a   a   a   a   a   a   a   a   a   .
switch.emergency_clear       .   .   .   .   .   .   .   .   .   .   .   .
fail_policy.loosen           .   a   .   a   .   v   .   .   .   .   .   .
drill.plan                   .   a   a   a   a   .   .   .   .   .   .   .
drill.run_live               .   .   .   .   a   v   .   .   .   .   .   .
parameter.define             .   a   .   a   .   .   .   .   .   .   .   .
appeal.open                  .   a   a   a   a   a   a   a   a   a   a   .
override.report              .   .   .   .   .   .   .   .   .   .   .   .
effect.confirm               .   .   .   .   .   .   .   .   .   .   .   .
execution.claim              .   .   .   .   .   .   .   .   .   .   .   .
outcome.report               .   a   a   a   .   .   a   .   .   .   .   .
review_queue.manage          a   a   a   .   .   .   .   .   .   .   .   .
review_queue.loosen          a   a   a   .   .   v   .   .   .   .   .   .
review_rule.tighten          .   a   a   .   a   .   .   .   .   .   .   .
review_rule.loosen           .   a   a   .   a   v   .   .   .   .   .   .
oversight.view               .   a   a   .   .   .   .   a   a   a   .   .
webhook.manage               a   .   .   a   .   .   .   .   .   .   .   .
"""
ROWS = {name: letters for name, *letters in (line.split() for line in TABLE.strip().splitlines()[1:])}
OF_PEOPLE_ALONE = {
    "switch.loosen",
    "parameter.loosen",
    "decision.override",
    "decision.confirm",
    "appeal.decide",
    "review.claim",
    "card.publish",
    "version.promote",
    "erase",
    "hold.lift",
    "export.payloads",
    "payloads.grant",
}
EVERYTHING_HOLDS = frozenset(Condition)


def test_every_act_stands_in_the_table() -> None:
    assert {str(act) for act in RULES} == ROWS.keys()
    assert all(len(letters) == len(PERSONAS) for letters in ROWS.values())


def test_each_persona_may_exactly_what_the_table_says() -> None:
    system = make_system()
    place, other = Scope.system(system.pk), make_person()
    people = {persona: _persona(persona, place) for persona in PERSONAS}
    for act in RULES:
        found = [_letter(people[persona], act, place, other) for persona in PERSONAS]
        assert dict(zip(PERSONAS, found, strict=True)) == dict(zip(PERSONAS, ROWS[act], strict=True)), act


def test_nobody_has_a_right_in_a_system_that_is_not_theirs() -> None:
    mine, foreign = make_system(), make_system()
    for persona in ("accountable", "deputy", "technical_owner"):
        person = _persona(persona, Scope.system(mine.pk))
        assert not any(rights.can(person, act, Scope.system(foreign.pk), given=EVERYTHING_HOLDS) for act in RULES)


def test_no_key_and_no_command_does_what_needs_a_person() -> None:
    for name in OF_PEOPLE_ALONE:
        assert not RULES[Act(name)].by_key and not RULES[Act(name)].by_command, name


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
