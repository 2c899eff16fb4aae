from overrides.models.clients import BreachCount, ClientInstance
from overrides.models.clock import ControlClock
from overrides.models.drills import Drill, DrillFinding, DrillReading, Probe
from overrides.models.parameters import Parameter, ParameterVersion
from overrides.models.review_rules import (
    OnTimeout,
    ReasonList,
    ReviewerSkill,
    ReviewQueue,
    ReviewRule,
    RuleChange,
)
from overrides.models.reviews import ONE_DECIDES, OPEN, Review, ReviewAssignment, is_held
from overrides.models.rulings import Appeal, Effect, Execution, Override, ReportedOverride
from overrides.models.switches import ControlRecovery, LooseningRequest, Switch, SwitchChange
from overrides.models.unknown_flags import UnknownFlag

__all__ = [
    "ONE_DECIDES",
    "OPEN",
    "Appeal",
    "BreachCount",
    "ClientInstance",
    "ControlClock",
    "ControlRecovery",
    "Drill",
    "DrillFinding",
    "DrillReading",
    "Effect",
    "Execution",
    "LooseningRequest",
    "OnTimeout",
    "Override",
    "Parameter",
    "ParameterVersion",
    "Probe",
    "ReasonList",
    "ReportedOverride",
    "Review",
    "ReviewAssignment",
    "ReviewQueue",
    "ReviewRule",
    "ReviewerSkill",
    "RuleChange",
    "Switch",
    "SwitchChange",
    "UnknownFlag",
    "is_held",
]
