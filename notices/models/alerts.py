"""Alerts: something that somebody must look at, opened, acknowledged, closed."""

from django.db import models

from config.database import Access
from ledger.rows import GovernedRow
from notices.alert_kinds import alert_title


class Alert(GovernedRow):
    """One alert. While it is open or acknowledged, no second one of the same `fingerprint` is opened."""

    class Severity(models.TextChoices):
        INFO = "info"
        WARNING = "warning"
        CRITICAL = "critical"

    class Status(models.TextChoices):
        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        CLOSED = "closed"

    ERASABLE_FIELDS = ("note",)
    UNSEALED_FIELDS = ("occurrences", "last_seen_at", "seal_pending", "escalated_at")

    kind = models.CharField(max_length=60)
    fingerprint = models.CharField(max_length=200)
    severity = models.CharField(max_length=16, choices=Severity.choices)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.OPEN)
    system_id = models.UUIDField(null=True, blank=True)
    owner_id = models.UUIDField(null=True, blank=True)
    """The person who answers for it when it opens."""
    about_id = models.UUIDField(null=True, blank=True)
    facts = models.JSONField(default=dict, blank=True)
    """Clear values only: what happened, in figures and ids; the page puts it into words."""
    note = models.TextField(blank=True)
    opened_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by_id = models.UUIDField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by_id = models.UUIDField(null=True, blank=True)
    occurrences = models.PositiveIntegerField(default=1)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    seal_pending = models.BooleanField(default=False, editable=False)
    """Its log took no entry when it opened: it stands without one, at revision 0, until the sweep can seal it."""
    escalated_at = models.DateTimeField(null=True, editable=False)
    """When others were told because nobody had acknowledged it. The entry `alert.escalated` says so for good."""

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint("fingerprint", condition=~models.Q(status="closed"), name="alert_open_once")
        ]
        indexes = [
            models.Index("fingerprint", name="alert_fingerprint"),
            models.Index("id", condition=models.Q(seal_pending=True), name="alert_waits"),
        ]

    def __str__(self) -> str:
        return alert_title(self.kind)


class GatheredAlert(models.Model):
    """One of many of a kind that came at once and went into one alert: told apart, so that each counts once."""

    DB_ACCESS = Access.WORK

    alert = models.ForeignKey(Alert, models.PROTECT, related_name="gathered")
    fingerprint = models.CharField(max_length=200)
    about_id = models.UUIDField(null=True)
    gathered_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint("alert", "fingerprint", name="gathered_once")]
        indexes = [models.Index("fingerprint", name="gathered_fingerprint")]

    def __str__(self) -> str:
        return self.fingerprint
