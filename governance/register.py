"""What the register says at one moment, as the hot path asks it: pure data, every look-up a hit in a dictionary."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, NamedTuple

from governance.cards.scope import InputScope
from governance.errors import KeyOutOfScope
from governance.fail_policies import FailPolicy
from ledger.entries import Actor


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
    card: "CardRecord | None"
    """The card in force."""


@dataclass(frozen=True, slots=True)
class CardRecord:
    """A published card as far as a decision needs it."""

    number: int
    scope: InputScope | None
    """What is checked of the input; None where the card declares nothing."""


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
