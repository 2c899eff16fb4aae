from overrides.models.clock import ControlClock
from overrides.models.review_rules import (
    OnTimeout,
    ReasonList,
    ReviewerSkill,
    ReviewQueue,
    ReviewRule,
    RuleChange,
)
from overrides.models.reviews import OPEN, Review, ReviewAssignment
from overrides.models.rulings import Appeal, Effect, Override, ReportedOverride

__all__ = [
    "OPEN",
    "Appeal",
    "ControlClock",
    "Effect",
    "OnTimeout",
    "Override",
    "ReasonList",
    "ReportedOverride",
    "Review",
    "ReviewAssignment",
    "ReviewQueue",
    "ReviewRule",
    "ReviewerSkill",
    "RuleChange",
]
