"""The days that a card names for people to see to: its next review, and the planned retirement of its AI system."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import QuerySet

from config.days import today
from governance import rights
from governance.acts import Role
from governance.cards.content import read_document
from governance.models import AISystem, Assignment, Person, SystemCard

REVIEW, RETIREMENT = "review", "retirement"
FIELDS = {REVIEW: "next_on", RETIREMENT: "retirement_on"}
DAYS_BEFORE = (1, 7, 14)
SEEING_TO_IT = (Role.ACCOUNTABLE, Role.TECHNICAL_OWNER)


@dataclass(frozen=True, slots=True)
class CardDay:
    """One of them, of a card in force."""

    card: SystemCard
    what: str
    day: date

    @property
    def days_left(self) -> int:
        """Fewer than none where the day has passed."""
        return (self.day - today()).days

    @property
    def is_over(self) -> bool:
        return self.days_left < 0

    @property
    def is_near(self) -> bool:
        return self.days_left <= DAYS_BEFORE[-1]

    @property
    def title(self) -> str:
        """What is to be done by then."""
        return "Planned retirement" if self.what == RETIREMENT else "Review of the system card"


def days_of(card: SystemCard) -> list[CardDay]:
    """Nothing of a card that is not in force, or of an AI system that has retired: nobody has to do anything then."""
    if card.status != SystemCard.Status.PUBLISHED or card.system.status == AISystem.Status.RETIRED:
        return []
    said = read_document(card.content).get("review", {})
    return [CardDay(card, what, date.fromisoformat(said[name])) for what, name in FIELDS.items() if name in said]


def days_near(systems: Iterable[UUID] | None = None) -> list[CardDay]:
    """Those that come within two weeks or have passed, the earliest first; of all AI systems where none are named."""
    cards = SystemCard.objects.filter(status=SystemCard.Status.PUBLISHED).exclude(
        system__status=AISystem.Status.RETIRED
    )
    cards = cards if systems is None else cards.filter(system_id__in=systems)
    found = (each for card in cards.select_related("system").iterator(200) for each in days_of(card))
    return sorted((each for each in found if each.is_near), key=lambda each: (each.day, str(each.card.system)))


def days_near_for(person: Person) -> list[CardDay]:
    """Those of AI systems that somebody answers for, or looks after."""
    return days_near(list(_seeing_to_it().filter(person=person).values_list("system_id", flat=True)))


def seen_to_by(system_id: UUID) -> set[UUID]:
    """The accountable person and the technical owners."""
    return set(_seeing_to_it().filter(system_id=system_id).values_list("person_id", flat=True))


def _seeing_to_it() -> QuerySet[Assignment]:
    return rights.in_force().filter(role__in=SEEING_TO_IT, scope=Assignment.Scope.SYSTEM)
