"""Noting what turned out to be true of decisions."""

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from audit.selectors import SealedDecision
from audit.services.disclosure import scope_of
from config.errors import FieldProblem, InvalidInput, ServiceError
from governance import rights
from governance.acts import Act
from governance.changes import write
from governance.locks import hold
from ledger.entries import CLEAR, Actor
from ledger.sealing import Seal, sealing
from monitoring.errors import OutcomeCorrected, OutcomeNotFound
from monitoring.kinds import OUTCOME_CORRECTED, OUTCOME_RECORDED
from monitoring.models import Outcome

AHEAD = timedelta(minutes=5)
MAX_NOTE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOutcome:
    """What turned out to be true of one decision."""

    decision: SealedDecision
    outcome: str
    observed_at: datetime
    value: float | None = None
    note: str = ""
    corrects: uuid.UUID | None = None


def record_outcome(*, actor: Actor, new: NewOutcome) -> Outcome:
    """Note one outcome. The same again is the same one; a later one of the same decision stands beside it.

    Errors: `Forbidden`, `InvalidInput`, `OutcomeNotFound` or `OutcomeCorrected` of the one that it corrects.
    """
    with sealing() as seal:
        return _record(seal, actor, new)


def record_outcomes(*, actor: Actor, outcomes: Sequence[NewOutcome]) -> list[Outcome | ServiceError]:
    """Note many, in one sealing: each for itself, so that a wrong one does not keep the others from being noted."""
    with sealing():
        # all at once and in one order: two batches of the same decisions must not wait for each other
        hold(*{f"outcome:{new.decision.id}" for new in outcomes})
        return [_recorded_or_refused(actor, new) for new in outcomes]


def _recorded_or_refused(actor: Actor, new: NewOutcome) -> Outcome | ServiceError:
    try:
        return record_outcome(actor=actor, new=new)
    except ServiceError as error:
        if error.status >= 500:
            raise
        return error


def _record(seal: Seal, actor: Actor, new: NewOutcome) -> Outcome:
    rights.require(actor, Act.OUTCOME_REPORT, scope_of(new.decision))
    _check(new)
    hold(f"outcome:{new.decision.id}")
    said = {
        "decision_id": new.decision.id,
        "account_id": actor.id if actor.type == "service" else None,
        "person_id": actor.id if actor.type == "person" else None,
        "outcome": new.outcome,
        "value": new.value,
        "observed_at": new.observed_at,
        "corrects_id": new.corrects,
    }
    known = Outcome.objects.filter(**said).first()
    if known:
        return known
    if new.corrects:
        _check_corrected(new.corrects, new.decision.id)
    made = Outcome(system_id=new.decision.system_id, received_at=timezone.now(), note=new.note, **said)
    facts = {"decision": str(new.decision.id), "outcome": new.outcome}
    facts |= {"corrects": str(new.corrects)} if new.corrects else {}
    kind = OUTCOME_CORRECTED if new.corrects else OUTCOME_RECORDED
    write(seal, actor=actor, kind=kind, row=made, system_id=new.decision.system_id, facts=facts)
    return made


def _check_corrected(outcome_id: uuid.UUID, decision_id: uuid.UUID) -> None:
    earlier = Outcome.objects.filter(pk=outcome_id, decision_id=decision_id).first()
    if earlier is None:
        raise OutcomeNotFound()
    if Outcome.objects.filter(corrects=earlier).exists():
        raise OutcomeCorrected()


def _check(new: NewOutcome) -> None:
    problems = []
    if not CLEAR.fullmatch(new.outcome):
        expected = "1 to 100 of A-Z, a-z, 0-9 and _.:/+-"
        problems.append(FieldProblem(pointer="/outcome", detail="Say the outcome as a category.", expected=expected))
    if new.observed_at > timezone.now() + AHEAD:
        problems.append(FieldProblem(pointer="/observed_at", detail="This has not happened yet."))
    if new.value is not None and not math.isfinite(new.value):
        problems.append(FieldProblem(pointer="/value", detail="Say a finite number."))
    if len(new.note) > MAX_NOTE:
        problems.append(FieldProblem(pointer="/note", detail=f"At most {MAX_NOTE:,} characters."))
    if problems:
        raise InvalidInput(errors=problems)
