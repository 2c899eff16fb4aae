"""Reading the register."""

import uuid
from datetime import datetime

from django.db.models import F, Q, QuerySet

from governance import rights
from governance.acts import Act, Role
from governance.models import Assignment, CardSave, ConfigurationSnapshot, LetterTemplate, Person, SystemCard


def accountable_of(system_id: uuid.UUID) -> Assignment | None:
    """Who answers for an AI system as a whole: the accepted assignment, else the newest offer."""
    asked = Assignment.objects.select_related("person").filter(
        system_id=system_id,
        scope=Assignment.Scope.SYSTEM,
        role=Role.ACCOUNTABLE,
        status__in=[Assignment.Status.ACCEPTED, Assignment.Status.OFFERED],
        delegated_from=None,
        person__is_active=True,
    )
    return asked.order_by(F("accepted_at").desc(nulls_last=True), "-offered_at").first()


def waiting_for(person: Person) -> QuerySet[Assignment]:
    """Offers that a person has not answered."""
    return person.assignments.filter(status=Assignment.Status.OFFERED).select_related(
        "system", "model_version", "succeeds__person", "delegated_from__person"
    )


def assignments_for(person: Person) -> QuerySet[Assignment]:
    """One's own, and those of AI systems that one may see. That there is a case is known to who appoints its people."""
    rows = Assignment.objects.select_related("person", "system", "model_version")
    own, systems = Q(person=person), rights.systems_where(person, Act.SYSTEM_VIEW)
    if not rights.can(person, Act.PRIVILEGED_ROLE_ASSIGN):
        rows = rows.filter(own | ~Q(scope=Assignment.Scope.CASE))
    return rows if systems is None else rows.filter(own | Q(system__in=systems))


def published_cards(system_id: uuid.UUID) -> QuerySet[SystemCard]:
    """All cards that have a number, the newest first."""
    return SystemCard.objects.filter(system_id=system_id, status__in=SystemCard.NUMBERED).order_by("-number")


def withdrawn_cards(system_id: uuid.UUID) -> QuerySet[SystemCard]:
    """Those that were given up, the newest first."""
    return SystemCard.objects.filter(system_id=system_id, status=SystemCard.Status.WITHDRAWN).order_by("-id")


def card_in_force(system_id: uuid.UUID, at: datetime | None = None) -> SystemCard | None:
    """The card that is published now, or was at a moment."""
    if at is None:
        return SystemCard.objects.filter(system_id=system_id, status=SystemCard.Status.PUBLISHED).first()
    ends = Q(superseded_at=None) | Q(superseded_at__gt=at)
    return published_cards(system_id).filter(ends, published_at__lte=at).first()


def open_card(system_id: uuid.UUID) -> SystemCard | None:
    """The card that somebody writes, or that waits for a second person."""
    return SystemCard.objects.select_related("system").filter(system_id=system_id, status__in=SystemCard.OPEN).first()


def last_save(card: SystemCard) -> CardSave:
    """An open card as it was saved last; `start_card` made its first save."""
    return card.saves.order_by("-number")[0]


def kept_configuration(system_id: uuid.UUID, digest: str) -> ConfigurationSnapshot | None:
    """The configuration of an AI system that somebody stored under this digest."""
    return ConfigurationSnapshot.objects.filter(system_id=system_id, digest=digest).first() if digest else None


def letter_templates(system_id: uuid.UUID) -> QuerySet[LetterTemplate]:
    """Those with a number, by language, the newest first."""
    found = LetterTemplate.objects.filter(system_id=system_id, status__in=LetterTemplate.NUMBERED)
    return found.order_by("language", "-number")


def template_in_force(system_id: uuid.UUID, language: str) -> LetterTemplate | None:
    found = LetterTemplate.objects.filter(system_id=system_id, language=language)
    return found.filter(status=LetterTemplate.Status.PUBLISHED).first()


def draft_template(system_id: uuid.UUID, language: str) -> LetterTemplate | None:
    found = LetterTemplate.objects.filter(system_id=system_id, language=language)
    return found.filter(status__in=LetterTemplate.OPEN).first()
