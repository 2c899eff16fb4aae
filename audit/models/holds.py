"""Legal holds: what must not be erased, whatever retention says, until two people lift it."""

from django.db import models
from django.db.models import F, Q

from audit.models.cases import MAX_TEXT, Case
from ledger.rows import GovernedRow


class LegalHold(GovernedRow):
    """On a case: every decision that was ever attached, or will be. Else on one AI system's decisions of a span."""

    class Status(models.TextChoices):
        IN_FORCE = "in_force", "in force"
        LIFT_REQUESTED = "lift_requested", "in force, somebody asks to lift it"
        LIFTED = "lifted"

    ERASABLE_FIELDS = ("reason", "lift_reason")

    case = models.ForeignKey(Case, models.PROTECT, null=True, blank=True, related_name="holds")
    system_id = models.UUIDField(null=True, blank=True)
    since = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    """Recorded at or after `since`, and before `until`."""
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.IN_FORCE)
    reason = models.TextField(max_length=MAX_TEXT)
    placed_by_id = models.UUIDField(null=True, blank=True)
    """None: the server, when an incident was declared."""
    lift_requested_by_id = models.UUIDField(null=True, blank=True)
    lift_requested_at = models.DateTimeField(null=True, blank=True)
    lift_reason = models.TextField(blank=True, max_length=MAX_TEXT)
    lifted_by_id = models.UUIDField(null=True, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(case__isnull=False, system_id__isnull=True, since__isnull=True, until__isnull=True)
                | Q(
                    case__isnull=True,
                    system_id__isnull=False,
                    since__isnull=False,
                    until__isnull=False,
                    until__gt=F("since"),
                ),
                name="hold_on_a_case_or_a_span",
            ),
            models.UniqueConstraint("case", condition=~Q(status="lifted"), name="hold_once_a_case"),
            models.CheckConstraint(
                condition=Q(status="lifted", lifted_by_id__isnull=False, lifted_at__isnull=False)
                | ~Q(status="lifted") & Q(lifted_by_id__isnull=True, lifted_at__isnull=True),
                name="hold_lifted_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(status="in_force", lift_requested_by_id__isnull=True)
                | ~Q(status="in_force") & Q(lift_requested_by_id__isnull=False, lift_requested_at__isnull=False),
                name="hold_lift_is_asked_for",
            ),
            models.CheckConstraint(condition=~Q(lifted_by_id=F("lift_requested_by_id")), name="hold_lifted_by_another"),
        ]

    def __str__(self) -> str:
        return f"Legal hold of {self.created_at:%Y-%m-%d}"

    @property
    def is_in_force(self) -> bool:
        return self.status != self.Status.LIFTED
