"""What pages keep from a person who judges a decision blind. Every page that reads the record comes through here."""

import uuid
from datetime import datetime

from django.db.models import Q

from audit.models import Decision
from audit.reach import Reach
from governance.models import Person
from overrides.selectors import hidden_from


def reach_of(person: Person) -> Reach:
    """The decisions that lists and searches may show."""
    return Reach.of_person(person, hidden=hidden_from(person.pk))


def countable(visible: Q, hidden: frozenset[uuid.UUID]) -> Q:
    """The counted minutes that figures and charts may show by outcome. `hidden`: see `hidden_from`.

    Of a hidden decision the whole minute of its AI system is left out: less, and the difference would tell.
    """
    for system_id, recorded_at in _hidden_moments(hidden):
        visible &= ~Q(system_id=system_id, minute=recorded_at.replace(second=0, microsecond=0))
    return visible


def _hidden_moments(hidden: frozenset[uuid.UUID]) -> list[tuple[uuid.UUID, datetime]]:
    return list(Decision.objects.filter(id__in=hidden).values_list("system_id", "recorded_at")) if hidden else []
