"""Giving roles, the doors for people: what the register asks, and what is known of cases here.

The register knows which roles do not go together. Whether somebody had a part in a case, only this floor knows: so a
role is offered, agreed to and accepted here, and the register writes it. What concerns a case is looked at before the
register takes its locks: whoever acts in the moment between is found by `overrides.services.case_leads.watch_leads`.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db.models import QuerySet

from audit.models import Case
from config.errors import FieldProblem, InvalidInput
from governance.acts import Act, Role
from governance.errors import RolesConflict
from governance.models import Assignment, Person
from governance.rights import can, require
from governance.scopes import Scope
from governance.services import assignments
from governance.terms import NO_TERMS, Terms
from ledger.entries import Actor
from overrides.services.case_leads import why_not_lead


def offer_role(
    *,
    actor: Actor,
    person: Person,
    role: Assignment.Role,
    scope: Scope,
    ends_at: datetime | None = None,
    reason: str = "",
    terms: Terms = NO_TERMS,
) -> Assignment:
    """`governance.services.assignments.offer_assignment`, but for a case to nobody who must not lead it.

    Errors: its own; `InvalidInput` where there is no such case.
    """
    require(actor, assignments.giving(role), scope)  # before anything is said about a case
    if scope.case_id is not None:
        _refuse_part(_case_of(scope.case_id), person, role)
    return assignments.offer_assignment(
        actor=actor, person=person, role=role, scope=scope, ends_at=ends_at, reason=reason, terms=terms
    )


def approve_proposal(*, actor: Actor, assignment_id: uuid.UUID, revision: int | None = None) -> Assignment:
    """`governance.services.assignments.approve_proposal`, looked at once more. Errors: its own."""
    if can(actor, Act.PRIVILEGED_ROLE_ASSIGN):  # nobody else is told what stands against somebody
        _refuse_parts(Assignment.objects.filter(pk=assignment_id, status=Assignment.Status.PROPOSED))
    return assignments.approve_proposal(actor=actor, assignment_id=assignment_id, revision=revision)


def accept_assignments(
    *, actor: Actor, assignment_ids: Sequence[uuid.UUID], revisions: Mapping[uuid.UUID, int] = assignments.NONE_NAMED
) -> list[Assignment]:
    """`governance.services.assignments.accept_assignments`, looked at once more. Errors: its own."""
    if actor.type == "person" and actor.id is not None:
        asked = Assignment.objects.filter(pk__in=assignment_ids, person_id=actor.id)
        _refuse_parts(asked.filter(status=Assignment.Status.OFFERED))
    return assignments.accept_assignments(actor=actor, assignment_ids=assignment_ids, revisions=revisions)


# --- parts of the above -----------------------------------------------------------------------------------------------
def _case_of(case_id: uuid.UUID) -> Case:
    found = Case.objects.filter(pk=case_id).first()
    if found is None:
        detail = "There is no case of this id. Give the one that its page shows."
        raise InvalidInput(errors=[FieldProblem(pointer="/case_id", detail=detail)])
    return found


def _refuse_parts(rows: QuerySet[Assignment]) -> None:
    for each in rows.filter(scope=Assignment.Scope.CASE).select_related("person"):
        assert each.case_id is not None
        _refuse_part(_case_of(each.case_id), each.person, Role(each.role))


def _refuse_part(case: Case, person: Person, role: Assignment.Role) -> None:
    """Errors: `RolesConflict`. Whoever appoints reads no case: they are told no more."""
    if role == Role.INVESTIGATOR and why_not_lead(case, person.pk):
        detail = f"{person} answers for what this case is about, or had a part in it."
        raise RolesConflict(detail, errors=[FieldProblem(pointer="/role", detail=detail)])
