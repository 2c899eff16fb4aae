"""Reviews against the entries of their decisions.

A review has no entry of its own until something happens to it: its decision's entry names it. So what it began with is
derived again: from that entry, and from what its rule and queue said, in any of their sealed states. None of those
columns ever changes. What does change stands as it began while nothing has happened.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from audit.entries import DecisionEntry
from evidence.verification.findings import Finding
from evidence.verification.trees import StoredEntry, as_uuid
from ledger.entries import timestamp
from ledger.models import Log
from overrides.models import Review, ReviewQueue, ReviewRule
from overrides.models.review_rules import DAY_S
from overrides.review_rules import draw_of
from overrides.standing import Mode

UNTOUCHED: dict[str, Any] = {
    **{"status": "open", "version": 1, "particulars_id": None},
    **dict.fromkeys(("verdict", "outcome", "reason_code", "action", "closing"), ""),
    **dict.fromkeys(("escalated_at", "decisive_id", "closed_at", "visible_at", "announced_at")),
}
"""Columns of a review to which nothing has happened."""


def check_reviews(log: Log, decided: Sequence[tuple[StoredEntry, DecisionEntry]]) -> Iterator[Finding]:
    """The review of every decision whose entry names one."""
    naming = [(entry, said, said.body.review_id) for entry, said in decided if said.body.review_id]
    named = [row_id for *_, name in naming if (row_id := as_uuid(name))]
    found = {str(row.pk): row for row in Review.objects.filter(pk__in=named).order_by()}
    past = _Past(found.values())
    for entry, said, name in naming:
        row = found.get(name)
        if row is None:
            yield Finding("review-missing", log.origin, entry.index, table=_TABLE, row=str(as_uuid(name) or entry.id))
        elif wrong := [*_wrong(row, said), *past.wrong(row, said), *_wrong_untouched(row)]:
            yield Finding("review-altered", log.origin, entry.index, table=_TABLE, row=name, detail=", ".join(wrong))


_TABLE = Review._meta.db_table


def _wrong(row: Review, said: DecisionEntry) -> Iterator[str]:
    body = said.body
    expected = {
        "decision_id": said.id,
        "system_id": body.system,
        "environment": body.environment,
        "phase": body.phase,
        "mode_epoch": body.directive.epoch,
        "opened_at": said.at,
        "created_at": said.at,
    }
    yield from (name for name, value in expected.items() if _text(getattr(row, name)) != value)
    if row.rule_id is None and not _is_by_switch(said):
        yield "rule_id"


def _is_by_switch(said: DecisionEntry) -> bool:
    """Whether the mode review held it: that holds everything, a rule what it names, whatever else the mode is."""
    return said.body.directive.mode == Mode.REVIEW


def _wrong_untouched(row: Review) -> Iterator[str]:
    if row.revision == 0:
        yield from (name for name, value in UNTOUCHED.items() if getattr(row, name) != value)


def _text(value: object) -> str:
    return timestamp(value) if isinstance(value, datetime) else str(value)


class _Past:
    """What the rules and queues of some reviews ever said: the copies in a review are of one of those states."""

    def __init__(self, reviews: Iterable[Review]) -> None:
        rows = list(reviews)
        self.rules = _states(ReviewRule, {row.rule_id for row in rows})
        self.queues = _states(ReviewQueue, {row.queue_id for row in rows})
        self.shares = _shares({row.system_id for row in rows})

    def wrong(self, row: Review, said: DecisionEntry) -> Iterator[str]:
        is_held = _is_by_switch(said)
        pairs = ((rule, queue) for rule in self._rules(row) for queue in self._queues(row))
        if not any(
            _is_copy(row, rule, queue, is_held) and self._is_chance(row, rule, is_held) for rule, queue in pairs
        ):
            yield "what its rule and its queue said"

    def _is_chance(self, row: Review, rule: Any, is_held: bool) -> bool:
        """Whether it is what a rule takes after an earlier one has taken its share (see `probability_of`); a switch
        takes everything."""
        if is_held:
            return row.probability == 1.0
        whole = float(rule.condition.get("share", 1)) if rule else 1.0
        taken = {0.0} | (self.shares.get(row.system_id, set()) if rule else set())
        return row.probability in {max(whole - each, 0.0) for each in taken}

    def _rules(self, row: Review) -> list[Any]:
        found = self.rules.get(row.rule_id, [])
        return [None] if row.rule_id is None else [each for each in found if _is_for(each, row)]

    def _queues(self, row: Review) -> list[Any]:
        found = self.queues.get(row.queue_id, [])
        return [None] if row.queue_id is None else [each for each in found if _takes(each, row)]


def _states(model: Any, ids: set[uuid.UUID | None]) -> dict[uuid.UUID | None, list[Any]]:
    found: dict[uuid.UUID | None, list[Any]] = {}
    for state in model.history.filter(id__in=ids - {None}):
        found.setdefault(state.id, []).append(state)
    return found


def _shares(system_ids: set[uuid.UUID]) -> dict[uuid.UUID, set[float]]:
    """The random shares that rules of these AI systems ever asked for."""
    found: dict[uuid.UUID, set[float]] = {}
    for system_id, condition in ReviewRule.history.filter(system_id__in=system_ids).values_list(
        "system_id", "condition"
    ):
        if "share" in condition:
            found.setdefault(system_id, set()).add(float(condition["share"]))
    return found


def _is_for(rule: Any, row: Review) -> bool:
    return bool(rule.system_id == row.system_id and rule.environment in ("", row.environment))


def _takes(queue: Any, row: Review) -> bool:
    """What is held without a rule goes to a queue that is there for that."""
    return row.rule_id is not None or bool(queue.is_default and queue.system_id in (None, row.system_id))


def _is_copy(row: Review, rule: Any, queue: Any, is_held: bool) -> bool:
    """Whether a review began as `open_reviews` makes one of this rule and this queue, but for its probability."""
    if rule is not None and rule.queue_id != row.queue_id:
        return False
    share = queue.blind_share if queue else 0.0
    seconds = rule.deadline_s if rule else queue.deadline_s if queue else DAY_S
    expected = (
        row.opened_at + timedelta(seconds=seconds),
        rule.on_timeout if rule and not is_held else "block",
        rule.reviews_required if rule else 1,
        rule.required_skill if rule else "",
        bool(rule and rule.is_blind) or draw_of(row.pk) < share,
    )
    began = (
        row.deadline_at,
        row.on_timeout,
        row.reviews_required,
        row.required_skill,
        row.is_blind,
    )
    return began == expected
