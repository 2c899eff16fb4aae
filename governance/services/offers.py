"""The inner step of every assignment: offering it to somebody, inside a service that has asked for the right."""

import uuid
from datetime import datetime
from typing import Any

from django.utils import timezone

from config.errors import Forbidden
from governance.acts import Role
from governance.changes import write
from governance.errors import AssignmentExists, BadRequestedScope, PersonNotFound
from governance.kinds import ASSIGNMENT_OFFERED, ASSIGNMENT_PROPOSED
from governance.models import Assignment, Person
from governance.scopes import Scope
from governance.terms import NO_TERMS, Terms, refuse_bad_terms
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.sealing import Seal

WAITING = (Assignment.Status.PROPOSED, Assignment.Status.OFFERED)
OPEN = (*WAITING, Assignment.Status.ACCEPTED)
ORGANISATION_ONLY = frozenset({Role.ADMINISTRATOR, Role.APPROVER, Role.DPO})
NAMED_ONLY = frozenset({Role.ACCOUNTABLE, Role.TECHNICAL_OWNER, Role.DEPUTY})


def offer_to(
    seal: Seal,
    *,
    actor: Actor,
    person: Person,
    role: Assignment.Role,
    scope: Scope,
    proposed: bool = False,
    ends_at: datetime | None = None,
    delegated_from: Assignment | None = None,
    succeeds: Assignment | None = None,
    kind: Kind = ASSIGNMENT_OFFERED,
    facts: dict[str, Any] | None = None,
    reason: str = "",
    terms: Terms = NO_TERMS,
) -> Assignment:
    """Write an offer, or a proposal that a second administrator must agree to first.

    Errors: `Forbidden` for oneself, `PersonNotFound` of somebody who left, `BadRequestedScope`, `AssignmentExists`,
    `InvalidInput` of terms.
    """
    if actor.type == "person" and actor.id == person.pk:
        # who gives roles out reads no decisions; a role of one's own giving would be the way round that
        raise Forbidden("Nobody offers a role to themself. Ask somebody else who may give it.")
    _check_place(role, scope)
    refuse_bad_terms(terms, terms if succeeds or delegated_from else NO_TERMS)
    _lock_person(person.pk)
    held = Assignment.objects.filter(person=person, role=role, status__in=OPEN, **scope.as_columns())
    if any(not assignment.ends_at or assignment.ends_at > timezone.now() for assignment in held):
        raise AssignmentExists()
    assignment = Assignment(
        person=person,
        role=role,
        status=Assignment.Status.PROPOSED if proposed else Assignment.Status.OFFERED,
        requested_by_id=actor.id,
        offered_at=None if proposed else timezone.now(),
        ends_at=ends_at,
        delegated_from=delegated_from,
        succeeds=succeeds,
        **terms.as_columns(),
        **scope.as_columns(),
    )
    write_assignment(
        seal,
        actor=actor,
        kind=ASSIGNMENT_PROPOSED if proposed else kind,
        assignment=assignment,
        facts=facts,
        reason=reason,
    )
    return assignment


def write_assignment(
    seal: Seal,
    *,
    actor: Actor,
    kind: Kind,
    assignment: Assignment,
    facts: dict[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Every entry about an assignment says whose it is, for what, where."""
    said: dict[str, Any] = {
        "person": str(assignment.person_id),
        "role": str(assignment.role),
        "scope": str(assignment.scope),
    }
    for name in ("model_version_id", "case_id", "delegated_from_id", "succeeds_id", "capability"):
        if value := getattr(assignment, name):
            said[name.removesuffix("_id")] = str(value)
    write(
        seal,
        actor=actor,
        kind=kind,
        row=assignment,
        system_id=assignment.system_id,
        facts=said | (facts or {}),
        reason=reason,
    )


def _check_place(role: Assignment.Role, scope: Scope) -> None:
    if role in ORGANISATION_ONLY and scope.kind != Assignment.Scope.ORGANISATION:
        raise BadRequestedScope(f"{role.label.capitalize()} is a role in the whole organisation.")
    if role in NAMED_ONLY and scope.kind in (Assignment.Scope.ORGANISATION, Assignment.Scope.CASE):
        raise BadRequestedScope(f"{role.label.capitalize()} is a role for an AI system or a part of one.")


def _lock_person(person_id: uuid.UUID) -> None:
    """Somebody who is leaving right now gets no new offers, and two equal offers come one after the other."""
    if Person.objects.select_for_update(no_key=True).filter(pk=person_id, is_active=True).first() is None:
        raise PersonNotFound()
