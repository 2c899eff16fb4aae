"""Counts beside a list: what the decisions that answer a filter are, by outcome, AI system, version and more.

Counted are the newest decisions, up to a number, within a time limit. Where that was all there are, the counts are
exact; else they say how many were looked at, and back to when.
"""

import uuid
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import BooleanField, Case, Q, QuerySet, Value, When

from audit.filters import DecisionFilter, Question
from audit.models import Decision
from audit.reach import Reach
from audit.scanning import TooSlow, limited_to
from audit.walks import Course, Place, Rows, walking

LOOKED_AT = 20_000
FEWER = 8
LIMIT_MS = 150
ATTEMPTS = 3
HOUR = timedelta(hours=1)
HOURLY = 48 * HOUR
"""Within so much, hours are told, and days beyond."""
COLUMNS = ("system_id", "environment", "model_version", "outcome", "directive_action", "flags", "recorded_at")

COUNT = """
    SELECT system_id, environment, model_version, outcome, directive_action, flags,
        date_bin('15 minutes', recorded_at, 'epoch'), count(*) FILTER (WHERE matches), count(*), min(recorded_at)
    FROM ({rows}) looked GROUP BY 1, 2, 3, 4, 5, 6, 7
"""


class Span(NamedTuple):
    """How many decisions were recorded from one moment on and before another, both of UTC."""

    at: datetime
    until: datetime
    number: int


@dataclass(slots=True, kw_only=True)
class Facets:
    """Counts of what answers. `looked_at`: how many decisions were looked at, back to `since`."""

    total: int = 0
    looked_at: int = 0
    since: datetime | None = None
    is_exact: bool = True
    outcomes: Counter[str] = field(default_factory=Counter)
    systems: Counter[uuid.UUID] = field(default_factory=Counter)
    model_versions: Counter[str] = field(default_factory=Counter)
    environments: Counter[str] = field(default_factory=Counter)
    directives: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    quarters: Counter[datetime] = field(default_factory=Counter)
    """Of an hour: no zone's days begin in between."""

    def hours(self) -> Counter[datetime]:
        """The counts of each hour of UTC that has any."""
        found: Counter[datetime] = Counter()
        for quarter, number in sorted(self.quarters.items()):
            found[quarter.replace(minute=0)] += number
        return found

    def by_time(self, zone: tzinfo = UTC) -> tuple[str, list[Span]]:
        """The counts of each "hour", or of each "day" where there are many, of a zone: no gaps, the oldest first."""
        if not self.quarters:
            return "hour", []
        first, last = min(self.quarters), max(self.quarters)
        step = "hour" if last - first <= HOURLY else "day"
        edges = list(_edges(first, last, zone, daily=step == "day"))
        counts = Counter[int]()
        for quarter, number in self.quarters.items():
            counts[bisect_right(edges, quarter) - 1] += number
        return step, [Span(at, until, counts[place]) for place, (at, until) in enumerate(pairwise(edges))]


def _edges(first: datetime, last: datetime, zone: tzinfo, *, daily: bool) -> Iterator[datetime]:
    """Where the hours or days begin that hold both moments, and where the last one ends. A day may have 23 hours."""
    at = _start(first.astimezone(zone), daily=daily)
    while at <= last:
        yield at
        # a day and a half later it is the next day, whatever the clocks do
        following = _start((at + (36 * HOUR if daily else HOUR)).astimezone(zone), daily=daily)
        at = following if following > at else at + HOUR  # where clocks go back by less than an hour
    yield at


def _start(local: datetime, *, daily: bool) -> datetime:
    if daily:
        return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)
    return local.replace(minute=0).astimezone(
        UTC
    )  # and not by taking minutes away: that forgets which of two hours it is


def count_facets(asked: DecisionFilter, reach: Reach, *, looked_at: int = LOOKED_AT) -> Facets:
    """The facets of a filter within a reach. Two queries, or up to six where the database is slow."""
    question = Question.of(asked, reach)
    for attempt in range(ATTEMPTS):
        most = max(1, looked_at // FEWER**attempt)
        try:
            with walking(), limited_to(LIMIT_MS):
                end = Course(question.walks).end(lambda rows: rows, most)
                return _gathered(_rows(question, end), is_exact=end is None)
        except TooSlow:
            continue
    return Facets(is_exact=False)


def _rows(question: Question, end: Place | None) -> list[tuple[Any, ...]]:
    def counted(rows: QuerySet[Decision]) -> Rows:
        until = end.beyond(older=False, inclusive=True) if end else Q()
        # what is out of reach is not told of, not even as looked at
        newest = rows.filter(until, question.unreached or Q()).annotate(matches=_truth(question.remaining))
        found: Rows = newest.values(*COLUMNS, "matches")
        return found

    looked = Course(question.walks).statement(counted, bare=True)
    if looked is None:
        return []
    rows, values = looked
    with connection.cursor() as cursor:
        cursor.execute(COUNT.replace("{rows}", rows), values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _truth(condition: Q | None) -> Any:
    matches: Any = Case(When(condition, then=True), default=False) if condition else Value(True)
    matches.output_field = BooleanField()
    return matches


def _gathered(rows: list[tuple[Any, ...]], *, is_exact: bool) -> Facets:
    found = Facets(is_exact=is_exact)
    for system_id, environment, version, outcome, directive, flags, quarter, count, looked_at, oldest in rows:
        found.looked_at += looked_at
        found.since = oldest if found.since is None else min(found.since, oldest)
        if not count:
            continue
        found.total += count
        found.systems[system_id] += count
        found.environments[environment] += count
        found.model_versions[version] += count
        found.outcomes[outcome] += count
        found.directives[directive] += count
        found.quarters[quarter] += count
        for flag in flags:
            found.flags[flag] += count
    return found
