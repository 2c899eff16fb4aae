"""What quarantine holds of somebody who leaves: an inner step of `evidence.services.leaving`, which asks the right."""

import uuid

from django.utils import timezone

from intake.kinds import DISMISSAL_REFUSED
from intake.models import QuarantineCase
from intake.services.replays import write_case
from ledger.entries import Actor
from ledger.sealing import Seal

Status = QuarantineCase.Status


def void_dismissals(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    """Records that they wanted to give up wait again. Returns how many."""
    rows = QuarantineCase.objects.select_for_update(no_key=True, of=("self",)).select_related("record")
    waiting = list(
        rows.filter(
            requested_by_id=person_id, status=Status.DISMISSAL_REQUESTED, record__original__isnull=False
        ).order_by("pk")
    )
    for case in waiting:
        case.status, case.decided_by_id, case.decided_at = Status.WAITING, actor.id, timezone.now()
        write_case(seal, actor, DISMISSAL_REFUSED, case.record, case, "Whoever asked for it has left.")
    return len(waiting)
