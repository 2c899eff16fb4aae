"""The register read from the database: all of it, or the rows that changed."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from governance.cards.content import read_document
from governance.cards.scope import scope_of
from governance.fail_policies import fail_policy_of
from governance.models import (
    AISystem,
    Assignment,
    Environment,
    ModelVersion,
    RegisterChange,
    ServiceAccount,
    ServiceKey,
    SystemCard,
)
from governance.register import CardRecord, KeyRecord, Place, Register, Span, SystemRecord, VersionRecord
from ledger.models import Log

OWNERS_KEPT = timedelta(days=35)
"""Older decisions are quarantined, so nobody asks who owned one before that."""

K = TypeVar("K")
V = TypeVar("V")
Noun = RegisterChange.Noun
Change = tuple[str, uuid.UUID]
"""What kind of row, and which."""

# One statement, so one snapshot: the horizon belongs to exactly these changes.
CHANGES = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, c.id, c.noun, c.row_id
FROM (SELECT 1) one LEFT JOIN governance_registerchange c ON c.transaction >= %s
"""


def look(since: int) -> tuple[int, dict[uuid.UUID, Change]]:
    """The horizon now, and the changes of transactions from `since` on."""
    with connection.cursor() as cursor:
        cursor.execute(CHANGES, [since])
        rows = cursor.fetchall()
    return rows[0][0], {change_id: (noun, row_id) for _, change_id, noun, row_id in rows if change_id}


def everything() -> Register:
    """The whole register."""
    return _with_owners(_with_keys(_with_systems(Register(), None), None), None)


def apply(register: Register, changes: set[Change]) -> Register:
    """The register, with these rows read again."""
    rows: dict[str, set[uuid.UUID]] = {noun: set() for noun in Noun.values}
    for noun, row_id in changes:
        rows[noun].add(row_id)
    systems = rows[Noun.SYSTEM] | _systems_of(Environment, rows[Noun.ENVIRONMENT])
    systems |= _systems_of(ModelVersion, rows[Noun.MODEL_VERSION])
    systems |= _systems_of(SystemCard, rows[Noun.CARD])
    if systems:
        register = _with_systems(register, systems)
    if rows[Noun.KEY] or rows[Noun.ACCOUNT]:
        register = _with_keys(register, Q(pk__in=rows[Noun.KEY]) | Q(account_id__in=rows[Noun.ACCOUNT]))
    if rows[Noun.ASSIGNMENT]:
        register = _with_owners(register, _systems_of(Assignment, rows[Noun.ASSIGNMENT]))
    return register


def _systems_of(model: Any, ids: set[uuid.UUID]) -> set[uuid.UUID]:
    if not ids:
        return set()
    return set(model.objects.filter(pk__in=ids, system_id__isnull=False).values_list("system_id", flat=True))


def _with_systems(register: Register, ids: set[uuid.UUID] | None) -> Register:
    wanted = Q() if ids is None else Q(pk__in=ids)
    part = Q() if ids is None else Q(system_id__in=ids)
    logs = {each.system_id: each for each in Log.objects.filter(part, kind="system", closure=None).order_by("sequence")}
    places = _grouped(Environment.objects.filter(part, ended_at=None).values_list("system_id", "slug"))
    versions = _grouped(
        (row.system_id, VersionRecord(row.pk, row.version, row.status, row.model_digest, row.config_digest))
        for row in ModelVersion.objects.filter(part).only(
            "system_id", "version", "status", "model_digest", "config_digest"
        )
    )
    cards = {
        row.system_id: CardRecord(number=row.number or 0, scope=scope_of(read_document(row.content)))
        for row in SystemCard.objects.filter(part, status=SystemCard.Status.PUBLISHED).only(
            "system_id", "number", "content"
        )
    }
    found = [_system_record(row, logs, places, versions, cards.get(row.pk)) for row in AISystem.objects.filter(wanted)]
    return replace(
        register,
        systems={**register.systems, **{each.slug: each for each in found}},
        systems_by_id={**register.systems_by_id, **{each.id: each for each in found}},
    )


def _system_record(
    row: AISystem,
    logs: Mapping[uuid.UUID | None, Log],
    places: Mapping[uuid.UUID, list[str]],
    versions: Mapping[uuid.UUID, list[VersionRecord]],
    card: CardRecord | None,
) -> SystemRecord:
    opened = logs.get(row.pk)
    return SystemRecord(
        id=row.pk,
        slug=row.slug,
        name=row.name,
        status=row.status,
        fail_policy=fail_policy_of(row),
        fallback_kind=row.fallback_kind,
        fallback=row.fallback,
        risk_class=row.risk_class,
        log_id=opened.id if opened else None,
        origin=opened.origin if opened else "",
        environments=frozenset(places.get(row.pk, ())),
        versions={each.version: each for each in versions.get(row.pk, ())},
        card=card,
    )


def _with_keys(register: Register, wanted: Q | None) -> Register:
    rows = ServiceKey.objects.select_related("account").filter(wanted or Q())
    found = {row.key_id: _key_record(row, row.account) for row in rows}
    return replace(register, keys={**register.keys, **found})


def _key_record(row: ServiceKey, account: ServiceAccount) -> KeyRecord:
    return KeyRecord(
        id=row.pk,
        key_id=row.key_id,
        secret_hash=bytes(row.secret_hash),
        account_id=account.pk,
        account_slug=account.slug,
        environment=row.environment,
        system_ids=frozenset(row.system_ids),
        scopes=frozenset(row.scopes),
        expires_at=row.expires_at,
        is_in_force=row.revoked_at is None and account.is_active,
    )


def _with_owners(register: Register, systems: set[uuid.UUID] | None) -> Register:
    """All accountable assignments of the systems concerned are read again: they decide together who answers."""
    since = timezone.now() - OWNERS_KEPT
    rows = Assignment.objects.filter(
        Q() if systems is None else Q(system_id__in=systems),
        Q(ends_at=None) | Q(ends_at__gt=since),
        Q(declined_at=None) | Q(declined_at__gt=since),
        role=Assignment.Role.ACCOUNTABLE,
        system_id__isnull=False,
        offered_at__isnull=False,
        delegated_from=None,
    )
    spans = _grouped(
        (Place(row.system_id, row.model_version_id, row.capability), _span(row, row.offered_at))
        for row in rows.order_by("-offered_at", "-id")
        if row.system_id and row.offered_at
    )
    owners = register.owners.items()
    kept = {place: held for place, held in owners if systems is not None and place.system_id not in systems}
    return replace(register, owners={**kept, **{place: tuple(held) for place, held in spans.items()}})


def _span(row: Assignment, offered_at: datetime) -> Span:
    ends = [moment for moment in (row.ends_at, row.declined_at) if moment is not None]
    return Span(row.person_id, row.pk, offered_at, row.accepted_at, min(ends) if ends else None)


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    found: dict[K, list[V]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found
