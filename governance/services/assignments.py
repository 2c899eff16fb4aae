"""Assignments: offering, proposing, accepting, declining, delegating, ending. One starts at its acceptance."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from django.db.models import Q, QuerySet
from django.utils import timezone

from config.errors import Conflict, FieldProblem, Forbidden, InvalidInput
from governance import rights
from governance.acts import PRIVILEGED, Act, Role
from governance.conflicts import refuse_conflict
from governance.errors import AssignmentNotFound, AssignmentNotOpen, RequestVoid
from governance.kinds import (
    ASSIGNMENT_ACCEPTED,
    ASSIGNMENT_DECLINED,
    ASSIGNMENT_DELEGATED,
    ASSIGNMENT_OFFERED,
    ASSIGNMENT_REFUSED,
)
from governance.locks import ADMINISTRATORS, hold
from governance.models import Assignment, Person
from governance.scopes import Scope
from governance.services.answering import carried_by, lock_systems, require_no_gap, settle_gaps
from governance.services.offers import OPEN, WAITING, offer_to, write_assignment
from governance.services.people import end_now, locked_person, refuse_last_administrator
from governance.terms import NO_TERMS, Terms, require_seen
from ledger.entries import Actor
from ledger.sealing import Seal, sealing

Status = Assignment.Status
NONE_NAMED: Mapping[uuid.UUID, int] = MappingProxyType({})


def offer_assignment(
    *,
    actor: Actor,
    person: Person,
    role: Assignment.Role,
    scope: Scope,
    ends_at: datetime | None = None,
    reason: str = "",
    terms: Terms = NO_TERMS,
) -> Assignment:
    """Ask somebody to take a role, on these terms. It counts once they accept.

    Administrator, approver, data protection officer, auditor and investigator are only proposed: a second
    administrator agrees first. The one exception: where there has only ever been a single administrator, that one
    appoints the second alone (docs/decisions says why). Nobody offers a role to themself.
    Errors: `Forbidden`, `PersonNotFound`, `AssignmentExists`, `RolesConflict`, `InvalidInput`.
    """
    privileged = role in PRIVILEGED
    rights.require(actor, giving(role), scope)
    _refuse_past(ends_at)
    refuse_conflict(person, role, scope)
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
            terms=terms,
        )


def approve_proposal(*, actor: Actor, assignment_id: uuid.UUID, revision: int | None = None) -> Assignment:
    """Agree, as the second administrator, that somebody is offered a privileged role.

    `revision`: of the proposal, as it was read; it may be left out where nothing goes with the role. Errors:
    `AssignmentNotFound`, `AssignmentNotOpen`, `ApprovalForbidden`, `TermsNotSeen`, `RequestVoid`, `RolesConflict`.
    """
    with sealing() as seal:
        proposal = _locked_proposal(actor, assignment_id)
        require_seen(proposal, revision)
        _require_right_of_asker(proposal)
        refuse_conflict(proposal.person, Role(proposal.role), Scope.of(proposal))
        proposal.status = Status.OFFERED
        proposal.approved_by_id = actor.id
        proposal.offered_at = timezone.now()
        write_assignment(seal, actor=actor, kind=ASSIGNMENT_OFFERED, assignment=proposal)
    return proposal


def refuse_proposal(*, actor: Actor, assignment_id: uuid.UUID, reason: str = "") -> Assignment:
    """Say no, as the second administrator; also to a proposal whose asker lost the right to make it.

    Errors: as `approve_proposal`, but for `TermsNotSeen`, `RequestVoid`.
    """
    with sealing() as seal:
        proposal = _locked_proposal(actor, assignment_id)
        proposal.status = Status.REFUSED
        write_assignment(seal, actor=actor, kind=ASSIGNMENT_REFUSED, assignment=proposal, reason=reason)
    return proposal


def accept_assignments(
    *, actor: Actor, assignment_ids: Sequence[uuid.UUID], revisions: Mapping[uuid.UUID, int] = NONE_NAMED
) -> list[Assignment]:
    """Accept offers, all or none. Only the person asked can.

    `revisions`: of the offers, as they were read. One may be left out where nothing goes with the role.

    Who becomes accountable for a place takes over from whoever was: that assignment ends at this moment, and so does
    their own standing in for it. What was handed over ends, too; if it ended before, there is nothing to accept.
    Errors: `Forbidden`, `AssignmentNotFound`, `AssignmentNotOpen`, `TermsNotSeen`, `RolesConflict`.
    """
    with sealing() as seal:
        hold(ADMINISTRATORS)
        offers = _own_offers(actor, assignment_ids)
        for offer in offers:
            require_seen(offer, revisions.get(offer.pk))
        answered = {offer.system_id for offer in offers if offer.role == Role.ACCOUNTABLE and offer.system_id}
        now = timezone.now()
        for offer in offers:
            _accept(seal, actor, offer, now)
        settle_gaps(seal, actor=actor, system_ids=answered, at=now)
    return offers


def decline_assignment(*, actor: Actor, assignment_id: uuid.UUID, reason: str = "") -> Assignment:
    """Say no to an offer. Errors: `Forbidden`, `AssignmentNotFound`, `AssignmentNotOpen`."""
    with sealing() as seal:
        (offer,) = _own_offers(actor, [assignment_id])
        offer.status = Status.DECLINED
        offer.declined_at = timezone.now()
        write_assignment(seal, actor=actor, kind=ASSIGNMENT_DECLINED, assignment=offer, reason=reason)
    return offer


def end_assignment(
    *, actor: Actor, assignment_id: uuid.UUID, reason: str = "", accepts_gap: bool = False
) -> Assignment:
    """End an assignment, or take an offer back. Its holder may, and who may give the role; delegations end with it.

    Where a live AI system would be left with nobody accountable it takes `accepts_gap` and a reason. Taking a
    privileged role away needs one administrator only: whoever is left alone by it still appoints nobody without a
    second. Errors: `Forbidden`, `AssignmentNotFound`, `AssignmentNotOpen`, `GapWouldOpen`, `LastAdministrator`.
    """
    with sealing() as seal:
        hold(ADMINISTRATORS)
        lock_systems(Assignment.objects.filter(pk=assignment_id).values_list("system_id", flat=True))
        assignment = _locked(assignment_id)
        _require_end(actor, assignment)
        if assignment.status not in OPEN:
            raise AssignmentNotOpen()
        if assignment.role == Role.ADMINISTRATOR and assignment.status == Status.ACCEPTED:
            refuse_last_administrator(assignment.person_id)
        left = carried_by([assignment])
        require_no_gap(left, confirmed=accepts_gap, reason=reason)
        now = timezone.now()
        _end_with_delegations(seal, actor, assignment, now, reason)
        settle_gaps(seal, actor=actor, system_ids=[system.pk for system in left], at=now)
    return assignment


def delegate_assignment(
    *, actor: Actor, assignment_id: uuid.UUID, to: Person, ends_at: datetime | None = None, reason: str = ""
) -> Assignment:
    """Offer somebody the same role beside the holder, who keeps it. A delegate for the accountable is a deputy.

    Privileged roles and delegations are not delegated. Errors: `Forbidden`, `AssignmentNotFound`,
    `AssignmentNotOpen`, `PersonNotFound`, `AssignmentExists`, `RolesConflict`.
    """
    _refuse_past(ends_at)
    with sealing() as seal:
        locked_person(to.pk)
        held = _locked(assignment_id)
        if not _is_own(actor, held):
            raise Forbidden()
        _require_movable(held)
        role = Role.DEPUTY if held.role == Role.ACCOUNTABLE else Role(held.role)
        refuse_conflict(to, role, Scope.of(held))
        return offer_to(
            seal,
            actor=actor,
            person=to,
            role=role,
            scope=Scope.of(held),
            ends_at=_no_later(ends_at, held),
            delegated_from=held,
            kind=ASSIGNMENT_DELEGATED,
            reason=reason,
            terms=Terms.of(held).for_another(),
        )


def hand_over_assignment(
    *, actor: Actor, assignment_id: uuid.UUID, to: Person, ends_at: datetime | None = None, reason: str = ""
) -> Assignment:
    """Offer somebody what the holder has: at the moment they accept it, it ends for the holder. So there is no gap.

    Who may not give the role hands over no more than they have: then the offer ends no later than it does. Once it
    ended, there is nothing to hand over. Its holder may, and who may give the role. Privileged roles take two
    administrators, and what was delegated goes back to who delegated it. Errors: as `delegate_assignment`.
    """
    _refuse_past(ends_at)
    with sealing() as seal:
        locked_person(to.pk)
        held = _locked(assignment_id)
        _require_end(actor, held)
        _require_movable(held)
        role, scope = Role(held.role), Scope.of(held)
        refuse_conflict(to, role, scope)
        return offer_to(
            seal,
            actor=actor,
            person=to,
            role=role,
            scope=scope,
            ends_at=ends_at if rights.can(actor, giving(role), scope) else _no_later(ends_at, held),
            succeeds=held,
            reason=reason,
            terms=Terms.of(held).for_another(),
        )


def giving(role: Assignment.Role) -> Act:
    """The act by which a role is given."""
    return Act.PRIVILEGED_ROLE_ASSIGN if role in PRIVILEGED else Act.ROLE_ASSIGN


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
    """The offers, locked in id order, after their AI systems. Somebody else's are not there for this person."""
    if actor.type != "person" or actor.id is None:
        raise Forbidden("A role is accepted or declined by the person who was asked, signed in.")
    locked_person(actor.id)
    lock_systems(
        Assignment.objects.filter(pk__in=assignment_ids, person_id=actor.id).values_list("system_id", flat=True)
    )
    rows = Assignment.objects.select_for_update(no_key=True, of=("self",)).filter(person_id=actor.id)
    offers = list(rows.filter(pk__in=assignment_ids).order_by("pk"))
    if len(offers) != len(set(assignment_ids)):
        raise AssignmentNotFound()
    now = timezone.now()
    if any(offer.status != Status.OFFERED or (offer.ends_at and offer.ends_at <= now) for offer in offers):
        raise AssignmentNotOpen()
    return offers


