"""Configurations as they were, kept under the digest that decisions name."""

from django.db import models

from governance.models.systems import AISystem
from governance.models.versions import digest
from ledger.rows import GovernedRow


class ConfigurationSnapshot(GovernedRow):
    """The exact bytes of one configuration of an AI system. Never edited: another content has another digest."""

    ERASABLE_FIELDS = ("content",)

    system = models.ForeignKey(AISystem, models.PROTECT, related_name="configurations")
    digest = models.CharField(max_length=150, validators=[digest])
    size = models.PositiveIntegerField()
    """In bytes."""
    content = models.TextField()
    """A JSON document as it was sent."""

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint("system", "digest", name="configuration_once")]

    def __str__(self) -> str:
        return self.digest
