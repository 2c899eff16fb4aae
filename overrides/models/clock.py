"""The clock of all controls."""

from django.db import models
from django.db.models.functions import Now

from config.database import Access


class ControlClock(models.Model):
    """One row: the epoch. Whoever changes a control advances it first, so that changes wait for each other and epochs
    become visible in their order."""

    DB_ACCESS = Access.WORK

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    generation = models.BigIntegerField()
    number = models.BigIntegerField()
    changed_at = models.DateTimeField(db_default=Now())
    register_digest = models.BinaryField(null=True)
    """Of what clients read of the register: a new one is a new epoch (`overrides.services.register_watch`)."""

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="control_clock_once")]

    def __str__(self) -> str:
        return f"{self.generation}.{self.number}"
