"""What the callers of an AI system do when they lose contact with us."""

from dataclasses import dataclass

from governance.models.systems import AISystem

RiskClass = AISystem.RiskClass


@dataclass(frozen=True, slots=True)
class FailPolicy:
    """The last known state counts for `max_staleness_s` seconds, then `safe_mode` does."""

    max_staleness_s: int
    safe_mode: str


BY_RISK_CLASS = {
    RiskClass.PROHIBITED: FailPolicy(60, "stop"),
    RiskClass.HIGH: FailPolicy(60, "stop"),
    RiskClass.UNCLASSIFIED: FailPolicy(600, "review"),
    RiskClass.LIMITED: FailPolicy(600, "review"),
    RiskClass.MINIMAL: FailPolicy(24 * 3600, "run"),
}
"""What holds where an AI system says nothing of its own."""


def fail_policy_of(system: AISystem) -> FailPolicy:
    """What an AI system says itself, else what its risk class asks for, each for itself."""
    usual = BY_RISK_CLASS[RiskClass(system.risk_class)]
    own = system.max_staleness_s
    return FailPolicy(usual.max_staleness_s if own is None else own, system.safe_mode or usual.safe_mode)


SEVERITY = {mode: number for number, mode in enumerate(AISystem.SafeMode.values)}
SHORTEST_STALENESS_S = 5
"""Below what clients need to ask again, every hiccup would be a loss of contact."""
LONGEST_STALENESS_S = 7 * 24 * 3600


def is_milder(new: FailPolicy, old: FailPolicy) -> bool:
    """Whether a caller without contact would be let do more, or for longer."""
    return new.max_staleness_s > old.max_staleness_s or SEVERITY[new.safe_mode] < SEVERITY[old.safe_mode]
