"""Live AI systems that nobody answers for."""

from governance import rights
from governance.acts import Role
from governance.models import AISystem, Assignment
from ledger.entries import SERVER
from notices.models import Alert
from notices.services.alerts import open_alert


def alert_gaps() -> int:
    """Open an alert for each live system without an accepted accountable person. Returns how many there are."""
    answered = rights.in_force().filter(role=Role.ACCOUNTABLE, scope=Assignment.Scope.SYSTEM).values("system_id")
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
    return len(gaps)
