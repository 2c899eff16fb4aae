"""The register in memory, for the hot path: keys, AI systems, model versions, owners.

`current()` is an immutable snapshot. A daemon thread asks the database every second what changed and reads those rows
again. Commits do not become visible in the order of their numbers, so it does not ask "what is above the last number I
saw" but "what was written by transactions that could still have been running when I last looked" (`RegisterChange`
holds the transaction of every change; the horizon is the oldest transaction running at the last look). A transaction
below the horizon had ended by then, and its changes were seen; all others are asked for again, and known ones skipped.

A revoked key must be refused everywhere within 5 seconds. A memory that was not refreshed for that long is *stale*:
`fresh()` raises, and writes become 503. Control reads go on with `current()`.
"""

import os
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple, TypeVar

import structlog
from django.db import Error, close_old_connections, connection
from django.db.models import Q
from django.utils import timezone

from governance.errors import KeyOutOfScope, RegisterStale
from governance.fail_policies import FailPolicy, fail_policy_of
from governance.models import (
    AISystem,
    Assignment,
    Environment,
    ModelVersion,
    RegisterChange,
    ServiceAccount,
    ServiceKey,
)
from governance.usage import write_uses
from ledger.entries import Actor
from ledger.models import Log

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
STALE_AFTER_SECONDS = 5.0
WRITE_USES_EVERY_SECONDS = 30.0
READ_ANEW_AFTER = timedelta(hours=1)
"""Announcements are kept for a day. A process that slept longer would never hear of a key that was revoked."""
OWNERS_KEPT = timedelta(days=35)
"""Older decisions are quarantined, so nobody asks who owned one before that."""

K = TypeVar("K")
V = TypeVar("V")
Noun = RegisterChange.Noun


@dataclass(frozen=True, slots=True)
class SystemRecord:
    """An AI system and the log its entries go to now."""

    id: uuid.UUID
    slug: str
    name: str
    status: str
    risk_class: str
    log_id: uuid.UUID | None
    origin: str
    environments: frozenset[str]
    versions: Mapping[str, "VersionRecord"]
    fail_policy: FailPolicy
    fallback_kind: str
    fallback: str


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """A model version as far as a decision needs it."""

    id: uuid.UUID
    version: str
    status: str
    model_digest: str
    config_digest: str


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A service key, without its secret."""

    id: uuid.UUID
    key_id: str
    secret_hash: bytes
    account_id: uuid.UUID
    account_slug: str
    environment: str
    system_ids: frozenset[uuid.UUID]
    scopes: frozenset[str]
    expires_at: datetime | None
    is_in_force: bool
    """Not revoked, and its account is active. Expiry is compared with the clock at each use."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who answers for a decision. `accepted` is false while they were only offered it."""

    person_id: uuid.UUID
    assignment_id: uuid.UUID
    accepted: bool


class Place(NamedTuple):
    """What an accountable assignment is for: a system, or one model version or capability of it."""

    system_id: uuid.UUID
    model_version_id: uuid.UUID | None
    capability: str


@dataclass(frozen=True, slots=True)
class Span:
    """When a person was offered the responsibility, when it was theirs, when it ended."""

    person_id: uuid.UUID
    assignment_id: uuid.UUID
    offered_at: datetime
    accepted_at: datetime | None
    ended_at: datetime | None

    def held_at(self, at: datetime) -> bool:
        return self.accepted_at is not None and self.accepted_at <= at and (self.ended_at is None or at < self.ended_at)

    def offered_at_time(self, at: datetime) -> bool:
        return self.offered_at <= at and (self.ended_at is None or at < self.ended_at)


