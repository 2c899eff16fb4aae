"""Model versions: exactly what ran."""

from django.core.validators import RegexValidator
from django.db import models

from governance.models.systems import AISystem, clear
from ledger.rows import GovernedRow

digest = RegexValidator(r"^[a-z0-9]{2,16}:[0-9a-f]{16,128}\Z", "Write alg:hex, for example sha256:9f86d0…")


class ModelVersion(GovernedRow):
    """One version of what an AI system runs."""

    class Status(models.TextChoices):
        UNVERIFIED = "unverified"
        """First seen on a decision; nobody has vouched for it."""
        REGISTERED = "registered"
        APPROVED = "approved"
        RETIRED = "retired"

    ERASABLE_FIELDS = ("name", "provider", "notes")

    system = models.ForeignKey(AISystem, models.PROTECT, related_name="model_versions")
    version = models.CharField(max_length=100, validators=[clear])
    name = models.CharField(max_length=200, blank=True)
    provider = models.CharField(max_length=200, blank=True)
    notes = models.TextField(blank=True)
    model_digest = models.CharField(max_length=150, blank=True, validators=[digest])
    configuration = models.JSONField(default=dict, blank=True)
    config_digest = models.CharField(max_length=150, blank=True, validators=[digest])
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.REGISTERED)

    class Meta:
        constraints = [models.UniqueConstraint("system", "version", name="model_version_once")]
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.version
