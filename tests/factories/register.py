"""Rows of the register, made by the services that make them in the product."""

import itertools
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils import timezone

from governance.acts import Role
from governance.kinds import ASSIGNMENT_ACCEPTED
from governance.models import AISystem, Assignment, Person, ServiceAccount
from governance.scopes import ORGANISATION, Scope
from governance.services.accounts import register_account
from governance.services.keys import NewKey, create_service_key
from governance.services.offers import offer_to, write_assignment
from governance.services.people import register_person
from governance.services.systems import register_system
from ledger.entries import COMMAND, Actor
from ledger.sealing import sealing

_numbers = itertools.count(1)


def make_person(*, name: str = "", email: str = "", **roles: Any) -> Person:
    """An active person; `administrator=True` or `operator=system` gives them that role, accepted."""
    number = next(_numbers)
    person = register_person(actor=COMMAND, name=name or f"Person {number}", email=email or f"p{number}@example.org")
    for role, place in roles.items():
        give_role(person, Role(role), ORGANISATION if place is True else Scope.system(place.pk))
    return person


def give_role(
    person: Person, role: Assignment.Role, scope: Scope = ORGANISATION, *, ends_at: datetime | None = None
) -> Assignment:
    """An accepted assignment, without the ways that lead there."""
    with sealing() as seal:
        assignment = offer_to(seal, actor=COMMAND, person=person, role=role, scope=scope, ends_at=ends_at)
        assignment.status = Assignment.Status.ACCEPTED
        assignment.accepted_at = timezone.now()
        write_assignment(seal, actor=actor_of(person), kind=ASSIGNMENT_ACCEPTED, assignment=assignment)
    return assignment


def make_system(*, slug: str = "", accountable: Person | None = None, **described: Any) -> AISystem:
    slug = slug or f"system-{next(_numbers)}"
    return register_system(actor=COMMAND, slug=slug, name=slug.title(), accountable=accountable, **described)


def make_account(*, slug: str = "", owner: Person | None = None) -> ServiceAccount:
    slug = slug or f"service-{next(_numbers)}"
    return register_account(actor=COMMAND, slug=slug, name=slug.title(), owner=owner)


def make_key(
    *systems: AISystem, scopes: Iterable[str] = ("decisions:write",), account: ServiceAccount | None = None, **rest: Any
) -> NewKey:
    return create_service_key(actor=COMMAND, account=account or make_account(), systems=systems, scopes=scopes, **rest)


def actor_of(person: Person) -> Actor:
    return Actor("person", person.pk)
