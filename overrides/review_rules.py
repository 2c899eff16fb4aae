"""Review rules as memory holds them: which decisions a person must look at. Pure but for `read_rules`."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of an AI system, ready to be matched."""

    id: uuid.UUID
    system_id: uuid.UUID
    environment: str = ""
    reason_code: str = "review-rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReview:
    """A review that intake opens, in the sealing of the decision that asks for it."""

    review_id: uuid.UUID
    decision_id: uuid.UUID
    system_id: uuid.UUID
    environment: str
    rule_id: uuid.UUID | None
    """None where a switch holds everything."""
    mode_epoch: str
    phase: str
    recorded_at: datetime


Rules = Mapping[uuid.UUID, tuple[Rule, ...]]


def read_rules() -> Rules:
    """Every rule in force, by AI system, in the order in which they are tried."""
    return {}


def first_match(rules: tuple[Rule, ...], environment: str, facts: DecisionFacts) -> Rule | None:
    """The first rule that asks for a person to look at this decision."""
    return None