@dataclass(frozen=True, slots=True)
class Register:
    """What the register said at one moment. Every look-up is a hit in a dictionary."""

    systems: Mapping[str, SystemRecord] = field(default_factory=dict)
    systems_by_id: Mapping[uuid.UUID, SystemRecord] = field(default_factory=dict)
    keys: Mapping[str, KeyRecord] = field(default_factory=dict)
    owners: Mapping[Place, tuple[Span, ...]] = field(default_factory=dict)

    def key(self, key_id: str) -> KeyRecord | None:
        """A key by its public part, whatever its state."""
        return self.keys.get(key_id)

    def system(self, slug: str) -> SystemRecord | None:
        """An AI system by slug."""
        return self.systems.get(slug)

    def system_by_id(self, system_id: uuid.UUID) -> SystemRecord | None:
        """An AI system by id."""
        return self.systems_by_id.get(system_id)

    def version(self, system_id: uuid.UUID, version: str) -> VersionRecord | None:
        """A model version of an AI system."""
        system = self.systems_by_id.get(system_id)
        return system.versions.get(version) if system else None

    def owner_at(
        self, system_id: uuid.UUID, model_version_id: uuid.UUID | None, capability: str, at: datetime
    ) -> Owner | None:
        """Who answered at that moment: accepted before offered, then capability before version before system."""
        if not self.owners:
            return None
        places = _places(system_id, model_version_id, capability)
        spans = [span for place in places for span in self.owners.get(place, ())]
        for span in spans:
            if span.held_at(at):
                return Owner(span.person_id, span.assignment_id, True)
        for span in spans:
            if span.offered_at_time(at):
                return Owner(span.person_id, span.assignment_id, False)
        return None


def _places(system_id: uuid.UUID, model_version_id: uuid.UUID | None, capability: str) -> list[Place]:
    """The narrowest first."""
    places = [Place(system_id, None, "")]
    if model_version_id is not None:
        places.insert(0, Place(system_id, model_version_id, ""))
    if capability:
        places.insert(0, Place(system_id, None, capability))
    return places


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """What a request may do by its key, with the snapshot of the register that said so."""

    register: Register
    key: KeyRecord

    # REST framework and the rate limits ask these two of whoever signed in
    is_authenticated: ClassVar[bool] = True
    is_active: ClassVar[bool] = True

    @property
    def pk(self) -> uuid.UUID:
        return self.key.id

    @property
    def account_id(self) -> uuid.UUID:
        return self.key.account_id

    @property
    def scopes(self) -> frozenset[str]:
        return self.key.scopes

    @property
    def system_ids(self) -> frozenset[uuid.UUID]:
        return self.key.system_ids

    @property
    def environment(self) -> str:
        return self.key.environment

    @property
    def actor(self) -> Actor:
        return Actor("service", self.key.account_id)

    def allows(self, scope: str) -> bool:
        return scope in self.key.scopes

    def require(self, scope: str) -> None:
        """Errors: `KeyOutOfScope`."""
        if scope not in self.key.scopes:
            raise KeyOutOfScope()

    def system(self, slug: str) -> SystemRecord:
        """An AI system within reach. Errors: `KeyOutOfScope`, the same for a system out of reach and for none."""
        found = self.register.systems.get(slug)
        if found is None or found.id not in self.key.system_ids:
            raise KeyOutOfScope()
        return found


# --- the one memory of this process -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Memory:
    register: Register | None = None
    horizon: int = 0
    seen: frozenset[uuid.UUID] = frozenset()
    refreshed_at: float = 0.0
    looked_at: datetime | None = None
    """The last look by the wall clock: the monotonic one stands still while the machine is suspended."""
    thread: threading.Thread | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


_memory = _Memory()
polling = True
"""Tests that roll back switch this off: then each `current()` looks for changes itself, in the test's transaction."""


def current() -> Register:
    """The newest snapshot this process has, stale or not. The first call reads everything."""
    register = _memory.register
    if register is None or not polling:
        register = refresh()
    if polling and _memory.thread is None:
        _start_polling()
    return register


def fresh() -> Register:
    """The snapshot, for whatever writes or reads payloads. Errors: `RegisterStale` after 5 s without a look."""
    register = current()
    if is_stale():
        raise RegisterStale()
    return register


def is_stale() -> bool:
    """Whether a change made 5 seconds ago may be unknown here."""
    return time.monotonic() - _memory.refreshed_at > STALE_AFTER_SECONDS


