"""Opening logs: the organisation's registry, and one for each AI system."""

import uuid
from typing import Any

from django.conf import settings
from django.utils import timezone

from config.ids import new_id
from ledger.entries import Actor, draft_entry
from ledger.kinds import KEY_ANNOUNCED, LOG_OPENED, REGISTRY_OPENED, SYSTEM_LOG_OPENED, Kind
from ledger.models import Log
from ledger.sealing import Seal, sealing
from ledger.selectors import registry_log
from ledger.signing import signer_for


def open_registry(*, actor: Actor) -> Log:
    """The organisation's registry log, made where there is none. Its entry 0 says what it is."""
    with sealing() as seal:
        existing = Log.objects.filter(kind=Log.Kind.REGISTRY).order_by("-sequence").first()
        if existing:
            return existing
        log = Log.objects.create(origin=f"{settings.ORIGIN}/logs/registry", kind=Log.Kind.REGISTRY)
        _say(seal, log.id, REGISTRY_OPENED, actor, {"origin": log.origin}, log)
        _announce_key(seal, log, actor)
    return log


def open_system_log(seal: Seal, *, actor: Actor, system_id: uuid.UUID) -> Log:
    """The first log of an AI system: entry 0 names the system and the registry, and the registry learns of the log."""
    registry = registry_log()
    log_id = new_id()
    log = Log.objects.create(
        id=log_id, origin=f"{settings.ORIGIN}/logs/{log_id}", kind=Log.Kind.SYSTEM, system_id=system_id
    )
    facts = {"origin": log.origin, "system": str(system_id), "registry": registry.origin}
    _say(seal, log.id, LOG_OPENED, actor, facts, log)
    announced = {"log": str(log.id), "system": str(system_id)} | _key(log)
    _say(seal, registry.id, SYSTEM_LOG_OPENED, actor, announced, log)
    return log


def _announce_key(seal: Seal, log: Log, actor: Actor) -> None:
    _say(seal, log.id, KEY_ANNOUNCED, actor, _key(log), log)


def _key(log: Log) -> dict[str, Any]:
    signer = signer_for(log.origin)
    return {"origin": log.origin, "key_id": signer.key_id.hex(), "public_key": signer.verifier.public_key.hex()}


def _say(seal: Seal, log_id: uuid.UUID, kind: Kind, actor: Actor, body: dict[str, Any], about: Log) -> None:
    seal.add(log_id, draft_entry(kind=kind, actor=actor, at=timezone.now(), body=body, about_id=about.id))
