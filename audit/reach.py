"""Whose decisions somebody may know of: what every reading of the record is narrowed to before anything else.

Where somebody is appointed to single cases, their reach has what is attached to these too, as long as they are open.
"""

import uuid
from dataclasses import dataclass
from typing import Self

from django.db.models import Q

from audit.case_access import appointed_cases
from audit.models import Case
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
    case_ids: frozenset[uuid.UUID] = frozenset()
    """Open cases whose decisions may be known of beside those of the AI systems."""

    @classmethod
    def of_person(
        cls, person: Person | Actor, act: Act = Act.DECISION_VIEW, *, hidden: frozenset[uuid.UUID] = frozenset()
    ) -> Self:
        systems, actor = rights.systems_where(person, act), rights.as_actor(person)
        cases = appointed_cases(actor) if act is Act.DECISION_VIEW and systems is not None else frozenset()
        return cls(system_ids=systems, hidden=hidden, case_ids=cases)

    @classmethod
    def of_key(cls, grant: KeyGrant) -> Self:
        return cls(system_ids=grant.key.system_ids, environment=grant.environment)

    @property
    def is_empty(self) -> bool:
        return self.system_ids is not None and not self.system_ids and not self.case_ids

    def reaches(self, system_id: uuid.UUID) -> bool:
        """Whether there may be anything of this AI system within it."""
        return self.system_ids is None or system_id in self.system_ids or bool(self.case_ids)

    def systems(self) -> frozenset[uuid.UUID] | None:
        """The AI systems to choose from: those of the cases too. None: all of them."""
        if self.system_ids is None or not self.case_ids:
            return self.system_ids
        held = Case.objects.filter(pk__in=self.case_ids).values_list("system_ids", flat=True)
        return self.system_ids | {each for system_ids in held for each in system_ids}

    def covers(self, system_id: uuid.UUID, environment: str) -> bool:
        in_systems = self.system_ids is None or system_id in self.system_ids
        return in_systems and self.environment in (None, environment)

    def condition(self) -> Q:
        """By AI system and environment alone: what is known by a case is asked for beside it."""
        found = Q() if self.system_ids is None else Q(system_id__in=self.system_ids)
        return found & Q(environment=self.environment) if self.environment else found
