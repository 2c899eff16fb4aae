"""Reading payloads by a grant: asked for with a reason and a last day, agreed to by a data protection officer."""

import uuid
from datetime import datetime, timedelta

from django.utils import timezone

from audit.errors import GrantNotFound, GrantNotOpen
from audit.kinds import GRANT_ENDED, GRANT_REFUSED, GRANT_REQUESTED, GRANT_WITHDRAWN, PAYLOADS_GRANTED
from audit.models import PayloadGrant
from audit.payload_grants import grants_for
from audit.services.case_writing import text_of
from config.errors import FieldProblem, Forbidden, InvalidInput
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.changes import write
from governance.errors import RequestVoid
from governance.scopes import Scope
from governance.services.systems import locked_system
from ledger.entries import Actor, timestamp
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing
from notices.approvals import ask_approvers

Status = PayloadGrant.Status
LONGEST = timedelta(days=90)
"""What is needed for longer is asked for again, and looked at again."""


def request_grant(
    *,
    actor: Actor,
    system_id: uuid.UUID,
    ends_at: datetime,
    reason: str,
    since: datetime | None = None,
    until: datetime | None = None,
) -> PayloadGrant:
    """Ask to read payloads of an AI system until `ends_at`: of decisions recorded within a span, where one is given.

    Of one person and AI system one request waits: the next one takes its place. Errors: `Forbidden`, `PersonNeeded`,
    `SystemNotFound`, `InvalidInput`.
    """
    rights.require(actor, Act.PAYLOADS_GRANT, Scope.system(system_id))
    person_id, now = person_id_of(actor), timezone.now()
    reason = text_of("reason", reason, ask="Write what they are to be read for.")
    _refuse_bad_span(now, ends_at, since, until)
    with sealing() as seal:
        locked_system(system_id)  # of two requests at once, one waits
        for waiting in PayloadGrant.objects.filter(person_id=person_id, system_id=system_id, status=Status.REQUESTED):
            _settle(seal, actor, waiting, Status.WITHDRAWN, GRANT_WITHDRAWN)
        grant = PayloadGrant(
            person_id=person_id, system_id=system_id, since=since, until=until, ends_at=ends_at, reason=reason,
            requested_at=now,
        )  # fmt: skip
        _write(seal, actor, GRANT_REQUESTED, grant)
        ask_approvers(
            act=Act.PAYLOADS_GRANT,
            scope=Scope.system(system_id),
            requested_by=person_id,
            kind="payload_grant.asked",
            request_id=grant.pk,
        )
    return grant


def approve_grant(*, actor: Actor, grant_id: uuid.UUID, answer: str = "") -> PayloadGrant:
    """Agree, as the second person: from here on until its day they read. Errors: `ApprovalForbidden`, `GrantNotFound`,
    `GrantNotOpen`, `RequestVoid` where its day is over or whoever asked may not any more, `InvalidInput`."""
    with sealing() as seal:
        grant = _decided(actor, grant_id, answer)
        _refuse_void(grant)
        _settle(seal, actor, grant, Status.GRANTED, PAYLOADS_GRANTED)
    return grant


def refuse_grant(*, actor: Actor, grant_id: uuid.UUID, answer: str = "") -> PayloadGrant:
    """Say no, as the second person. Errors: `ApprovalForbidden`, `GrantNotFound`, `GrantNotOpen`, `InvalidInput`."""
    with sealing() as seal:
        grant = _decided(actor, grant_id, answer)
        _settle(seal, actor, grant, Status.REFUSED, GRANT_REFUSED)
    return grant


def withdraw_grant(*, actor: Actor, grant_id: uuid.UUID) -> PayloadGrant:
    """Take one's own request back. Errors: `GrantNotFound` (also of somebody else's), `GrantNotOpen`."""
    with sealing() as seal:
        grant = _locked(actor, grant_id)
        if grant.person_id != actor.id:
            raise GrantNotFound()
        _require(grant, Status.REQUESTED)
        _settle(seal, actor, grant, Status.WITHDRAWN, GRANT_WITHDRAWN)
    return grant


