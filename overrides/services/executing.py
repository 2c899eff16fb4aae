"""Carrying out what was decided, once: one worker takes it, all others are told so."""

import uuid

from django.utils import timezone

from audit.selectors import decision_by_id
from governance.acts import Act
from governance.changes import write
from ledger.entries import Actor
from ledger.sealing import sealing
from overrides import memory
from overrides.clock import current_epoch
from overrides.effective import PROCEED, Effective, effective_of
from overrides.models import Execution
from overrides.reading import read_control
from overrides.review_errors import (
    AlreadyExecuted,
    EffectiveChanged,
    ExecutionFrozen,
    ExecutionNotAllowed,
    ExecutionPending,
    NothingToExecute,
)
from overrides.review_kinds import EXECUTION_CLAIMED
from overrides.services.overriding import account_of, hold_decision
from overrides.standing import Control


def claim_execution(
    *, actor: Actor, decision_id: uuid.UUID, execution_id: uuid.UUID, version: int, instance: str = ""
) -> tuple[Execution, bool]:
    """Take what holds, to carry it out; whether that is new. `execution_id`: the caller's, the same when asking again.

    Errors: `Forbidden`, `DecisionNotFound`, `AlreadyExecuted`, `ExecutionPending`, `ExecutionFrozen`,
    `ExecutionNotAllowed`, `NothingToExecute`, `EffectiveChanged` where `version` is not that of what holds now.
    """
    decision = decision_by_id(decision_id)
    account_id = account_of(actor, Act.EXECUTION_CLAIM, decision)
    with sealing() as seal:
        hold_decision(decision_id)
        found = effective_of(decision_id, decision=decision, control=_newest_control())
        _require_to_be_done(found)
        if found.execution and found.execution.execution_id == execution_id:
            return found.execution, False
        _require_undone(found)
        if found.version != version:
            raise EffectiveChanged()
        made = Execution(
            decision_id=decision_id,
            system_id=decision.system_id,
            account_id=account_id,
            word_id=found.word_id,
            execution_id=execution_id,
            version=version,
            outcome=found.effective_outcome or "",
            worker=instance,
            claimed_at=timezone.now(),
        )
        facts = {"decision": str(decision_id), "outcome": made.outcome, "source": found.source}
        facts |= {"instance": instance} if instance else {}
        write(seal, actor=actor, kind=EXECUTION_CLAIMED, row=made, system_id=made.system_id, facts=facts)
    return made, True


def _newest_control() -> Control:
    """Of the database itself: a stop that memory has not heard of yet freezes what nobody took before it."""
    known = memory.current().control
    return known if known.epoch == current_epoch() else read_control()


def _require_to_be_done(found: Effective) -> None:
    if found.status == "pending":
        raise ExecutionPending()
    if found.status == "frozen":
        raise ExecutionFrozen()
    if found.action != PROCEED:
        raise ExecutionNotAllowed()
    if found.holds_as_sent:
        raise NothingToExecute()


def _require_undone(found: Effective) -> None:
    if found.execution:
        by = f" by {found.execution.worker}" if found.execution.worker else ""
        raise AlreadyExecuted(f"It was taken at {found.execution.claimed_at:%Y-%m-%dT%H:%M:%SZ}{by}. Do nothing.")
    if found.effect.status == "confirmed":
        raise AlreadyExecuted(f"The caller said at {found.effect.confirmed_at:%Y-%m-%dT%H:%M:%SZ} that it is done.")
