"""Assignments: offering, proposing, accepting, declining, delegating, ending. One starts at its acceptance."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from config.errors import Conflict, FieldProblem, Forbidden, InvalidInput
from governance import rights
from governance.acts import PRIVILEGED, Act, Role
from governance.errors import AssignmentNotFound, AssignmentNotOpen, RequestVoid
from governance.kinds import (
    ASSIGNMENT_ACCEPTED,
    ASSIGNMENT_DECLINED,
    ASSIGNMENT_DELEGATED,
    ASSIGNMENT_OFFERED,
    ASSIGNMENT_REFUSED,
)
from governance.locks import ADMINISTRATORS, hold
from governance.models import AISystem, Assignment, Person
from governance.scopes import Scope
from governance.services.offers import OPEN, offer_to, write_assignment
from governance.services.people import end_now, locked_person, refuse_last_administrator
from ledger.entries import Actor
from ledger.sealing import Seal, sealing

Status = Assignment.Status


def offer_assignment(
    *,
    actor: Actor,
    person: Person,
    role: Assignment.Role,
    scope: Scope,
    ends_at: datetime | None = None,
    reason: str = "",
) -> Assignment:
    """Ask somebody to take a role. It counts once they accept.

    Administrator, approver, data protection officer, auditor and investigator are only proposed: a second
    administrator agrees first. The one exception: where there has only ever been a single administrator, that one
    appoints the second alone (docs/decisions says why). Nobody offers a role to themself.
    Errors: `Forbidden`, `PersonNotFound`, `AssignmentExists`, `InvalidInput`.
    """
    privileged = role in PRIVILEGED
    rights.require(actor, Act.PRIVILEGED_ROLE_ASSIGN if privileged else Act.ROLE_ASSIGN, scope)
    _refuse_past(ends_at)
    with sealing() as seal:
        if privileged:
            hold(ADMINISTRATORS)
        alone = role is Role.ADMINISTRATOR and _needs_no_second(actor)
        return offer_to(
            seal,
            actor=actor,
            person=person,
            role=role,
            scope=scope,
            proposed=privileged and not alone,
            ends_at=ends_at,
            facts={"sole_administrator": True} if alone else None,
            reason=reason,
        )


def approve_proposal(*, actor: Actor, assignment_id: uuid.UUID) -> Assignment:
    """Agree, as the second administrator, that somebody is offered a privileged role.

    Errors: `AssignmentNotFound`, `AssignmentNotOpen`, `ApprovalForbidden`, `RequestVoid`.
    """
    with sealing() as seal:
        proposal = _locked_proposal(actor, assignment_id)
        _require_right_of_asker(proposal)
        proposal.status = Status.OFFERED
        proposal.approved_by_id = actor.id
        proposal.offered_at = timezone.now()
        write_assignment(seal, actor=actor, kind=ASSIGNMENT_OFFERED, assignment=proposal)
    return proposal


def refuse_proposal(*, actor: Actor, assignment_id: uuid.UUID, reason: str = "") -> Assignment:
    """Say no, as the second administrator; also to a proposal whose asker lost the right to make it.

    Errors: as `approve_proposal`, but for `RequestVoid`.
    """
    with sealing() as seal:
        proposal = _locked_proposal(actor, assignment_id)
        proposal.status = Status.REFUSED
        write_assignment(seal, actor=actor, kind=ASSIGNMENT_REFUSED, assignment=proposal, reason=reason)
    return proposal


def accept_assignments(*, actor: Actor, assignment_ids: Sequence[uuid.UUID]) -> list[Assignment]:
    """Accept offers, all or none. Only the person asked can.

    Who becomes accountable for a place takes over from whoever was: that assignment ends at this moment.
    Errors: `Forbidden`, `AssignmentNotFound`, `AssignmentNotOpen`.
    """
    with sealing() as seal:
        offers = _own_offers(actor, assignment_ids)
        _lock_places(offers)
        now = timezone.now()
        for offer in offers:
            _accept(seal, actor, offer, now)
    return offers


def decline_assignment(*, actor: Actor, assignment_id: uuid.UUID, reason: str = "") -> Assignment:
    """Say no to an offer. Errors: `Forbidden`, `AssignmentNotFound`, `AssignmentNotOpen`."""
    with sealing() as seal:
        (offer,) = _own_offers(actor, [assignment_id])
        offer.status = Status.DECLINED
        offer.declined_at = timezone.now()
        write_assignment(seal, actor=actor, kind=ASSIGNMENT_DECLINED, assignment=offer, reason=reason)
    return offer


def end_assignment(*, actor: Actor, assignment_id: uuid.UUID, reason: str = "") -> Assignment:
    """End an assignment, or take an offer back. Its holder may, and who may give the role; delegations end with it.

    Taking a privileged role away needs one administrator only: whoever is left alone by it still appoints nobody
    without a second. Errors: `Forbidden`,
    `AssignmentNotFound`, `AssignmentNotOpen`, `LastAdministrator`.
    """
    with sealing() as seal:
        hold(ADMINISTRATORS)
        assignment = _locked(assignment_id)
        _require_end(actor, assignment)
        if assignment.status not in OPEN:
            raise AssignmentNotOpen()
        if assignment.role == Role.ADMINISTRATOR and assignment.status == Status.ACCEPTED:
            refuse_last_administrator(assignment.person_id)
        _end_with_delegations(seal, actor, assignment, timezone.now(), reason)
    return assignment


def delegate_assignment(
    *, actor: Actor, assignment_id: uuid.UUID, to: Person, ends_at: datetime | None = None, reason: str = ""
) -> Assignment:
    """Offer somebody the same role beside the holder, who keeps it. A delegate for the accountable is a deputy.

    Privileged roles and delegations are not delegated. Errors: `Forbidden`, `AssignmentNotFound`,
    `AssignmentNotOpen`, `PersonNotFound`, `AssignmentExists`.
    """
    _refuse_past(ends_at)
    with sealing() as seal:
        held = _locked(assignment_id)
        if actor.type != "person" or held.person_id != actor.id:
            raise Forbidden()
        if held.status != Status.ACCEPTED or (held.ends_at and held.ends_at <= timezone.now()):
            raise AssignmentNotOpen()
        if held.role in PRIVILEGED or held.delegated_from_id:
            raise Conflict("This role is given by administrators only, or was itself delegated.")
        locked_person(to.pk)
        return offer_to(
            seal,
            actor=actor,
            person=to,
            role=Role.DEPUTY if held.role == Role.ACCOUNTABLE else Role(held.role),
            scope=Scope.of(held),
            ends_at=min(filter(None, [ends_at, held.ends_at]), default=None),
            delegated_from=held,
            kind=ASSIGNMENT_DELEGATED,
            reason=reason,
        )


def _needs_no_second(actor: Actor) -> bool:
    """Whether there cannot be a second administrator yet. Call under the lock `ADMINISTRATORS`.

    A person who became the only one by ending the others is not alone; then somebody at the host helps, who is not one
    of them. An open offer counts as the second: else several could be made, and all be accepted.
    """
    everyone = Assignment.objects.filter(role=Role.ADMINISTRATOR)
    counting = rights.administrators() if actor.type == "command" else everyone.filter(accepted_at__isnull=False)
    asked = everyone.filter(Q(ends_at=None) | Q(ends_at__gt=timezone.now()), status=Status.OFFERED)
    return counting.values("person_id").distinct().count() == 1 and not asked.exists()


def _locked(assignment_id: uuid.UUID) -> Assignment:
    found = Assignment.objects.select_for_update(no_key=True, of=("self",)).filter(pk=assignment_id).first()
    if found is None:
        raise AssignmentNotFound()
    return found


def _locked_proposal(actor: Actor, assignment_id: uuid.UUID) -> Assignment:
    hold(ADMINISTRATORS)
    proposal = _locked(assignment_id)
    requested_by = proposal.requested_by_id
    rights.require_approval(actor, Act.PRIVILEGED_ROLE_ASSIGN, Scope.of(proposal), requested_by=requested_by)
    if actor.id == proposal.person_id:
        raise Forbidden("Nobody agrees to a role for themself.")
    if proposal.status != Status.PROPOSED:
        raise AssignmentNotOpen()
    return proposal


def _require_right_of_asker(proposal: Assignment) -> None:
    """Two must have the right when the role is given, not one of them some day before."""
    asker = proposal.requested_by_id
    if asker and not rights.can(Actor("person", asker), Act.PRIVILEGED_ROLE_ASSIGN, Scope.of(proposal)):
        raise RequestVoid()


def _own_offers(actor: Actor, assignment_ids: Sequence[uuid.UUID]) -> list[Assignment]:
    """The offers, locked in id order. Somebody else's are not there for this person."""
    if actor.type != "person" or actor.id is None:
        raise Forbidden("A role is accepted or declined by the person who was asked, signed in.")
    locked_person(actor.id)
    rows = Assignment.objects.select_for_update(no_key=True, of=("self",)).filter(person_id=actor.id)
    offers = list(rows.filter(pk__in=assignment_ids).order_by("pk"))
    if len(offers) != len(set(assignment_ids)):
        raise AssignmentNotFound()
    now = timezone.now()
    if any(offer.status != Status.OFFERED or (offer.ends_at and offer.ends_at <= now) for offer in offers):
        raise AssignmentNotOpen()
    return offers


