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

from django.db.models import Exists, OuterRef, Q

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


@dataclass(frozen=True, slots=True)
class _Ended:
    id: uuid.UUID
    decision_id: uuid.UUID
    status: str
    verdict: str
    escalated: bool


def measures(queue: ReviewQueue, since: datetime, until: datetime) -> Measures:
    """The measures of a queue for reviews that ended from `since` up to `until`, but for what a drill held."""
    reviews = list(_ended(queue, since, until))
    decided = [each for each in reviews if each.verdict]
    work = _work([each.id for each in decided])
    ids = [each.decision_id for each in reviews]
    model = dict(Decision.objects.filter(id__in=ids).values_list("id", "outcome"))
    truth = known_outcomes(ids)
    changed = {each.id: each.verdict != Review.Verdict.CONFIRM for each in decided}
    known = [each for each in decided if each.decision_id in truth and each.decision_id in model]
    right = [each for each in known if truth[each.decision_id] == model[each.decision_id]]
    wrong = [each for each in known if truth[each.decision_id] != model[each.decision_id]]
    dwell = [seconds for each in work if (seconds := _dwell(each)) is not None]
    overturned = Appeal.objects.filter(decision_id__in=ids, override__isnull=False).count()
    return Measures(
        since=since,
        until=until,
        ended=cell(len(reviews)),
        decided=cell(len(decided)),
        overridden=share(changed[each.id] for each in decided),
        overridden_when_right=share(changed[each.id] for each in right),
        overridden_when_wrong=share(changed[each.id] for each in wrong),
        agreement=share(_pairs(work), fewest=FEWEST_PAIRS),
        dwell_median_s=round(median(dwell), 1) if len(dwell) >= FEWEST else None,
        dwell_under_floor=share(seconds < queue.dwell_floor_s for seconds in dwell),
        timed_out=share(each.status == Review.Status.TIMED_OUT for each in reviews),
        overflowed=share(each.status == Review.Status.OVERFLOWED for each in reviews),
        escalated=share(each.escalated for each in reviews),
        appeals_overturned=cell(overturned),
        blind_switched=share(_switches(work, model, {each.id: each.decision_id for each in decided})),
    )


def overrides_outside(system_id: uuid.UUID, since: datetime, until: datetime) -> dict[str, int | None]:
    """Overrides of an AI system without a queue, and human decisions told of from other tools: counted apart."""
    period = {"at__gte": since, "at__lt": until}
    made = Override.objects.filter(system_id=system_id, status=Override.Status.IN_FORCE, **period)
    told = ReportedOverride.objects.filter(system_id=system_id, created_at__gte=since, created_at__lt=until)
    return {
        "overridden": cell(made.filter(source=Override.Source.OVERRIDE).count()),
        "on_appeal": cell(made.filter(source=Override.Source.APPEAL).count()),
        "reported": cell(told.count()),
    }


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
    if len(found) < fewest:
        return Share(share=None, n=cell(len(found)))
    return Share(share=round(sum(found) / len(found), 4), n=len(found))


def _ended(queue: ReviewQueue, since: datetime, until: datetime) -> Iterable[_Ended]:
    rows = Review.objects.filter(queue=queue, closed_at__gte=since, closed_at__lt=until)
    rows = rows.exclude(status__in=[Review.Status.WITHDRAWN, Review.Status.SUPERSEDED])
    rows = rows.exclude(Exists(_DRILL), rule_id=None)
    names = ("id", "decision_id", "status", "verdict", "escalated_at")
    for review_id, decision_id, status, verdict, escalated_at in rows.values_list(*names).iterator():
        yield _Ended(review_id, decision_id, status, verdict, escalated_at is not None)


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
