"""What turned out to be true of decisions."""

from django.db import models

from governance.models.systems import clear
from ledger.rows import GovernedRow


class Outcome(GovernedRow):
    """What would have been right, in the words of the decision's own outcomes. Never changed; a later one corrects."""

    ERASABLE_FIELDS = ("note",)

    decision_id = models.UUIDField()
    system_id = models.UUIDField()
    account_id = models.UUIDField(null=True, blank=True)
    person_id = models.UUIDField(null=True, blank=True)
    outcome = models.CharField(max_length=100, validators=[clear])
    value = models.FloatField(null=True, blank=True)
    """What was measured, where that is a number."""
    observed_at = models.DateTimeField()
    received_at = models.DateTimeField()
    corrects = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="corrected_by")
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(account_id__isnull=False, person_id__isnull=True)
                | models.Q(account_id__isnull=True, person_id__isnull=False),
                name="outcome_said_by_one",
            ),
            models.CheckConstraint(condition=~models.Q(corrects=models.F("id")), name="outcome_corrects_another"),
        ]
        indexes = [
            models.Index("decision_id", name="outcome_decision"),
            models.Index("system_id", "received_at", name="outcome_system"),
        ]

    def __str__(self) -> str:
        return f"outcome of {self.decision_id}"