def end_grant(*, actor: Actor, grant_id: uuid.UUID, reason: str = "") -> PayloadGrant:
    """End it before its day: whoever reads by it, or a data protection officer. Errors: `Forbidden`, `GrantNotFound`,
    `GrantNotOpen`, `InvalidInput`."""
    reason = text_of("reason", reason)
    with sealing() as seal:
        grant = _locked(actor, grant_id)
        if grant.person_id != actor.id and not _may_decide(actor, grant):
            raise Forbidden()
        _require(grant, Status.GRANTED)
        _end(seal, actor, grant, reason)
    return grant


def end_grants_of(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    """Inside the act by which somebody leaves: what they read by, and what they asked for, is over. How many."""
    rows = PayloadGrant.objects.select_for_update(no_key=True).filter(person_id=person_id).order_by("pk")
    held = list(rows.filter(status__in=(Status.REQUESTED, Status.GRANTED)))
    for grant in held:
        if grant.status == Status.GRANTED:
            _end(seal, actor, grant, "")
        else:
            _settle(seal, actor, grant, Status.WITHDRAWN, GRANT_WITHDRAWN)
    return len(held)


def _refuse_bad_span(now: datetime, ends_at: datetime, since: datetime | None, until: datetime | None) -> None:
    problems = []
    if not now < ends_at <= now + LONGEST:
        problems.append(FieldProblem(pointer="/ends_at", detail=f"From now up to {LONGEST.days} days ahead."))
    if since and until and since >= until:
        problems.append(FieldProblem(pointer="/until", detail="This is not after the beginning."))
    if problems:
        raise InvalidInput(errors=problems)


def _refuse_void(grant: PayloadGrant) -> None:
    if grant.ends_at <= timezone.now():
        raise RequestVoid("The last day that was asked for is over. It is to be asked for again.")
    rights.require_asker(grant.person_id, Act.PAYLOADS_GRANT, Scope.system(grant.system_id))


def _decided(actor: Actor, grant_id: uuid.UUID, answer: str) -> PayloadGrant:
    grant = _locked(actor, grant_id)
    scope = Scope.system(grant.system_id)
    rights.require_approval(actor, Act.PAYLOADS_GRANT, scope, requested_by=grant.person_id)
    _require(grant, Status.REQUESTED)
    grant.decided_by_id, grant.decided_at = person_id_of(actor), timezone.now()
    grant.answer = text_of("answer", answer)
    return grant


def _may_decide(actor: Actor, grant: PayloadGrant) -> bool:
    scope = Scope.system(grant.system_id)
    return rights.may_approve(actor, Act.PAYLOADS_GRANT, scope, requested_by=grant.person_id)


def _locked(actor: Actor, grant_id: uuid.UUID) -> PayloadGrant:
    found = grants_for(actor).select_for_update(no_key=True).filter(pk=grant_id).first()
    if found is None:
        raise GrantNotFound()
    return found


def _require(grant: PayloadGrant, status: PayloadGrant.Status) -> None:
    if grant.status != status:
        raise GrantNotOpen()


def _end(seal: Seal, actor: Actor, grant: PayloadGrant, reason: str) -> None:
    grant.ended_at, grant.ended_by_id = timezone.now(), actor.id
    _settle(seal, actor, grant, Status.ENDED, GRANT_ENDED, reason)


def _settle(
    seal: Seal, actor: Actor, grant: PayloadGrant, status: PayloadGrant.Status, kind: Kind, reason: str = ""
) -> None:
    grant.status = status
    _write(seal, actor, kind, grant, reason)


def _write(seal: Seal, actor: Actor, kind: Kind, grant: PayloadGrant, reason: str = "") -> None:
    moments = {"since": grant.since, "until": grant.until, "ends_at": grant.ends_at}
    facts = {"status": str(grant.status), "person": str(grant.person_id)}
    facts |= {name: timestamp(at) for name, at in moments.items() if at}
    write(seal, actor=actor, kind=kind, row=grant, system_id=grant.system_id, facts=facts, reason=reason)
