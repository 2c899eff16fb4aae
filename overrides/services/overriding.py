"""Overriding a decision without a queue, and hearing of what was decided elsewhere."""

import uuid
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.utils import timezone

from audit.selectors import SealedDecision, decision_by_id
from audit.services.disclosure import may_see, scope_of
from config.errors import FieldProblem, Forbidden, InvalidInput
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.changes import write
from governance.errors import RequestVoid
from governance.locks import hold
from ledger.entries import SERVER, Actor
from ledger.sealing import Seal, sealing
from notices.approvals import ask_approvers
from notices.outbox import announce
from overrides.effective import Effective, effective_of
from overrides.eligibility import ON_A_CLAIMED_ITEM, SECOND_ASKED, had_part
from overrides.models import OPEN, Override, ReportedOverride, Review, ReviewRule
from overrides.reasons import checked_reason
from overrides.review_errors import NotForReviewer, OverrideNotFound, OverrideNotWaiting
from overrides.review_kinds import (
    DECISION_OVERRIDDEN,
    OVERRIDE_EXPIRED,
    OVERRIDE_REFUSED,
    OVERRIDE_REPORTED,
    OVERRIDE_REQUESTED,
    REVIEW_SUPERSEDED,
)
from overrides.selectors import may_override, require_unhidden
from overrides.services.deciding import check_outcome, check_texts
from overrides.services.sweeping import each_by_itself
from overrides.services.work import detach_all, locked_review, write_review

AHEAD = timedelta(minutes=5)
AT_ONCE = 200


def override_decision(
    *,
    actor: Actor,
    decision_id: uuid.UUID,
    outcome: str,
    reason_code: str,
    output: str = "",
    note: str = "",
) -> Override:
    """Put another outcome in the place of a decision's, reviewed before or not. `output`: raw JSON text.

    Where its rule asks for two reviewers it waits for a second one. Errors: `Forbidden`, `DecisionNotFound`,
    `HiddenWhileBlind`, `InvalidInput`, `OverrideNotWaiting` where another one waits.
    """
    person_id = person_id_of(actor)
    check_outcome(outcome)
    check_texts(output, note)
    decision = decision_by_id(decision_id)
    _require_override(actor, decision)
    with sealing() as seal:
        hold_decision(decision_id)
        refuse_what_holds(effective_of(decision_id, decision=decision), outcome, output)
        requested = Override.objects.filter(decision_id=decision_id, status=Override.Status.REQUESTED)
        earlier = requested.select_for_update(no_key=True).first()
        if earlier and earlier.waits:
            raise OverrideNotWaiting("Another override of this decision waits for its second reviewer.")
        if earlier:
            _write_expired(seal, SERVER, earlier)  # the sweep has not come by yet
        made = Override(
            decision_id=decision_id,
            system_id=decision.system_id,
            outcome=outcome,
            reason_code=checked_reason(reason_code, "override", _queue_of(decision_id)),
            person_id=person_id,
            at=timezone.now(),
            has_output=bool(output),
            output=output,
            note=note,
        )
        if _asks_for_second(decision_id):
            made.status = Override.Status.REQUESTED
            write_override(seal, actor, made, OVERRIDE_REQUESTED)
            _ask_second(made, decision)
        else:
            put_in_force(seal, actor, made)
    return made


def agree_to_override(*, actor: Actor, override_id: uuid.UUID) -> Override:
    """Agree, as the second reviewer, who had no part in it. Errors: `OverrideNotFound`, `OverrideNotWaiting`,
    `ApprovalForbidden`, `HiddenWhileBlind`, `NotForReviewer`, `RequestVoid` where the one who asked may not any more.
    """
    with sealing() as seal:
        made, decision = _waiting(actor, override_id)
        require_unhidden(actor, decision.id)
        if had_part(person_id_of(actor), decision.id):
            raise NotForReviewer()
        asked_by = Actor("person", made.person_id)
        if not rights.can(asked_by, Act.DECISION_OVERRIDE, scope_of(decision), given=ON_A_CLAIMED_ITEM):
            raise RequestVoid()
        made.second_person_id = actor.id
        made.status, made.at = Override.Status.IN_FORCE, timezone.now()
        put_in_force(seal, actor, made)
    return made


