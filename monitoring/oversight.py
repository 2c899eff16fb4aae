"""How people's oversight works, per queue and period: conditions to look at, no score of a person.

A rate of overriding says nothing by itself: it is split by whether the model was right, as outcomes tell later.
Small numbers are not told: what a handful of cases shows is chance, and may show a person.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from audit.models import Decision
from governance.models import Person
from monitoring.selectors import known_outcomes
from overrides.models import Appeal, Drill, Override, ReportedOverride, Review, ReviewAssignment, ReviewQueue
from overrides.services.work import JUDGEMENTS
from overrides.standing import Mode

FEWEST = 10
"""A share of fewer is not told."""
FEWEST_PAIRS = 30
"""Agreement of fewer pairs says nothing."""
MOST_LOOKED_AT = 5_000
"""Of dwell times the newest so many: a page must not read a year of them."""
MOST_CASES = 2_000
"""So many reviews of a queue, the newest, are read one by one."""
SMALL_CELL = 5
"""A count from 1 up to this is told as `few`, not as itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share and of how many; None where they are too few to say."""

    share: float | None
    n: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """One queue in one period, by when reviews ended. A count of None is one to four."""

    since: datetime
    until: datetime
    ended: int | None
    decided: int | None
    overridden: Share
    """By its reviewers, or meanwhile by who answers for the AI system."""
    superseded: Share
    """By who answers for the AI system, before its reviewers were done."""
    overridden_when_right: Share
    """Under-reliance: the model was right, and people said otherwise."""
    overridden_when_wrong: Share
    """Its complement is over-reliance: the model was wrong, and people followed."""
    agreement: Share
    """Raw, of pairs of reviewers who did not see each other's work."""
    dwell_median_s: float | None
    dwell_under_floor: Share
    timed_out: Share
    overflowed: Share
    """Closed because the queue was full."""
    escalated: Share
    appeals_overturned: int | None
    blind_switched: Share
    """Of blind judgements that differed from the model's: how many became the model's once it was seen."""
    is_cut: bool
    """There were more than `MOST_CASES`: what single cases must be read for is said of the newest of them."""


@dataclass(frozen=True, slots=True)
class _Case:
    """A review in which people said what becomes of the decision."""

    id: uuid.UUID
    decision_id: uuid.UUID
    is_changed: bool


