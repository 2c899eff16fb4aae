"""Handing in what was judged: once, whatever tabs, double clicks and lost answers there are."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from audit.selectors import decision_by_id
from audit.services.disclosure import scope_of
from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.acts import Act
from governance.locks import hold
from ledger.entries import CLEAR, Actor
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing
from notices.outbox import tell
from overrides.eligibility import ON_A_CLAIMED_ITEM
from overrides.models import Review, ReviewAssignment
from overrides.reasons import checked_reason
from overrides.review_errors import (
    AlreadySubmitted,
    ClaimLost,
    ReviewChanged,
    ReviewNotOpen,
    UndoTooLate,
)
from overrides.review_kinds import (
    REVIEW_ADJUDICATED,
    REVIEW_CONFLICTED,
    REVIEW_DECIDED,
    REVIEW_ESCALATED,
    REVIEW_JUDGED_BLIND,
    REVIEW_REOPENED,
    REVIEW_SUBMITTED,
    REVIEW_UNDONE,
)
from overrides.services.claiming import save_draft, tell_now
from overrides.services.work import (
    JUDGEMENTS,
    ONE_DECIDES,
    Status,
    Work,
    answerable_person,
    detach_all,
    judgements,
    live_work,
    locked_work,
    settle,
    touch,
    write_review,
    write_work,
)

UNDO_SPAN = timedelta(seconds=10)
MAX_OUTPUT_BYTES = 1_048_576
MAX_NOTE = 10_000
Decision = ReviewAssignment.Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a reviewer hands in. `output`: the corrected one as raw JSON text, empty where there is none."""

    decision: str
    outcome: str = ""
    output: str = ""
    reason_code: str = ""
    note: str = ""


def judge_blind(*, actor: Actor, token: uuid.UUID, outcome: str) -> ReviewAssignment:
    """Give a first judgement before the model's outcome is seen; from then on it is shown. Again, the first counts.

    Errors: `ReviewNotFound`, `ClaimLost`, `InvalidInput`.
    """
    check_outcome(outcome)
    with sealing() as seal:
        review, work = live_work(actor, token)
        if work.first_at is None:
            work.first_outcome, work.first_at = outcome, timezone.now()
            write_work(seal, actor, REVIEW_JUDGED_BLIND, review, work, {"outcome": outcome})
        touch(review, work)
    return work


def submit(*, actor: Actor, token: uuid.UUID, version: int, answer: Answer) -> ReviewAssignment:
    """Hand in. The same again with the same token and content is the same answer; whatever refuses it keeps a draft.

    Callers are told 10 seconds later, or when the reviewer hands in the next one. Errors: `ReviewNotFound`,
    `ClaimLost`, `ReviewNotOpen`, `ReviewChanged`, `AlreadySubmitted`, `InvalidInput`, `Forbidden`.
    """
    _check(answer)
    try:
        with sealing() as seal:
            hold(f"reviewer:{actor.id}")
            return _submit(seal, actor, token, version, answer)
    except (ClaimLost, ReviewNotOpen, ReviewChanged):
        _keep(actor, token, answer)
        raise


def undo(*, actor: Actor, token: uuid.UUID) -> ReviewAssignment:
    """Take back what one has just handed in, before callers are told; it is one's own work again, as a draft.

    Errors: `ReviewNotFound`, `UndoTooLate`.
    """
    with sealing() as seal:
        hold(f"reviewer:{actor.id}")
        review, work = locked_work(actor, token)
        now = timezone.now()
        if not _can_undo(review, work, now):
            raise UndoTooLate()
        work.draft, work.draft_saved_at = _as_draft(_answer_of(work)), now
        work.status, work.ended_at, work.claimed_at, work.lease_until = Work.CLAIMED, None, now, None
        work.held_until = None
        work.decision = work.outcome = work.reason_code = work.output = work.note = ""
        write_work(seal, actor, REVIEW_UNDONE, review, work)
        touch(review, work)
        _reopen(seal, actor, review)
    return work


