"""Days of assignments that somebody is to see to: what shows that they can runs out, or a review is due."""

import uuid
from collections.abc import Iterable
from datetime import date, timedelta

from django.db import transaction
from django.urls import reverse

from config.days import today
from governance import rights
from governance.acts import Role
from governance.models import Assignment
from governance.scopes import Scope
from governance.services.assignments import giving
from notices.letters import Facts, Letter, letter
from notices.models import Message
from notices.outbox import tell

COMPETENCE_DAYS = (30, 7, 0)
REVIEW_DAYS = (7, 0)
"""How many days before, and on the day or as soon as it is noticed after it: written once at each step."""
LATEST = timedelta(days=28)
"""So long after its day one is still noticed; then it stands on the pages alone, and is not walked each hour."""
KIND = "assignment.term_due"


def remind_of_terms() -> int:
    """Write to whoever is to see to it. Returns how many days are near or over."""
    day = today()
    competence = _near("competence_until", day, COMPETENCE_DAYS[0])
    reviews = _near("review_on", day, REVIEW_DAYS[0])
    due = {
        _mark("competence", held, held.competence_until, COMPETENCE_DAYS, day): (held, "competence")
        for held in competence
    }
    due |= {_mark("review", held, held.review_on, REVIEW_DAYS, day): (held, "review") for held in reviews}
    for mark in due.keys() - _said(due):
        _remind(*due[mark], mark)
    return len(due)


def _near(column: str, today: date, days: int) -> list[Assignment]:
    near = {f"{column}__lte": today + timedelta(days=days), f"{column}__gte": today - LATEST}
    rows = rights.in_force().filter(**near)
    return list(rows.select_related("person", "system").order_by("pk"))


def _mark(what: str, held: Assignment, day: date | None, steps: tuple[int, ...], today: date) -> str:
    """Of a day and a step towards it: so that it is written once."""
    assert day is not None
    step = min((days for days in steps if (day - today).days <= days), default=steps[0])
    return f"assignment.{what}:{held.pk}:{day.isoformat()}:{step}"


def _said(marks: Iterable[str]) -> set[str]:
    """Which of these were written already: all that are concerned are written to at once."""
    return set(Message.objects.filter(kind=KIND, fingerprint__in=list(marks)).values_list("fingerprint", flat=True))


def _remind(held: Assignment, what: str, mark: str) -> None:
    with transaction.atomic():
        for person_id in _concerned(held, what):
            tell(
                person_id=person_id,
                kind=KIND,
                fingerprint=mark,
                facts={"assignment": str(held.pk), "what": what},
            )


def _concerned(held: Assignment, what: str) -> Iterable[uuid.UUID]:
    """Whoever may give the role; of what they can, its holder too, who brings the next certificate."""
    givers = {each.pk for each in rights.holders(giving(Role(held.role)), Scope.of(held))} - {held.person_id}
    return givers | ({held.person_id} if what == "competence" else set())


@letter(KIND)
def _term_due(facts: Facts) -> Letter:
    held = Assignment.objects.select_related("person", "system", "model_version").get(pk=uuid.UUID(facts["assignment"]))
    page = reverse("admin:governance_assignment_change", args=[held.pk])
    role = f"{held.person}, {held.get_role_display()}, {held.place}"
    day = held.competence_until if facts["what"] == "competence" else held.review_on
    if day is None or held.status != Assignment.Status.ACCEPTED:
        return Letter(f"Seen to meanwhile: {role}", ["Nothing is left to do."], page)
    if facts["what"] == "competence":
        lines = [f"Valid until {day.isoformat()}: what shows that {held.person} can carry out this role."]
        return Letter(f"Competence runs out on {day.isoformat()}: {role}", [*lines, SEE_TO_COMPETENCE], page)
    return Letter(f"To be looked at again by {day.isoformat()}: {role}", [SEE_TO_REVIEW], page)


SEE_TO_COMPETENCE = "Whoever gives the role writes down what follows, and until when (Duties and review)."
SEE_TO_REVIEW = (
    "Is it still the right person, with the right duties? Then set the next day (Duties and review); else end it."
)
