"""Model versions: exactly what ran."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from governance.models.systems import AISystem, clear
from governance.models.writers import not_by_a_writer
from ledger.rows import GovernedRow

digest = RegexValidator(r"^[a-z0-9]{2,16}:[0-9a-f]{16,128}\Z", "Write alg:hex, for example sha256:9f86d0…")


class ModelVersion(GovernedRow):
    """One version of what an AI system runs."""

    class Status(models.TextChoices):
        UNVERIFIED = "unverified"
        """First seen on a decision; nobody has vouched for it."""
        REGISTERED = "registered"
        PROPOSED = "proposed", "proposed: waits for a second person"
        APPROVED = "approved"
        LIVE = "live"
        RETIRED = "retired"

    PROMOTED = (Status.APPROVED, Status.LIVE)
    SETTLED = (*PROMOTED, Status.RETIRED)
    """What it is was looked at, and is not changed any more."""
    ERASABLE_FIELDS = ("name", "provider", "base_model", "notes")

    system = models.ForeignKey(AISystem, models.PROTECT, related_name="model_versions")
    version = models.CharField(max_length=100, validators=[clear])
    name = models.CharField(max_length=200, blank=True)
    provider = models.CharField(max_length=200, blank=True)
    base_model = models.CharField(max_length=200, blank=True)
    """What it was made from, as its provider calls it."""
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


class VersionPromotion(GovernedRow):
    """That somebody proposed a model version to run, why, and what became of it."""

    class Status(models.TextChoices):
        OPEN = "open", "waits for a second person"
        APPROVED = "approved"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    ERASABLE_FIELDS = ("reason", "answer")

    model_version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="promotions")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.OPEN)
    reason = models.TextField()
    """The requester's, as whoever decides reads it."""
    gates = models.JSONField(default=list)
    """What was looked at when it was decided, or proposed while it waits: code, title, is it met, does it block."""
    written_by = ArrayField(models.UUIDField(), default=list, blank=True)
    """Everybody who said what the version is, or what it depends on: none of them approves it."""
    requested_by_id = models.UUIDField()
    requested_at = models.DateTimeField()
    decided_by_id = models.UUIDField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint("model_version", condition=Q(status="open"), name="promotion_open_once"),
            models.CheckConstraint(
                condition=~Q(status="approved")
                | (Q(decided_by_id__isnull=False) & ~Q(decided_by_id=F("requested_by_id"))),
                name="promotion_approved_by_another",
            ),
            models.CheckConstraint(
                condition=~Q(status="approved") | Q(not_by_a_writer("decided_by_id")),
                name="promotion_not_approved_by_a_writer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_version}, {self.get_status_display()}"
