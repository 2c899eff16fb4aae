"""Live AI systems that nobody answers for."""

from governance import rights
from governance.models import AISystem
from ledger.entries import SERVER
from notices.models import Alert
from notices.selectors import GAP
from notices.services.alerts import close_what_ended, open_alert


def alert_gaps() -> int:
    """Open an alert for each live system without an accepted accountable person, and close those of systems that have
    one again, or are not live any more. Returns how many gaps there are."""
    answered = rights.answering().values("system_id")
    gaps = list(AISystem.objects.filter(status=AISystem.Status.LIVE).exclude(pk__in=answered))
    for system in gaps:
        open_alert(
            actor=SERVER,
            kind="accountability.gap",
            severity=Alert.Severity.CRITICAL,
            fingerprint=f"accountability.gap:{system.pk}",
            system_id=system.pk,
            about_id=system.pk,
            facts={"system": str(system.pk)},
            occurrences=1,  # one state of affairs, however often it is looked at
        )
    over = Alert.objects.filter(kind=GAP).exclude(status=Alert.Status.CLOSED)
    for alert in over.exclude(system_id__in=[system.pk for system in gaps]):
        close_what_ended(alert_id=alert.pk, note="Somebody answers for it again, or it is not live any more.")
    return len(gaps)
