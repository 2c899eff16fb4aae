"""The terms of an assignment, changed by whoever may give the role; and notes beside the past."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from config.errors import FieldProblem, Forbidden, InvalidInput
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act, Role
from governance.changes import write
from governance.errors import AssignmentNotFound, AssignmentNotOpen, TermsNotSeen
from governance.kinds import ACCOUNTABILITY_NOTED, ASSIGNMENT_PROPOSED, ASSIGNMENT_UPDATED
from governance.locks import ADMINISTRATORS, hold
from governance.models import AccountabilityNote, Assignment
from governance.models.people import LONGEST_TERMS
from governance.scopes import Scope
from governance.services.answering import lock_systems
from governance.services.assignments import giving
from governance.services.offers import OPEN, write_assignment
from governance.services.systems import locked_system
from governance.terms import Terms, refuse_bad_terms
from ledger.entries import Actor, timestamp
from ledger.kinds import Kind
from ledger.sealing import sealing

A_DAY = timedelta(days=1)
Status = Assignment.Status


def update_terms(
    *, actor: Actor, assignment_id: uuid.UUID, revision: int, changes: Mapping[str, Any], reason: str = ""
) -> Assignment:
    """Say what somebody's duties and powers are, what shows that they can, and when it is looked at again.

    `changes`: fields of `Terms`; `revision`: of the assignment, as it was read. Whoever may give the role does, and
    nobody of themself. What takes two administrators goes back to another one than whoever changed it, until it is
    accepted. Errors: `Forbidden`, `AssignmentNotFound`, `AssignmentNotOpen`, `TermsNotSeen`, `InvalidInput`.
    """
    with sealing() as seal:
        hold(ADMINISTRATORS)
        lock_systems(Assignment.objects.filter(pk=assignment_id).values_list("system_id", flat=True))
        held = Assignment.objects.select_for_update(no_key=True, of=("self",)).filter(pk=assignment_id).first()
        if held is None:
            raise AssignmentNotFound()
        _require_giver(actor, held)
        if held.status not in OPEN:
            raise AssignmentNotOpen()
        if held.revision != revision:
            raise TermsNotSeen()
        before = Terms.of(held)
        terms = replace(before, **changes)
        if terms.as_columns() == before.as_columns():
            return held
        refuse_bad_terms(terms, before)
        for name, value in terms.as_columns().items():
            setattr(held, name, value)
        write_assignment(seal, actor=actor, kind=_proposed_anew(actor, held), assignment=held, reason=reason)
    return held


def _proposed_anew(actor: Actor, held: Assignment) -> Kind:
    """To terms that one administrator wrote, another one agrees, who asked for it or agreed before. Gives the kind."""
    is_agreed = held.status == Status.OFFERED and held.approved_by_id is not None
    if is_agreed:
        held.status, held.approved_by_id, held.offered_at = Status.PROPOSED, None, None
    if held.status == Status.PROPOSED:
        held.requested_by_id = actor.id
    return ASSIGNMENT_PROPOSED if is_agreed else ASSIGNMENT_UPDATED


def may_note(actor: Actor, system_id: uuid.UUID, assignment: Assignment | None = None) -> bool:
    """Whether somebody may put a note beside the past: who gives roles there, and who held the one it is about.

    Held: accepted, and for this AI system or the whole organisation. An offer makes nobody a witness.
    """
    if actor.type != "person":
        return False
    return _held_it(actor, system_id, assignment) or rights.can(actor, Act.ROLE_ASSIGN, Scope.system(system_id))


def note_past(
    *,
    actor: Actor,
    system_id: uuid.UUID,
    since: datetime,
    until: datetime | None = None,
    assignment_id: uuid.UUID | None = None,
    text: str,
) -> AccountabilityNote:
    """Put a note beside who answered for an AI system in a span of the past: sealed, and changing nothing of it.

    Without `until` it is about the 24 hours from `since` on, as far as they are over. About an assignment it says
    something of the time in which that stood: of one's own, from its acceptance on. Errors: `Forbidden`,
    `PersonNeeded`, `SystemNotFound`, `AssignmentNotFound`, `InvalidInput`.
    """
    found = _about(system_id, assignment_id)
    if not may_note(actor, system_id, found):
        raise Forbidden()  # before anything is said about whether it is there
    if assignment_id is not None and found is None:
        raise AssignmentNotFound()
    about, is_own = found, _held_it(actor, system_id, found)
    earliest, latest = _span(about, from_acceptance=is_own)
    until = until or max(min(since + A_DAY, latest), since)
    _refuse_bad_note(since, until, text, earliest, latest)
    with sealing() as seal:
        note = AccountabilityNote(
            system=locked_system(system_id),
            assignment=about,
            since=since,
            until=until,
            text=text.strip(),
            written_by_id=person_id_of(actor),
        )
        facts = {"since": timestamp(since), "until": timestamp(until)}
        facts |= {"assignment": str(about.pk)} if about else {}
        write(seal, actor=actor, kind=ACCOUNTABILITY_NOTED, row=note, system_id=system_id, facts=facts)
    return note


def _about(system_id: uuid.UUID, assignment_id: uuid.UUID | None) -> Assignment | None:
    """None also for one of another AI system, or of a case."""
    found = Assignment.objects.filter(pk=assignment_id).first() if assignment_id else None
    return found if found is not None and _is_of(found, system_id) else None


def _is_of(assignment: Assignment, system_id: uuid.UUID) -> bool:
    everywhere = assignment.scope == Assignment.Scope.ORGANISATION
    return assignment.scope != Assignment.Scope.CASE and (everywhere or assignment.system_id == system_id)


def _held_it(actor: Actor, system_id: uuid.UUID, assignment: Assignment | None) -> bool:
    if assignment is None or actor.id != assignment.person_id:
        return False
    return assignment.accepted_at is not None and _is_of(assignment, system_id)


def _span(about: Assignment | None, *, from_acceptance: bool) -> tuple[datetime | None, datetime]:
    """From when to when something can be said of it: never of what is to come."""
    now = timezone.now()
    if about is None:
        return None, now
    asked = about.accepted_at if from_acceptance else about.offered_at or about.accepted_at
    return asked or now, min(filter(None, (about.ends_at, about.declined_at, now)))


def _require_giver(actor: Actor, held: Assignment) -> None:
    rights.require(actor, giving(Role(held.role)), Scope.of(held))
    if actor.type == "person" and actor.id == held.person_id:
        raise Forbidden("Nobody writes the terms of a role of their own. Ask somebody else who may give it.")


def _refuse_bad_note(since: datetime, until: datetime, text: str, earliest: datetime | None, latest: datetime) -> None:
    problems = []
    if since >= timezone.now():
        problems.append(FieldProblem(pointer="/since", detail="That moment has not come yet."))
    elif since >= latest or (earliest and since < earliest):
        problems.append(FieldProblem(pointer="/since", detail="The role did not stand at that moment."))
    elif until <= since:
        problems.append(FieldProblem(pointer="/until", detail="This is not after the beginning."))
    elif until > latest:
        detail = "That moment has not come yet." if until > timezone.now() else "The role had ended by then."
        problems.append(FieldProblem(pointer="/until", detail=detail))
    if not text.strip() or len(text) > LONGEST_TERMS:
        problems.append(FieldProblem(pointer="/text", detail=f"Say it, in up to {LONGEST_TERMS:,} characters."))
    if problems:
        raise InvalidInput(errors=problems)
