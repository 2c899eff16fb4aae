"""How people's oversight works: conditions to look at, no scores of a person."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from config.errors import Forbidden
from console.pages import page, show, viewer
from governance import rights
from governance.acts import Act
from governance.models import AISystem, Person
from monitoring.oversight import MOST_CASES, Dwell, Measures, Outside, dwell_in, measures, outside_of_queues, own_dwell
from overrides.eligibility import ON_A_CLAIMED_ITEM
from overrides.models import ReviewAssignment, ReviewQueue

DAYS = (7, 28, 90, 366)
USUAL = 28
MOST_QUEUES = 20
MOST_SYSTEMS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """One queue, and for its owner the dwell of its people."""

    queue: ReviewQueue
    measures: Measures
    dwell: list[Dwell] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemLine:
    """One AI system, and what no queue's measures count."""

    system: AISystem
    outside: Outside

    @property
    def counts(self) -> list[tuple[str, int | None]]:
        """Under the names of the columns."""
        return [
            ("Overridden with no review open", self.outside.overridden),
            ("Overturned on appeal", self.outside.on_appeal),
            ("Told of from other tools", self.outside.reported),
        ]


@page
@require_safe
def oversight(request: HttpRequest) -> HttpResponse:
    person, days = viewer(request), _days(request)
    until = timezone.now()
    since = until - timedelta(days=days)
    queues, systems = _queues(person), _systems(person)
    own = own_dwell(person, since, until)
    if not queues and not systems and not own and not _reviews(person):
        raise Forbidden("This is shown to those who answer for an AI system, to queues' owners and to auditors.")
    return show(
        request,
        "reviews/oversight.html",
        title="How oversight works",
        days=days,
        periods=DAYS,
        lines=[_line(queue, person, since, until) for queue in queues],
        outside=[_outside(system, since, until) for system in systems],
        most_cases=MOST_CASES,
        own=own,
    )


def _line(queue: ReviewQueue, person: Person, since: datetime, until: datetime) -> QueueLine:
    is_owner = queue.owner_id == person.pk
    dwell = dwell_in(queue, since, until) if is_owner else None
    return QueueLine(queue=queue, measures=measures(queue, since, until), dwell=dwell)


def _outside(system: AISystem, since: datetime, until: datetime) -> SystemLine:
    return SystemLine(system=system, outside=outside_of_queues(system.pk, since, until))


def _systems(person: Person) -> list[AISystem]:
    """Those somebody oversees."""
    found, systems = AISystem.objects.order_by("name"), rights.systems_where(person, Act.OVERSIGHT_VIEW)
    return list((found if systems is None else found.filter(pk__in=systems))[:MOST_SYSTEMS])


def _queues(person: Person) -> list[ReviewQueue]:
    """Those somebody owns, or whose AI system (all, for a queue of all) they oversee."""
    found = ReviewQueue.objects.filter(archived_at=None).select_related("system", "owner").order_by("slug")
    systems = rights.systems_where(person, Act.OVERSIGHT_VIEW)
    if systems is not None:
        found = found.filter(system_id__in=systems) | found.filter(owner_id=person.pk)
    return list(found[:MOST_QUEUES])


def _reviews(person: Person) -> bool:
    systems = rights.systems_where(person, Act.DECISION_CONFIRM, given=ON_A_CLAIMED_ITEM)
    return systems is None or bool(systems) or ReviewAssignment.objects.filter(person=person).exists()


def _days(request: HttpRequest) -> int:
    given = request.GET.get("days", "")
    return int(given) if given.isdecimal() and int(given) in DAYS else USUAL
