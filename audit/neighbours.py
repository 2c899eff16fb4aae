"""Decisions beside one: before and after it in its AI system, what it is part of, what is part of it."""

import uuid
from dataclasses import dataclass

from audit.filters import DecisionFilter, Question
from audit.reach import Reach
from audit.scanning import TooSlow, limited_to
from audit.selectors import SealedDecision, decisions_by_ids
from audit.walks import Place, walking

SHOWN = 5
LIMIT_MS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """None or empty where there is none within reach. `has_more_children`: than those that are told."""

    before: SealedDecision | None
    after: SealedDecision | None
    parent: SealedDecision | None
    children: list[SealedDecision]
    has_more_children: bool


def neighbours_of(decision: SealedDecision, reach: Reach) -> Neighbours:
    """A fixed number of queries, each along an index and with a time limit."""
    before, after = _beside(decision, reach, older=True), _beside(decision, reach, older=False)
    parent = _parent(decision, reach)
    children = _children(decision, reach)
    sealed = decisions_by_ids([each for each in (before, after, parent, *children) if each])
    return Neighbours(
        before=sealed.get(before) if before else None,
        after=sealed.get(after) if after else None,
        parent=sealed.get(parent) if parent else None,
        children=[sealed[each] for each in children[:SHOWN] if each in sealed],
        has_more_children=len(children) > SHOWN,
    )


def _beside(decision: SealedDecision, reach: Reach, *, older: bool) -> uuid.UUID | None:
    """The next one of the same AI system; none where it is not found soon."""
    asked, sign = DecisionFilter(system_id=decision.system_id), "-" if older else ""
    here = Place(decision.recorded_at, decision.id).beyond(older=older)
    rows = Question.of(asked, reach).rows().filter(here).order_by(f"{sign}recorded_at", f"{sign}id")
    try:
        with walking(), limited_to(LIMIT_MS):
            return rows.values_list("id", flat=True).first()
    except TooSlow:
        return None


def _parent(decision: SealedDecision, reach: Reach) -> uuid.UUID | None:
    if decision.body.parent_id is None:
        return None
    rows = Question.of(DecisionFilter(), reach).rows().filter(pk=decision.body.parent_id)
    return rows.values_list("id", flat=True).first()


def _children(decision: SealedDecision, reach: Reach) -> list[uuid.UUID]:
    rows = Question.of(DecisionFilter(parent_id=decision.id), reach).rows().order_by("id")
    return list(rows.values_list("id", flat=True)[: SHOWN + 1])