def _lock_places(offers: Sequence[Assignment]) -> None:
    """Of two people who accept the same responsibility at once, the second takes over from the first."""
    systems = {offer.system_id for offer in offers if offer.role == Role.ACCOUNTABLE and offer.system_id}
    list(AISystem.objects.select_for_update(no_key=True).filter(pk__in=systems).order_by("pk"))


def _accept(seal: Seal, actor: Actor, offer: Assignment, now: datetime) -> None:
    facts = {}
    if offer.role == Role.ACCOUNTABLE:
        before = Assignment.objects.select_for_update(no_key=True, of=("self",)).filter(
            role=Role.ACCOUNTABLE, status=Status.ACCEPTED, delegated_from=None, **Scope.of(offer).as_columns()
        )
        for predecessor in before.order_by("pk"):
            _end_with_delegations(seal, actor, predecessor, now)
            facts = {"predecessor": str(predecessor.pk)}
    offer.status = Status.ACCEPTED
    offer.accepted_at = now
    write_assignment(seal, actor=actor, kind=ASSIGNMENT_ACCEPTED, assignment=offer, facts=facts)


def _end_with_delegations(seal: Seal, actor: Actor, assignment: Assignment, now: datetime, reason: str = "") -> None:
    end_now(seal, actor, assignment, now, reason)
    delegated = Assignment.objects.select_for_update(no_key=True, of=("self",)).filter(delegated_from=assignment)
    for each in delegated.filter(status__in=OPEN).order_by("pk"):
        end_now(seal, actor, each, now)


def _require_end(actor: Actor, assignment: Assignment) -> None:
    if actor.type == "person" and actor.id == assignment.person_id:
        return
    privileged = assignment.role in PRIVILEGED
    rights.require(actor, Act.PRIVILEGED_ROLE_ASSIGN if privileged else Act.ROLE_ASSIGN, Scope.of(assignment))


def _refuse_past(ends_at: datetime | None) -> None:
    if ends_at is not None and ends_at <= timezone.now():
        raise InvalidInput(errors=[FieldProblem(pointer="/ends_at", detail="The end must be in the future.")])
