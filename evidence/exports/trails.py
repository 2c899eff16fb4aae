"""The entries about decisions: what people and programs did with them, wherever it stands."""

import uuid
from collections.abc import Collection, Iterable

from evidence.models import ExplanationLetter
from ledger.models import Entry
from monitoring.selectors import outcome_rows_of
from overrides.selectors import people_rows_of

Place = tuple[uuid.UUID, int]
"""(log, index)"""


def trail_places(decision_ids: Collection[uuid.UUID]) -> set[Place]:
    """Where the entries about decisions stand: looks at payloads, reviews, overrides, effects, outcomes, letters,
    erasures. The decisions' own are not among them."""
    letters = ExplanationLetter.objects.filter(decision_id__in=decision_ids).values_list("pk", flat=True)
    about = [*decision_ids, *people_rows_of(decision_ids), *outcome_rows_of(decision_ids), *letters]
    return places_about(about)


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
