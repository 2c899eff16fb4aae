"""What a list of decisions can be narrowed to. Subjects, labels and text are not here: they stand in no address."""

import uuid
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Self

from django.db.models import Exists, OuterRef, Q, QuerySet

from audit.models import CaseDecision, Decision
from audit.models.decisions import FAILED, FLAGGED
from audit.reach import Reach
from audit.walks import WALKED, Walk
from governance.models import AISystem
from ledger.entries import timestamp

NAMED_AT_MOST = 2_000
"""Up to so many decisions are looked up by their ids; more are found sooner by walking."""
MERGED_AT_MOST = 500
"""So many AI systems are walked one by one, and merged; of more, all there is is walked, and theirs picked out."""


@dataclass(frozen=True, slots=True)
class Also:
    """A condition of a floor above, with the field and the value that it is asked for by."""

    name: str
    value: str
    condition: Q = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFilter:
    """All conditions hold together; None asks nothing. `since` and `until` are by `recorded_at`, our clock."""

    system_id: uuid.UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    environment: str | None = None
    model_version: str | None = None
    capability: str | None = None
    outcome: str | None = None
    error_type: str | None = None
    """"any": with an error, whichever; "none": without one."""
    confidence_min: float | None = None
    confidence_max: float | None = None
    score_min: float | None = None
    score_max: float | None = None
    adverse: bool | None = None
    ai_role: str | None = None
    phase: str | None = None
    flagged: bool | None = None
    flag: str | None = None
    directive: str | None = None
    accountable_id: uuid.UUID | None = None
    parent_id: uuid.UUID | None = None
    case_id: uuid.UUID | None = None
    """Only what is in this case now. Whoever asks must have made sure that the case may be known of."""
    also: Also | None = None
    """What this floor knows nothing of."""

    def said(self) -> dict[str, Any]:
        """What is asked, in clear JSON values, by the names of the API: two filters that ask the same say the same."""
        given = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "also"}
        named = {SAID_AS.get(name, name): _clear(value) for name, value in given.items() if value is not None}
        return named | ({self.also.name: self.also.value} if self.also else {})

    def rest(self) -> Q:
        """What no index answers, to be asked of each row."""
        equal = {
            "environment": self.environment,
            "model_version": self.model_version,
            "capability": self.capability,
            "outcome": self.outcome,
            "adverse": self.adverse,
            "ai_role": self.ai_role,
            "phase": self.phase,
            "directive_action": self.directive,
            "accountable_id": self.accountable_id,
            "parent_id": self.parent_id,
            "confidence__gte": self.confidence_min,
            "confidence__lte": self.confidence_max,
            "score__gte": self.score_min,
            "score__lte": self.score_max,
        }
        found = Q(**{name: value for name, value in equal.items() if value is not None})
        found &= Q() if self.flagged is not False else Q(flags=[])
        found &= Q(flags__contains=[self.flag]) if self.flag else Q()
        found &= {None: Q(), "any": Q(), "none": Q(error_type="")}.get(self.error_type, Q(error_type=self.error_type))
        return found if self.also is None else found & self.also.condition

    def rare(self) -> Q:
        """What indexes of their own answer, each holding only what it is about: flags, and errors."""
        flagged, failed = bool(self.flagged or self.flag), self.error_type not in (None, "none")
        return (FLAGGED if flagged else Q()) & (FAILED if failed else Q())

    def condition(self) -> Q | None:
        """All of it beside AI system and time; None where there is no such condition."""
        return (self.rare() & self.rest()) or None


SAID_AS = {"since": "from", "until": "to"}


def _clear(value: Any) -> Any:
    if isinstance(value, datetime):
        return timestamp(value)
    return str(value) if isinstance(value, uuid.UUID) else value


