"""A register as large organisations have it. Its rows are not sealed: it is for looking at, not for verifying."""

from datetime import timedelta

from django.utils import timezone

from governance.acts import Role
from governance.models import AISystem, Assignment, Person

ROLES = (
    Role.ACCOUNTABLE,
    Role.DEPUTY,
    Role.TECHNICAL_OWNER,
    Role.OPERATOR,
    Role.REVIEWER,
    Role.REVIEWER,
    Role.INVESTIGATOR,
)
LACKING = 10
"""Of so many AI systems one has nobody who stands in."""


def make_large_register(*, systems: int, people: int, named: str = "ai-system") -> list[AISystem]:
    """Each AI system with its people, some of them with a role that was offered alone."""
    names = [(f"Person {number:03}", f"{named}-{number}@example.org") for number in range(people)]
    staff = Person.objects.bulk_create([Person(name=name, email=email) for name, email in names])
    slugs = [f"{named}-{number:03}" for number in range(systems)]
    made = AISystem.objects.bulk_create([AISystem(slug=slug, name=slug.title()) for slug in slugs])
    held = [
        _held(staff[(at * len(ROLES) + place) % people], role, system, at)
        for at, system in enumerate(made)
        for place, role in enumerate(ROLES)
        if at % LACKING or role is not Role.DEPUTY
    ]
    Assignment.objects.bulk_create(held)
    return made


def _held(person: Person, role: Role, system: AISystem, at: int) -> Assignment:
    is_offer = role is Role.OPERATOR and at % LACKING == 1
    return Assignment(
        person=person,
        role=role,
        scope=Assignment.Scope.SYSTEM,
        system=system,
        status=Assignment.Status.OFFERED if is_offer else Assignment.Status.ACCEPTED,
        accepted_at=None if is_offer else timezone.now() - timedelta(days=1),
    )
