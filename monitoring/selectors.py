"""Reading outcomes."""

import uuid
from collections.abc import Collection

from django.db.models import QuerySet

from monitoring.models import Outcome


def outcomes_of(decision_id: uuid.UUID) -> QuerySet[Outcome]:
    """All that was ever said of a decision, the newest first."""
    return Outcome.objects.filter(decision_id=decision_id).order_by("-received_at", "-id")


def known_outcomes(decision_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """What counts as true of each decision: the last outcome that nothing corrects. One query."""
    rows = Outcome.objects.filter(decision_id__in=decision_ids, corrected_by=None).order_by("received_at", "id")
    return dict(rows.values_list("decision_id", "outcome"))
