"""Two decisions side by side: what their entries say, what ran, under which configuration and card, what came of it.

Names of what is erased or not in the register are told as absent. Payloads are compared apart: that is a look at both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from audit.comparing import Comparison, compare_json
from audit.errors import PartNotSent, PayloadErased
from audit.selectors import PARTS, SealedDecision
from audit.services.disclosure import may_read_payload, view_payload
from config.errors import Forbidden
from governance.acts import Condition
from governance.cards.comparing import Difference, differences
from governance.cards.content import read_document
from governance.models import ModelVersion, Person, SystemCard
from governance.selectors import kept_configuration, published_cards
from ledger.entries import Actor, timestamp
from monitoring.selectors import known_outcomes
from overrides.effective import effective_of

COMPARED_PARTS = tuple(part for part in PARTS if part != "refs")
Given = frozenset[Condition]
NONE_GIVEN: Given = frozenset()
MOMENTS = frozenset({"recorded_at", "occurred_at", "latency_ms"})


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that can be said of both; None where it cannot."""

    name: str
    label: str
    before: str | None
    after: str | None

    @property
    def differs(self) -> bool:
        """When they were made, and how long it took, is no difference between two decisions."""
        return self.name not in MOMENTS and self.before != self.after


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    title: str
    facts: list[Fact]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What can be said without a look at the payloads."""

    sections: list[Section]
    configuration: Comparison | None
    """None where one of the two is not kept, or both name the same."""
    cards: list[Difference]
    """Between the cards in force; empty where they are the same one, or of two AI systems."""

    @property
    def differing(self) -> int:
        return sum(fact.differs for section in self.sections for fact in section.facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedPart:
    """One part of both payloads."""

    name: str
    comparison: Comparison
    is_identical: bool
    """Byte for byte. Where not, and nothing differs, the same is written in another way."""
    is_erased: bool = False


def compare_decisions(one: SealedDecision, other: SealedDecision) -> Compared:
    """Whether both may be seen is the edge's to ask. A fixed number of queries."""
    before, after = _facts(one), _facts(other)
    sections = [
        Section(name, title, [Fact(key, label, before.get(key), after.get(key)) for key, label in fields.items()])
        for name, title, fields in SECTIONS
    ]
    return Compared(sections=sections, configuration=_configurations(one, other), cards=_cards(one, other))


def compare_payloads(
    *, actor: Actor, one: SealedDecision, other: SealedDecision, given: tuple[Given, Given] = (NONE_GIVEN, NONE_GIVEN)
) -> list[ComparedPart]:
    """What differs in the parts of both, after `payload.viewed` is sealed for each.

    Nothing is read, or sealed, unless both may be. Errors: `Forbidden`; what sealing raises.
    """
    if not (may_read_payload(actor, one, given[0]) and may_read_payload(actor, other, given[1])):
        raise Forbidden()
    before, after = _parts(actor, one, given[0]), _parts(actor, other, given[1])
    return [_compared(name, before, after) for name in COMPARED_PARTS]


def _parts(actor: Actor, decision: SealedDecision, given: Given) -> dict[str, bytes] | None:
    """None once erased."""
    try:
        found = view_payload(actor=actor, decision=decision, parts=COMPARED_PARTS, given=given)
    except PayloadErased:
        return None
    except PartNotSent:
        return {}
    return {part.name: part.data for part in found}


def _compared(name: str, before: dict[str, bytes] | None, after: dict[str, bytes] | None) -> ComparedPart:
    if before is None or after is None:
        return ComparedPart(name=name, comparison=Comparison([]), is_identical=False, is_erased=True)
    one, other = before.get(name), after.get(name)
    return ComparedPart(name=name, comparison=compare_json(one, other), is_identical=one == other)


# --- what can be said of one ------------------------------------------------------------------------------------------
SECTIONS = (
    (
        "decision",
        "What was decided",
        {
            "outcome": "Outcome",
            "error_type": "Error",
            "confidence": "Confidence",
            "score": "Score",
            "threshold": "Threshold",
            "adverse": "Adverse for the subject",
            "ai_role": "Role of the AI",
            "phase": "Phase",
            "flags": "Flags",
            "directive": "Caller told to",
            "mode": "Mode",
            "latency_ms": "Latency",
            "recorded_at": "Recorded",
            "occurred_at": "Occurred",
        },
    ),
    (
        "model",
        "By which model",
        {
            "environment": "Environment",
            "capability": "Capability",
            "model_version": "Model version",
            "model_name": "Name",
            "provider": "Provider",
            "base_model": "Base model",
            "model_digest": "Model digest",
            "config_digest": "Configuration",
            "prompt_version": "Prompt",
            "status": "Status now",
            "data": "Data",
            "card": "Card in force",
        },
    ),
    (
        "people",
        "People, and what came of it",
        {
            "accountable": "Accountable",
            "accepted": "Responsibility accepted",
            "holds": "What holds now",
            "source": "By whose word",
            "effect": "Effect",
            "truth": "What turned out",
        },
    ),
)


