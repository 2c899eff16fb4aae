"""System cards, written and published as the product does."""

from copy import deepcopy
from typing import Any

from governance.acts import Role
from governance.models import AISystem, Person, SystemCard
from governance.scopes import Scope
from governance.selectors import accountable_of, card_in_force, last_save, open_card
from governance.services.cards import publish_card, save_draft, start_card, submit_card
from tests.factories.register import actor_of, give_role, make_person

COMPLETE: dict[str, Any] = {
    "purpose": {
        "capabilities": "Scores applications.",
        "intended": "Decides on higher limits.",
        "affected": "Customers who apply.",
        "out_of_scope": "New customers.",
        "limitations": "Worse for thin files.",
        "failures": "Scores near the threshold flip.",
    },
    "performance": {
        "results": [
            {
                "metric": "AUC",
                "value": 0.81,
                "direction": "at_least",
                "threshold": 0.75,
                "test": "Report 12",
                "dataset": "Holdout 2026",
                "tested_on": "2026-05-04",
                "signatory": "Model validation",
            }
        ]
    },
    "oversight": {"measures": "A person decides close calls."},
    "data": {"sources": "Applications of three years."},
    "contacts": {"people": [{"desk": "Credit models", "reached_by": "models@example.org"}]},
}
RANGE = {"pointer": "/income", "check": "range", "minimum": 1000, "maximum": 9000}


def content(*rules: dict[str, Any], **sections: Any) -> dict[str, Any]:
    """A complete card; `rules` are those of its scope, `sections` stand in place of its own."""
    found = deepcopy(COMPLETE) | deepcopy(sections)
    return found | {"inputs": {"rules": [*rules]}} if rules else found


def writer_of(system: AISystem) -> Person:
    """A technical owner."""
    person = make_person()
    give_role(person, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    return person


def publisher_of(system: AISystem) -> Person:
    """The accountable person, who is made where there is none."""
    held = accountable_of(system.pk)
    if held is not None and held.accepted_at:
        return held.person
    person = make_person()
    give_role(person, Role.ACCOUNTABLE, Scope.system(system.pk))
    return person


def draft(system: AISystem, writer: Person, document: dict[str, Any] | None = None) -> SystemCard:
    """An open card with this content."""
    card = open_card(system.pk) or start_card(actor=actor_of(writer), system_id=system.pk).card
    base = last_save(card).number
    save_draft(actor=actor_of(writer), system_id=system.pk, content=document or content(), base=base)
    return card


def submit(system: AISystem, writer: Person, document: dict[str, Any] | None = None, note: str = "") -> SystemCard:
    card = draft(system, writer, document)
    return submit_card(actor=actor_of(writer), system_id=system.pk, base=last_save(card).number, note=note)


def publish(
    system: AISystem,
    document: dict[str, Any] | None = None,
    *,
    writer: Person | None = None,
    publisher: Person | None = None,
) -> SystemCard:
    """A published card, by two people; where a card is in force already, its content must differ."""
    card = submit(system, writer or writer_of(system), document)
    by = actor_of(publisher or publisher_of(system))
    publish_card(actor=by, system_id=system.pk, content_digest=card.content_digest)
    found = card_in_force(system.pk)
    assert found is not None
    return found
