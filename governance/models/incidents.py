"""Serious incidents of which no authority knows yet: the cases are the record's, the gate is the register's."""

from django.db import models
from django.utils import timezone

from config.database import Access
from governance.models.systems import AISystem


class UninformedIncident(models.Model):
    """An open serious incident of an AI system, until somebody says that the authority was informed.

    Written with the incident's own entries, and gone when it is closed or the authority was informed.
    """

    DB_ACCESS = Access.WORK

    id = models.BigAutoField(primary_key=True)
    system = models.ForeignKey(AISystem, models.PROTECT, related_name="uninformed_incidents")
    incident_id = models.UUIDField()
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint("incident_id", "system", name="uninformed_incident_once")]

    def __str__(self) -> str:
        return f"Incident {self.incident_id}"
