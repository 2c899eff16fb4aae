"""AI systems and the environments they run in."""

from django.core.validators import RegexValidator
from django.db import models

from ledger.rows import GovernedRow

slug = RegexValidator(r"^[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?\Z", "Use 1 to 100 of a-z, 0-9 and -, no - at an end.")


class AISystem(GovernedRow):
    """What decides."""

    class RiskClass(models.TextChoices):
        """After Regulation (EU) 2024/1689: article 5, article 6, article 50, and all other systems."""

        UNCLASSIFIED = "unclassified"
        MINIMAL = "minimal"
        LIMITED = "limited"
        HIGH = "high"
        PROHIBITED = "prohibited"

    class Status(models.TextChoices):
        DRAFT = "draft"
        LIVE = "live"
        RETIRED = "retired"

    ERASABLE_FIELDS = (
        "name",
        "intended_purpose",
        "provider",
        "safe_state",
        "shutdown_steps",
        "shutdown_contacts",
    )

    slug = models.CharField(max_length=100, unique=True, validators=[slug])
    name = models.CharField(max_length=200)
    intended_purpose = models.TextField(blank=True)
    provider = models.CharField(max_length=200, blank=True)
    risk_class = models.CharField(max_length=16, choices=RiskClass.choices, default=RiskClass.UNCLASSIFIED)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.DRAFT)
    # The written shutdown procedure, without which no system goes live.
    safe_state = models.TextField(blank=True)
    shutdown_steps = models.TextField(blank=True)
    shutdown_contacts = models.TextField(blank=True)

    class Meta:
        verbose_name = "AI system"
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name or self.slug


class Environment(GovernedRow):
    """Where an AI system runs: production, staging."""

    system = models.ForeignKey(AISystem, models.PROTECT, related_name="environments")
    slug = models.CharField(max_length=100, validators=[slug])
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    """Since when the AI system does not run there any more."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "system",
                "slug",
                name="environment_once",
                violation_error_message="This AI system has an environment of that name. One that ended is taken up "
                "again on its own page.",
            )
        ]
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug
