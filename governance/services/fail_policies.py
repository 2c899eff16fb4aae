"""Loosening the fail policy of a live AI system: one person asks, another one approves."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from config.errors import Conflict
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.changes import write
from governance.errors import (
    FailPolicyNotMilder,
    FailPolicyRequestNotFound,
    FailPolicyRequestNotOpen,
    RequestVoid,
)
from governance.fail_policies import FailPolicy, fail_policy_of, is_milder
from governance.kinds import (
    FAIL_POLICY_LOOSENED,
    FAIL_POLICY_PROPOSED,
    FAIL_POLICY_REFUSED,
    FAIL_POLICY_VOIDED,
    FAIL_POLICY_WITHDRAWN,
    SYSTEM_UPDATED,
)
from governance.models import AISystem, FailPolicyRequest
from governance.scopes import ORGANISATION, Scope
from governance.services.systems import locked_system, refuse_bad_policy
from ledger.entries import SERVER, Actor
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing

Status = FailPolicyRequest.Status
LIFE = timedelta(days=3)


def ask_for_milder_policy(
    *, actor: Actor, system_id: uuid.UUID, max_staleness_s: int, safe_mode: str, note: str = ""
) -> FailPolicyRequest:
    """Ask that the callers of an AI system may do more, or for longer, when they lose contact.

    What is no milder than today needs no second person: `update_system` sets it. A second request takes the place of
    an open one. Errors: `Forbidden`, `PersonNeeded`, `SystemNotFound`, `FailPolicyNotMilder`, `InvalidInput`.
    """
    rights.require(actor, Act.FAIL_POLICY_LOOSEN, Scope.system(system_id))
    person_id, now = person_id_of(actor), timezone.now()
    with sealing() as seal:
        system = locked_system(system_id)
        held = fail_policy_of(system)
        _put(system, max_staleness_s, safe_mode)
        system.clean_fields()
        refuse_bad_policy(system)
        if not is_milder(fail_policy_of(system), held):
            raise FailPolicyNotMilder()
        for waiting in _open_ones(system_id):
            _settle(seal, actor, waiting, Status.VOID, FAIL_POLICY_VOIDED, now)
        request = FailPolicyRequest(
            system=system,
            max_staleness_s=max_staleness_s,
            safe_mode=safe_mode,
            against_staleness_s=held.max_staleness_s,
            against_mode=held.safe_mode,
            requested_by_id=person_id,
            requested_at=now,
            expires_at=now + LIFE,
            note=note,
        )
        _write(seal, actor, FAIL_POLICY_PROPOSED, request, now)
    return request


def approve_milder_policy(*, actor: Actor, request_id: uuid.UUID) -> FailPolicyRequest:
    """Agree, as the second person; it is in force at once.

    Void, and nothing is changed, where the policy is another one by now, nobody answered in time, or whoever asked lost
    the right. Errors: `ApprovalForbidden`, `FailPolicyRequestNotFound`, `FailPolicyRequestNotOpen`, `RequestVoid`,
    `InvalidInput`.
    """
    now = timezone.now()
    with sealing() as seal:
        request = _locked_request(actor, request_id)
        refusal = _why_void(request, now)
        if refusal is not None:
            _settle(seal, SERVER, request, Status.VOID, FAIL_POLICY_VOIDED, now)
        else:
            _apply(seal, actor, request)
            _settle(seal, actor, request, Status.APPROVED, FAIL_POLICY_LOOSENED, now)
    if refusal is not None:  # only now: that the request is void must last
        raise refusal
    return request


def refuse_milder_policy(*, actor: Actor, request_id: uuid.UUID, reason: str = "") -> FailPolicyRequest:
    """Say no, as the second person. Errors: `ApprovalForbidden`, `FailPolicyRequestNotFound`,
    `FailPolicyRequestNotOpen`."""
    with sealing() as seal:
        request = _locked_request(actor, request_id)
        _settle(seal, actor, request, Status.REFUSED, FAIL_POLICY_REFUSED, timezone.now(), reason)
    return request


def withdraw_milder_policy(*, actor: Actor, request_id: uuid.UUID, reason: str = "") -> FailPolicyRequest:
    """Take one's own request back. Errors: `FailPolicyRequestNotFound` (also of somebody else's),
    `FailPolicyRequestNotOpen`."""
    with sealing() as seal:
        request = _locked(request_id)
        if request is None or actor.type != "person" or request.requested_by_id != actor.id:
            raise FailPolicyRequestNotFound()
        _require_open(request)
        _settle(seal, actor, request, Status.WITHDRAWN, FAIL_POLICY_WITHDRAWN, timezone.now(), reason)
    return request


def void_policy_requests_of(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    """Inside the act by which somebody leaves: what they asked for counts no more. Returns how many."""
    rows = FailPolicyRequest.objects.select_for_update(no_key=True, of=("self",)).filter(status=Status.OPEN)
    waiting = list(rows.filter(requested_by_id=person_id).order_by("pk"))
    for request in waiting:
        _settle(seal, actor, request, Status.VOID, FAIL_POLICY_VOIDED, timezone.now())
    return len(waiting)


def _put(system: AISystem, max_staleness_s: int, safe_mode: str) -> None:
    system.max_staleness_s, system.safe_mode = max_staleness_s, safe_mode


def _open_ones(system_id: uuid.UUID) -> list[FailPolicyRequest]:
    return list(FailPolicyRequest.objects.filter(system_id=system_id, status=Status.OPEN))


def _apply(seal: Seal, actor: Actor, request: FailPolicyRequest) -> None:
    system = request.system
    _put(system, request.max_staleness_s, request.safe_mode)
    refuse_bad_policy(system)
    facts = {"max_staleness_s": request.max_staleness_s, "safe_mode": request.safe_mode, "request": str(request.pk)}
    write(seal, actor=actor, kind=SYSTEM_UPDATED, row=system, system_id=system.pk, facts=facts)


def _settle(
    seal: Seal,
    actor: Actor,
    request: FailPolicyRequest,
    status: FailPolicyRequest.Status,
    kind: Kind,
    at: datetime,
    reason: str = "",
) -> None:
    request.status, request.decided_at = status, at
    request.decided_by_id = actor.id if status in (Status.APPROVED, Status.REFUSED) else None
    _write(seal, actor, kind, request, at, reason)


def _write(seal: Seal, actor: Actor, kind: Kind, request: FailPolicyRequest, at: datetime, reason: str = "") -> None:
    facts: dict[str, Any] = {
        "max_staleness_s": request.max_staleness_s,
        "safe_mode": request.safe_mode,
        "status": str(request.status),
    }
    write(seal, actor=actor, kind=kind, row=request, system_id=request.system_id, facts=facts, reason=reason, at=at)


def _locked(request_id: uuid.UUID) -> FailPolicyRequest | None:
    """The request, its AI system locked first: changes of one policy come one after the other."""
    system_id = FailPolicyRequest.objects.filter(pk=request_id).values_list("system_id", flat=True).first()
    if system_id is None:
        return None
    locked_system(system_id)
    return FailPolicyRequest.objects.select_related("system").get(pk=request_id)


def _locked_request(actor: Actor, request_id: uuid.UUID) -> FailPolicyRequest:
    request = _locked(request_id)
    scope = Scope.system(request.system_id) if request else ORGANISATION
    requested_by = request.requested_by_id if request else None
    rights.require_approval(actor, Act.FAIL_POLICY_LOOSEN, scope, requested_by=requested_by)
    if request is None:
        raise FailPolicyRequestNotFound()
    _require_open(request)
    return request


def _require_open(request: FailPolicyRequest) -> None:
    if request.status != Status.OPEN:
        raise FailPolicyRequestNotOpen()


def _why_void(request: FailPolicyRequest, now: datetime) -> Conflict | None:
    held = fail_policy_of(request.system)
    if held != FailPolicy(request.against_staleness_s, request.against_mode):
        return RequestVoid("The fail policy is another one by now. Look at it, and ask again.")
    if request.expires_at <= now:
        return RequestVoid("Nobody agreed in time. Ask again.")
    asker = Actor("person", request.requested_by_id)
    may = rights.can(asker, Act.FAIL_POLICY_LOOSEN, Scope.system(request.system_id))
    return None if may else RequestVoid()
