"""Who answered for an AI system at a moment of the past: every role, as it was accepted, offered, delegated then.

Read from the assignments, whose spans are never edited, with the entries that sealed each step. A correction of the
past is a note beside it (`governance.services.terms.note_past`), and shown with what it is about.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils import timezone

from config.errors import FieldProblem, InvalidInput
from governance.acts import Role
from governance.models import AccountabilityGap, AccountabilityNote, AISystem, Assignment, Person
from ledger.models import Entry

ROLES = tuple(Role)


@dataclass(frozen=True, slots=True)
class Holding:
    """One assignment as it stood at that moment."""

    assignment: Assignment
    accepted: bool
    """False while they were only asked."""
    entries: tuple[Entry, ...]
    """What had been sealed about it by then, the oldest first."""

    @property
    def role(self) -> Assignment.Role:
        return Role(self.assignment.role)

    @property
    def is_of_whole(self) -> bool:
        """For the AI system as a whole, and not for a part of it or for the organisation."""
        return self.assignment.scope == Assignment.Scope.SYSTEM


@dataclass(frozen=True, slots=True)
class Noted:
    """A note beside the past, and who wrote it."""

    note: AccountabilityNote
    by: Person | None


@dataclass(frozen=True, slots=True)
class Answering:
    """Who held what for one AI system at one moment."""

    system: AISystem
    at: datetime
    status: str
    """Of the AI system then: draft, live, retired."""
    holdings: tuple[Holding, ...]
    gap: AccountabilityGap | None
    """The span without an accountable person that the moment falls in, while it was live."""
    notes: tuple[Noted, ...]
    """What was said later about spans that the moment falls in."""

    @property
    def accountable(self) -> Holding | None:
        """Who answered for the whole: accepted before asked."""
        asked = [each for each in self.of(Role.ACCOUNTABLE) if each.is_of_whole]
        return next((each for each in asked if each.accepted), asked[0] if asked else None)

    def of(self, role: Assignment.Role) -> list[Holding]:
        return [each for each in self.holdings if each.role == role]


def answering_at(system: AISystem, at: datetime | None = None) -> Answering:
    """Errors: `InvalidInput` for a moment that has not come, or was before the AI system was registered."""
    at = at or timezone.now()
    _refuse_outside(system, at)
    assignments = sorted(_standing(system.pk, at), key=lambda each: ROLES.index(Role(each.role)))
    sealed = _entries(assignments, at)
    return Answering(
        system=system,
        at=at,
        status=_status(system, at),
        holdings=tuple(_holding(each, at, sealed.get(each.pk, [])) for each in assignments),
        gap=system.accountability_gaps.filter(Q(closed_at=None) | Q(closed_at__gt=at), opened_at__lte=at).first(),
        notes=tuple(_notes(system, at)),
    )


def _refuse_outside(system: AISystem, at: datetime) -> None:
    if at > timezone.now():
        raise InvalidInput(errors=[FieldProblem(pointer="/at", detail="That moment has not come yet.")])
    if at < system.created_at:
        since = timezone.localtime(system.created_at).strftime("%Y-%m-%d %H:%M %Z")
        detail = f"This AI system has been in the register since {since}."
        raise InvalidInput(errors=[FieldProblem(pointer="/at", detail=detail)])


def _standing(system_id: uuid.UUID, at: datetime) -> QuerySet[Assignment]:
    """Offered by then, and neither declined nor ended: those of the AI system first, then the organisation's."""
    rows = Assignment.objects.filter(
        Q(system_id=system_id) | Q(scope=Assignment.Scope.ORGANISATION),
        Q(declined_at=None) | Q(declined_at__gt=at),
        Q(ends_at=None) | Q(ends_at__gt=at),
        offered_at__lte=at,
    )
    related = rows.select_related("person", "system", "model_version", "delegated_from__person", "succeeds__person")
    return related.order_by("system_id", "accepted_at", "pk")


def _notes(system: AISystem, at: datetime) -> list[Noted]:
    found = system.accountability_notes.filter(since__lte=at, until__gt=at).select_related("assignment__person")
    notes = list(found.order_by("pk"))
    people = Person.objects.in_bulk([each.written_by_id for each in notes])
    return [Noted(each, people.get(each.written_by_id)) for each in notes]


def _entries(assignments: Sequence[Assignment], at: datetime) -> dict[uuid.UUID, list[Entry]]:
    """The sealed changes of each: a row of the history bears the id of its entry."""
    rows = Assignment.history.filter(id__in=[each.pk for each in assignments], history_date__lte=at)
    of = dict(rows.values_list("history_id", "id"))
    found: dict[uuid.UUID, list[Entry]] = {}
    for entry in Entry.objects.filter(id__in=list(of)).select_related("log").order_by("id"):
        found.setdefault(of[entry.id], []).append(entry)
    return found


def _holding(assignment: Assignment, at: datetime, entries: Sequence[Entry]) -> Holding:
    accepted = assignment.accepted_at is not None and assignment.accepted_at <= at
    return Holding(assignment, accepted, tuple(entries))


def _status(system: AISystem, at: datetime) -> str:
    then = AISystem.history.filter(id=system.pk, history_date__lte=at).order_by("-revision").first()
    return str(then.status if then else AISystem.Status.DRAFT)