def _accept(seal: Seal, actor: Actor, offer: Assignment, now: datetime) -> None:
    before = list(_ended_by(offer))
    if offer.succeeds_id and not any(each.pk == offer.succeeds_id and _counts(each, now) for each in before):
        raise AssignmentNotOpen("What was to be handed over to you has ended. Ask to be offered it anew.")
    predecessor = next((each for each in before if each.role == offer.role), None)
    refuse_conflict(offer.person, Role(offer.role), Scope.of(offer))
    for each in before:
        _end_with_delegations(seal, actor, each, now, accepted=offer)
    offer.status = Status.ACCEPTED
    offer.accepted_at = now
    facts = {"predecessor": str(predecessor.pk)} if predecessor else {}
    write_assignment(seal, actor=actor, kind=ASSIGNMENT_ACCEPTED, assignment=offer, facts=facts)


def _ended_by(offer: Assignment) -> QuerySet[Assignment]:
    """What ends as an offer is accepted: what it succeeds; of the accountable, who was, and standing in for oneself."""
    ended = Q(pk=offer.succeeds_id)
    if offer.role == Role.ACCOUNTABLE:
        same = Q(**Scope.of(offer).as_columns())
        ended |= same & Q(role=Role.ACCOUNTABLE, delegated_from=None)
        ended |= same & Q(role=Role.DEPUTY, person=offer.person)
    rows = Assignment.objects.select_for_update(no_key=True, of=("self",)).filter(ended, status=Status.ACCEPTED)
    return rows.order_by("pk")


