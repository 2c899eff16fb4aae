"""Grants: that somebody may read payloads of an AI system until a day, since a data protection officer agreed."""

from django.db import models
from django.db.models import F, Q

from audit.models.cases import MAX_TEXT
from ledger.rows import GovernedRow


class PayloadGrant(GovernedRow):
    """Asked for by whoever wants to read; of decisions recorded within a span, where one is given."""

    class Status(models.TextChoices):
        REQUESTED = "requested", "waits for a data protection officer"
        GRANTED = "granted"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"
        ENDED = "ended", "ended before its day"

    ERASABLE_FIELDS = ("reason", "answer")

    person_id = models.UUIDField()
    """Who asked, and reads."""
    system_id = models.UUIDField()
    since = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    """Recorded at or after `since`, and before `until`; none: no bound."""
    ends_at = models.DateTimeField()
    """The day after which nothing is read by it."""
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.REQUESTED)
    reason = models.TextField(max_length=MAX_TEXT)
    requested_at = models.DateTimeField()
    decided_by_id = models.UUIDField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(blank=True, max_length=MAX_TEXT)
    ended_by_id = models.UUIDField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index("person_id", "ends_at", condition=Q(status="granted"), name="grant_in_force")]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("requested_at")), name="grant_has_a_day"),
            models.CheckConstraint(
                condition=Q(since__isnull=True) | Q(until__isnull=True) | Q(until__gt=F("since")),
                name="grant_of_a_span",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["requested", "withdrawn"], decided_by_id__isnull=True, decided_at__isnull=True)
                | Q(status__in=["granted", "refused", "ended"], decided_by_id__isnull=False, decided_at__isnull=False),
                name="grant_decided_by_somebody",
            ),
            models.CheckConstraint(condition=~Q(decided_by_id=F("person_id")), name="grant_decided_by_another"),
            models.CheckConstraint(
                condition=Q(status="ended", ended_at__isnull=False) | ~Q(status="ended") & Q(ended_at__isnull=True),
                name="grant_ended_when",
            ),
            models.UniqueConstraint(
                "person_id", "system_id", condition=Q(status="requested"), name="grant_asked_for_once"
            ),
        ]

    def __str__(self) -> str:
        return f"Payload grant asked for on {self.requested_at:%Y-%m-%d}"
