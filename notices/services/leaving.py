"""Alerts that somebody who leaves was to see to: an inner step of `evidence.services.leaving`, which asks the right."""

import uuid

from governance.models import Person
from governance.selectors import accountable_of
from ledger.entries import Actor
from ledger.sealing import Seal
from notices.kinds import ALERT_REASSIGNED
from notices.models import Alert
from notices.outbox import tell
from notices.services.alerts import seal_late, write_alert


def reassign_alerts(seal: Seal, actor: Actor, person_id: uuid.UUID, heir: Person | None) -> int:
    """To the heir; without one to whoever answers for the AI system; without one to the administrators.

    Call it once their assignments have ended. Returns how many.
    """
    rows = Alert.objects.select_for_update(no_key=True, of=("self",)).filter(owner_id=person_id)
    waiting = list(rows.exclude(status=Alert.Status.CLOSED).order_by("pk"))
    for alert in waiting:
        _reassign(seal, actor, alert, heir)
    return len(waiting)


def _reassign(seal: Seal, actor: Actor, alert: Alert, heir: Person | None) -> None:
    seal_late(seal, alert)
    answering = accountable_of(alert.system_id) if alert.system_id and heir is None else None
    alert.owner_id = heir.pk if heir else answering.person_id if answering else None
    write_alert(seal, actor, ALERT_REASSIGNED, alert)
    if alert.owner_id:
        facts = {"alert": str(alert.pk)}
        tell(person_id=alert.owner_id, kind="alert.opened", fingerprint=f"alert:{alert.pk}", facts=facts)
