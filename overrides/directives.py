"""The directive: what a caller must do with a decision. Computed here and nowhere else.

From memory alone, no query: it is what memory knew, with its epoch. There are no switches and no review rules yet, so
every decision may proceed.
"""

import uuid
from dataclasses import dataclass
from typing import Protocol

ACTIONS = ("proceed", "hold", "fallback", "stop")
"""In order: the later one is the more restrictive."""


@dataclass(frozen=True, slots=True)
class Directive:
    """What to do, why, and for how long a caller may take it as known."""

    action: str
    mode: str
    epoch: str
    reason_code: str | None = None
    valid_for_s: int = 5
    review_id: uuid.UUID | None = None


class DecisionFacts(Protocol):
    """What a rule may look at. Strings as the caller sent them."""

    @property
    def outcome(self) -> str: ...
    @property
    def confidence(self) -> float | None: ...
    @property
    def adverse(self) -> bool | None: ...
    @property
    def capability(self) -> str | None: ...
    @property
    def labels(self) -> dict[str, str] | None: ...
    @property
    def phase(self) -> str | None: ...


PROCEED = Directive(action="proceed", mode="run", epoch="0")


def directive_for(*, system_id: uuid.UUID, environment: str, model_version: str, facts: DecisionFacts) -> Directive:
    """The directive for one decision, now."""
    return PROCEED


def more_restrictive(first: Directive, second: Directive) -> Directive:
    """Of two directives the one that allows less; the first where they allow the same."""
    return second if ACTIONS.index(second.action) > ACTIONS.index(first.action) else first
