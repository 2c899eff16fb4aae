"""Appeals: contesting a decision, before somebody who had no part in it, until it is put right."""

import uuid
from datetime import datetime
from typing import Any

from django.utils import timezone

from audit.selectors import SealedDecision, decision_by_id
from audit.services.disclosure import may_see, scope_of
from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act, Condition
from governance.changes import write
from governance.selectors import accountable_of
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing
from notices.outbox import announce, tell
from overrides.effective import effective_of
from overrides.eligibility import had_part
from overrides.models import Appeal, Override
from overrides.reasons import checked_reason
from overrides.review_errors import AppealExists, AppealNotFound, AppealNotOpen, RemedyNotSeen
from overrides.review_kinds import APPEAL_OPENED, APPEAL_OVERTURNED, APPEAL_REMEDIED, APPEAL_UPHELD
from overrides.selectors import require_unhidden
from overrides.services.deciding import check_outcome, check_texts
from overrides.services.overriding import AHEAD, hold_decision, put_in_force, refuse_what_holds

UPHELD, OVERTURNED = "upheld", "overturned"
NO_PART = frozenset({Condition.NO_PART_IN_IT})


def open_appeal(
    *, actor: Actor, decision_id: uuid.UUID, ground_code: str, statement: str, received_at: datetime | None = None
) -> Appeal:
    """Contest a decision, for whoever it is about. The same again, while it is open, is the same appeal.

    Errors: `Forbidden`, `DecisionNotFound`, `AppealExists`, `InvalidInput`, Django's `ValidationError`.
    """
    check_texts("", statement)
    decision = decision_by_id(decision_id)
    rights.require(actor, Act.APPEAL_OPEN, scope_of(decision))
    now = timezone.now()
    received_at = received_at or now
    if received_at > now + AHEAD:
        raise InvalidInput(errors=[FieldProblem(pointer="/received_at", detail="This has not happened yet.")])
    with sealing() as seal:
        hold_decision(decision_id)
        known = Appeal.objects.filter(decision_id=decision_id, status=Appeal.Status.OPEN).first()
        if known:
            if (known.ground_code, known.statement) != (ground_code, statement):
                raise AppealExists()
            return known
        appeal = Appeal(
            decision_id=decision_id,
            system_id=decision.system_id,
            ground_code=ground_code,
            statement=statement,
            received_at=received_at,
            opened_by_id=actor.id if actor.type == "person" else None,
            account_id=actor.id if actor.type == "service" else None,
        )
        _write(seal, actor, APPEAL_OPENED, appeal, {"ground": ground_code})
        announce(event="appeal.opened", system_id=decision.system_id, about_id=decision_id, facts=_facts(appeal))
        _tell_accountable(appeal)
    return appeal


def decide_appeal(
    *,
    actor: Actor,
    appeal_id: uuid.UUID,
    verdict: str,
    reason_code: str,
    outcome: str = "",
    output: str = "",
    finding: str = "",
) -> Appeal:
    """Uphold the decision, or overturn it with the outcome that takes its place; then it waits for the remedy.

    The same again is the same verdict. Errors: `AppealNotFound`, `Forbidden` for whoever had a part in it,
    `HiddenWhileBlind`, `AppealNotOpen`, `InvalidInput`.
    """
    _check_verdict(verdict, outcome, output, finding)
    with sealing() as seal:
        appeal, decision = _locked(actor, appeal_id)
        if appeal.decided_by_id == person_id_of(actor):
            return _as_decided(appeal, verdict, (reason_code, outcome, output, finding))
        given = frozenset() if had_part(person_id_of(actor), decision.id) else NO_PART
        rights.require(actor, Act.APPEAL_DECIDE, scope_of(decision), given=given)
        require_unhidden(actor, decision.id)
        if appeal.status != Appeal.Status.OPEN:
            raise AppealNotOpen()
        appeal.reason_code = checked_reason(reason_code, "appeal", None)
        appeal.decided_by_id, appeal.decided_at, appeal.finding = actor.id, timezone.now(), finding
        if verdict == OVERTURNED:
            refuse_what_holds(effective_of(decision.id, decision=decision), outcome, output)
            appeal.override = _overturn(seal, actor, appeal, outcome, output)
        appeal.status = Appeal.Status(verdict)
        kind = APPEAL_OVERTURNED if verdict == OVERTURNED else APPEAL_UPHELD
        _write(seal, actor, kind, appeal, {"reason_code": appeal.reason_code})
        announce(event="appeal.decided", system_id=appeal.system_id, about_id=appeal.decision_id, facts=_facts(appeal))
    return appeal


