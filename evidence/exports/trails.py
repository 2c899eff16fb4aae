"""The entries about decisions: what people and programs did with them, wherever it stands."""

import uuid
from collections.abc import Collection, Iterable, Iterator

import msgspec
from django.db.models import Q

from audit.case_access import visible_cases
from audit.case_document import Document, Seen, entry_seen
from audit.case_selectors import trail_ids
from audit.models import Case, CaseDecision
from audit.selectors import SealedDecision
from evidence.exports.models import Export
from evidence.kinds import EXPORT_FINISHED
from evidence.models import ExplanationLetter
from ledger.entries import Actor
from ledger.models import Entry
from monitoring.selectors import outcome_rows_of
from overrides.selectors import people_rows_of

Place = tuple[uuid.UUID, int]
"""(log, index)"""
AT_ONCE = 1_000


def trail_places(decision_ids: Collection[uuid.UUID]) -> set[Place]:
    """Where the entries about decisions stand: looks at payloads, reviews, overrides, effects, outcomes, letters,
    erasures. The decisions' own are not among them."""
    letters = ExplanationLetter.objects.filter(decision_id__in=decision_ids).values_list("pk", flat=True)
    about = [*decision_ids, *people_rows_of(decision_ids), *outcome_rows_of(decision_ids), *letters]
    return places_about(about)


def case_trail(case: Case, seen: Seen) -> Iterator[tuple[Place, Document, bool]]:
    """Where the entries about a case stand, what they say, and whether somebody may know all of that: what puts
    decisions in or takes them out counts them, also those of other AI systems."""
    ids = trail_ids(case)
    for start in range(0, len(ids), AT_ONCE):
        found = Entry.objects.filter(id__in=ids[start : start + AT_ONCE])
        rows = found.values_list("log_id", "leaf_index", "data")
        for log_id, index, data in rows:
            body = msgspec.json.decode(bytes(data))["body"]
            yield (log_id, index), body, entry_seen(body, seen) == body


def places_about(row_ids: Iterable[uuid.UUID], kinds: Collection[str] | None = None) -> set[Place]:
    """Where the entries about rows stand."""
    wanted = list(row_ids)
    found = Entry.objects.filter(about_id__in=wanted) if wanted else Entry.objects.none()
    if kinds is not None:
        found = found.filter(kind__in=kinds)
    return set(found.order_by().values_list("log_id", "leaf_index"))


def places_of(entry_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Place]:
    """Where entries stand, by their ids."""
    found = Entry.objects.filter(id__in=list(entry_ids)).values_list("id", "log_id", "leaf_index")
    return {entry_id: (log_id, index) for entry_id, log_id, index in found}


def exports_trail_of(actor: Actor, decision: SealedDecision) -> list[Entry]:
    """The entries of exports by which contents of a decision left, oldest first: taking them out is reading them.

    Of exports by subject nothing is told here: that two decisions have one in common would be said by it. Of exports by
    case, to whoever may know of the case: how many decisions one has is for those alone who see them all, so whoever
    shows these says no number.
    """
    times = Q(since=None) | Q(since__lte=decision.recorded_at)
    times &= Q(until=None, ended_at__gte=decision.recorded_at) | Q(until__gt=decision.recorded_at)
    known = visible_cases(actor).values("pk")
    cases = CaseDecision.objects.filter(decision_id=decision.id, case_id__in=known).values("case_id")
    about = (
        Q(decision_id=decision.id) | Q(case_id__in=cases) | Q(question="range", system_id=decision.system_id) & times
    )
    made = Export.objects.filter(about, disclosed_parts__gt=0).values_list("pk", flat=True)
    found = Entry.objects.filter(about_id__in=list(made), kind=EXPORT_FINISHED.name).order_by()
    return sorted(found, key=lambda entry: entry.id)