def refresh() -> Register:
    """Look for changes now and read what changed. Errors: those of the database."""
    with _memory.lock:
        asked_at, now = time.monotonic(), timezone.now()
        known = None if _overslept(now) else _memory.register
        found = _memory.register = _read_everything() if known is None else _read_changes(known)
        _memory.refreshed_at, _memory.looked_at = asked_at, now
    return found


def _overslept(now: datetime) -> bool:
    """Whether announcements may have been swept since the last look. A clock that went back proves nothing either."""
    return _memory.looked_at is not None and not timedelta(0) <= now - _memory.looked_at <= READ_ANEW_AFTER


def forget() -> None:
    """Drop the snapshot: the next `current()` reads everything. For tests, whose transactions are rolled back."""
    with _memory.lock:
        _memory.register = None
        _memory.horizon = 0
        _memory.seen = frozenset()


def _start_polling() -> None:
    with _memory.lock:
        if _memory.thread is None:
            _memory.thread = threading.Thread(target=_poll_for_ever, name="register", daemon=True)
            _memory.thread.start()


def _poll_for_ever() -> None:
    last_written = time.monotonic()
    while polling:
        time.sleep(POLL_SECONDS)
        try:
            close_old_connections()
            refresh()
            if time.monotonic() - last_written > WRITE_USES_EVERY_SECONDS:
                last_written = time.monotonic()
                write_uses()
        except Error as error:
            # the database is away: the memory goes stale by itself, and the next look may go well
            log.warning("register.poll_failed", exception=type(error).__qualname__)
            connection.close()
        except Exception:
            # a fault of ours: said aloud, and writes stop after 5 s, but the next look may still go well
            log.exception("register.poll_broken")
    connection.close()
    _memory.thread = None


def _after_fork() -> None:
    """Threads do not survive a fork, and another one may have held the lock. The snapshot is as good as before."""
    _memory.lock = threading.Lock()
    _memory.thread = None


os.register_at_fork(after_in_child=_after_fork)


# --- reading ----------------------------------------------------------------------------------------------------------

# One statement, so one snapshot: the horizon belongs to exactly these changes.
CHANGES = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, c.id, c.noun, c.row_id
FROM (SELECT 1) one LEFT JOIN governance_registerchange c ON c.transaction >= %s
"""


def _look(since: int) -> tuple[int, dict[uuid.UUID, tuple[str, uuid.UUID]]]:
    with connection.cursor() as cursor:
        cursor.execute(CHANGES, [since])
        rows = cursor.fetchall()
    return rows[0][0], {change_id: (noun, row_id) for _, change_id, noun, row_id in rows if change_id}


def _read_everything() -> Register:
    """The horizon first: what commits while the tables are read is read again at the next look."""
    horizon, _ = _look(2**62)
    register = Register()
    register = _with_systems(register, None)
    register = _with_keys(register, None)
    _memory.horizon, _memory.seen = horizon, frozenset()
    return _with_owners(register, None)


def _read_changes(register: Register) -> Register:
    horizon, changes = _look(_memory.horizon)
    if horizon < _memory.horizon:
        # transaction numbers went back: this is another database, restored from a backup
        return _read_everything()
    new = {change for change_id, change in changes.items() if change_id not in _memory.seen}
    if new:
        register = _apply(register, new)
    # only now: what could not be read is asked for again
    _memory.horizon, _memory.seen = horizon, frozenset(changes)
    return register


def _apply(register: Register, changes: set[tuple[str, uuid.UUID]]) -> Register:
    rows: dict[str, set[uuid.UUID]] = {noun: set() for noun in Noun.values}
    for noun, row_id in changes:
        rows[noun].add(row_id)
    systems = rows[Noun.SYSTEM] | _systems_of(Environment, rows[Noun.ENVIRONMENT])
    systems |= _systems_of(ModelVersion, rows[Noun.MODEL_VERSION])
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
    found = [_system_record(row, logs, places, versions) for row in AISystem.objects.filter(wanted)]
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
