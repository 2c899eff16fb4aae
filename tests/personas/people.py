"""The twelve personas, each in scope of an AI system and out of it: for tables of persona by act or by page.

In scope: they hold their role for the system, or for the organisation where the role is given there alone. Out of
scope: they hold the same role for another AI system; a role of the organisation has no outside, so there they have
held it and it has ended. The stranger has no role either way.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from governance.acts import Role
from governance.models import AISystem, Assignment, Person
from governance.scopes import ORGANISATION, Scope
from governance.services.assignments import accept_assignments, approve_proposal, offer_assignment
from governance.services.offers import ORGANISATION_ONLY
from governance.services.people import end_now
from governance.services.tokens import create_token
from ledger.entries import COMMAND
from ledger.sealing import sealing
from tests.factories.register import actor_of, give_role, make_person, make_system

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
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Persona:
    """A person with one role, and whether it reaches the AI system that a test is about."""

    name: str
    in_scope: bool
    person: Person

    def __str__(self) -> str:
        return f"{self.name} {'in' if self.in_scope else 'out of'} scope"

    def browser(self) -> Client:
        """Signed in just now."""
        client = Client()
        client.force_login(self.person)
        return client

    def api(self) -> APIClient:
        """With a personal token whose factor is fresh."""
        made = create_token(actor=actor_of(self.person), name="persona", proven_at=timezone.now())
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {made.text}")
        return client


def make_persona(name: str, system: AISystem, *, in_scope: bool = True) -> Persona:
    """One of `PERSONAS`, beside `system`."""
    person = make_person(name=f"{name} {next(_numbers)}")
    if name != "stranger":
        _give(person, Role(name), system, in_scope)
    return Persona(name, in_scope, person)


def make_personas(system: AISystem) -> list[Persona]:
    """All of them, in and out of scope."""
    return list(_everybody(system))


def _everybody(system: AISystem) -> Iterator[Persona]:
    for name in PERSONAS:
        yield make_persona(name, system, in_scope=True)
        if name != "stranger":
            yield make_persona(name, system, in_scope=False)


def _give(person: Person, role: Role, system: AISystem, in_scope: bool) -> None:
    if role in ORGANISATION_ONLY:
        held = give_role(person, role, ORGANISATION)
        if not in_scope:
            with sealing() as seal:
                end_now(seal, COMMAND, held, held.accepted_at)
    else:
        place = system if in_scope else make_system()
        # by the product's own way: who becomes accountable takes over from whoever was
        offer = offer_assignment(actor=COMMAND, person=person, role=role, scope=Scope.system(place.pk))
        if offer.status == Assignment.Status.PROPOSED:
            offer = approve_proposal(actor=actor_of(make_person(administrator=True)), assignment_id=offer.pk)
        accept_assignments(actor=actor_of(person), assignment_ids=[offer.pk])
