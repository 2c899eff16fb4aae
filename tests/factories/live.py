"""AI systems that are live, with everything that one needs."""

from datetime import datetime
from typing import Any

from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from governance.services.promotions import propose_version
from governance.services.systems import take_live
from tests.factories.cards import publish
from tests.factories.register import actor_of, give_role, make_system
from tests.factories.versions import approve, engineer_of, make_promotable

READY = {
    "intended_purpose": "Limits",
    "risk_class": "high",
    "safe_state": "Queue",
    "shutdown_steps": "1. Stop",
    "shutdown_contacts": "Duty desk",
}


def make_live(owner: Person, *, ends_at: datetime | None = None, **described: Any) -> AISystem:
    """Described, with a card and an approved version, taken live by who answers for it."""
    system = make_system(**READY | described)
    give_role(owner, Role.ACCOUNTABLE, Scope.system(system.pk), ends_at=ends_at)
    engineer = engineer_of(system)
    publish(system, writer=engineer, publisher=owner)
    made = make_promotable(system, by=engineer)
    propose_version(actor=actor_of(engineer), version_id=made.pk, reason="The first one.")
    approve(owner, made)
    return take_live(actor=actor_of(owner), system_id=system.pk)
