"""What asks for less of reviews, in a rule or in a queue, and waits for a second person."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.utils import timezone

from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.changes import write
from governance.errors import RequestVoid
from governance.scopes import ORGANISATION, Scope
from governance.services.answering import lock_systems
from ledger.entries import SERVER, Actor
from ledger.sealing import Seal, sealing
from notices.approvals import ask_approvers
from overrides.models import ReviewQueue, ReviewRule, RuleChange
from overrides.review_errors import RuleChangeNotFound, RuleChangeOver
from overrides.review_kinds import (
    RULE_CHANGE_APPLIED,
    RULE_CHANGE_EXPIRED,
    RULE_CHANGE_REFUSED,
    RULE_CHANGE_REQUESTED,
    RULE_CHANGE_WITHDRAWN,
)
from overrides.services.sweeping import each_by_itself

REQUEST_COUNTS = timedelta(days=1)
Status = RuleChange.Status
KINDS = {
    Status.APPLIED: RULE_CHANGE_APPLIED,
    Status.REFUSED: RULE_CHANGE_REFUSED,
    Status.WITHDRAWN: RULE_CHANGE_WITHDRAWN,
    Status.EXPIRED: RULE_CHANGE_EXPIRED,
}
AT_ONCE = 200


def nothing_more() -> None:
    """Nothing more is asked of whoever asks for less."""


def ask(
    seal: Seal,
    actor: Actor,
    *,
    system_id: uuid.UUID | None,
    changes: Mapping[str, Any],
    loosens: Iterable[str],
    rule: ReviewRule | None = None,
    queue: ReviewQueue | None = None,
    reason: str = "",
) -> RuleChange:
    """Have a change wait. `rule` or `queue`: the row as it stands; neither for a new rule."""
    row = rule or queue
    if row:
        _replace_earlier(seal, actor, row)
    change = RuleChange(
        rule=rule,
        queue=queue,
        system_id=system_id,
        rule_revision=row.revision if row else 0,
        changes={name: str(value) if isinstance(value, uuid.UUID) else value for name, value in changes.items()},
        loosens=list(loosens),
        requested_by_id=person_id_of(actor),
        expires_at=timezone.now() + REQUEST_COUNTS,
    )
    facts = _named(change) | {"loosens": change.loosens}
    write(seal, actor=actor, kind=RULE_CHANGE_REQUESTED, row=change, system_id=system_id, facts=facts, reason=reason)
    ask_approvers(
        act=act_of(change),
        scope=scope_of(change),
        requested_by=change.requested_by_id,
        kind="rule_change.asked",
        request_id=change.pk,
    )
    return change


def locked_change(actor: Actor, change_id: uuid.UUID) -> RuleChange:
    """A request that still waits, locked after its AI system. Errors: `RuleChangeNotFound`, `RuleChangeOver`."""
    lock_systems(RuleChange.objects.filter(pk=change_id).values_list("system_id", flat=True))
    change = RuleChange.objects.select_for_update(no_key=True, of=("self",)).filter(pk=change_id).first()
    if change is None or not rights.can(actor, Act.SYSTEM_VIEW, scope_of(change)):
        raise RuleChangeNotFound()
    if change.status != Status.REQUESTED or change.expires_at <= timezone.now():
        raise RuleChangeOver()
    return change


def require_second(actor: Actor, change: RuleChange) -> None:
    """Errors: `ApprovalForbidden`; `RequestVoid` where the one who asked may not any more."""
    act, scope = act_of(change), scope_of(change)
    rights.require_approval(actor, act, scope, requested_by=change.requested_by_id)
    if not rights.can(Actor("person", change.requested_by_id), act, scope):
        raise RequestVoid()


def refuse_rule_change(*, actor: Actor, change_id: uuid.UUID, reason: str = "") -> RuleChange:
    """Refuse what asks for less, as the second person; or take one's own request back.

    Errors: `RuleChangeNotFound`, `RuleChangeOver`, `ApprovalForbidden`.
    """
    with sealing() as seal:
        change = locked_change(actor, change_id)
        if actor.id == change.requested_by_id:
            end(seal, actor, change, Status.WITHDRAWN, reason)
            return change
        rights.require_approval(actor, act_of(change), scope_of(change), requested_by=change.requested_by_id)
        end(seal, actor, change, Status.REFUSED, reason)
    return change


def expire_rule_changes(*, actor: Actor, now: datetime | None = None) -> int:
    """End requests that no second person came for in time. The server's own work: no right is asked.

    Returns how many.
    """
    now = now or timezone.now()
    late = RuleChange.objects.filter(status=Status.REQUESTED, expires_at__lte=now).order_by("expires_at")
    ids = list(late.values_list("pk", flat=True)[:AT_ONCE])
    return each_by_itself("rule-change", partial(_expire, actor), ids)


def end(seal: Seal, actor: Actor, change: RuleChange, status: RuleChange.Status, reason: str = "") -> None:
    change.status = status
    change.decided_by_id = actor.id
    change.decided_at = timezone.now()
    facts = _named(change) | {"status": str(status)}
    write(seal, actor=actor, kind=KINDS[status], row=change, system_id=change.system_id, facts=facts, reason=reason)


def applied_facts(change: RuleChange) -> dict[str, Any]:
    """For the entry of the row that was changed: who asked, and where."""
    return {"request": str(change.pk), "requested_by": str(change.requested_by_id)}


def act_of(change: RuleChange) -> Act:
    return Act.REVIEW_QUEUE_LOOSEN if change.queue_id else Act.REVIEW_RULE_LOOSEN


def scope_of(change: RuleChange) -> Scope:
    return Scope.system(change.system_id) if change.system_id else ORGANISATION


def _replace_earlier(seal: Seal, actor: Actor, row: ReviewRule | ReviewQueue) -> None:
    """One request a row: a new one takes the place of one that waits, or has expired unanswered."""
    for earlier in row.changes.select_for_update(no_key=True, of=("self",)).filter(status=Status.REQUESTED):
        if earlier.expires_at <= timezone.now():
            end(seal, SERVER, earlier, Status.EXPIRED)
        else:
            end(seal, actor, earlier, Status.WITHDRAWN)


def _expire(actor: Actor, change_id: uuid.UUID) -> bool:
    with sealing() as seal:
        change = RuleChange.objects.select_for_update(no_key=True, of=("self",)).get(pk=change_id)
        if change.status != Status.REQUESTED:
            return False
        end(seal, actor, change, Status.EXPIRED)
    return True


def _named(change: RuleChange) -> dict[str, str]:
    if change.queue_id:
        return {"queue": str(change.queue_id)}
    return {"rule": str(change.rule_id)} if change.rule_id else {}
