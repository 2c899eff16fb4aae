"""What evidence keeps: the self-audit's progress, and, for the steps to come, witnesses, time-stamps and bundles."""

from django.db import models
from django.db.models.functions import Now

from config.database import Access
from config.ids import new_id
from ledger.models import Checkpoint, Log


class AuditProgress(models.Model):
    """How far the self-audit has verified a log, and what it found first."""

    DB_ACCESS = Access.WORK

    log = models.OneToOneField(Log, models.PROTECT, primary_key=True, related_name="audit_progress")
    next_index = models.BigIntegerField(default=0)
    frontier = models.BinaryField(null=True)
    attempted_at = models.DateTimeField(null=True)
    """When it was last this log's turn, whatever came of it."""
    pass_started_at = models.DateTimeField(null=True)
    pass_finished_at = models.DateTimeField(null=True)
    findings = models.JSONField(default=list)

    class Meta:
        verbose_name_plural = "audit progress"

    def __str__(self) -> str:
        return f"{self.log_id} at {self.next_index}"


class WalkProgress(models.Model):
    """How far the self-audit has looked through a table for rows that no entry leads to."""

    DB_ACCESS = Access.WORK

    walk = models.CharField(max_length=100, primary_key=True)
    cursor = models.UUIDField(null=True)
    attempted_at = models.DateTimeField(null=True)
    pass_started_at = models.DateTimeField(null=True)
    pass_finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "walk progress"

    def __str__(self) -> str:
        return f"{self.walk} at {self.cursor}"


class Cosignature(models.Model):
    """A witness's line under a checkpoint."""

    DB_ACCESS = Access.APPEND

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    checkpoint = models.ForeignKey(Checkpoint, models.PROTECT, related_name="cosignatures")
    witness = models.CharField(max_length=255)
    line = models.TextField()
    received_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.witness} on {self.checkpoint_id}"


class Timestamp(models.Model):
    """An RFC 3161 time-stamp over a checkpoint."""

    DB_ACCESS = Access.APPEND

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    checkpoint = models.ForeignKey(Checkpoint, models.PROTECT, related_name="timestamps")
    authority = models.CharField(max_length=255)
    token = models.BinaryField()
    received_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.authority} on {self.checkpoint_id}"


class EvidenceBundle(models.Model):
    """A bundle that was built: what was asked, and the digest of what was handed out."""

    DB_ACCESS = Access.APPEND

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    checkpoint = models.ForeignKey(Checkpoint, models.PROTECT, related_name="bundles")
    entry_id = models.UUIDField()
    first_index = models.BigIntegerField()
    end_index = models.BigIntegerField()
    digest = models.CharField(max_length=80)
    built_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"bundle {self.id}"
