"""What holds of a decision now: the model's outcome, unless people said otherwise. Derived, never stored.

A review counts once it cannot be taken back any more; the last word of people counts; a stop in force freezes what
was approved. Modes come from memory, all else from the database.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from audit.selectors import SealedDecision, decision_by_id
from overrides import memory
from overrides.conduct import DRAIN_WITHIN
from overrides.models import Effect, Execution, OnTimeout, Override, Review
from overrides.standing import Control, InFlight, Mode, SwitchState

PROCEED, HOLD, FALLBACK, STOP = "proceed", "hold", "fallback", "stop"
ACTION_AFTER = {OnTimeout.BLOCK: STOP, OnTimeout.FALLBACK: FALLBACK, OnTimeout.ALLOW: PROCEED, "": PROCEED}


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectState:
    """What the caller said it did. `mismatch` and `failed` only against what is effective now."""

    status: str
    outcome: str | None = None
    confirmed_at: datetime | None = None


UNCONFIRMED = EffectState(status="unconfirmed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """What a caller is to act on."""

    id: uuid.UUID
    system_id: uuid.UUID
    environment: str
    status: str
    """final, pending or frozen."""
    action: str
    """proceed, hold, fallback or stop."""
    original_outcome: str
    effective_outcome: str | None
    """None where nothing may be carried out."""
    source: str
    """model, review, override, appeal or timeout."""
    output: str | None
    """The corrected output as raw JSON."""
    reason_code: str | None
    review: Review | None
    override_id: uuid.UUID | None
    decided_at: datetime | None
    mode: str
    epoch: str
    effect: EffectState
    version: int
    """A higher one after each change."""
    word_id: uuid.UUID
    """Whose word that is: of an override, a review, or, where nobody had to say anything, of the decision itself."""
    execution: Execution | None
    """Who took it to carry it out; None where nobody has, since that word."""
    frozen_at: datetime | None = None
    """Since when a stop keeps what was approved from being carried out."""
    holds_as_sent: bool = False
    """It took effect when it was sent, and nobody said otherwise: there is nothing to carry out."""

    @property
    def is_held_back(self) -> bool:
        """Whether a stop keeps from being carried out what otherwise would be: nothing that is done already."""
        return self.status == "frozen" and not (self.holds_as_sent or self.effect.status == "confirmed")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ruling:
    """The last word on a decision."""

    action: str
    outcome: str | None
    source: str
    output: str | None = None
    reason_code: str | None = None
    override_id: uuid.UUID | None = None
    at: datetime | None = None
    pending: bool = False
    word_id: uuid.UUID


def effective_of(
    decision_id: uuid.UUID, *, decision: SealedDecision | None = None, control: Control | None = None
) -> Effective:
    """What holds of a decision now. Whether the one who asks may know is the edge's. Errors: `DecisionNotFound`.

    `control`: where memory, which may be a second old, will not do.
    """
    decision = decision or decision_by_id(decision_id)
    control = control or memory.current().control
    now = timezone.now()
    # first: what changes meanwhile makes the next one another
    version = versions_of([decision_id], control).get(decision_id, 0)
    review = Review.objects.filter(decision_id=decision_id).order_by("-id").first()
    ruling = _ruling(decision, review, now)
    switch = _switch(decision, control)
    frozen = switch is not None and switch.mode is Mode.STOP and not ruling.pending and ruling.action == PROCEED
    return Effective(
        id=decision.id,
        system_id=decision.system_id,
        environment=decision.body.environment,
        status="pending" if ruling.pending else "frozen" if frozen else "final",
        action=STOP if frozen else ruling.action,
        original_outcome=decision.body.outcome,
        effective_outcome=ruling.outcome,
        source=ruling.source,
        output=ruling.output,
        reason_code=switch.reason_code if frozen and switch else ruling.reason_code,
        review=review,
        override_id=ruling.override_id,
        decided_at=ruling.at,
        mode=str(switch.mode if switch else Mode.RUN),
        epoch=str(control.epoch),
        effect=_effect(decision_id, ruling, switch.mode if switch else Mode.RUN),
        version=version,
        word_id=ruling.word_id,
        execution=Execution.objects.filter(decision_id=decision_id, word_id=ruling.word_id).first(),
        frozen_at=_frozen_at(switch) if frozen and switch else None,
        holds_as_sent=_holds_as_sent(decision, ruling),
    )


def _holds_as_sent(decision: SealedDecision, ruling: _Ruling) -> bool:
    is_changed = ruling.override_id or ruling.output or ruling.outcome != decision.body.outcome
    return not is_changed and decision.body.phase != "proposed"


def _ruling(decision: SealedDecision, review: Review | None, now: datetime) -> _Ruling:
    override = (
        Override.objects.filter(decision_id=decision.id, status=Override.Status.IN_FORCE).order_by("-at", "-id").first()
    )
    by_review = _by_review(decision, review, now) if review else None
    if override and not (by_review and by_review.at and by_review.at > override.at):
        return _by_override(override)
    return by_review or _by_model(decision)


def _by_model(decision: SealedDecision) -> _Ruling:
    """What the caller was told when it was recorded. A hold without a review cannot be released: it stays one."""
    action = decision.body.directive.action if decision.body.phase == "proposed" else PROCEED
    code = decision.body.directive.reason_code
    outcome = decision.body.outcome if action in (PROCEED, HOLD) else None
    return _Ruling(
        action=action, outcome=outcome, source="model", reason_code=code, pending=action == HOLD, word_id=decision.id
    )


def _by_override(override: Override) -> _Ruling:
    return _Ruling(
        action=PROCEED,
        outcome=override.outcome,
        source=str(override.source),
        output=override.output or None,
        reason_code=override.reason_code,
        override_id=override.pk,
        at=override.at,
        word_id=override.pk,
    )


def _by_review(decision: SealedDecision, review: Review, now: datetime) -> _Ruling | None:
    is_visible = review.visible_at is not None and review.visible_at <= now
    if not is_visible:
        held = review.phase == "proposed"
        said = decision.body.outcome
        return _Ruling(action=HOLD, outcome=said, source="model", pending=True, word_id=review.pk) if held else None
    at = review.closed_at
    if review.status in (Review.Status.TIMED_OUT, Review.Status.OVERFLOWED):
        if review.phase != "proposed":
            return None
        action = ACTION_AFTER[review.action]
        outcome = decision.body.outcome if action == PROCEED else None
        return _Ruling(
            action=action, outcome=outcome, source="timeout", reason_code=review.closing, at=at, word_id=review.pk
        )
    if review.status == Review.Status.SUPERSEDED:
        return None  # by an override, which speaks for itself
    if review.status == Review.Status.WITHDRAWN:
        return _Ruling(action=STOP, outcome=None, source="model", reason_code=review.closing, at=at, word_id=review.pk)
    return _by_verdict(decision, review, at)


def _by_verdict(decision: SealedDecision, review: Review, at: datetime | None) -> _Ruling:
    if review.verdict == Review.Verdict.REJECT:
        return _Ruling(
            action=STOP, outcome=None, source="review", reason_code=review.reason_code, at=at, word_id=review.pk
        )
    modified = review.verdict == Review.Verdict.MODIFY
    return _Ruling(
        action=PROCEED,
        outcome=review.outcome if modified else decision.body.outcome,
        source="review",
        output=_corrected_output(review) if modified else None,
        reason_code=review.reason_code,
        at=at,
        word_id=review.pk,
    )


def _corrected_output(review: Review) -> str | None:
    decisive = review.assignments.filter(pk=review.decisive_id or review.pk)
    return decisive.values_list("output", flat=True).first() or None


def _switch(decision: SealedDecision, control: Control) -> SwitchState | None:
    body = decision.body
    return control.in_force(decision.system_id, body.environment, body.model_version, body.capability or "")


def _frozen_at(switch: SwitchState) -> datetime:
    """Work that had begun may finish where the switch says drain."""
    return switch.changed_at + (DRAIN_WITHIN if switch.in_flight is InFlight.DRAIN else timedelta())


def fell_back(effect: Effect, action: str, mode: str) -> bool:
    """Whether it is the outcome of a fallback that was to be taken: told for this decision, or in force by now."""
    return effect.via == Effect.Via.FALLBACK and FALLBACK in (action, mode)


def _effect(decision_id: uuid.UUID, ruling: _Ruling, mode: Mode) -> EffectState:
    last = Effect.objects.filter(decision_id=decision_id).order_by("-received_at", "-id").first()
    if last is None:
        return UNCONFIRMED
    is_before = ruling.at is not None and last.received_at < ruling.at
    # the same outcome, and another output than was carried out then
    is_corrected = is_before and ruling.output is not None
    is_same = last.outcome == (ruling.outcome or "") or fell_back(last, ruling.action, mode)
    if is_same and not is_corrected:
        return EffectState(status="confirmed", outcome=last.outcome, confirmed_at=last.received_at)
    if is_before or last.status == Effect.Status.CONFIRMED:
        return EffectState(status="unconfirmed", outcome=last.outcome)  # it did what held then; now another holds
    return EffectState(status=str(last.status), outcome=last.outcome, confirmed_at=last.received_at)


VERSIONS = """
SELECT d.id,
    (SELECT coalesce(sum(r.revision + CASE WHEN r.visible_at <= %(now)s THEN 2 ELSE 1 END), 0)
        FROM overrides_review r WHERE r.decision_id = d.id)
    + (SELECT coalesce(sum(o.revision), 0) FROM overrides_override o WHERE o.decision_id = d.id)
    + (SELECT count(*) FROM overrides_effect e WHERE e.decision_id = d.id)
    + (SELECT count(*) FROM overrides_execution x WHERE x.decision_id = d.id)
