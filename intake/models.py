"""What intake keeps beside the decisions: quarantine, sources, callers' own keys."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from config.database import Access
from config.ids import new_id
from ledger.rows import GovernedRow


class ExternalId(models.Model):
    """The id that was made for a caller's own key. Holds a keyed hash of it; erased with the decision."""

    DB_ACCESS = Access.WORK

    pk = models.CompositePrimaryKey("system_id", "digest")
    system_id = models.UUIDField()
    digest = models.BinaryField()
    decision_id = models.UUIDField()

    def __str__(self) -> str:
        return f"{self.decision_id}"


class QuarantinedRecord(models.Model):
    """A record refused for its content, as it arrived. What is done about it stands in its `QuarantineCase`."""

    DB_ACCESS = Access.ERASABLE
    ERASED_TOGETHER = ("secret", "original", "problems")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    """Also the id that a replay records the decision under."""
    account_id = models.UUIDField()
    key_row_id = models.UUIDField()
    system_id = models.UUIDField(null=True)
    environment = models.CharField(max_length=100)
    problem_code = models.CharField(max_length=60)
    secret = models.BinaryField(null=True)
    original = models.BinaryField(null=True)
    problems = models.JSONField(null=True)
    is_truncated = models.BooleanField(default=False)
    """Of bodies that cannot be read, only the first 64 KiB are kept."""
    original_size = models.BigIntegerField()
    original_digest = models.CharField(max_length=80)
    received_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index("key_row_id", "id", name="quarantine_key"),
            models.Index("key_row_id", "original_digest", name="quarantine_digest"),
            # what goes by its age: of records that were erased the row stays, and is looked at no more
            models.Index(
                "system_id", "received_at", condition=models.Q(original__isnull=False), name="quarantine_kept"
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class QuarantineCase(GovernedRow):
    """What people did about a quarantined record: corrected, replayed, dismissed by two."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        DISMISSAL_REQUESTED = "dismissal_requested", "dismissal requested"
        REPLAYED = "replayed"
        DISMISSED = "dismissed"

    ERASABLE_FIELDS = ("corrections",)

    record = models.OneToOneField(QuarantinedRecord, models.PROTECT, related_name="case")
    corrections = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=24, choices=Status.choices, default=Status.WAITING)
    decision_id = models.UUIDField(null=True, blank=True)
    requested_by_id = models.UUIDField(null=True, blank=True)
    decided_by_id = models.UUIDField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.status} {self.record_id}"


class Source(GovernedRow):
    """One counter's life: belongs to the service account that first used it."""

    account_id = models.UUIDField()
    slug = models.CharField(max_length=100)
    system_id = models.UUIDField(null=True, blank=True)
    """The AI system of its first decision; none while there were heartbeats alone."""
    expected_every_s = models.PositiveIntegerField(null=True, blank=True)
    """How long it may be silent, where somebody said so."""
    ended_at = models.DateTimeField(null=True, blank=True)
    """When somebody said that it has ended. Heard again, it is watched again."""

    class Meta:
        constraints = [models.UniqueConstraint("account_id", "slug", name="source_once")]
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.slug


class SourceState(models.Model):
    """What tailing the entries has found out about a source. Derived, and can be derived again."""

    DB_ACCESS = Access.WORK

    source = models.OneToOneField(Source, models.PROTECT, primary_key=True, related_name="state")
    starts_at = models.BigIntegerField(null=True)
    """The lowest number seen, or the one after the first heartbeat: nothing below it is missing."""
    last_seq = models.BigIntegerField(null=True)
    gaps = models.JSONField(default=list)
    """Missing ranges, `[[first, last], ...]`, at most 1,000 of them; `gap_count` counts all missing numbers."""
    gap_count = models.BigIntegerField(default=0)
    forks = models.JSONField(default=list)
    """Sequence numbers that two decisions claim."""
    judged_from = models.BigIntegerField(default=0)
    """Below this number, gaps were too many to keep and late arrivals are not judged."""
    last_seen_at = models.DateTimeField(null=True)
    last_heartbeat_at = models.DateTimeField(null=True)
    heartbeat_seq = models.BigIntegerField(null=True)
    heartbeat_sealed_at = models.DateTimeField(null=True)
    system_id = models.UUIDField(null=True)
    """The AI system of the first decision that was read, until the source itself says it."""

    def __str__(self) -> str:
        return f"state of {self.source_id}"


class TailCursor(models.Model):
    """How far a tailing task has read each log."""

    DB_ACCESS = Access.WORK

    pk = models.CompositePrimaryKey("name", "log_id")
    name = models.CharField(max_length=40)
    log_id = models.UUIDField()
    next_index = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} {self.log_id} at {self.next_index}"


class ConflictCount(models.Model):
    """Repeats of one conflicting id, key and hour: the first is sealed, the rest are counted here."""

    DB_ACCESS = Access.WORK

    pk = models.CompositePrimaryKey("decision_id", "key_row_id", "hour")
    decision_id = models.UUIDField()
    key_row_id = models.UUIDField()
    hour = models.DateTimeField()
    count = models.PositiveIntegerField(default=1)
    system_id = models.UUIDField()
    alerted_at = models.DateTimeField(null=True)
    """When the beat task opened the alert; NULL is work that waits."""

    class Meta:
        indexes = [models.Index("hour", condition=models.Q(alerted_at=None), name="conflict_waits")]

    def __str__(self) -> str:
        return f"{self.decision_id} x {self.count}"


class QuarantineArrival(models.Model):
    """Records that arrived in quarantine, until the minute's counted entry is sealed."""

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id)
    key_row_id = models.UUIDField()
    # one element of each a record: what its receipt will hold, in hex
    record_ids = ArrayField(models.UUIDField(), default=list)
    originals = ArrayField(models.CharField(max_length=64), default=list)
    problems = ArrayField(models.CharField(max_length=64), default=list)
    digests = ArrayField(models.CharField(max_length=64), default=list)
    refused = models.PositiveIntegerField(default=0)
    """Arrivals past the key's quota: counted, not kept."""
    received_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.key_row_id} {self.received_at}"


class QuarantineReceipt(models.Model):
    """One quarantined record as a sealed entry counted it: the entry's digest is over these, in order of the ids.

    Holds the commitments to what is erasable, so that the record's other columns are bound after an erasure too.
    """

    DB_ACCESS = Access.APPEND

    record_id = models.UUIDField(primary_key=True)
    entry_id = models.UUIDField(db_index=True)
    original = models.BinaryField()
    problems = models.BinaryField()
    digest = models.BinaryField()

    def __str__(self) -> str:
        return f"receipt of {self.record_id}"
