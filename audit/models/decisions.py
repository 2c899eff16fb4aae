"""Decisions and their payloads, partitioned by month of their UUIDv7 id.

A decision holds nothing erasable and refuses every UPDATE: its columns repeat what its entry says, so that they can be
filtered, and `verify_logs` compares the two. What is erasable stands, with the secret of its commitments, in the
payload.
"""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from config.database import Access

FLAGGED, FAILED = ~models.Q(flags=[]), ~models.Q(error_type="")
UNDIGESTED = models.Q(input_digest__isnull=True, input__isnull=False)


class Decision(models.Model):
    """One output of one model version, as it happened."""

    class AIRole(models.TextChoices):
        SOLE = "sole"
        DETERMINATIVE = "determinative"
        ADVISORY = "advisory"
        TRIAGE = "triage"

    class Phase(models.TextChoices):
        EFFECTIVE = "effective"
        PROPOSED = "proposed"

    DB_ACCESS = Access.APPEND

    id = models.UUIDField(primary_key=True, editable=False)
    log_id = models.UUIDField()
    leaf_index = models.BigIntegerField()
    # Ids of rows on lower floors and of other decisions: uuids without a database constraint.
    system_id = models.UUIDField()
    service_account_id = models.UUIDField()
    environment = models.CharField(max_length=100)
    model_version = models.CharField(max_length=100)
    model_version_id = models.UUIDField(null=True)
    """None where the version was unknown and the day's number of automatic registrations was used up."""
    capability = models.CharField(max_length=100, blank=True, default="")
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    outcome = models.CharField(max_length=100)
    error_type = models.CharField(max_length=100, blank=True, default="")
    confidence = models.FloatField(null=True)
    score = models.FloatField(null=True)
    threshold = models.FloatField(null=True)
    ai_role = models.CharField(max_length=16, choices=AIRole.choices)
    adverse = models.BooleanField(null=True)
    phase = models.CharField(max_length=16, choices=Phase.choices)
    config_digest = models.CharField(max_length=150, blank=True, default="")
    model_digest = models.CharField(max_length=150, blank=True, default="")
    prompt_version = models.CharField(max_length=100, blank=True, default="")
    parent_id = models.UUIDField(null=True)
    source_id = models.UUIDField(null=True)
    source_seq = models.BigIntegerField(null=True)
    control_epoch = models.CharField(max_length=100, blank=True, default="")
    latency_ms = models.FloatField(null=True)
    # Who answered for it when it was recorded, and when it occurred where that was somebody else.
    accountable_id = models.UUIDField(null=True)
    assignment_id = models.UUIDField(null=True)
    accountable_accepted = models.BooleanField(default=False)
    occurred_accountable_id = models.UUIDField(null=True)
    occurred_assignment_id = models.UUIDField(null=True)
    # What the caller was told to do.
    directive_action = models.CharField(max_length=16)
    directive_reason = models.CharField(max_length=100, blank=True, default="")
    directive_mode = models.CharField(max_length=16)
    directive_epoch = models.CharField(max_length=100)
    review_id = models.UUIDField(null=True)
    flags = ArrayField(models.CharField(max_length=40), default=list)

    class Meta:
        ordering = ["-recorded_at", "-id"]
        indexes = [
            models.Index("recorded_at", "id", name="decision_recorded"),
            models.Index("system_id", "recorded_at", "id", name="decision_system"),
            models.Index("parent_id", "id", condition=models.Q(parent_id__isnull=False), name="decision_parent"),
            # for what is rare among all, and asked for often
            models.Index("system_id", "recorded_at", "id", condition=FLAGGED, name="decision_flagged"),
            models.Index("system_id", "recorded_at", "id", condition=FAILED, name="decision_failed"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Payload(models.Model):
    """A decision's parts and refs, byte for byte, with the secret of their commitments."""

    DB_ACCESS = Access.ERASABLE
    ERASED_TOGETHER = (
        *("secret", "input", "output", "explanation", "context", "refs", "subject", "label_terms", "input_digest"),
    )

    id = models.UUIDField(primary_key=True, editable=False)
    secret = models.BinaryField(null=True)
    input = models.BinaryField(null=True)
    output = models.BinaryField(null=True)
    explanation = models.BinaryField(null=True)
    context = models.BinaryField(null=True)
    refs = models.BinaryField(null=True)
    # Copies out of refs, to search by; among the terms of labels stand conversation and trace.
    subject = models.CharField(max_length=200, null=True)
    label_terms = ArrayField(models.TextField(), null=True)
    input_digest = models.BigIntegerField(null=True)
    """Leads to payloads with the same input (`audit.input_digests`)."""

    class Meta:
        indexes = [
            models.Index("subject", "id", condition=models.Q(subject__isnull=False), name="payload_subject"),
            GinIndex("label_terms", condition=models.Q(label_terms__isnull=False), name="payload_labels"),
            models.Index("input_digest", condition=models.Q(input_digest__isnull=False), name="payload_input"),
            # what the digest leads nobody to: from before there was one, or while there was no key
            models.Index("id", condition=UNDIGESTED, name="payload_undigested"),
        ]

    def __str__(self) -> str:
        return f"payload of {self.id}"
