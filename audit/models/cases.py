"""Cases: an investigation, what people wrote in it, and what is to change because of it."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from ledger.rows import KeyedRow, key_once

MAX_TEXT = 20_000


class Severity(models.TextChoices):
    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"
    CRITICAL = "critical"


class RootCause(models.TextChoices):
    """Where it came from, as far as a list can say it; the words stand in the finding."""

    DATA = "data", "the data it was given"
    MODEL = "model", "the model itself"
    SPECIFICATION = "specification", "what it was built or bought to do"
    USE = "use", "used for what it is not meant for"
    OVERSIGHT = "oversight", "human oversight did not work"
    INTEGRATION = "integration", "how other programs use it"
    OPERATION = "operation", "how it is run"
    SECURITY = "security", "an attack, or a hole for one"
    SUPPLIER = "supplier", "a supplier's part"
    NO_FAULT = "no_fault", "nothing was wrong"
    UNKNOWN = "unknown", "it could not be found out"


class Case(KeyedRow):
    """An investigation. Its decisions stand in `CaseDecision`, people's work on it in the rows that name it."""

    class Status(models.TextChoices):
        OPEN = "open", "open, waits for a lead investigator"
        INVESTIGATING = "investigating"
        CONCLUDED = "concluded", "concluded, actions under way"
        CLOSED = "closed"
        REOPENED = "reopened"

    class Origin(models.TextChoices):
        DECISIONS = "decisions"
        FILTER = "filter"
        SEARCH = "search", "a search"
        ALERT = "alert", "an alert"
        COMPLAINT = "complaint", "a complaint"

    KEYED_BY = "opened_by_id"
    ERASABLE_FIELDS = ("title", "summary")

    year = models.PositiveSmallIntegerField()
    number = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    title = models.CharField(max_length=200)
    summary = models.TextField(blank=True, max_length=MAX_TEXT)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.OPEN)
    severity = models.CharField(max_length=16, choices=Severity.choices)
    origin = models.CharField(max_length=16, choices=Origin.choices)
    alert_id = models.UUIDField(null=True, blank=True)
    system_ids = ArrayField(models.UUIDField())
    """The AI systems it is about: those it was opened for, and those of every decision that was ever attached."""
    opened_by_id = models.UUIDField()
    lead_id = models.UUIDField(null=True, blank=True)
    concluded_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            key_once("opened_by_id", "case_key_once"),
            models.UniqueConstraint("year", "number", name="case_reference"),
            models.CheckConstraint(condition=Q(system_ids__len__gt=0), name="case_is_about_something"),
            models.CheckConstraint(
                condition=~Q(status__in=["investigating", "concluded", "closed"]) | Q(lead_id__isnull=False),
                name="case_worked_on_has_lead",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["concluded", "closed"]) | Q(concluded_at__isnull=False),
                name="case_concluded_has_time",
            ),
            models.CheckConstraint(
                condition=Q(status="closed", closed_at__isnull=False) | ~Q(status="closed") & Q(closed_at__isnull=True),
                name="case_closed_has_time",
            ),
            models.CheckConstraint(
                condition=~Q(origin="alert") | Q(alert_id__isnull=False), name="case_from_alert_names_it"
            ),
        ]
        indexes = [
            GinIndex("system_ids", name="case_systems"),
            models.Index("lead_id", name="case_lead"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """What people call it: `2026-0001`."""
        return f"{self.year}-{self.number:04}"

    @property
    def is_open(self) -> bool:
        """Whether it is still worked on."""
        return self.status != self.Status.CLOSED


class CaseNote(KeyedRow):
    """Something that somebody wrote down."""

    KEYED_BY = "author_id"
    ERASABLE_FIELDS = ("text",)

    case = models.ForeignKey(Case, models.PROTECT, related_name="notes")
    author_id = models.UUIDField()
    text = models.TextField(max_length=MAX_TEXT)

    class Meta:
        ordering = ["id"]
        constraints = [key_once("author_id", "case_note_key_once")]

    def __str__(self) -> str:
        return f"Note of {self.created_at:%Y-%m-%d}"


class Finding(KeyedRow):
    """What the investigation found. A better one replaces it; nothing is rewritten."""

    KEYED_BY = "author_id"
    ERASABLE_FIELDS = ("text",)

    case = models.ForeignKey(Case, models.PROTECT, related_name="findings")
    author_id = models.UUIDField()
    text = models.TextField(max_length=MAX_TEXT)
    severity = models.CharField(max_length=16, choices=Severity.choices)
    root_cause = models.CharField(max_length=16, choices=RootCause.choices)
    replaces = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="replaced_by")

    class Meta:
        ordering = ["id"]
        constraints = [
            key_once("author_id", "finding_key_once"),
            models.CheckConstraint(condition=~Q(replaces=models.F("id")), name="finding_replaces_another"),
        ]

    def __str__(self) -> str:
        return f"Finding of {self.created_at:%Y-%m-%d}"


class CorrectiveAction(KeyedRow):
    """What somebody is to do because of it, by when; then that it was done, or why it will not be."""

    class Kind(models.TextChoices):
        """The first four after Regulation (EU) 2024/1689, article 20."""

        CORRECT = "correct", "bring it into conformity"
        WITHDRAW = "withdraw", "take it from the market"
        DISABLE = "disable", "disable it"
        RECALL = "recall", "recall it"
        REDRESS = "redress", "put it right for those concerned"
        INFORM = "inform", "inform somebody"
        OTHER = "other", "something else"

    KEYED_BY = "planned_by_id"
    ERASABLE_FIELDS = ("what", "evidence", "dropped_because")

    case = models.ForeignKey(Case, models.PROTECT, related_name="actions")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    what = models.TextField(max_length=MAX_TEXT)
    owner_id = models.UUIDField()
    due_on = models.DateField()
    planned_by_id = models.UUIDField()
    done_at = models.DateTimeField(null=True, blank=True)
    dropped_at = models.DateTimeField(null=True, blank=True)
    settled_by_id = models.UUIDField(null=True, blank=True)
    """Who said that it was done, or will not be."""
    evidence = models.TextField(blank=True, max_length=MAX_TEXT)
    dropped_because = models.TextField(blank=True, max_length=MAX_TEXT)

    class Meta:
        ordering = ["due_on", "id"]
        constraints = [
            key_once("planned_by_id", "action_key_once"),
            models.CheckConstraint(
                condition=Q(done_at__isnull=True) | Q(dropped_at__isnull=True), name="action_done_or_dropped"
            ),
            models.CheckConstraint(
                condition=Q(done_at__isnull=True, dropped_at__isnull=True) | Q(settled_by_id__isnull=False),
                name="action_settled_by_somebody",
            ),
        ]
        indexes = [
            models.Index(
                "owner_id", "due_on", condition=Q(done_at__isnull=True, dropped_at__isnull=True), name="action_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, due {self.due_on}"

    @property
    def is_settled(self) -> bool:
        return self.done_at is not None or self.dropped_at is not None
