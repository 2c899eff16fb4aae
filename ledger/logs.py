"""Opening logs: the organisation's registry, and one for each AI system."""

import uuid

from django.conf import settings
from django.utils import timezone

from config.ids import new_id
from ledger.entries import Actor, draft_entry
from ledger.heads import NamedSystem, head_store
from ledger.key_history import announcement
from ledger.kinds import KEY_ANNOUNCED, LOG_OPENED, REGISTRY_OPENED, SYSTEM_LOG_OPENED, Kind
from ledger.models import Log
from ledger.sealing import Seal, sealing
from ledger.selectors import registry_log
from ledger.signing import signers_for


def open_registry(*, actor: Actor) -> Log:
    """The organisation's registry log, made where there is none. Its entry 0 says what it is."""
    with sealing() as seal:
        existing = Log.objects.filter(kind=Log.Kind.REGISTRY).order_by("-sequence").first()
        if existing:
            return existing
        log = Log.objects.create(origin=f"{settings.ORIGIN}/logs/registry", kind=Log.Kind.REGISTRY)
        _say(seal, log.id, REGISTRY_OPENED, actor, {"origin": log.origin}, log)
        announce_keys(seal, log, actor=actor)
    return log


def open_system_log(seal: Seal, *, actor: Actor, system_id: uuid.UUID, slug: str) -> Log:
    """The first log of an AI system: entry 0 names the system and the registry, and the registry learns of the log.

    `slug`: what the AI system is called, for whoever must say which log was lost. Errors: `HeadStoreUnavailable`.
    """
    registry = registry_log()
    log_id = new_id()
    head_store().name_system(log_id, NamedSystem(system_id, slug))
    log = Log.objects.create(
        id=log_id, origin=f"{settings.ORIGIN}/logs/{log_id}", kind=Log.Kind.SYSTEM, system_id=system_id
    )
    facts = {"origin": log.origin, "system": str(system_id), "registry": registry.origin}
    _say(seal, log.id, LOG_OPENED, actor, facts, log)
    announced = {"log": str(log.id), "system": str(system_id)} | announcement(signers_for(log.origin)[0])
    _say(seal, registry.id, SYSTEM_LOG_OPENED, actor, announced, log)
    return log


def announce_keys(seal: Seal, registry: Log, *, actor: Actor) -> None:
    """Say in a new registry log which keys sign it: the ones in use, the oldest first."""
    for signer in reversed(signers_for(registry.origin)):
        _say(seal, registry.id, KEY_ANNOUNCED, actor, announcement(signer), registry)


def _say(seal: Seal, log_id: uuid.UUID, kind: Kind, actor: Actor, body: dict[str, str], about: Log) -> None:
    seal.add(log_id, draft_entry(kind=kind, actor=actor, at=timezone.now(), body=body, about_id=about.id))
