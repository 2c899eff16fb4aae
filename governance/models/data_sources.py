"""Where the data of model versions comes from, who answers for it, and which versions depend on it."""

from django.db import models
from django.db.models import Q

from governance.models.people import Person
from governance.models.systems import clear, slug
from governance.models.versions import ModelVersion, digest
from ledger.rows import GovernedRow


class DataSource(GovernedRow):
    """One source of data, registered once for the whole organisation: so it shows what else hangs on it."""

    class Kind(models.TextChoices):
        DATASET = "dataset", "data set"
        FEED = "feed", "feed of records"
        DATABASE = "database"
        DOCUMENTS = "documents", "collection of documents"
        SERVICE = "service", "service that is asked"
        MODEL = "model", "another model's output"

    class PersonalData(models.TextChoices):
        UNKNOWN = "unknown"
        NONE = "none"
        PSEUDONYMOUS = "pseudonymous"
        IDENTIFIED = "identified"

    ERASABLE_FIELDS = ("name", "description", "provider", "location", "legal_basis")

    slug = models.CharField(max_length=100, unique=True, validators=[slug])
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.DATASET)
    description = models.TextField(blank=True)
    provider = models.CharField(max_length=200, blank=True)
    location = models.CharField(max_length=500, blank=True)
    personal_data = models.CharField(max_length=16, choices=PersonalData.choices, default=PersonalData.UNKNOWN)
    legal_basis = models.TextField(blank=True)
    owner = models.ForeignKey(Person, models.PROTECT, related_name="data_sources")
    """Who answers for what is in it."""
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name or self.slug


class DataDependency(GovernedRow):
    """That a model version uses a source, for what, and which state of it."""

    class Use(models.TextChoices):
        TRAINING = "training"
        VALIDATION = "validation"
        EVALUATION = "evaluation"
        INPUT = "input", "read when it decides"
        REFERENCE = "reference", "reference database"

    ERASABLE_FIELDS = ("note",)

    model_version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="dependencies")
    source = models.ForeignKey(DataSource, models.PROTECT, related_name="dependencies")
    use = models.CharField(max_length=16, choices=Use.choices)
    snapshot = models.CharField(max_length=100, blank=True, validators=[clear])
    """Which state of the source: its version, or a date."""
    digest = models.CharField(max_length=150, blank=True, validators=[digest])
    note = models.TextField(blank=True)
    removed_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name_plural = "data dependencies"
        ordering = ["use", "id"]
        constraints = [
            models.UniqueConstraint(
                "model_version", "source", "use", condition=Q(removed_at=None), name="data_dependency_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model_version}: {self.source}, {self.get_use_display()}"
