"""How far a right reaches: the organisation, an AI system, a model version, a capability, a case."""

import uuid
from dataclasses import dataclass
from typing import Self

from django.db.models import Q

from governance.models import Assignment

Kind = Assignment.Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A place that an act touches, or that an assignment is for. Compared by value."""

    kind: Assignment.Scope = Kind.ORGANISATION
    system_id: uuid.UUID | None = None
    model_version_id: uuid.UUID | None = None
    capability: str = ""
    case_id: uuid.UUID | None = None

    @classmethod
    def system(cls, system_id: uuid.UUID) -> Self:
        return cls(kind=Kind.SYSTEM, system_id=system_id)

    @classmethod
    def model_version(cls, system_id: uuid.UUID, model_version_id: uuid.UUID) -> Self:
        return cls(kind=Kind.MODEL_VERSION, system_id=system_id, model_version_id=model_version_id)

    @classmethod
    def of_capability(cls, system_id: uuid.UUID, capability: str) -> Self:
        return cls(kind=Kind.CAPABILITY, system_id=system_id, capability=capability)

    @classmethod
    def case(cls, case_id: uuid.UUID) -> Self:
        """An opaque uuid; `audit` resolves it."""
        return cls(kind=Kind.CASE, case_id=case_id)

    @classmethod
    def of(cls, assignment: Assignment) -> Self:
        """The scope an assignment is for."""
        return cls(
            kind=Kind(assignment.scope),
            system_id=assignment.system_id,
            model_version_id=assignment.model_version_id,
            capability=assignment.capability,
            case_id=assignment.case_id,
        )

    def as_columns(self) -> dict[str, object]:
        """The columns of an assignment for this scope."""
        return {
            "scope": self.kind,
            "system_id": self.system_id,
            "model_version_id": self.model_version_id,
            "capability": self.capability,
            "case_id": self.case_id,
        }

    def covering(self) -> Q:
        """Assignments whose scope is this one or contains it."""
        found = Q(scope=Kind.ORGANISATION)
        if self.system_id:
            found |= Q(scope=Kind.SYSTEM, system_id=self.system_id)
        if self.model_version_id:
            found |= Q(scope=Kind.MODEL_VERSION, model_version_id=self.model_version_id)
        if self.system_id and self.capability:
            found |= Q(scope=Kind.CAPABILITY, system_id=self.system_id, capability=self.capability)
        if self.case_id:
            found |= Q(scope=Kind.CASE, case_id=self.case_id)
        return found

    def contains(self, other: "Scope") -> bool:
        """Whether an assignment for this scope is one of `other.covering()`."""
        match self.kind:
            case Kind.ORGANISATION:
                return True
            case Kind.SYSTEM:
                return self.system_id is not None and self.system_id == other.system_id
            case Kind.MODEL_VERSION:
                return self.model_version_id is not None and self.model_version_id == other.model_version_id
            case Kind.CAPABILITY:
                return bool(other.capability) and (self.system_id, self.capability) == (
                    other.system_id,
                    other.capability,
                )
        return self.case_id is not None and self.case_id == other.case_id

    def within_reach(self) -> Q:
        """Keys that reach this far."""
        return Q(system_ids__contains=[self.system_id]) if self.system_id else Q()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Something that belongs to one of these AI systems, and nobody can say to which: a right in one is enough."""

    system_ids: frozenset[uuid.UUID]

    def covering(self) -> Q:
        """Assignments that reach one of the systems as a whole."""
        return Q(scope=Kind.ORGANISATION) | Q(scope=Kind.SYSTEM, system_id__in=self.system_ids)

    def within_reach(self) -> Q:
        """Keys that reach one of the systems."""
        return Q(system_ids__overlap=list(self.system_ids))


@dataclass(frozen=True, slots=True)
class AboutCase:
    """A case as a whole, which may be about several AI systems: a right in one of them, or to the case, is enough."""

    case_id: uuid.UUID
    system_ids: frozenset[uuid.UUID]

    def covering(self) -> Q:
        """Assignments that reach the case, or one of its systems as a whole."""
        return AnyOf(self.system_ids).covering() | Q(scope=Kind.CASE, case_id=self.case_id)

    def within_reach(self) -> Q:
        """Keys that reach one of the systems."""
        return AnyOf(self.system_ids).within_reach()


Place = Scope | AnyOf | AboutCase
"""Where a right is looked for."""

ORGANISATION = Scope()
