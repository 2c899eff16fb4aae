"""Data sources: registered once for the organisation, by whoever keeps an AI system that uses them."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from config.errors import FieldProblem, Forbidden
from governance import rights
from governance.acts import Act
from governance.changes import write
from governance.kinds import DATA_SOURCE_ARCHIVED, DATA_SOURCE_REGISTERED, DATA_SOURCE_UPDATED
from governance.locks import hold
from governance.models import DataSource, ModelVersion, Person
from governance.services.people import locked_person
from governance.version_errors import DataSourceArchived, DataSourceExists, DataSourceInUse, DataSourceNotFound
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing

DESCRIBED = frozenset({"name", "kind", "description", "provider", "location", "personal_data", "legal_basis", "owner"})


def register_data_source(*, actor: Actor, slug: str, owner: Person, **described: Any) -> DataSource:
    """Put a source of data in the register, with the person who answers for what is in it.

    `described`: columns named in `DESCRIBED`. The same again with the same values is the one that exists. Errors:
    `Forbidden`, `DataSourceExists` with other values, `PersonNotFound` of an owner who left, `ValidationError`.
    """
    if not rights.can_anywhere(actor, Act.DATA_SOURCE_MANAGE):
        raise Forbidden()
    given = {"owner": owner, **described}
    _refuse_unknown(given)
    with sealing() as seal:
        hold(f"data-source:{slug}")
        known = DataSource.objects.filter(slug=slug).first()
        if known is None:
            locked_person(owner.pk)
            return _write(seal, actor, DATA_SOURCE_REGISTERED, DataSource(slug=slug, **given))
        if any(getattr(known, name) != value for name, value in given.items()):
            raise DataSourceExists(errors=[FieldProblem(pointer="/slug", detail="Another source has this name.")])
        return known


def update_data_source(*, actor: Actor, source_id: uuid.UUID, changes: Mapping[str, Any]) -> DataSource:
    """Change what the register says of a source: columns named in `DESCRIBED`.

    Administrators may, and its owner. Errors: `Forbidden`, `DataSourceNotFound`, `DataSourceArchived`,
    `PersonNotFound`, `ValidationError`.
    """
    _refuse_unknown(changes)
    with sealing() as seal:
        _require_change(actor, DataSource.objects.filter(pk=source_id).first())
        if "owner" in changes:
            locked_person(changes["owner"].pk)
        source = _locked_source(actor, source_id)
        if source.archived_at is not None:
            raise DataSourceArchived()
        if all(getattr(source, name) == value for name, value in changes.items()):
            return source
        for name, value in changes.items():
            setattr(source, name, value)
        return _write(seal, actor, DATA_SOURCE_UPDATED, source)


def archive_data_source(*, actor: Actor, source_id: uuid.UUID, reason: str = "") -> DataSource:
    """Say that a source is not used any more. Errors: `Forbidden`, `DataSourceNotFound`, `DataSourceInUse`."""
    with sealing() as seal:
        source = _locked_source(actor, source_id)
        if source.archived_at is not None:
            return source
        in_use = source.dependencies.filter(removed_at=None)
        if in_use.exclude(model_version__status=ModelVersion.Status.RETIRED).exists():
            raise DataSourceInUse()
        source.archived_at = timezone.now()
        return _write(seal, actor, DATA_SOURCE_ARCHIVED, source, reason)


def hand_over_sources(seal: Seal, actor: Actor, person_id: uuid.UUID, to: Person) -> None:
    """Inside a service that ends what somebody holds: another person answers for their data sources."""
    held = DataSource.objects.select_for_update(no_key=True, of=("self",)).filter(owner_id=person_id, archived_at=None)
    for source in held.order_by("pk"):
        source.owner = to
        _write(seal, actor, DATA_SOURCE_UPDATED, source)


def may_change(actor: Actor | Person, source: DataSource) -> bool:
    """Administrators, and its owner. What depends on it changes nothing: that would tell of systems out of sight."""
    who = rights.as_actor(actor)
    return rights.can(who, Act.DATA_SOURCE_CHANGE) or (who.type == "person" and who.id == source.owner_id)


def _locked_source(actor: Actor, source_id: uuid.UUID) -> DataSource:
    source = DataSource.objects.select_for_update(no_key=True, of=("self",)).filter(pk=source_id).first()
    return _require_change(actor, source)


def _require_change(actor: Actor, source: DataSource | None) -> DataSource:
    if source is None:
        raise DataSourceNotFound()
    if not may_change(actor, source):
        raise Forbidden()
    return source


def _write(seal: Seal, actor: Actor, kind: Kind, source: DataSource, reason: str = "") -> DataSource:
    source.clean_fields()
    facts = {"data_source": source.slug, "data_kind": str(source.kind), "owner": str(source.owner_id)}
    write(seal, actor=actor, kind=kind, row=source, facts=facts, reason=reason)
    return source


def _refuse_unknown(described: Mapping[str, Any]) -> None:
    if described.keys() - DESCRIBED:
        raise TypeError(f"not columns of a data source that may be described: {sorted(described.keys() - DESCRIBED)}")
