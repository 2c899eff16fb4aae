"""Reading the register."""

import uuid

from django.db.models import F, QuerySet

from governance.acts import Role
from governance.models import Assignment, Person


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
    return person.assignments.filter(status=Assignment.Status.OFFERED).select_related("system", "model_version")
