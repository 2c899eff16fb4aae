"""What callers said about the state they obey, and what they did against it. Work tables: entries hold the evidence."""

from django.db import models
from django.db.models import F, Q

from config.database import Access
from config.ids import new_id
from overrides.standing import Epoch, Mode


class ClientInstance(models.Model):
    """One running instance of a client, for one AI system. All times are by the server's clock."""

    class LearnedBy(models.TextChoices):
        ACK = "ack"
        OFREP_ETAG = "ofrep-etag"
        """It asked with the state it holds: seen, never confirmed."""

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    system_id = models.UUIDField()
    environment = models.CharField(max_length=100)
    account_id = models.UUIDField()
    key_id = models.UUIDField()
    instance = models.CharField(max_length=100)
    client = models.CharField(max_length=100, blank=True)
    model_version = models.CharField(max_length=100, blank=True)
    learned_by = models.CharField(max_length=16, choices=LearnedBy.choices)
    first_heard_at = models.DateTimeField()
    heard_at = models.DateTimeField()
    seen_generation = models.BigIntegerField(default=0)
    seen_number = models.BigIntegerField(default=0)
    seen_at = models.DateTimeField(null=True)
    applied_generation = models.BigIntegerField(default=0)
    applied_number = models.BigIntegerField(default=0)
    applied_at = models.DateTimeField(null=True)
    applied_mode = models.CharField(max_length=16, blank=True)
    applied_by = models.CharField(max_length=16, blank=True)
    file_mode = models.CharField(max_length=16, blank=True)
    sealed_file_mode = models.CharField(max_length=16, blank=True)
    """What the log says of its file; the sweep seals a difference."""
    in_flight = models.PositiveIntegerField(null=True)
    drained_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("system_id", "environment", "account_id", "instance", name="client_instance_once")
        ]
        indexes = [models.Index("id", condition=~Q(file_mode=F("sealed_file_mode")), name="client_file_unsealed")]

    def __str__(self) -> str:
        return self.instance

    @property
    def seen_epoch(self) -> Epoch:
        return Epoch(self.seen_generation, self.seen_number)

    @property
    def applied_epoch(self) -> Epoch:
        return Epoch(self.applied_generation, self.applied_number)

    def obeys(self, mode: Mode) -> bool:
        """Whether what it says it applied is at least as restrictive."""
        return bool(self.applied_mode) and Mode(self.applied_mode).severity >= mode.severity


class BreachCount(models.Model):
    """How many effective decisions came against one change of a switch. The decisions themselves say so, sealed."""

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    system_id = models.UUIDField()
    switch_id = models.UUIDField()
    generation = models.BigIntegerField()
    number = models.BigIntegerField()
    count = models.PositiveIntegerField()
    alerted_count = models.PositiveIntegerField(default=0)
    first_decision_id = models.UUIDField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint("system_id", "switch_id", "generation", "number", name="breach_count_once")
        ]
        indexes = [models.Index("id", condition=~Q(count=F("alerted_count")), name="breach_count_untold")]

    def __str__(self) -> str:
        return f"{self.count} against {self.generation}.{self.number}"