# --- parts of the above -----------------------------------------------------------------------------------------------
def _submit(seal: Seal, actor: Actor, token: uuid.UUID, version: int, answer: Answer) -> ReviewAssignment:
    review, work = locked_work(actor, token)
    given, answer = answer, _in_words_of(review, work, answer)
    if work.status == Work.SUBMITTED:
        if _answer_of(work) != answer:
            raise AlreadySubmitted()
        return work
    if not review.is_open:
        raise ReviewNotOpen()
    if not work.is_live(timezone.now()):
        raise ClaimLost()
    if review.version != version:
        raise ReviewChanged()
    decision = decision_by_id(review.decision_id)
    act = Act.DECISION_CONFIRM if answer.decision == Decision.CONFIRM else Act.DECISION_OVERRIDE
    rights.require(actor, act, scope_of(decision), given=frozenset() if review.escalated_at else ON_A_CLAIMED_ITEM)
    # as it was given: refused for its reason only where the model said otherwise, it would tell what the model said
    checked_reason(given.reason_code, given.decision, review.queue_id)
    tell_now(actor)
    _write_answer(seal, actor, review, work, answer)
    _conclude(seal, actor, review, work)
    return work


def _in_words_of(review: Review, work: ReviewAssignment, answer: Answer) -> Answer:
    """As it is stored: a blind judgement that meets the model's is a confirmation, a confirmation has its reason."""
    original = decision_by_id(review.decision_id).body.outcome
    if work.is_unseen and answer.decision == Decision.CONFIRM:
        detail = "You have not seen what the model decided. Say what you would decide."
        raise InvalidInput(errors=[FieldProblem(pointer="/decision", detail=detail, expected="modify, with outcome")])
    if answer.decision == Decision.MODIFY and answer.outcome == original and not answer.output:
        if not work.is_blind:
            detail = "This is what the model decided: confirm it, or correct the output too."
            raise InvalidInput(errors=[FieldProblem(pointer="/outcome", detail=detail)])
        return Answer(decision=Decision.CONFIRM, reason_code="as-proposed", note=answer.note)
    if answer.decision == Decision.CONFIRM and not answer.reason_code:
        return Answer(decision=Decision.CONFIRM, reason_code="as-proposed", note=answer.note)
    return answer


def _write_answer(seal: Seal, actor: Actor, review: Review, work: ReviewAssignment, answer: Answer) -> None:
    now = timezone.now()
    if work.is_unseen and answer.decision in JUDGEMENTS:
        work.first_at = now
        original = decision_by_id(review.decision_id).body.outcome
        work.first_outcome = answer.outcome or (original if answer.decision == Decision.CONFIRM else "")
    work.status, work.ended_at = Work.SUBMITTED, now
    work.decision, work.outcome, work.reason_code = answer.decision, answer.outcome, answer.reason_code
    work.output, work.note = answer.output, answer.note
    work.draft = work.draft_saved_at = None
    facts: dict[str, Any] = {"said": str(answer.decision), "reason_code": answer.reason_code}
    if answer.outcome:
        facts["outcome"] = answer.outcome
    if work.shown_at:
        facts["dwell_s"] = round((now - work.shown_at).total_seconds(), 1)
    write_work(seal, actor, REVIEW_SUBMITTED, review, work, facts)


def _conclude(seal: Seal, actor: Actor, review: Review, work: ReviewAssignment) -> None:
    if work.decision == Decision.ESCALATE:
        _escalate(seal, actor, review)
    elif work.decision == Decision.ABSTAIN:
        settle(seal, actor, review)
    elif review.status == Status.CONFLICT:
        _close(seal, actor, review, work, Status.ADJUDICATED, REVIEW_ADJUDICATED)
    elif work.seat == ONE_DECIDES or review.reviews_required == 1:
        _close(seal, actor, review, work, Status.DECIDED, REVIEW_DECIDED)
    else:
        _compare(seal, actor, review, work)


def _compare(seal: Seal, actor: Actor, review: Review, work: ReviewAssignment) -> None:
    given = judgements(review)
    if len(given) < review.reviews_required:
        settle(seal, actor, review)
    elif len({_said(each) for each in given}) == 1:
        _close(seal, actor, review, work, Status.DECIDED, REVIEW_DECIDED)
    else:
        review.status = Status.CONFLICT
        review.version += 1
        write_review(seal, actor, REVIEW_CONFLICTED, review)
        _tell_owner(review, "review.conflicted")


def _said(work: ReviewAssignment) -> tuple[str, str, str]:
    """What two must agree in: the words they give for it may differ."""
    output = json.dumps(json.loads(work.output), sort_keys=True) if work.output else ""
    return work.decision, work.outcome, output


def _escalate(seal: Seal, actor: Actor, review: Review) -> None:
    now = timezone.now()
    detach_all(seal, actor, review, now)
    review.escalated_at = review.escalated_at or now
    review.version += 1
    if review.status != Status.CONFLICT:
        review.status = Status.OPEN
    write_review(seal, actor, REVIEW_ESCALATED, review)
    _tell_owner(review, "review.escalated")


