"""What throwing a switch would touch: said before it is thrown."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q, Sum
from django.utils import timezone

from audit.models import DecisionTally
from console.figures import DAY, SPARK_MINUTES, rates
from console.switchboard.places import Place
from governance import rights
from governance.acts import Act, Role
from governance.models import AISystem, Environment, ModelVersion, Person
from governance.scopes import Scope
from overrides import switch_selectors as selectors
from overrides.errors import FallbackMissing
from overrides.models import ReviewQueue
from overrides.services.changing import require_alternative
from overrides.standing import Mode, Node

NAMED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Radius:
    """The blast radius of a switch."""

    place: Place
    mode_now: Mode
    systems: list[str]
    environments: list[str]
    versions: list[str]
    a_minute: float
    """Decisions of the AI system as a whole, over the last hour."""
    is_of_whole: bool
    listening: int
    clients_in_flight: int
    ungoverned: list[str]
    reading: list[str]
    held_reviews: int


def radius_of(place: Place) -> Radius:
    """The blast radius of a switch at this place, now."""
    node = place.node
    systems = _reached(node)
    ids = [each.pk for each in systems]
    clients = [each for each in selectors.listening(None if node.system_id is None else ids) if _is_in(node, each)]
    unconfirming = selectors.unconfirming_in(ids).values()
    return Radius(
        place=place,
        mode_now=_mode(node),
        systems=[str(each) for each in systems],
        environments=[node.environment] if node.environment else _environments(ids),
        versions=[node.model_version] if node.model_version else _versions(ids),
        a_minute=_a_minute(ids),
        is_of_whole=not (node.environment or node.model_version or node.capability),
        listening=len(clients),
        clients_in_flight=sum(each.in_flight or 0 for each in clients),
        ungoverned=sorted({name for each in unconfirming for name in each.ungoverned}),
        reading=sorted({name for each in unconfirming for name in each.reading}),
        held_reviews=selectors.held_reviews(node),
    )


def _reached(node: Node) -> list[AISystem]:
    found = AISystem.objects.exclude(status=AISystem.Status.RETIRED)
    return list(found if node.system_id is None else found.filter(pk=node.system_id))


def _is_in(node: Node, client: object) -> bool:
    environment, version = getattr(client, "environment", ""), getattr(client, "model_version", "")
    return node.environment in ("", environment) and (not version or node.model_version in ("", version))


def _mode(node: Node) -> Mode:
    return selectors.mode_at(selectors.standing_control(None if node.system_id is None else [node.system_id]), node)


def _environments(ids: Collection[uuid.UUID]) -> list[str]:
    found = Environment.objects.filter(system__in=ids, ended_at=None).order_by("slug")
    return list(found.values_list("slug", flat=True).distinct()[:NAMED])


def _versions(ids: Collection[uuid.UUID]) -> list[str]:
    found = ModelVersion.objects.filter(system__in=ids).exclude(status=ModelVersion.Status.RETIRED)
    return list(found.order_by("-id").values_list("version", flat=True)[:NAMED])


def _a_minute(ids: Collection[uuid.UUID]) -> float:
    return sum(sum(each.per_minute) for each in rates(ids).values()) / SPARK_MINUTES


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewLoad:
    """What the mode review would ask of people."""

    an_hour: float
    reviewers: int
    queue: ReviewQueue | None

    @property
    def each_an_hour(self) -> float | None:
        return self.an_hour / self.reviewers if self.reviewers else None

    @property
    def seconds_each(self) -> float | None:
        """How long each reviewer would have for one."""
        return 3600 * self.reviewers / self.an_hour if self.reviewers and self.an_hour else None

    @property
    def is_too_much(self) -> bool:
        """Less than two minutes each is no look, and nobody at all is none."""
        return bool(self.an_hour) and (self.seconds_each is None or self.seconds_each < SHORTEST_LOOK_S)


SHORTEST_LOOK_S = 120


def review_load(node: Node) -> ReviewLoad:
    """How many an hour it would be, and who there is to look at them."""
    ids = [each.pk for each in _reached(node)]
    return ReviewLoad(an_hour=_an_hour(ids), reviewers=_reviewers(ids), queue=_queue(node))


def _an_hour(ids: Collection[uuid.UUID]) -> float:
    """The last hour or the mean of the last day, whichever is more: what went live today has no day behind it."""
    now = timezone.now()
    counted = DecisionTally.objects.filter(system_id__in=ids, minute__gte=now - DAY)
    in_last_hour = Sum("count", filter=Q(minute__gte=now - timedelta(hours=1)))
    found = counted.aggregate(day=Sum("count"), hour=in_last_hour)
    return max((found["day"] or 0) / 24, found["hour"] or 0)


def _reviewers(ids: Collection[uuid.UUID]) -> int:
    places = Q(scope="organisation") | Q(system__in=ids)
    held = rights.in_force().filter(places, role=Role.REVIEWER)
    return held.values("person_id").distinct().count()


def _queue(node: Node) -> ReviewQueue | None:
    """Where what is held without a rule waits: the system's own default, else that of all."""
    queues = ReviewQueue.objects.filter(Q(system_id=node.system_id) | Q(system=None), is_default=True, archived_at=None)
    return queues.select_related("owner").order_by("system_id").first()


def lacks_fallback(node: Node, mode: Mode) -> bool:
    """Whether some AI system that the switch covers declares no alternative."""
    try:
        require_alternative(node, mode)
    except FallbackMissing:
        return True
    return False


def who_can(act: Act, scope: Scope) -> tuple[list[Person], list[Person]]:
    """Who can ask for an act there, and who can approve it."""
    return rights.holders(act, scope), rights.holders(act, scope, approving=True)