def refuse_override(*, actor: Actor, override_id: uuid.UUID) -> Override:
    """Disagree, as the second reviewer; or take one's own back. Errors: as agreeing."""
    with sealing() as seal:
        made, decision = _waiting(actor, override_id, own_too=True)
        if made.person_id != actor.id:
            require_unhidden(actor, decision.id)
        made.second_person_id = actor.id if actor.id != made.person_id else None
        made.status = Override.Status.REFUSED
        write_override(seal, actor, made, OVERRIDE_REFUSED)
    return made


def expire_overrides(*, actor: Actor, now: datetime | None = None) -> int:
    """End requests that no second person came for in a week. The server's own work: no right is asked.

    Returns how many.
    """
    now = now or timezone.now()
    late = Override.objects.filter(status=Override.Status.REQUESTED, at__lte=now - Override.REQUEST_COUNTS).order_by(
        "at"
    )
    ids = list(late.values_list("pk", flat=True)[:AT_ONCE])
    return each_by_itself("override-request", partial(_expire, actor), ids)


def report_override(
    *,
    actor: Actor,
    decision_id: uuid.UUID,
    outcome: str,
    occurred_at: datetime,
    reason_code: str = "",
    reviewer: str = "",
    note: str = "",
) -> ReportedOverride:
    """Note a human decision that was made in the customer's own tool. It changes nothing here; again is the same.

    Errors: `Forbidden`, `DecisionNotFound`, `InvalidInput`.
    """
    check_outcome(outcome)
    check_texts("", note)
    check_past(occurred_at)
    decision = decision_by_id(decision_id)
    account_id = account_of(actor, Act.OVERRIDE_REPORT, decision)
    said = {"decision_id": decision_id, "account_id": account_id, "outcome": outcome, "occurred_at": occurred_at}
    with sealing() as seal:
        hold_decision(decision_id)
        known = ReportedOverride.objects.filter(**said).first()
        if known:
            return known
        made = ReportedOverride(
            system_id=decision.system_id, reason_code=reason_code, reviewer=reviewer, note=note, **said
        )
        facts = {"decision": str(decision_id), "outcome": outcome}
        write(seal, actor=actor, kind=OVERRIDE_REPORTED, row=made, system_id=decision.system_id, facts=facts)
    return made


# --- shared with appeals ----------------------------------------------------------------------------------------------
def hold_decision(decision_id: uuid.UUID) -> None:
    """What people say of one decision comes one after the other."""
    hold(f"decision:{decision_id}")


def put_in_force(seal: Seal, actor: Actor, made: Override) -> None:
    """An override counts from here on; whatever review was open of it is over, and none is taken back any more."""
    _supersede(seal, actor, made.decision_id)
    end_undo(made.decision_id)
    write_override(seal, actor, made, DECISION_OVERRIDDEN)
    facts = {"override": str(made.pk), "outcome": made.outcome, "source": str(made.source)}
    announce(event="decision.overridden", system_id=made.system_id, about_id=made.decision_id, facts=facts)


def end_undo(decision_id: uuid.UUID) -> None:
    """What was decided and could still be taken back counts now: done again, it would be the later word."""
    now = timezone.now()
    decided = Review.objects.filter(decision_id=decision_id, visible_at__gt=now)
    locked = [review.pk for review in decided.select_for_update(no_key=True, of=("self",))]
    Review.objects.filter(pk__in=locked).update(visible_at=now)


def write_override(seal: Seal, actor: Actor, made: Override, kind: Any) -> None:
    facts = {
        "decision": str(made.decision_id),
        "outcome": made.outcome,
        "reason_code": made.reason_code,
        "source": str(made.source),
        "status": str(made.status),
    }
    write(seal, actor=actor, kind=kind, row=made, system_id=made.system_id, facts=facts)


