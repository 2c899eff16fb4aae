"""Alerts that nobody acknowledged in time: told to deputies and administrators as well. Once each."""

import uuid
from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from governance import rights
from governance.acts import Role
from governance.models import Assignment, Person
from ledger.entries import SERVER
from ledger.errors import CANNOT_SEAL_NOW
from ledger.sealing import sealing
from notices.kinds import ALERT_ESCALATED
from notices.models import Alert
from notices.outbox import announce, tell
from notices.services.alerts import seal_late, write_alert

AT_ONCE = 200


def escalate_alerts() -> int:
    """Tell others of the alerts that are open for `ALERT_ESCALATION_HOURS`. Returns how many."""
    before = timezone.now() - timedelta(hours=settings.ALERT_ESCALATION_HOURS)
    late = Alert.objects.filter(status=Alert.Status.OPEN, escalated_at=None, opened_at__lt=before).order_by("id")
    return sum(_escalate(pk) for pk in list(late.values_list("pk", flat=True)[:AT_ONCE]))


def _escalate(alert_id: uuid.UUID) -> bool:
    try:
        with sealing() as seal:
            alert = Alert.objects.select_for_update(no_key=True).get(pk=alert_id)
            if alert.status != Alert.Status.OPEN or alert.escalated_at:
                return False
            seal_late(seal, alert)
            alert.escalated_at = timezone.now()
            write_alert(seal, SERVER, ALERT_ESCALATED, alert)
            _tell_others(alert)
    except CANNOT_SEAL_NOW:
        return False  # found again by the next sweep
    return True


def _tell_others(alert: Alert) -> None:
    for person in others(alert):
        tell(
            person_id=person.pk,
            kind="alert.escalated",
            fingerprint=f"alert.escalated:{alert.pk}",
            facts={"alert": str(alert.pk)},
            is_urgent=alert.severity == Alert.Severity.CRITICAL,
        )
    announce(
        event="alert.escalated",
        system_id=alert.system_id,
        about_id=alert.pk,
        facts={"kind": alert.kind, "severity": str(alert.severity)},
    )


def others(alert: Alert) -> QuerySet[Person]:
    """The deputies of its AI system and the administrators, but for the owner, who knows already."""
    people = rights.administrators().values("person_id")
    if alert.system_id:
        deputies = rights.in_force().filter(role=Role.DEPUTY, scope=Assignment.Scope.SYSTEM, system_id=alert.system_id)
        people = people.union(deputies.values("person_id"))
    ids = {row["person_id"] for row in people}
    return Person.objects.filter(pk__in=ids - {alert.owner_id})