def _facts(decision: SealedDecision) -> dict[str, str | None]:
    return {**_decided(decision), **_model(decision), **_people(decision)}


def _decided(decision: SealedDecision) -> dict[str, str | None]:
    body = decision.body
    names = ("outcome", "error_type", "confidence", "score", "threshold", "adverse", "ai_role", "phase", "latency_ms")
    return {
        **{name: _said(getattr(body, name)) for name in names},
        "flags": ", ".join(sorted(body.flags)) or None,
        "directive": body.directive.action,
        "mode": body.directive.mode,
        "recorded_at": timestamp(decision.recorded_at),
        "occurred_at": timestamp(decision.occurred_at),
    }


def _model(decision: SealedDecision) -> dict[str, str | None]:
    body = decision.body
    version = ModelVersion.objects.filter(pk=body.model_version_id).first() if body.model_version_id else None
    of_version = {} if version is None else _version(version)
    return {
        "environment": body.environment,
        "capability": body.capability,
        "model_version": body.model_version,
        **of_version,
        "model_digest": body.model_digest or of_version.get("model_digest"),
        "config_digest": config_digest_of(decision, version),
        "prompt_version": body.prompt_version,
        "card": _said(body.card),
    }


def _version(version: ModelVersion) -> dict[str, str | None]:
    held = version.dependencies.filter(removed_at=None).select_related("source").order_by("source__slug", "use")
    data = [f"{each.source.slug} {each.snapshot or each.digest} ({each.use})".replace("  ", " ") for each in held]
    return {
        "model_name": version.name or None,
        "provider": version.provider or None,
        "base_model": version.base_model or None,
        "model_digest": version.model_digest or None,
        "status": version.get_status_display(),
        "data": ", ".join(data) or None,
    }


def _people(decision: SealedDecision) -> dict[str, str | None]:
    holder, holds = decision.body.accountable, effective_of(decision.id, decision=decision)
    person = Person.objects.filter(pk=holder.person).first() if holder else None
    return {
        "accountable": None if holder is None else str(person) if person else "former member of staff",
        "accepted": _said(holder.accepted) if holder else None,
        "holds": holds.effective_outcome,
        "source": holds.source,
        "effect": holds.effect.status,
        "truth": known_outcomes([decision.id]).get(decision.id),
    }


def _said(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else repr(value)


# --- configurations and cards -----------------------------------------------------------------------------------------
def config_digest_of(decision: SealedDecision, version: ModelVersion | None) -> str | None:
    """What the caller said, else what the register says of the version."""
    return decision.body.config_digest or (version.config_digest if version else "") or None


def _configurations(one: SealedDecision, other: SealedDecision) -> Comparison | None:
    before, after = _configuration(one), _configuration(other)
    return None if before is None or after is None or before == after else compare_json(before, after)


def _configuration(decision: SealedDecision) -> bytes | None:
    version_id = decision.body.model_version_id
    version = ModelVersion.objects.filter(pk=version_id).first() if version_id else None
    kept = kept_configuration(decision.system_id, config_digest_of(decision, version) or "")
    return kept.content.encode() if kept and kept.content else None


def _cards(one: SealedDecision, other: SealedDecision) -> list[Difference]:
    if one.system_id != other.system_id or one.body.card == other.body.card:
        return []
    before, after = _card(one), _card(other)
    if before is None or after is None or not (before.content and after.content):
        return []
    return list(differences(read_document(before.content), read_document(after.content)))


def _card(decision: SealedDecision) -> SystemCard | None:
    number = decision.body.card
    return published_cards(decision.system_id).filter(number=number).first() if number else None


def all_facts(compared: Compared) -> Iterator[Fact]:
    for section in compared.sections:
        yield from section.facts


def is_identical(compared: Compared, parts: Sequence[ComparedPart]) -> bool:
    """Whether two decisions differ in nothing but when they were made."""
    return not any(fact.differs for fact in all_facts(compared)) and all(part.is_identical for part in parts)