FROM audit_decision d WHERE d.id = ANY(%(ids)s)
"""
"""A sum of what only ever rises: revisions, rows that are never taken away, and (below) the epoch of all controls."""
GENERATION = 1_000_000_000


def versions_of(ids: Collection[uuid.UUID], control: Control | None = None) -> dict[uuid.UUID, int]:
    """The version of what holds, for each of these decisions: a higher one after each change. One query."""
    params: dict[str, Any] = {"ids": list(ids), "now": timezone.now()}
    with connection.cursor() as cursor:
        cursor.execute(VERSIONS, params)
        rows = cursor.fetchall()
    epoch = (control or memory.current().control).epoch
    return {decision_id: int(facts) + epoch.generation * GENERATION + epoch.number for decision_id, facts in rows}


def unconfirmed_effects(system_ids: Collection[uuid.UUID] | None, *, limit: int = 100) -> list[dict[str, Any]]:
    """Decisions that people changed, or that a worker took, and nobody has said that it is done; the oldest first.

    `system_ids`: None for all.
    """
    with connection.cursor() as cursor:
        cursor.execute(UNCONFIRMED_EFFECTS, [system_ids is None, list(system_ids or ()), limit])
        names = ["decision_id", "system_id", "outcome", "source", "since", "said", "has_failed"]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


UNCONFIRMED_EFFECTS = """
WITH word AS (
    SELECT decision_id, system_id, outcome, source, at, has_output
    FROM overrides_override WHERE status = 'in_force'
    UNION ALL
    SELECT decision_id, system_id, outcome, 'review', closed_at, verdict = 'modify' AND EXISTS (
        SELECT 1 FROM overrides_reviewassignment a WHERE a.id = r.decisive_id AND a.output <> '')
    FROM overrides_review r
    WHERE status IN ('decided', 'adjudicated') AND visible_at <= now()
        AND (verdict = 'modify' OR (verdict = 'reject' AND phase = 'effective'))
    UNION ALL
    SELECT decision_id, system_id, outcome, 'execution', claimed_at, true FROM overrides_execution
    WHERE claimed_at < now() - interval '1 minute'
), last AS (
    SELECT DISTINCT ON (decision_id) * FROM word ORDER BY decision_id, at DESC
)
SELECT l.decision_id, l.system_id, l.outcome, l.source, l.at, e.outcome, e.status = 'failed'
FROM last l LEFT JOIN LATERAL (
    SELECT outcome, status, received_at FROM overrides_effect
    WHERE decision_id = l.decision_id ORDER BY received_at DESC, id DESC LIMIT 1
) e ON true
WHERE (%s OR l.system_id = ANY(%s))
    AND (e.outcome IS DISTINCT FROM l.outcome OR (l.has_output AND e.received_at < l.at))
ORDER BY l.at LIMIT %s
"""
