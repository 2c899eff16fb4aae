"""Registering an AI system with a service key."""

import uuid
from collections.abc import Iterable
from typing import Any

from governance import rights
from governance.acts import Act
from governance.errors import SystemExists
from governance.locks import hold
from governance.models import AISystem, Person, ServiceKey
from governance.services.keys import reach_system
from governance.services.systems import register_system
from ledger.entries import Actor
from ledger.sealing import sealing


def register_by_key(
    *,
    actor: Actor,
    key_id: uuid.UUID,
    environment: str,
    slug: str,
    accountable: Person,
    environments: Iterable[str] | None = None,
    **described: Any,
) -> tuple[AISystem, bool]:
    """Register an AI system; the key that does reaches it from then on. Returns the row, and whether it is new.

    The same again is the one that exists, where the key reaches it and the values are the same. Without
    `environments` it runs in the key's own. Errors: `Forbidden`, `SystemExists`, `KeyEnded`, `ValidationError`.
    """
    rights.require(actor, Act.SYSTEM_REGISTER)
    with sealing() as seal:
        hold(f"system:{slug}")
        known = AISystem.objects.filter(slug=slug).first()
        if known:
            return _same(known, key_id, described), False
        system = register_system(
            actor=actor,
            slug=slug,
            accountable=accountable,
            environments=environments or (environment,),
            **described,
        )
        reach_system(seal, actor=actor, key_id=key_id, system_id=system.pk)
    return system, True


def _same(known: AISystem, key_id: uuid.UUID, described: dict[str, Any]) -> AISystem:
    in_reach = ServiceKey.objects.filter(pk=key_id, system_ids__contains=[known.pk]).exists()
    if not in_reach or any(getattr(known, name) != value for name, value in described.items()):
        raise SystemExists()
    return known
