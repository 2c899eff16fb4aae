"""What the register must know of serious incidents: whether a system may be changed already (article 73(6))."""

import uuid
from collections.abc import Collection

from governance.models import UninformedIncident


def settle_uninformed(*, incident_id: uuid.UUID, system_ids: Collection[uuid.UUID]) -> None:
    """Inside the act that changed it: the AI systems that wait for the authority to be informed of this incident."""
    held = UninformedIncident.objects.filter(incident_id=incident_id)
    held.exclude(system_id__in=system_ids).delete()
    UninformedIncident.objects.bulk_create(
        [UninformedIncident(incident_id=incident_id, system_id=each) for each in system_ids], ignore_conflicts=True
    )
