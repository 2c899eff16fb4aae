"""What callers did in the end: the effective outcome, a fallback's, nothing because it failed, or something else."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from audit.selectors import decision_by_id
from config.errors import FieldProblem, InvalidInput
from governance.acts import Act
from governance.changes import write
from governance.fail_policies import fail_policy_of
from governance.models import AISystem
from ledger.entries import Actor
from ledger.sealing import Seal, sealing
from notices.models import Alert
from notices.outbox import announce
from notices.services import open_alert
from overrides.effective import Effective, effective_of, fell_back
from overrides.models import Appeal, Effect
from overrides.review_kinds import APPEAL_REMEDIED, EFFECT_CONFIRMED, EFFECT_FAILED, EFFECT_MISMATCHED
from overrides.services.deciding import check_outcome, check_texts
from overrides.services.overriding import account_of, check_past, hold_decision

Status = Effect.Status
KINDS = {
    Status.CONFIRMED: EFFECT_CONFIRMED,
    Status.FAILED: EFFECT_FAILED,
    Status.MISMATCH: EFFECT_MISMATCHED,
}
SEVERITIES = {Status.FAILED: Alert.Severity.WARNING, Status.MISMATCH: Alert.Severity.CRITICAL}


def confirm_effect(
    *,
    actor: Actor,
    decision_id: uuid.UUID,
    outcome: str | None,
    occurred_at: datetime,
    detail: str = "",
    via: str = "",
    failed: bool = False,
) -> Effect:
    """The calling service says what it did in the end (None: nothing). The same again is the same fact.

    `via`: the outcome is that of the fallback, which is no mismatch where the fallback was to be taken. `failed`: it
    was to carry out something and could not. Anything else that is not the effective outcome is a mismatch. What is
    one confirms the remedy of an appeal. Errors: `Forbidden`, `DecisionNotFound`, `InvalidInput`.
    """
    _check(outcome, occurred_at, detail, failed)
    decision = decision_by_id(decision_id)
    account_id = account_of(actor, Act.EFFECT_CONFIRM, decision)
    with sealing() as seal:
        hold_decision(decision_id)
        found = effective_of(decision_id, decision=decision)
        effect = Effect(
            decision_id=decision_id,
            system_id=decision.system_id,
            account_id=account_id,
            outcome=outcome or "",
            via=via,
            expected=_expected(found, outcome, occurred_at),
            occurred_at=occurred_at,
            received_at=timezone.now(),
            detail=detail,
        )
        effect.status = _status(effect, found, failed)
        known = _known(effect)
        if known:
            return known
        _write(seal, actor, effect)
    return effect


def _check(outcome: str | None, occurred_at: datetime, detail: str, failed: bool) -> None:
    if outcome is not None:
        check_outcome(outcome)
    if outcome is not None and failed:
        raise InvalidInput(
            errors=[FieldProblem(pointer="/outcome", detail="What failed has no outcome.", expected="null")]
        )
    check_texts("", detail)
    check_past(occurred_at)


def _expected(found: Effective, outcome: str | None, occurred_at: datetime) -> str:
    """What the caller was to do; empty: nothing.

    Of what a stop froze, nothing; but a caller may act on what it knew for as long as its fail policy lets it.
    """
    if found.status == "pending":
        return ""
    if found.frozen_at:
        excuse = fail_policy_of(AISystem.objects.get(pk=found.system_id)).max_staleness_s
        if outcome is None or occurred_at >= found.frozen_at + timedelta(seconds=excuse):
            return ""
    return found.effective_outcome or ""


def _status(effect: Effect, found: Effective, failed: bool) -> Effect.Status:
    if effect.outcome == effect.expected or fell_back(effect, found.action, found.mode):
        return Status.CONFIRMED
    return Status.FAILED if failed else Status.MISMATCH


def _known(effect: Effect) -> Effect | None:
    last = Effect.objects.filter(decision_id=effect.decision_id).order_by("-received_at", "-id").first()
    return last if last is not None and _said(last) == _said(effect) else None


def _said(effect: Effect) -> tuple[Any, ...]:
    return effect.outcome, effect.via, effect.occurred_at, effect.expected, effect.status


def _write(seal: Seal, actor: Actor, effect: Effect) -> None:
    kind = KINDS[Status(effect.status)]
    facts: dict[str, Any] = {"decision": str(effect.decision_id), "status": str(effect.status)}
    facts |= {name: getattr(effect, name) for name in ("outcome", "expected", "via") if getattr(effect, name)}
    write(seal, actor=actor, kind=kind, row=effect, system_id=effect.system_id, facts=facts)
    announce(event=kind.name, system_id=effect.system_id, about_id=effect.decision_id, facts=facts)
    if effect.status != Status.CONFIRMED:
        _alert(actor, effect)
    elif effect.outcome == effect.expected:
        _remedy(seal, actor, effect)


def _remedy(seal: Seal, actor: Actor, effect: Effect) -> None:
    """The caller has done what an appeal asked for, and not what somebody has decided since."""
    waiting = Appeal.objects.select_for_update(no_key=True, of=("self",)).filter(
        decision_id=effect.decision_id, status=Appeal.Status.OVERTURNED, override__outcome=effect.outcome
    )
    for appeal in waiting:
        appeal.status, appeal.effect, appeal.remedied_at = Appeal.Status.REMEDIED, effect, effect.received_at
        facts = {"decision": str(effect.decision_id), "effect": str(effect.pk)}
        write(seal, actor=actor, kind=APPEAL_REMEDIED, row=appeal, system_id=effect.system_id, facts=facts)


def _alert(actor: Actor, effect: Effect) -> None:
    kind, about = KINDS[Status(effect.status)].name, effect.decision_id
    if effect.status == Status.FAILED:
        about = effect.system_id  # a service that is down fails often: one matter, which counts
    open_alert(
        actor=actor,
        kind=kind,
        severity=SEVERITIES[Status(effect.status)],
        fingerprint=f"{kind}:{about}",
        system_id=effect.system_id,
        about_id=effect.decision_id,
        # no outcomes: an alert is read by people who may be judging this decision blind
        facts={"effect": str(effect.pk)},
    )