def _close(seal: Seal, actor: Actor, review: Review, work: ReviewAssignment, status: Review.Status, kind: Kind) -> None:
    now = timezone.now()
    review.status, review.closed_at, review.visible_at = status, now, now + UNDO_SPAN
    review.verdict, review.outcome, review.reason_code = work.decision, work.outcome, work.reason_code
    review.decisive_id = work.pk
    review.version += 1
    facts: dict[str, Any] = {"verdict": work.decision, "reason_code": work.reason_code, "work": str(work.pk)}
    if work.outcome:
        facts["outcome"] = work.outcome
    write_review(seal, actor, kind, review, facts)
    detach_all(seal, actor, review, now)


def _can_undo(review: Review, work: ReviewAssignment, now: datetime) -> bool:
    if work.status != Work.SUBMITTED or work.decision not in JUDGEMENTS or work.ended_at is None:
        return False
    if review.is_open:
        # once both have handed in, a conflict tells each what the other said
        return now < work.ended_at + UNDO_SPAN and review.status != Status.CONFLICT
    is_decisive = review.decisive_id == work.pk
    return is_decisive and review.visible_at is not None and now < review.visible_at and review.announced_at is None


def _reopen(seal: Seal, actor: Actor, review: Review) -> None:
    if review.status in (Status.OPEN, Status.IN_REVIEW):
        settle(seal, actor, review)
        return
    was_adjudicated = review.status == Status.ADJUDICATED
    review.status = Status.CONFLICT if was_adjudicated else Status.IN_REVIEW
    review.closed_at = review.visible_at = review.decisive_id = None
    review.verdict = review.outcome = review.reason_code = ""
    review.version += 1
    write_review(seal, actor, REVIEW_REOPENED, review)


def _tell_owner(review: Review, kind: str) -> None:
    person_id = answerable_person(review)
    if person_id:
        facts = {"review": str(review.pk), "decision": str(review.decision_id)}
        tell(person_id=person_id, kind=kind, fingerprint=f"{kind}:{review.pk}:{review.version}", facts=facts)


def _answer_of(work: ReviewAssignment) -> Answer:
    return Answer(
        decision=work.decision,
        outcome=work.outcome,
        output=work.output,
        reason_code=work.reason_code,
        note=work.note,
    )


def _as_draft(answer: Answer) -> dict[str, Any]:
    given = {
        "decision": str(answer.decision),
        "outcome": answer.outcome,
        "output": answer.output,
        "reason_code": answer.reason_code,
        "note": answer.note,
    }
    return {name: value for name, value in given.items() if value}


def _keep(actor: Actor, token: uuid.UUID, answer: Answer) -> None:
    try:
        save_draft(actor=actor, token=token, draft=_as_draft(answer))
    except ClaimLost:
        return  # kept all the same; the caller is told by what refused the answer


def _check(answer: Answer) -> None:
    if answer.decision not in Decision.values:
        detail = "There is no such decision."
        problem = FieldProblem(pointer="/decision", detail=detail, expected=", ".join(Decision.values))
        raise InvalidInput(errors=[problem])
    if answer.decision == Decision.MODIFY:
        check_outcome(answer.outcome)
    elif answer.outcome or answer.output:
        detail = "Only a decision to modify carries another outcome or output."
        raise InvalidInput(errors=[FieldProblem(pointer="/outcome" if answer.outcome else "/output", detail=detail)])
    check_texts(answer.output, answer.note)


def check_outcome(outcome: str) -> None:
    """Errors: `InvalidInput`."""
    if not CLEAR.fullmatch(outcome):
        detail = "Say the outcome as a category."
        expected = "1 to 100 of A-Z, a-z, 0-9 and _.:/+-"
        raise InvalidInput(errors=[FieldProblem(pointer="/outcome", detail=detail, expected=expected)])


def check_texts(output: str, note: str) -> None:
    """A corrected output is JSON, and both have bounds. Errors: `InvalidInput`."""
    problems = []
    if len(output.encode()) > MAX_OUTPUT_BYTES:
        problems.append(FieldProblem(pointer="/output", detail=f"At most {MAX_OUTPUT_BYTES:,} bytes."))
    if len(note) > MAX_NOTE:
        problems.append(FieldProblem(pointer="/note", detail=f"At most {MAX_NOTE:,} characters."))
    if output and not problems:
        try:
            json.loads(output)
        except ValueError:
            problems.append(FieldProblem(pointer="/output", detail="This is not JSON."))
    if problems:
        raise InvalidInput(errors=problems)