def measures(queue: ReviewQueue, since: datetime, until: datetime) -> Measures:
    """The measures of a queue for reviews that ended from `since` up to `until`, but for what a drill held."""
    ended = _ended(queue, since, until)
    counted = ended.aggregate(**_COUNTED)
    cases = _cases(ended)
    work = _work([each.id for each in cases])
    ids = [each.decision_id for each in cases]
    model = dict(Decision.objects.filter(id__in=ids).values_list("id", "outcome"))
    truth = known_outcomes(ids)
    known = [each for each in cases if each.decision_id in truth and each.decision_id in model]
    right = [each for each in known if truth[each.decision_id] == model[each.decision_id]]
    wrong = [each for each in known if truth[each.decision_id] != model[each.decision_id]]
    dwell = [seconds for each in work if (seconds := _dwell(each)) is not None]
    overturned = Appeal.objects.filter(decision_id__in=ended.values("decision_id"), override__isnull=False).count()
    said = counted["decided"] + counted["superseded"]
    return Measures(
        since=since,
        until=until,
        ended=cell(counted["ended"]),
        decided=cell(counted["decided"]),
        overridden=share_of(counted["changed"] + counted["superseded"], said),
        superseded=share_of(counted["superseded"], counted["ended"]),
        overridden_when_right=share(each.is_changed for each in right),
        overridden_when_wrong=share(each.is_changed for each in wrong),
        agreement=share(_pairs(work), fewest=FEWEST_PAIRS),
        dwell_median_s=round(median(dwell), 1) if len(dwell) >= FEWEST else None,
        dwell_under_floor=share(seconds < queue.dwell_floor_s for seconds in dwell),
        timed_out=share_of(counted["timed_out"], counted["ended"]),
        overflowed=share_of(counted["overflowed"], counted["ended"]),
        escalated=share_of(counted["escalated"], counted["ended"]),
        appeals_overturned=cell(overturned),
        blind_switched=share(_switches(work, model, {each.id: each.decision_id for each in cases})),
        is_cut=said > len(cases),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What people said of an AI system's decisions outside of queues. A count of None is one to four."""

    since: datetime
    until: datetime
    overridden: int | None
    """By who answers for it, while no review of the decision was open."""
    on_appeal: int | None
    reported: int | None
    """Human decisions in other tools, as callers tell of them."""


def outside_of_queues(system_id: uuid.UUID, since: datetime, until: datetime) -> Outside:
    """What no queue's measures count."""
    period = {"at__gte": since, "at__lt": until}
    made = Override.objects.filter(system_id=system_id, status=Override.Status.IN_FORCE, **period)
    ended_one = Review.objects.filter(
        decision_id=OuterRef("decision_id"), status=Review.Status.SUPERSEDED, closed_at__gte=OuterRef("at")
    )
    overridden = made.filter(~Exists(ended_one), source=Override.Source.OVERRIDE)
    told = ReportedOverride.objects.filter(system_id=system_id, created_at__gte=since, created_at__lt=until)
    return Outside(
        since=since,
        until=until,
        overridden=cell(overridden.count()),
        on_appeal=cell(made.filter(source=Override.Source.APPEAL).count()),
        reported=cell(told.count()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dwell:
    """How long somebody looked, in one queue: for that person and the queue's owner, for nobody else."""

    queue: ReviewQueue | None
    person: Person
    n: int
    median_s: float | None
    under_floor: Share


def own_dwell(person: Person, since: datetime, until: datetime) -> list[Dwell]:
    """A person's own time on task, by queue."""
    return _dwells(since, until, person=person)


def dwell_in(queue: ReviewQueue, since: datetime, until: datetime) -> list[Dwell]:
    """Of each person in a queue. Whether the one who asks owns the queue is the edge's."""
    return _dwells(since, until, review__queue=queue)


def _dwells(since: datetime, until: datetime, **where: Any) -> list[Dwell]:
    rows = ReviewAssignment.objects.filter(
        status=ReviewAssignment.Status.SUBMITTED,
        decision__in=JUDGEMENTS,
        shown_at__isnull=False,
        ended_at__gte=since,
        ended_at__lt=until,
        **where,
    ).select_related("review__queue", "person")
    found: dict[tuple[Any, Any], list[ReviewAssignment]] = defaultdict(list)
    for row in rows.order_by("-ended_at")[:MOST_LOOKED_AT]:
        found[row.review.queue_id, row.person_id].append(row)
    told = [_told(work) for work in found.values()]
    return sorted(told, key=lambda each: (str(each.queue or ""), str(each.person)))


def _told(work: list[ReviewAssignment]) -> Dwell:
    queue = work[0].review.queue
    seconds = [(row.ended_at - row.shown_at).total_seconds() for row in work if row.ended_at and row.shown_at]
    floor = queue.dwell_floor_s if queue else 0
    return Dwell(
        queue=queue,
        person=work[0].person,
        n=len(seconds),
        median_s=round(median(seconds), 1) if len(seconds) >= SMALL_CELL else None,
        under_floor=share(each < floor for each in seconds),
    )


def cell(count: int) -> int | None:
    """A count as it may be told."""
    return None if 0 < count < SMALL_CELL else count


def share(holds: Iterable[bool], *, fewest: int = FEWEST) -> Share:
    """How many of them hold."""
    found = list(holds)
    return share_of(sum(found), len(found), fewest=fewest)


def share_of(count: int, n: int, *, fewest: int = FEWEST) -> Share:
    """So many of so many."""
    if n < fewest:
        return Share(share=None, n=cell(n))
    return Share(share=round(count / n, 4), n=n)


def _ended(queue: ReviewQueue, since: datetime, until: datetime) -> QuerySet[Review]:
    rows = Review.objects.filter(queue=queue, closed_at__gte=since, closed_at__lt=until)
    return rows.exclude(status=Review.Status.WITHDRAWN).exclude(Exists(_DRILL), rule_id=None)


_DECIDED = ~Q(verdict="")
_SUPERSEDED = Q(status=Review.Status.SUPERSEDED)
_COUNTED = {
    "ended": Count("pk"),
    "decided": Count("pk", filter=_DECIDED),
    "changed": Count("pk", filter=_DECIDED & ~Q(verdict=Review.Verdict.CONFIRM)),
    "superseded": Count("pk", filter=_SUPERSEDED),
    "timed_out": Count("pk", filter=Q(status=Review.Status.TIMED_OUT)),
    "overflowed": Count("pk", filter=Q(status=Review.Status.OVERFLOWED)),
    "escalated": Count("pk", filter=Q(escalated_at__isnull=False)),
}


def _cases(ended: QuerySet[Review]) -> list[_Case]:
    """Those that must be read one by one, the newest first: a page must not read a year of them."""
    found = ended.filter(_DECIDED | _SUPERSEDED).order_by("-closed_at").values_list("id", "decision_id", "verdict")
    return [
        _Case(review_id, decision_id, verdict != Review.Verdict.CONFIRM)
        for review_id, decision_id, verdict in found[:MOST_CASES]
    ]


_DRILL = Drill.objects.filter(
    Q(environment="") | Q(environment=OuterRef("environment")),
    Q(ended_at=None) | Q(ended_at__gte=OuterRef("opened_at")),
    system_id=OuterRef("system_id"),
    type__in=Drill.LIVE,
    mode=Mode.REVIEW.value,
    started_at__lte=OuterRef("opened_at"),
)
"""The drill that held a review which no rule asked for: it is no work of a day."""


def _work(review_ids: list[uuid.UUID]) -> list[dict[str, Any]]:
    rows = ReviewAssignment.objects.filter(
        review_id__in=review_ids,
        status=ReviewAssignment.Status.SUBMITTED,
        decision__in=JUDGEMENTS,
    )
    names = (
        "review_id",
        "seat",
        "decision",
        "outcome",
        "shown_at",
        "ended_at",
        "is_blind",
        "first_outcome",
        "first_at",
    )
    return list(rows.values(*names))


def _dwell(work: Mapping[str, Any]) -> float | None:
    """From being shown it to handing it in, by the server's clock; None where it never was asked for."""
    if work["shown_at"] is None or work["ended_at"] is None:
        return None
    return float((work["ended_at"] - work["shown_at"]).total_seconds())


def _pairs(work: list[dict[str, Any]]) -> Iterable[bool]:
    """Of each review that two looked at, whether they said the same. Who decided between them is not counted."""
    said: dict[uuid.UUID, dict[int, tuple[str, str]]] = defaultdict(dict)
    for each in work:
        if each["seat"] in (1, 2):
            said[each["review_id"]][each["seat"]] = (each["decision"], each["outcome"])
    return [both[1] == both[2] for both in said.values() if len(both) == 2]


def _switches(
    work: list[dict[str, Any]], model: Mapping[uuid.UUID, str], decisions: Mapping[uuid.UUID, uuid.UUID]
) -> Iterable[bool]:
    blind = [each for each in work if each["is_blind"] and each["first_outcome"]]
    # who handed in without ever being shown the model's could not follow it
    shown = [each for each in blind if each["first_at"] < each["ended_at"]]
    differing = [each for each in shown if each["first_outcome"] != model.get(decisions[each["review_id"]])]
    return [each["decision"] == "confirm" for each in differing]
