"""The card that was in force when a decision was recorded, and which of its rules the input broke."""

from collections.abc import Iterable

from audit.flags import Flag
from audit.selectors import SealedDecision
from console.parts import ShownPart
from governance.cards.content import read_document
from governance.cards.scope import Rule, scope_of
from governance.models import SystemCard
from governance.selectors import published_cards


def card_of(decision: SealedDecision) -> SystemCard | None:
    """The card whose number the decision's entry names."""
    number = decision.body.card
    return published_cards(decision.system_id).filter(number=number).first() if number else None


def rules_broken(decision: SealedDecision, parts: Iterable[ShownPart]) -> list[Rule]:
    """For whoever is shown the input: the rules of its scope that a flagged decision broke."""
    data = next((part.data for part in parts if part.name == "input"), None)
    if data is None or Flag.OUTSIDE_SCOPE not in decision.body.flags:
        return []
    card = card_of(decision)
    scope = scope_of(read_document(card.content)) if card else None
    return scope.broken_by(data) if scope else []
