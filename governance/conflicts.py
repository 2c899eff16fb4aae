"""Roles that one person does not hold together. One table, asked when a role is offered, agreed to and accepted.

Who holds two of them already, as after an upgrade, keeps them and is shown: nobody loses a role by a new rule.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

from config.errors import FieldProblem
from governance import rights
from governance.acts import Role
from governance.errors import RolesConflict
from governance.models import Assignment, Person
from governance.scopes import Scope

OPERATING = (
    Role.ACCOUNTABLE,
    Role.DEPUTY,
    Role.TECHNICAL_OWNER,
    Role.OPERATOR,
    Role.APPROVER,
    Role.EMERGENCY_OPERATOR,
    Role.REVIEWER,
    Role.ADMINISTRATOR,
)
DECIDE_ABOUT_PROCESSING = (Role.ACCOUNTABLE, Role.DEPUTY, Role.TECHNICAL_OWNER, Role.OPERATOR, Role.ADMINISTRATOR)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two roles, and why one person does not hold both."""

    roles: frozenset[Assignment.Role]
    why: str


def _pairs(role: Assignment.Role, others: Iterable[Assignment.Role], why: str) -> Iterator[Conflict]:
    return (Conflict(frozenset({role, other}), why) for other in others)


CONFLICTS: tuple[Conflict, ...] = (
    *_pairs(
        Role.APPROVER,
        (Role.OPERATOR, Role.EMERGENCY_OPERATOR),
        "Who approves a release looks at it from outside: two colleagues who both ask and approve would wave each "
        "other's requests through.",
    ),
    *_pairs(Role.AUDITOR, OPERATING, "An auditor does not audit their own work."),
    *_pairs(
        Role.DPO,
        DECIDE_ABOUT_PROCESSING,
        "A data protection officer does not watch over what they decide themself (GDPR, article 38(6)).",
    ),
    *_pairs(
        Role.DPO,
        (Role.AUDITOR, Role.INVESTIGATOR),
        "Who agrees that payloads are read and holds are lifted looks at it from outside: two colleagues who both ask "
        "and agree would wave each other's requests through.",
    ),
)
_WHY = {conflict.roles: conflict.why for conflict in CONFLICTS}


@dataclass(frozen=True, slots=True)
class Clash:
    """Two assignments of one person that do not go together."""

    person: Person
    held: Assignment
    other: Assignment
    why: str


def refuse_conflict(person: Person, role: Assignment.Role, scope: Scope) -> None:
    """Errors: `RolesConflict`, naming what they hold."""
    for held in rights.in_force().filter(person=person).select_related("system", "model_version"):
        if (why := _why(held, role, scope)) is not None:
            said = f"{person} is {held.get_role_display().lower()} of {held.place}. {why}"
            raise RolesConflict(said, errors=[FieldProblem(pointer="/role", detail=said)])


def clashes(assignments: Iterable[Assignment]) -> list[Clash]:
    """What is held together, among assignments in force, though it should not be."""
    by_person: dict[Person, list[Assignment]] = {}
    for each in assignments:
        by_person.setdefault(each.person, []).append(each)
    pairs = ((person, *pair) for person, held in by_person.items() for pair in combinations(held, 2))
    found = ((person, one, two, _why(one, Role(two.role), Scope.of(two))) for person, one, two in pairs)
    return [Clash(person, one, two, why) for person, one, two, why in found if why is not None]


def _why(held: Assignment, role: Assignment.Role, scope: Scope) -> str | None:
    if (held.role, role) == (Role.ACCOUNTABLE, Role.DEPUTY) and Scope.of(held) == scope:
        return "Nobody stands in for themself."  # the other way round it is a succession: standing in ends by itself
    why = _WHY.get(frozenset({Role(held.role), role}))
    return why if why is not None and _meet(Scope.of(held), scope) else None


def _meet(one: Scope, two: Scope) -> bool:
    """Whether two scopes have something in common; of two parts of one AI system nobody can say."""
    if Assignment.Scope.ORGANISATION in (one.kind, two.kind):
        return True
    return one.system_id is not None and one.system_id == two.system_id
