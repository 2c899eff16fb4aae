"""AI systems and the environments they run in."""

from django.core.validators import RegexValidator
from django.db import models

from ledger.rows import GovernedRow

clear = RegexValidator(r"^[A-Za-z0-9_.:/+-]{1,100}\Z", "Use 1 to 100 of A-Z, a-z, 0-9 and _.:/+-")
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

    class SafeMode(models.TextChoices):
        """What a caller falls into when it has not heard from us for too long."""

        RUN = "run"
        REVIEW = "review"
        FALLBACK = "fallback"
        STOP = "stop"

    class FallbackKind(models.TextChoices):
        MODEL_VERSION = "model_version", "an earlier model version"
        RULE = "rule", "a rule"
        PROCESS = "process", "a process of people"

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

    # What its callers do when they lose contact, and what stands in for it in fallback.
    max_staleness_s = models.PositiveIntegerField(null=True, blank=True)
    """For how long the last known state counts; None takes what the risk class asks for."""
    safe_mode = models.CharField(max_length=16, choices=SafeMode.choices, blank=True)
    fallback_kind = models.CharField(max_length=16, choices=FallbackKind.choices, blank=True)
    fallback = models.CharField(max_length=100, blank=True, validators=[clear])
    """Which version, rule or desk stands in: without one, the mode fallback is refused."""

    class Meta:
        verbose_name = "AI system"
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(fallback="", fallback_kind="")
                | (~models.Q(fallback="") & ~models.Q(fallback_kind="")),
                name="fallback_has_a_kind",
                violation_error_message="Say what stands in, and of which kind it is.",
            ),
            models.CheckConstraint(
                condition=models.Q(max_staleness_s=None) | models.Q(max_staleness_s__range=(5, 604_800)),
                name="staleness_within_a_week",
                violation_error_message="Between 5 seconds and a week.",
            ),
        ]

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
