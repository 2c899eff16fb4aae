"""Reading outcomes."""

import uuid
from collections.abc import Collection

from django.db.models import QuerySet

from ledger.models import Entry
from monitoring.models import Outcome


def outcomes_of(decision_id: uuid.UUID) -> QuerySet[Outcome]:
    """All that was ever said of a decision, the newest first."""
    return Outcome.objects.filter(decision_id=decision_id).order_by("-received_at", "-id")


def known_outcomes(decision_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """What counts as true of each decision: the last outcome that nothing corrects. One query."""
    rows = Outcome.objects.filter(decision_id__in=decision_ids, corrected_by=None).order_by("received_at", "id")
    return dict(rows.values_list("decision_id", "outcome"))


def outcome_trail_of(decision_id: uuid.UUID) -> list[Entry]:
    """The entries of all outcomes of a decision, oldest first."""
    ids = outcome_rows_of([decision_id])
    return sorted(Entry.objects.filter(about_id__in=ids).order_by(), key=lambda entry: entry.id) if ids else []


def outcome_rows_of(decision_ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """The ids of all outcomes of decisions."""
    return list(Outcome.objects.filter(decision_id__in=decision_ids).values_list("pk", flat=True))
