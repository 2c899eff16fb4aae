"""Decisions as pages show them: with names where entries have ids."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from audit.flags import Flag
from audit.selectors import SealedDecision
from governance.models import AISystem, Person
from overrides.selectors import overridden_among

FLAG_WORDS = {
    Flag.NO_ACCOUNTABLE: "nobody accountable",
    Flag.UNACCEPTED_ACCOUNTABLE: "responsibility not accepted",
    Flag.NOT_LIVE: "AI system not live",
    Flag.UNKNOWN_ENVIRONMENT: "unknown environment",
    Flag.UNVERIFIED_MODEL_VERSION: "unverified model version",
    Flag.UNAPPROVED_MODEL_VERSION: "model version nobody approved",
    Flag.RETIRED_MODEL_VERSION: "retired model version",
    Flag.UNREGISTERED_MODEL_VERSION: "model version not registered",
    Flag.UNREGISTERED_SOURCE: "source not registered",
    Flag.LATE_OVER_24H: "more than 24 hours late",
    Flag.CLOCK_AHEAD: "sender's clock ahead",
    Flag.OUTSIDE_SCOPE: "outside the card's scope",
    Flag.REPLAYED: "replayed from quarantine",
    Flag.BREACH: "against a switch",
    Flag.LATE: "from before a switch",
}

AI_ROLES = {
    "sole": "decides alone",
    "determinative": "decisive for what a person decides",
    "advisory": "advises a person who decides",
    "triage": "sorts what people look at",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """One decision in a list."""

    decision: SealedDecision
    system: AISystem | None
    accountable: Person | None
    is_overridden: bool
    """People have put another outcome in its place."""

    @property
    def tone(self) -> str:
        return outcome_tone(self.decision)

    @property
    def flags(self) -> list[str]:
        return flag_words(self.decision.body.flags)

    @property
    def ai_role(self) -> str:
        return AI_ROLES.get(self.decision.body.ai_role, self.decision.body.ai_role)

    @property
    def unaccepted(self) -> bool:
        holder = self.decision.body.accountable
        return holder is not None and not holder.accepted


def outcome_tone(decision: SealedDecision) -> str:
    """Whether the outcome is adverse for the subject, as the caller said: an outcome's word alone says nothing."""
    if decision.body.error_type:
        return "bad"
    return {True: "warn", False: "ok", None: "neutral"}[decision.body.adverse]


def flag_words(flags: Sequence[str]) -> list[str]:
    """Flags as pages say them. An entry that was written by a later release may have others."""
    return [FLAG_WORDS[Flag(flag)] if flag in FLAG_WORDS else flag.replace("_", " ") for flag in flags]


def rows_of(decisions: Sequence[SealedDecision]) -> list[DecisionRow]:
    """Four queries, whatever the number of rows."""
    systems = AISystem.objects.in_bulk({each.system_id for each in decisions})
    holders = [each.body.accountable for each in decisions if each.body.accountable]
    people = Person.objects.in_bulk({uuid.UUID(holder.person) for holder in holders})
    overridden = overridden_among(each.id for each in decisions)
    return [
        DecisionRow(
            decision=each,
            system=systems.get(each.system_id),
            accountable=people.get(uuid.UUID(each.body.accountable.person)) if each.body.accountable else None,
            is_overridden=each.id in overridden,
        )
        for each in decisions
    ]
