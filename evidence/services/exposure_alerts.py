"""Alerts about anchoring: too much was seen by nobody outside for too long; what a witness claimed is settled."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from evidence.exposure import exposures
from evidence.models import Anchor, AnchorKind
from evidence.services.anchoring import parties
from ledger.entries import Actor
from notices.models import Alert
from notices.services import open_alert
from notices.services.alerts import close_what_ended

NOT_ANCHORED = "ledger.not_anchored"


def watch_exposure(*, actor: Actor) -> int:
    """Alert where entries have waited longer than configured for an anchor; one alert for all logs, ended by itself.

    Returns how many logs it is about. Without witnesses and authorities nothing is awaited, and nothing alerts.
    """
    oldest = timezone.now() - timedelta(minutes=settings.EXPOSURE_ALERT_MINUTES)
    late = [each for each in exposures() if each.since and each.since < oldest] if parties().is_any else []
    if not late:
        _close(NOT_ANCHORED, "Everything that waited was anchored, or nobody is asked any more.")
        return 0
    longest = min(late, key=lambda each: each.since or timezone.now())
    open_alert(
        actor=actor,
        kind="ledger.not_anchored",
        severity=Alert.Severity.WARNING,
        fingerprint=NOT_ANCHORED,
        about_id=longest.log_id,
        facts={
            "logs": len(late),
            "exposed": sum(each.entries for each in late),
            "exposed_since": longest.since.isoformat() if longest.since else None,
        },
        occurrences=1,  # one state of affairs, however often it is looked at
    )
    return len(late)


def close_settled_claims() -> int:
    """Close alerts about what a witness merely claimed, once it has cosigned again. Returns how many."""
    waiting = Alert.objects.filter(kind="ledger.witness_contradicts").exclude(status=Alert.Status.CLOSED)
    closed = 0
    for alert in waiting.filter(facts__proven="no"):
        whose = alert.fingerprint.rpartition(":")[2]
        anchor = Anchor.objects.filter(log=alert.about_id, kind=AnchorKind.WITNESS, identity__startswith=whose).first()
        if anchor and anchor.succeeded_at and anchor.is_well and anchor.succeeded_at > alert.opened_at:
            closed += close_what_ended(alert_id=alert.pk, note="The witness has cosigned this log again.")
    return closed


def _close(fingerprint: str, note: str) -> None:
    for alert in Alert.objects.filter(fingerprint=fingerprint).exclude(status=Alert.Status.CLOSED):
        close_what_ended(alert_id=alert.pk, note=note)