@dataclass(frozen=True, slots=True)
class Question:
    """A filter within a reach, in two halves: `walks` go along indexes in order, `remaining` is asked of each row."""

    within: QuerySet[Decision]
    """What is walked, in no order."""
    walks: tuple[Walk, ...]
    remaining: Q | None = None
    unreached: Q | None = None
    """The part of `remaining` that keeps to the reach: what does not answer it is met on the way, and never told of."""

    @classmethod
    def of(cls, asked: DecisionFilter, reach: Reach) -> Self:
        if reach.is_empty or not _reaches(asked, reach):
            return cls.over(Decision.objects.none())
        rows = _bounded(asked, reach)
        cases = {asked.case_id} if asked.case_id else reach.case_ids if reach.system_ids == frozenset() else frozenset()
        rest, environment = asked.rest(), Q(environment=reach.environment) if reach.environment else Q()
        if cases:
            held, are_named = _held(frozenset(cases))
            only = Q(system_id=asked.system_id) if asked.system_id else Q()
            return cls.over(rows.filter(held, only, _within(reach), environment), rest, are_named=are_named)
        walks, unreached = _walks(rows, asked, reach)
        unreached &= environment
        only = Q(system_id=asked.system_id) if asked.system_id else Q()
        return cls(rows.filter(only, _within(reach)), walks, (rest & unreached) or None, unreached or None)

    @classmethod
    def over(cls, rows: QuerySet[Decision], remaining: Q | None = None, *, are_named: bool = False) -> Self:
        """Of these rows, along whatever index there is."""
        return cls(rows, (Walk(rows, are_named=are_named),), remaining or None)

    @property
    def are_named(self) -> bool:
        """All of them are named by id: they are few, and found otherwise than by walking."""
        return all(walk.are_named for walk in self.walks)

    def rows(self) -> QuerySet[Decision]:
        """All of them, in no order: for questions that few rows answer, or that are limited otherwise."""
        return self.within.filter(self.remaining) if self.remaining else self.within

    def where(self, condition: Q) -> Self:
        """The same, of each row of which this is asked too."""
        return replace(self, remaining=(self.remaining or Q()) & condition)

    def beside(self, condition: Q) -> Self:
        """The same without what answers a condition."""
        walks = tuple(replace(walk, rows=walk.rows.exclude(condition)) for walk in self.walks)
        return replace(self, within=self.within.exclude(condition), walks=walks)


def by_case(case_ids: frozenset[uuid.UUID]) -> Q:
    """Decisions that are in one of these cases now."""
    return Q(Exists(CaseDecision.current().filter(decision_id=OuterRef("id"), case_id__in=case_ids)))


def _bounded(asked: DecisionFilter, reach: Reach) -> QuerySet[Decision]:
    """What indexes answer, of whatever AI system."""
    rows = Decision.objects.filter(asked.rare())
    if asked.since:
        rows = rows.filter(recorded_at__gte=asked.since)
    if asked.until:
        rows = rows.filter(recorded_at__lt=asked.until)
    # left out, not blanked: a filter by outcome would tell by whether a blank row is there
    return rows.exclude(id__in=reach.hidden) if reach.hidden else rows


def _held(case_ids: frozenset[uuid.UUID]) -> tuple[Q, bool]:
    """What is in these cases; and whether that names each by id."""
    held = CaseDecision.current().filter(case_id__in=case_ids)
    ids = list(held.values_list("decision_id", flat=True)[: NAMED_AT_MOST + 1])
    if len(ids) <= NAMED_AT_MOST:
        return Q(id__in=ids), True
    ends = held.order_by("recorded_at").values_list("recorded_at", flat=True)
    return by_case(case_ids) & Q(recorded_at__range=(ends.first(), ends.last())), False


def _within(reach: Reach) -> Q:
    """By AI system or case; the environment is asked for beside it."""
    if reach.system_ids is None:
        return Q()
    by_role = Q(system_id__in=reach.system_ids)
    return by_role | by_case(reach.case_ids) if reach.case_ids else by_role


def _walks(rows: QuerySet[Decision], asked: DecisionFilter, reach: Reach) -> tuple[tuple[Walk, ...], Q]:
    """One for each AI system within reach, one for what is within it by a case; and what must be asked of each row."""
    systems = _systems(asked, reach)
    if systems is not None and len(systems) > MERGED_AT_MOST:
        return (Walk(rows),), _within(reach)
    if systems is None:
        return (Walk(rows),), Q()
    if len(systems) == 1:
        walks = [Walk(rows.filter(system_id=systems[0]))]
    else:
        walks = [Walk(rows.filter(system_id=WALKED), systems)] if systems else []
    if reach.case_ids and reach.system_ids is not None and not (asked.system_id and systems):
        held, are_named = _held(reach.case_ids)
        only = Q(system_id=asked.system_id) if asked.system_id else ~Q(system_id__in=reach.system_ids)
        walks.append(Walk(rows.filter(held, only), are_named=are_named))
    return tuple(walks), Q()


def _systems(asked: DecisionFilter, reach: Reach) -> tuple[uuid.UUID, ...] | None:
    """Those to be walked one by one; None: all there are, along the one index over all."""
    within = reach.system_ids
    if asked.system_id:
        return (asked.system_id,) if within is None or asked.system_id in within else ()
    if within is None and asked.rare():
        every = tuple(AISystem.objects.order_by("pk").values_list("pk", flat=True)[: MERGED_AT_MOST + 1])
        return every if len(every) <= MERGED_AT_MOST else None
    return None if within is None else tuple(sorted(within))


def _reaches(asked: DecisionFilter, reach: Reach) -> bool:
    return asked.system_id is None or reach.reaches(asked.system_id)
