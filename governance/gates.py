"""What must hold before a model version runs: looked at when it is proposed, and again when it is approved."""

from collections.abc import Iterable
from dataclasses import dataclass

from config.errors import FieldProblem
from governance.models import AISystem, ConfigurationSnapshot, DataDependency, ModelVersion
from governance.selectors import card_in_force

Use = DataDependency.Use


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One of them, as it stands for a version."""

    code: str
    title: str
    is_met: bool
    blocks: bool
    """Whether nothing goes on without it; else whoever decides sees that it is not met."""
    advice: str
    pointer: str

    def as_row(self) -> dict[str, object]:
        return {"code": self.code, "title": self.title, "met": self.is_met, "blocks": self.blocks}


def gates_of(version: ModelVersion) -> list[Gate]:
    """All of them, in the order in which a person would look. A few queries."""
    system = version.system
    is_high = system.risk_class == AISystem.RiskClass.HIGH
    held = list(version.dependencies.filter(removed_at=None).select_related("source__owner"))
    return [
        Gate(
            code="identity",
            title="What runs can be told apart",
            is_met=bool(version.model_digest or (version.provider and version.base_model)),
            blocks=True,
            advice="Give the digest of the model, or, of one that a provider runs, the provider and its base model.",
            pointer="/model_digest",
        ),
        Gate(
            code="configuration",
            title="The configuration is kept",
            is_met=_has_configuration(version),
            blocks=is_high,
            advice="Store the configuration, and name its digest: decisions can then be compared by it.",
            pointer="/config_digest",
        ),
        Gate(
            code="training-data",
            title="It is said what it was made from",
            is_met=bool(version.base_model) or _uses(held, Use.TRAINING),
            blocks=is_high,
            advice="Declare the data it was trained on, or the base model it was made from.",
            pointer="/dependencies",
        ),
        Gate(
            code="evaluation",
            title="It was evaluated, on data that can be found again",
            is_met=any(each.use == Use.EVALUATION and (each.snapshot or each.digest) for each in held),
            blocks=is_high,
            advice="Declare the data it was evaluated on, with its snapshot or digest.",
            pointer="/dependencies",
        ),
        Gate(
            code="source-owners",
            title="Somebody answers for each of its data sources",
            is_met=all(each.source.owner.is_active for each in held),
            blocks=True,
            advice="Give the sources whose owner left a new one.",
            pointer="/dependencies",
        ),
        Gate(
            code="card",
            title="A system card is published",
            is_met=card_in_force(system.pk) is not None,
            blocks=is_high,
            advice="Have a card published that says what the AI system is for, and how good it is.",
            pointer="/system/card",
        ),
        authority_gate(system),
        Gate(
            code="way-back",
            title="There is a way back",
            is_met=bool(system.fallback) and system.fallback != version.version,
            blocks=False,
            advice="Declare what the AI system falls back to: an earlier version, a rule, or people.",
            pointer="/system/fallback",
        ),
    ]


def authority_gate(system: AISystem) -> Gate:
    """Asked once more when a version goes live: an incident may have come since it was approved."""
    return Gate(
        code="authority",
        title="The authority knows of every open serious incident",
        is_met=not system.uninformed_incidents.exists(),
        blocks=True,
        advice="A serious incident of this AI system is open, and no authority was informed. Until whoever leads the "
        "case records that it was, the system is not changed (AI Act Art. 73(6)).",
        pointer="/system/incidents",
    )


def blocking(gates: Iterable[Gate]) -> list[FieldProblem]:
    """What keeps it from being promoted, each with what to do."""
    return [FieldProblem(pointer=each.pointer, detail=each.advice) for each in gates if each.blocks and not each.is_met]


def _has_configuration(version: ModelVersion) -> bool:
    kept = ConfigurationSnapshot.objects.filter(system_id=version.system_id, digest=version.config_digest)
    return bool(version.config_digest) and kept.exists()


def _uses(held: Iterable[DataDependency], use: DataDependency.Use) -> bool:
    return any(each.use == use for each in held)
