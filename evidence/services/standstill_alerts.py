"""Alerts about exports, purges and erasures that do not come to their end by themselves. Each ends by itself."""

from evidence import standstills
from evidence.standstills import Standing
from ledger.entries import Actor
from notices.models import Alert
from notices.services import open_alert
from notices.services.alerts import close_what_ended


def watch_standstills(*, actor: Actor) -> int:
    """One alert for each kind of work that stands still, however much of it does. Returns how many kinds do."""
    found: dict[str, tuple[Standing, str]] = {
        "export.not_made": (standstills.unmade_exports(), "Exports are made again, or none waits."),
        "export.failing": (standstills.failing_exports(), "None fails again and again any more."),
        "export.not_deleted": (standstills.undeleted_exports(), "The files whose time was over are deleted."),
        "purge.standing_still": (standstills.still_purges(), "It went on, or was stopped."),
        "erasure.standing_still": (standstills.still_erasures(), "They went on, or were stopped."),
    }
    for kind, (standing, ended) in found.items():
        if standing.number:
            _open(actor, kind, standing)
        else:
            _close(kind, ended)
    return sum(1 for standing, _ in found.values() if standing.number)


def _open(actor: Actor, kind: str, standing: Standing) -> None:
    facts = {"how_many": standing.number, "stands_since": standing.since.isoformat() if standing.since else None}
    open_alert(
        actor=actor,
        kind=kind,
        severity=Alert.Severity.WARNING,
        fingerprint=kind,
        facts=facts,
        occurrences=1,  # one state of affairs, however often it is looked at
    )


def _close(fingerprint: str, note: str) -> None:
    for alert in Alert.objects.filter(fingerprint=fingerprint).exclude(status=Alert.Status.CLOSED):
        close_what_ended(alert_id=alert.pk, note=note)
