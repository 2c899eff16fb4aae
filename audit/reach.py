"""Whose decisions somebody may know of: what every reading of the record is narrowed to before anything else."""

import uuid
from dataclasses import dataclass
from typing import Self

from django.db.models import Q

from governance import rights
from governance.acts import Act
from governance.api.authentication import KeyGrant
from governance.models import Person
from ledger.entries import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """AI systems (None: all of them) and, for a key, the one environment it is for."""

    system_ids: frozenset[uuid.UUID] | None
    environment: str | None = None
    hidden: frozenset[uuid.UUID] = frozenset()
    """Decisions within it of which nothing may be known for now: whoever makes the reach says which, and why."""

    @classmethod
    def of_person(
        cls, person: Person | Actor, act: Act = Act.DECISION_VIEW, *, hidden: frozenset[uuid.UUID] = frozenset()
    ) -> Self:
        return cls(system_ids=rights.systems_where(person, act), hidden=hidden)

    @classmethod
    def of_key(cls, grant: KeyGrant) -> Self:
        return cls(system_ids=grant.key.system_ids, environment=grant.environment)

    @property
    def is_empty(self) -> bool:
        return self.system_ids is not None and not self.system_ids

    def covers(self, system_id: uuid.UUID, environment: str) -> bool:
        in_systems = self.system_ids is None or system_id in self.system_ids
        return in_systems and self.environment in (None, environment)

    def narrowed(self, system_ids: frozenset[uuid.UUID] | None) -> "Reach":
        """Only what both reach."""
        if system_ids is None:
            return self
        both = system_ids if self.system_ids is None else self.system_ids & system_ids
        return Reach(system_ids=both, environment=self.environment, hidden=self.hidden)

    def condition(self) -> Q:
        found = Q() if self.system_ids is None else Q(system_id__in=self.system_ids)
        return found & Q(environment=self.environment) if self.environment else found
