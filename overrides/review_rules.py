"""Review rules as memory holds them: which decisions a person must look at. Pure but for `read_rules`."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from overrides.conditions import DecisionFacts, Draw, Tests, compile_condition, draw_of

__all__ = [
    "DecisionFacts",
    "Kind",
    "NewReview",
    "Rule",
    "Rules",
    "draw_of",
    "first_of",
    "kind_of",
    "probability_of",
    "read_rules",
    "rules_for",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of an AI system, ready to be matched."""

    id: uuid.UUID
    system_id: uuid.UUID
    environment: str = ""
    reason_code: str = "review-rule"
    tests: Tests = field(default=Tests(), compare=False, repr=False)
    share: float | None = field(default=None, compare=False)
    """Where it takes a random share."""


Rules = Mapping[uuid.UUID, tuple[Rule, ...]]
Kind = tuple[str, str, str, str | None, bool | None]
"""Environment, model version, outcome, capability, adversity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReview:
    """A review to be opened with its decision. What its rule says is copied from the rule."""

    review_id: uuid.UUID
    decision_id: uuid.UUID
    system_id: uuid.UUID
    environment: str
    rule_id: uuid.UUID | None
    """None where the mode review holds everything and no rule matches."""
    is_by_switch: bool = False
    """The mode review holds it: then nothing takes effect unseen, whatever its rule does at the deadline."""
    mode_epoch: str
    phase: str
    recorded_at: datetime
    probability: float = 1.0
    """With which it was chosen (see `probability_of`)."""


def read_rules() -> Rules:
    """Every rule in force, by AI system, in the order in which they are tried."""
    from overrides.models import ReviewRule  # the rest of this module is pure

    found: dict[uuid.UUID, list[Rule]] = {}
    rows = ReviewRule.objects.filter(archived_at=None).order_by("system_id", "order")
    for row in rows.values_list("id", "system_id", "environment", "condition"):
        rule_id, system_id, environment, condition = row
        rule = Rule(
            id=rule_id,
            system_id=system_id,
            environment=environment,
            tests=compile_condition(condition),
            share=condition.get("share"),
        )
        found.setdefault(system_id, []).append(rule)
    return {system_id: tuple(rules) for system_id, rules in found.items()}


def rules_for(rules: tuple[Rule, ...], environment: str, facts: DecisionFacts, model_version: str) -> tuple[Rule, ...]:
    """The rules that a decision of this kind can meet, in order: the same for all of one `kind_of`."""
    return tuple(
        rule
        for rule in rules
        if rule.environment in ("", environment) and all(test(facts, model_version, None) for test in rule.tests.kind)
    )


def kind_of(environment: str, facts: DecisionFacts, model_version: str) -> Kind:
    """All that `rules_for` looks at."""
    return environment, model_version, facts.outcome, facts.capability, facts.adverse


def first_of(rules: tuple[Rule, ...], facts: DecisionFacts, model_version: str, draw: Draw | None) -> Rule | None:
    """The first of `rules_for` whose remaining tests hold."""
    for rule in rules:
        for test in rule.tests.each:
            if not test(facts, model_version, draw):
                break
        else:
            return rule
    return None


def probability_of(
    rule: Rule, rules: tuple[Rule, ...], environment: str, facts: DecisionFacts, *, model_version: str = ""
) -> float:
    """With which probability a rule takes a decision like this one.

    All shares are drawn by the same number, so an earlier rule has taken the lower part of it.
    """
    taken = 0.0
    for each in rules_for(rules, environment, facts, model_version):
        if each.id == rule.id:
            break
        # without a number, every share is taken: what is left are the other tests
        if each.share is not None and all(test(facts, model_version, None) for test in each.tests.each):
            taken = max(taken, each.share)
    return max((1.0 if rule.share is None else rule.share) - taken, 0.0)