def _as_decided(appeal: Appeal, verdict: str, given: tuple[str, ...]) -> Appeal:
    """For whoever decided it and asks again. Errors: `AppealNotOpen` where it was something else."""
    made = appeal.override
    held = (appeal.reason_code, made.outcome if made else "", made.output if made else "", appeal.finding)
    if (verdict, given) != (OVERTURNED if made else UPHELD, held):
        raise AppealNotOpen()
    return appeal


def confirm_remedy(*, actor: Actor, appeal_id: uuid.UUID, note: str) -> Appeal:
    """Who answers for the AI system says how an overturned decision was put right, where no service can.

    Errors: `AppealNotFound`, `Forbidden`, `AppealNotOpen`, `RemedyNotSeen` without a note.
    """
    with sealing() as seal:
        appeal, decision = _locked(actor, appeal_id)
        rights.require(actor, Act.DECISION_OVERRIDE, scope_of(decision))
        if appeal.status != Appeal.Status.OVERTURNED:
            raise AppealNotOpen()
        if not note.strip():
            raise RemedyNotSeen()
        appeal.status, appeal.remedied_at = Appeal.Status.REMEDIED, timezone.now()
        _write(seal, actor, APPEAL_REMEDIED, appeal, {"by": "person"}, reason=note.strip())
    return appeal


def _overturn(seal: Seal, actor: Actor, appeal: Appeal, outcome: str, output: str) -> Override:
    made = Override(
        decision_id=appeal.decision_id,
        system_id=appeal.system_id,
        source=Override.Source.APPEAL,
        outcome=outcome,
        reason_code=appeal.reason_code,
        person_id=person_id_of(actor),
        at=timezone.now(),
        has_output=bool(output),
        output=output,
    )
    put_in_force(seal, actor, made)
    return made


def _locked(actor: Actor, appeal_id: uuid.UUID) -> tuple[Appeal, SealedDecision]:
    person_id_of(actor)
    decision_id = Appeal.objects.filter(pk=appeal_id).values_list("decision_id", flat=True).first()
    if decision_id is None:
        raise AppealNotFound()
    hold_decision(decision_id)
    decision = decision_by_id(decision_id)
    if not may_see(actor, decision):
        raise AppealNotFound()
    return Appeal.objects.select_for_update(no_key=True, of=("self",)).get(pk=appeal_id), decision


def _check_verdict(verdict: str, outcome: str, output: str, finding: str) -> None:
    check_texts(output, finding)
    if verdict not in (UPHELD, OVERTURNED):
        problem = FieldProblem(pointer="/verdict", detail="There is no such verdict.", expected="upheld, overturned")
        raise InvalidInput(errors=[problem])
    if verdict == OVERTURNED:
        check_outcome(outcome)
    elif outcome or output:
        detail = "A decision that stands gets no other outcome."
        raise InvalidInput(errors=[FieldProblem(pointer="/outcome", detail=detail)])


def _write(
    seal: Seal, actor: Actor, kind: Kind, appeal: Appeal, facts: dict[str, Any] | None = None, reason: str = ""
) -> None:
    said = _facts(appeal) | {"decision": str(appeal.decision_id)} | (facts or {})
    write(seal, actor=actor, kind=kind, row=appeal, system_id=appeal.system_id, facts=said, reason=reason)


def _facts(appeal: Appeal) -> dict[str, Any]:
    return {"appeal": str(appeal.pk), "status": str(appeal.status)}


def _tell_accountable(appeal: Appeal) -> None:
    found = accountable_of(appeal.system_id)
    if found:
        fingerprint = f"appeal.opened:{appeal.pk}"
        facts = {"appeal": str(appeal.pk), "decision": str(appeal.decision_id)}
        tell(person_id=found.person_id, kind="appeal.opened", fingerprint=fingerprint, facts=facts)
