"""What data a model version was made of, tested on and reads: declared until it is approved, then as it is."""

import uuid
from typing import Any

from django.utils import timezone

from governance import rights
from governance.acts import Act
from governance.changes import write
from governance.kinds import DATA_DEPENDENCY_DECLARED, DATA_DEPENDENCY_REMOVED, DATA_DEPENDENCY_UPDATED
from governance.models import DataDependency, DataSource, ModelVersion
from governance.scopes import Scope
from governance.services.versions import locked_version, refuse_settled
from governance.version_errors import DataDependencyNotFound, DataSourceArchived, DataSourceNotFound
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing


def declare_dependency(
    *,
    actor: Actor,
    version_id: uuid.UUID,
    source: str,
    use: str,
    snapshot: str = "",
    digest: str = "",
    note: str = "",
) -> DataDependency:
    """Say that a model version uses a data source (by slug), for what, and which state of it.

    Once more for the same use takes the new values. Errors: `Forbidden`, `VersionNotFound`, `VersionSettled`,
    `PromotionOpen`, `DataSourceNotFound`, `DataSourceArchived`, `ValidationError`.
    """
    with sealing() as seal:
        version = _open_version(actor, version_id)
        row = version.dependencies.filter(source__slug=source, use=use, removed_at=None).first()
        said = {"snapshot": snapshot, "digest": digest, "note": note}
        if row is None:
            row = DataDependency(model_version=version, source=_source(source), use=use, **said)
            return _write(seal, actor, DATA_DEPENDENCY_DECLARED, row)
        if all(getattr(row, name) == value for name, value in said.items()):
            return row
        for name, value in said.items():
            setattr(row, name, value)
        return _write(seal, actor, DATA_DEPENDENCY_UPDATED, row)


def remove_dependency(*, actor: Actor, dependency_id: uuid.UUID, reason: str = "") -> DataDependency:
    """Say that a model version does not depend on it after all; the row stays.

    Errors: `Forbidden`, `DataDependencyNotFound`, `VersionSettled`, `PromotionOpen`.
    """
    found = DataDependency.objects.filter(pk=dependency_id, removed_at=None).first()
    if found is None:
        raise DataDependencyNotFound()
    with sealing() as seal:
        _open_version(actor, found.model_version_id)
        row = DataDependency.objects.filter(pk=dependency_id, removed_at=None).first()
        if row is None:
            raise DataDependencyNotFound()
        row.removed_at = timezone.now()
        return _write(seal, actor, DATA_DEPENDENCY_REMOVED, row, reason)


def _open_version(actor: Actor, version_id: uuid.UUID) -> ModelVersion:
    """Its row locked: of two who declare the same, the second finds the first's."""
    version = locked_version(version_id)
    rights.require(actor, Act.VERSION_REGISTER, Scope.system(version.system_id))
    refuse_settled(version)
    return version


def _source(slug: str) -> DataSource:
    source = DataSource.objects.filter(slug=slug).first()
    if source is None:
        raise DataSourceNotFound()
    if source.archived_at is not None:
        raise DataSourceArchived()
    return source


def _write(seal: Seal, actor: Actor, kind: Kind, row: DataDependency, reason: str = "") -> DataDependency:
    row.clean_fields()
    system_id = row.model_version.system_id
    facts: dict[str, Any] = {
        "model_version": row.model_version.version,
        "data_source": row.source.slug,
        "use": str(row.use),
    }
    facts |= {"snapshot": row.snapshot} if row.snapshot else {}
    write(seal, actor=actor, kind=kind, row=row, system_id=system_id, facts=facts, reason=reason)
    return row