def _end_with_delegations(
    seal: Seal,
    actor: Actor,
    assignment: Assignment,
    now: datetime,
    reason: str = "",
    *,
    accepted: Assignment | None = None,
) -> None:
    """With it ends what came from it: delegations, and offers to hand it over but for the one that is accepted."""
    end_now(seal, actor, assignment, now, reason)
    drawn = Q(delegated_from=assignment, status__in=OPEN) | Q(succeeds=assignment, status__in=WAITING)
    rows = Assignment.objects.select_for_update(no_key=True, of=("self",)).filter(drawn)
    for each in rows.order_by("pk"):
        if each != accepted:
            end_now(seal, actor, each, now)


def _is_own(actor: Actor, assignment: Assignment) -> bool:
    return actor.type == "person" and actor.id == assignment.person_id


def _require_end(actor: Actor, assignment: Assignment) -> None:
    if not _is_own(actor, assignment):
        rights.require(actor, giving(Role(assignment.role)), Scope.of(assignment))


def _counts(assignment: Assignment, now: datetime) -> bool:
    return assignment.status == Status.ACCEPTED and (assignment.ends_at is None or assignment.ends_at > now)


def _require_movable(held: Assignment) -> None:
    """Only what counts now is delegated or handed over, and not what takes two to give."""
    if not _counts(held, timezone.now()):
        raise AssignmentNotOpen()
    if held.role in PRIVILEGED or held.delegated_from_id:
        raise Conflict("This role is given by administrators only, or was itself delegated.")


def _no_later(ends_at: datetime | None, held: Assignment) -> datetime | None:
    return min(filter(None, [ends_at, held.ends_at]), default=None)


def _refuse_past(ends_at: datetime | None) -> None:
    if ends_at is not None and ends_at <= timezone.now():
        raise InvalidInput(errors=[FieldProblem(pointer="/ends_at", detail="The end must be in the future.")])
