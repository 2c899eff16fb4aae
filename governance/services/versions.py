"""Model versions: registering and describing them. How they come into use and out of it: `promotions`."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any

from django.utils import timezone

from governance import rights
from governance.acts import Act
from governance.changes import write
from governance.errors import UnverifiedLimitReached, VersionExists, VersionNotFound
from governance.kinds import (
    MODEL_VERSION_REGISTERED,
    MODEL_VERSION_UPDATED,
)
from governance.models import AISystem, DataDependency, ModelVersion
from governance.scopes import Scope
from governance.services.systems import locked_system
from governance.version_errors import PromotionOpen, VersionSettled
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.models import Entry
from ledger.sealing import Seal, sealing

DESCRIBED = frozenset({"name", "provider", "base_model", "notes", "model_digest", "configuration", "config_digest"})
UNVERIFIED_A_DAY = 50
MAX_CLEAR = 100  # longer ones (SHA-512) are in the sealed state alone


def register_version(*, actor: Actor, system_id: uuid.UUID, version: str, **described: Any) -> ModelVersion:
    """Register exactly what runs. `described`: columns named in `DESCRIBED`.

    The same again with the same values is the one that exists; one that was only seen on decisions so far takes the
    values and counts as registered. Errors: `Forbidden`, `SystemNotFound`, `VersionExists` with other values,
    `ValidationError`.
    """
    rights.require(actor, Act.VERSION_REGISTER, Scope.system(system_id))
    _refuse_unknown(described)
    with sealing() as seal:
        system = locked_system(system_id)
        known = ModelVersion.objects.select_for_update(no_key=True).filter(system=system, version=version).first()
        if known is None:
            return _new_version(seal, actor, system, version, ModelVersion.Status.REGISTERED, described)
        if known.status == ModelVersion.Status.UNVERIFIED:
            return _vouch_for(seal, actor, known, described)
        if any(getattr(known, name) != value for name, value in described.items()):
            raise VersionExists()
        return known


def register_unverified(*, actor: Actor, system_id: uuid.UUID, version: str) -> ModelVersion:
    """Register a version first seen on a decision; nobody has vouched for it. An existing one is returned.

    For intake's slow branch. At most 50 an AI system and day (UTC). Errors: `Forbidden`, `SystemNotFound`,
    `UnverifiedLimitReached`, `ValidationError`.
    """
    rights.require(actor, Act.VERSION_REGISTER_UNVERIFIED, Scope.system(system_id))
    with sealing() as seal:
        system = locked_system(system_id)  # of two that see it first, the second finds it; the day's count is exact
        known = ModelVersion.objects.filter(system=system, version=version).first()
        if known:
            return known
        if _seen_today(system) >= UNVERIFIED_A_DAY:
            raise UnverifiedLimitReached()
        return _new_version(seal, actor, system, version, ModelVersion.Status.UNVERIFIED, {})


def update_version(
    *, actor: Actor, version_id: uuid.UUID, changes: Mapping[str, Any], reason: str = ""
) -> ModelVersion:
    """Correct what the register says about a version that is not approved yet: columns named in `DESCRIBED`.

    Errors: `Forbidden`, `VersionNotFound`, `VersionSettled`, `PromotionOpen`.
    """
    _refuse_unknown(changes)
    with sealing() as seal:
        row = locked_version(version_id)
        rights.require(actor, Act.VERSION_REGISTER, Scope.system(row.system_id))
        if all(getattr(row, name) == value for name, value in changes.items()):
            return row
        refuse_settled(row)
        return write_version(seal, actor, MODEL_VERSION_UPDATED, _described(row, changes), reason)


def _new_version(
    seal: Seal, actor: Actor, system: AISystem, version: str, status: ModelVersion.Status, described: Mapping[str, Any]
) -> ModelVersion:
    row = ModelVersion(system=system, version=version, status=status, **described)
    return write_version(seal, actor, MODEL_VERSION_REGISTERED, row)


def _vouch_for(seal: Seal, actor: Actor, row: ModelVersion, described: Mapping[str, Any]) -> ModelVersion:
    row.status = ModelVersion.Status.REGISTERED
    return write_version(seal, actor, MODEL_VERSION_UPDATED, _described(row, described))


def _described(row: ModelVersion, values: Mapping[str, Any]) -> ModelVersion:
    for name, value in values.items():
        setattr(row, name, value)
    return row


def write_version(
    seal: Seal,
    actor: Actor,
    kind: Kind,
    row: ModelVersion,
    reason: str = "",
    more: Mapping[str, Any] | None = None,
) -> ModelVersion:
    """The inner step of every change of a version: its row with its entry, which says which version it is."""
    row.clean_fields()
    facts: dict[str, Any] = {"model_version": row.version, "status": str(row.status), **(more or {})}
    for name in ("model_digest", "config_digest"):
        if (digest := getattr(row, name)) and len(digest) <= MAX_CLEAR:
            facts[name] = digest
    write(seal, actor=actor, kind=kind, row=row, system_id=row.system_id, facts=facts, reason=reason)
    return row


def refuse_settled(row: ModelVersion) -> None:
    """What was approved, or waits to be, is not changed. Errors: `VersionSettled`, `PromotionOpen`."""
    if row.status in ModelVersion.SETTLED:
        raise VersionSettled()
    if row.status == ModelVersion.Status.PROPOSED:
        raise PromotionOpen()


def locked_version(version_id: uuid.UUID) -> ModelVersion:
    """A version's row, locked. Errors: `VersionNotFound`."""
    row = ModelVersion.objects.select_for_update(no_key=True, of=("self",)).filter(pk=version_id).first()
    if row is None:
        raise VersionNotFound()
    return row


def describers(row: ModelVersion) -> list[uuid.UUID]:
    """Everybody who said what a version is, or what it depends on, in the order of the first time they did."""
    parts = DataDependency.history.filter(model_version_id=row.pk)
    own = row.history.filter(history_id__in=_said_of([row.pk], MODEL_VERSION_REGISTERED, MODEL_VERSION_UPDATED))
    said = [*own.order_by("revision"), *parts.order_by("history_date")]
    return list(dict.fromkeys(each.history_user_id for each in said if each.history_user_id))


def _said_of(rows: list[uuid.UUID], *kinds: Kind) -> Any:
    return Entry.objects.filter(about_id__in=rows, kind__in=[each.name for each in kinds]).values("id")


def _seen_today(system: AISystem) -> int:
    midnight = datetime.combine(timezone.now().astimezone(UTC).date(), time.min, tzinfo=UTC)
    first_seen = ModelVersion.history.filter(
        system_id=system.pk, history_type="+", status=ModelVersion.Status.UNVERIFIED, history_date__gte=midnight
    )
    return int(first_seen.count())


def _refuse_unknown(described: Mapping[str, Any]) -> None:
    if described.keys() - DESCRIBED:
        raise TypeError(f"not columns of a model version that may be described: {sorted(described.keys() - DESCRIBED)}")
