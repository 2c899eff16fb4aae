"""Writing a row of the register: sealed, and announced to the memories of all processes."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from governance.models import (
    AISystem,
    Assignment,
    Environment,
    ModelVersion,
    ServiceAccount,
    ServiceKey,
    SystemCard,
)
from governance.models.changes import RegisterChange
from ledger.entries import Actor
from ledger.kinds import Belongs, Kind
from ledger.rows import GovernedRow, write_row
from ledger.sealing import Seal
from ledger.selectors import open_log, registry_log

Noun = RegisterChange.Noun
NOUNS: dict[type[GovernedRow], RegisterChange.Noun] = {
    AISystem: Noun.SYSTEM,
    Environment: Noun.ENVIRONMENT,
    ModelVersion: Noun.MODEL_VERSION,
    SystemCard: Noun.CARD,
    Assignment: Noun.ASSIGNMENT,
    ServiceAccount: Noun.ACCOUNT,
    ServiceKey: Noun.KEY,
}
KEPT = timedelta(days=1)


def write(
    seal: Seal,
    *,
    actor: Actor,
    kind: Kind,
    row: GovernedRow,
    system_id: uuid.UUID | None = None,
    facts: dict[str, Any] | None = None,
    reason: str = "",
    at: datetime | None = None,
) -> None:
    """Save a row with its entry, in the log its kind belongs to, and announce it. Errors: those of `write_row`."""
    log_id = _log_for(kind, system_id)
    write_row(seal, actor=actor, kind=kind, row=row, log_id=log_id, facts=facts, reason=reason, at=at)
    noun = NOUNS.get(type(row))
    if noun:
        announce(noun, row.pk)


def announce(noun: RegisterChange.Noun, row_id: uuid.UUID) -> None:
    """Tell every process, once this transaction commits, to read a row again."""
    RegisterChange.objects.create(noun=noun, row_id=row_id)


def forget_old_changes() -> int:
    """Delete announcements that every memory has long seen; one that slept for longer reads everything anew."""
    deleted, _ = RegisterChange.objects.filter(at__lt=timezone.now() - KEPT).delete()
    return deleted


def _log_for(kind: Kind, system_id: uuid.UUID | None) -> uuid.UUID:
    if kind.belongs is Belongs.SYSTEM and system_id is None:
        raise ValueError(f"{kind.name} belongs to an AI system's log, and none is named")
    if system_id is None or kind.belongs is Belongs.REGISTRY:
        return registry_log().id
    return open_log(system_id).id