def refuse_what_holds(found: Effective, outcome: str, output: str) -> None:
    """But for what a worker took and has not done: saying it again is what lets another one do it.

    Errors: `InvalidInput`.
    """
    if found.execution and found.effect.status != "confirmed":
        return
    if found.status == "final" and found.effective_outcome == outcome and (found.output or "") == output:
        detail = "This is what holds already."
        raise InvalidInput(errors=[FieldProblem(pointer="/outcome", detail=detail)])


def account_of(actor: Actor, act: Act, decision: SealedDecision) -> uuid.UUID:
    rights.require(actor, act, scope_of(decision))
    if actor.id is None:
        raise Forbidden()
    return actor.id


def check_past(occurred_at: datetime) -> None:
    if occurred_at > timezone.now() + AHEAD:
        raise InvalidInput(errors=[FieldProblem(pointer="/occurred_at", detail="This has not happened yet.")])


# --- parts of the above -----------------------------------------------------------------------------------------------
def _require_override(actor: Actor, decision: SealedDecision) -> None:
    if not may_override(actor, decision):
        raise Forbidden()
    require_unhidden(actor, decision.id)


def _queue_of(decision_id: uuid.UUID) -> uuid.UUID | None:
    return Review.objects.filter(decision_id=decision_id).order_by("-id").values_list("queue_id", flat=True).first()


def _asks_for_second(decision_id: uuid.UUID) -> bool:
    reviews = Review.objects.filter(decision_id=decision_id)
    rules = ReviewRule.objects.filter(pk__in=reviews.filter(rule_id__isnull=False).values("rule_id"))
    # as it was when the decision was held, or as it is by now
    return reviews.filter(reviews_required=2).exists() or rules.filter(reviews_required=2).exists()


def _ask_second(made: Override, decision: SealedDecision) -> None:
    ask_approvers(
        act=Act.DECISION_OVERRIDE,
        scope=scope_of(decision),
        requested_by=made.person_id,
        kind="override.asked",
        request_id=made.pk,
        given=SECOND_ASKED,
        had_part=lambda person_id: had_part(person_id, made.decision_id),
    )


def _waiting(actor: Actor, override_id: uuid.UUID, *, own_too: bool = False) -> tuple[Override, SealedDecision]:
    person_id_of(actor)
    made = Override.objects.select_for_update(no_key=True).filter(pk=override_id).first()
    if made is None:
        raise OverrideNotFound()
    hold_decision(made.decision_id)
    decision = decision_by_id(made.decision_id)
    if not may_see(actor, decision):
        raise OverrideNotFound()
    if not made.waits:
        raise OverrideNotWaiting()
    if not (own_too and made.person_id == actor.id):
        rights.require_approval(
            actor, Act.DECISION_OVERRIDE, scope_of(decision), requested_by=made.person_id, given=SECOND_ASKED
        )
    return made, decision


def _expire(actor: Actor, override_id: uuid.UUID) -> bool:
    with sealing() as seal:
        made = Override.objects.select_for_update(no_key=True).get(pk=override_id)
        if made.status != Override.Status.REQUESTED:
            return False
        _write_expired(seal, actor, made)
    return True


def _write_expired(seal: Seal, actor: Actor, made: Override) -> None:
    made.status = Override.Status.EXPIRED
    write_override(seal, actor, made, OVERRIDE_EXPIRED)


def _supersede(seal: Seal, actor: Actor, decision_id: uuid.UUID) -> None:
    review_id = Review.objects.filter(decision_id=decision_id, status__in=OPEN).values_list("pk", flat=True).first()
    if review_id is None:
        return
    review = locked_review(review_id)
    if not review.is_open:
        return
    now = timezone.now()
    review.status, review.closing = Review.Status.SUPERSEDED, Review.Closing.OVERRIDE
    review.closed_at = review.visible_at = now
    review.version += 1
    write_review(seal, actor, REVIEW_SUPERSEDED, review)
    detach_all(seal, actor, review, now)
