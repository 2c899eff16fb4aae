"""What evidence keeps: the self-audit's progress, anchors, explanation letters, exports."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from audit.models.cases import MAX_TEXT
from config.database import Access
from config.ids import new_id
from evidence.anchor_models import Anchor, AnchorKind, AnchorTarget, Cosignature, Outcome, Timestamp
from evidence.exports.models import Export, ExportDownload, ExportPlace, ExportWork
from governance.models import LetterTemplate
from governance.models.letter_templates import language_tag
from ledger.models import Log
from ledger.rows import GovernedRow, KeyedRow, key_once

__all__ = [
    "Anchor",
    "AnchorKind",
    "AnchorTarget",
    "AuditProgress",
    "Cosignature",
    "ExplanationLetter",
    "Export",
    "ExportDownload",
    "ExportPlace",
    "ExportWork",
    "LetterDraft",
    "Outcome",
    "Timestamp",
    "WalkProgress",
]


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


class SignedDocument(models.Model):
    """What this installation signed about an act of its own: the receipt of an erasure, the report of a purge (v1).

    A signed note (C2SP) under the name of the registry log; no personal data, so that it outlives what it is about.
    Reports of purges name the words of classes since v2, so they are signed when they are asked for, and not kept.
    """

    class Kind(models.TextChoices):
        ERASURE = "erasure-receipt", "receipt of an erasure"
        PURGE = "purge-report", "report of a purge"

    DB_ACCESS = Access.APPEND

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=24, choices=Kind.choices)
    about_id = models.UUIDField(unique=True)
    note = models.TextField()
    signed_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.kind} {self.about_id}"


class LetterDraft(models.Model):
    """A letter that somebody is still writing. Deleted when it is issued or given up, or after a while untouched."""

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    """Becomes the key of the letter: issuing it twice issues it once."""
    decision_id = models.UUIDField()
    author_id = models.UUIDField()
    language = models.CharField(max_length=20, validators=[language_tag])
    addressee = models.TextField(blank=True)
    text = models.TextField()
    facts = models.TextField()
    """What its writer was shown (evidence.letters.drafts): JSON."""
    replaces_id = models.UUIDField(null=True)
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint("decision_id", "author_id", name="letter_draft_once")]

    def __str__(self) -> str:
        return f"Draft of a letter about {self.decision_id}"


class ExplanationLetter(KeyedRow):
    """An issued letter that explains one decision. Never changed: another one replaces it, or it is withdrawn."""

    class Status(models.TextChoices):
        ISSUED = "issued"
        WITHDRAWN = "withdrawn"

    KEYED_BY = "issued_by_id"
    ERASABLE_FIELDS = ("text", "addressee", "check_key")

    year = models.PositiveSmallIntegerField()
    number = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    decision_id = models.UUIDField()
    system_id = models.UUIDField()
    language = models.CharField(max_length=20, validators=[language_tag])
    template = models.ForeignKey(LetterTemplate, models.PROTECT, null=True, blank=True, related_name="+")
    """None: ours, since the AI system had none in this language."""
    is_edited = models.BooleanField(default=False)
    """Whether somebody wrote anything otherwise than template and facts do."""
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ISSUED)
    text = models.TextField(blank=True)
    addressee = models.TextField(blank=True)
    check_key = models.CharField(max_length=64, blank=True)
    """In hex. With it whoever holds the letter checks the digest; without it the digest opens nothing."""
    digest = models.CharField(max_length=64)
    """SHA-256, in hex, over the 32 bytes of the check key and the text."""
    replaces = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="replaced_by")
    issued_by_id = models.UUIDField()
    issued_at = models.DateTimeField()
    withdrawn_by_id = models.UUIDField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            key_once("issued_by_id", "letter_key_once"),
            models.UniqueConstraint("year", "number", name="letter_reference"),
            models.CheckConstraint(condition=~Q(replaces=F("id")), name="letter_replaces_another"),
            models.CheckConstraint(
                condition=Q(status="withdrawn", withdrawn_at__isnull=False, withdrawn_by_id__isnull=False)
                | Q(status="issued", withdrawn_at=None, withdrawn_by_id=None),
                name="letter_withdrawn_by_somebody",
            ),
        ]
        indexes = [models.Index("decision_id", name="letter_decision")]

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """What people call it: `L-2026-0001`."""
        return f"L-{self.year}-{self.number:04}"

    @property
    def stands(self) -> bool:
        """Whether it is what is said today: neither withdrawn nor replaced."""
        return self.status == self.Status.ISSUED and not hasattr(self, "replaced_by")


class CustodyRequest(GovernedRow):
    """An act of custody that one administrator asks for and another one agrees to, each signed in; a command at the
    host then carries it out. Where the registry log takes no entry it is kept unsealed, and sealed as soon as it does.
    """

    class What(models.TextChoices):
        CLOSE = "close_logs", "close the logs that lost their tail"
        CLOSE_UNKNOWN = "close_unknown", "close logs whose tail nobody knows"
        ADOPT = "adopt_heads", "adopt the heads of logs that lost nothing"
        BEGIN_ROTATION = "begin_rotation", "begin to replace the signing key"
        FINISH_ROTATION = "finish_rotation", "retire the old signing key"
        WITHDRAW_KEYS = "withdraw_keys", "retire a key that was announced and lost"

    class Status(models.TextChoices):
        ASKED = "asked", "waits for a second administrator"
        APPROVED = "approved", "agreed to, not carried out yet"
        CARRIED_OUT = "carried_out", "carried out"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"
        VOID = "void", "expired"

    ERASABLE_FIELDS = ("reason", "answer")
    UNSEALED_FIELDS = ("seal_pending", "vouched")

    what = models.CharField(max_length=20, choices=What.choices)
    logs = models.JSONField(default=list, blank=True)
    """What each log was found to be, so that nothing else is done than what both saw: ids, sizes and roots."""
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ASKED)
    reason = models.TextField(max_length=MAX_TEXT)
    requested_by_id = models.UUIDField()
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_by_id = models.UUIDField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(blank=True, max_length=MAX_TEXT)
    carried_out_at = models.DateTimeField(null=True, blank=True)
    seal_pending = models.BooleanField(default=False, editable=False)
    vouched = models.JSONField(default=dict, blank=True, editable=False)
    """Of steps that could not be sealed: the signed note by which this installation says who took each."""

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index("id", condition=Q(seal_pending=True), name="custody_waits")]
        constraints = [
            models.UniqueConstraint("what", condition=Q(status__in=["asked", "approved"]), name="custody_asked_once"),
            models.CheckConstraint(condition=~Q(decided_by_id=F("requested_by_id")), name="custody_by_another"),
            models.CheckConstraint(
                condition=Q(status__in=["asked", "withdrawn", "void"])
                | Q(decided_by_id__isnull=False, decided_at__isnull=False),
                name="custody_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(status="carried_out", carried_out_at__isnull=False)
                | ~Q(status="carried_out") & Q(carried_out_at=None),
                name="custody_carried_out_when",
            ),
        ]

    def __str__(self) -> str:
        return f"Request to {self.get_what_display()}"

    @property
    def is_live(self) -> bool:
        """Whether anything can still come of it."""
        return self.status in (self.Status.ASKED, self.Status.APPROVED) and self.expires_at > timezone.now()
