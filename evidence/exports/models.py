"""An export, and the work on it. The export is evidence; its work, places and downloads are the means."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from audit.models.cases import MAX_TEXT
from config.database import Access
from config.ids import new_id
from ledger.rows import KeyedRow, key_once

HEX_DIGEST = 64


class Export(KeyedRow):
    """What somebody asked to be taken out of the record: the question, the form, why, and what became of it."""

    class Question(models.TextChoices):
        RANGE = "range", "an AI system within times"
        CASE = "case", "a case"
        DECISION = "decision", "one decision"
        SUBJECT = "subject", "one person or thing"

    class Form(models.TextChoices):
        BUNDLE = "bundle", "evidence bundle"
        NDJSON = "ndjson", "NDJSON"
        CSV = "csv", "CSV"
        OCSF = "ocsf", "OCSF lines"

    class Status(models.TextChoices):
        REQUESTED = "requested", "waits for a data protection officer"
        QUEUED = "queued", "is being made"
        FINISHED = "finished"
        FAILED = "failed"
        CANCELLED = "cancelled"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"
        EXPIRED = "expired", "expired: its file was deleted"

    KEYED_BY = "asked_by_id"
    ERASABLE_FIELDS = ("reason", "answer", "subject")

    question = models.CharField(max_length=16, choices=Question.choices)
    system_id = models.UUIDField(null=True, blank=True)
    """Of a range, and of a decision."""
    since = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    """Of a range: received at or after `since` and before `until`; none: no bound."""
    case_id = models.UUIDField(null=True, blank=True)
    decision_id = models.UUIDField(null=True, blank=True)
    subject = models.TextField(blank=True, max_length=200)
    form = models.CharField(max_length=16, choices=Form.choices)
    parts = ArrayField(models.CharField(max_length=16), default=list, blank=True)
    """The contents that are to be disclosed (`evidence.exports.contents`); none: what stands in the log alone."""
    heads = models.JSONField(default=list, blank=True)
    """Checkpoints that whoever asked keeps, and that the bundle is to prove itself against: origin, size, root hash."""
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.REQUESTED)
    reason = models.TextField(max_length=MAX_TEXT)
    asked_by_id = models.UUIDField()
    asked_at = models.DateTimeField(default=timezone.now)
    decided_by_id = models.UUIDField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(blank=True, max_length=MAX_TEXT)
    ended_at = models.DateTimeField(null=True, blank=True)
    """When it was finished, or ended otherwise."""
    ended_by_id = models.UUIDField(null=True, blank=True)
    """Who took it back or gave it up."""
    failure = models.CharField(max_length=40, blank=True)
    """Why it could not be made, or has no file any more before its time (`evidence.exports.codes`)."""
    is_whole = models.BooleanField(null=True, blank=True)
    left_out = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    """Why it is not whole, as codes (`evidence.exports.codes`)."""
    file_name = models.CharField(max_length=200, blank=True)
    size = models.BigIntegerField(null=True, blank=True, validators=[MinValueValidator(0)])
    digest = models.CharField(max_length=HEX_DIGEST, blank=True)
    """SHA-256 of the file, in hex."""
    manifest_digest = models.CharField(max_length=HEX_DIGEST, blank=True)
    decisions = models.BigIntegerField(null=True, blank=True)
    disclosed_parts = models.BigIntegerField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    """When its file is deleted."""

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index("asked_by_id", "id", name="export_asked_by"),
            models.Index("expires_at", condition=Q(status="finished"), name="export_expires"),
        ]
        constraints = [
            key_once("asked_by_id", "export_key_once"),
            models.CheckConstraint(
                condition=Q(question="range", system_id__isnull=False, case_id=None, decision_id=None)
                | Q(question="case", case_id__isnull=False, decision_id=None, since=None, until=None)
                | Q(question="decision", decision_id__isnull=False, system_id__isnull=False, since=None, until=None)
                | Q(question="subject", system_id=None, case_id=None, decision_id=None, since=None, until=None),
                name="export_of_one_question",
            ),
            models.CheckConstraint(
                condition=Q(since__isnull=True) | Q(until__isnull=True) | Q(until__gt=F("since")),
                name="export_of_a_span",
            ),
            models.CheckConstraint(condition=~Q(decided_by_id=F("asked_by_id")), name="export_decided_by_another"),
            models.CheckConstraint(
                condition=Q(status__in=["requested", "queued"], ended_at=None)
                | ~Q(status__in=["requested", "queued"]) & Q(ended_at__isnull=False),
                name="export_ended_when",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["finished", "expired"])
                | Q(size__isnull=False, expires_at__isnull=False, is_whole__isnull=False) & ~Q(digest=""),
                name="export_finished_with_a_file",
            ),
            models.CheckConstraint(
                condition=Q(status="failed") & ~Q(failure="")
                | Q(status="expired")
                | ~Q(status__in=["failed", "expired"]) & Q(failure=""),
                name="export_failed_why",
            ),
        ]

    def __str__(self) -> str:
        return f"Export asked for on {self.asked_at:%Y-%m-%d}"

    @property
    def is_open(self) -> bool:
        """Whether it may still become a file."""
        return self.status in (self.Status.REQUESTED, self.Status.QUEUED)


class ExportWork(models.Model):
    """How far the making of an export has come, who is at it, and what was decided about it. Gone with its file."""

    DB_ACCESS = Access.WORK

    export = models.OneToOneField(Export, models.PROTECT, primary_key=True, related_name="work")
    worker = models.UUIDField(null=True)
    """Whose it is now; none: it waits."""
    host = models.CharField(max_length=36, blank=True)
    """Where what was made of it lies (`evidence.exports.scratch.home`)."""
    kept_in = models.CharField(max_length=36, blank=True)
    """Where its file is, or may be (`evidence.exports.storage.place`); empty: nowhere."""
    worked_at = models.DateTimeField(null=True)
    """The last sign of life of whoever is at it."""
    not_before = models.DateTimeField(default=timezone.now)
    begun_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    """Beginnings since it last came further."""
    begun_anew = models.PositiveIntegerField(default=0)
    """How often what was decided and made was thrown away, as something in it was erased meanwhile."""
    trouble = models.CharField(max_length=40, blank=True)
    """Why it waits to be tried again."""
    looked_at = models.DateTimeField(null=True)
    """Until when erasures were looked through for something that its file holds."""
    plan = models.JSONField(null=True)
    """What was decided when it began (`evidence.exports.planning`): the same however often it is gone on with."""
    phase = models.CharField(max_length=16, blank=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)

    class Meta:
        indexes = [models.Index("not_before", name="export_work_waits")]

    def __str__(self) -> str:
        return f"work on {self.export_id}"


class ExportPlace(models.Model):
    """An entry that an export discloses beside its ranges, or withholds inside one. Gone with its file."""

    DB_ACCESS = Access.WORK

    pk = models.CompositePrimaryKey("export_id", "log_id", "leaf_index")
    export = models.ForeignKey(Export, models.PROTECT, db_index=False, related_name="places")
    log_id = models.UUIDField()
    leaf_index = models.BigIntegerField()
    is_withheld = models.BooleanField(default=False)
    is_asked_for = models.BooleanField(default=False)
    """A decision that the question asks for."""

    def __str__(self) -> str:
        return f"{self.log_id} {self.leaf_index}"


class ExportDownload(models.Model):
    """A download that was begun: what is fetched of it later, in parts, is the same one, until as much was given as the
    file has. No evidence: its entry is."""

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    """Of the entry that says so."""
    export = models.ForeignKey(Export, models.PROTECT, related_name="downloads")
    person_id = models.UUIDField()
    begun_at = models.DateTimeField(default=timezone.now)
    given = models.BigIntegerField(default=0)
    """Bytes that were given of it, or are being given."""

    class Meta:
        ordering = ["-begun_at"]

    def __str__(self) -> str:
        return f"download of {self.export_id}"
