"""Requests to let the callers of a live AI system do more, or for longer, when they lose contact."""

from django.db import models
from django.db.models import Q

from governance.models.systems import AISystem
from ledger.rows import GovernedRow


class FailPolicyRequest(GovernedRow):
    """Somebody asks for a milder fail policy; somebody else approves. Bound to the policy as it stood."""

    class Status(models.TextChoices):
        OPEN = "open", "waits for a second person"
        APPROVED = "approved"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"
        VOID = "void"

    ERASABLE_FIELDS = ("note",)

    system = models.ForeignKey(AISystem, models.PROTECT, related_name="fail_policy_requests")
    max_staleness_s = models.PositiveIntegerField()
    safe_mode = models.CharField(max_length=16, choices=AISystem.SafeMode.choices)
    against_staleness_s = models.PositiveIntegerField()
    against_mode = models.CharField(max_length=16, choices=AISystem.SafeMode.choices)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.OPEN)
    requested_by_id = models.UUIDField()
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_by_id = models.UUIDField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "fail policy requests"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint("system", condition=Q(status="open"), name="fail_policy_request_open_once"),
            models.CheckConstraint(
                condition=~Q(status="approved")
                | (Q(decided_by_id__isnull=False) & ~Q(decided_by_id=models.F("requested_by_id"))),
                name="fail_policy_loosened_by_two",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system}: {self.max_staleness_s} s, then {self.safe_mode}"
