"""Retention: how long what is kept must be kept, by which law, and how long it may be, for which purpose."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from audit.models.cases import MAX_TEXT
from ledger.rows import GovernedRow


class DataKind(models.TextChoices):
    """What a class of retention is about. What is not here has an end of its own (docs/retention.md)."""

    PAYLOADS = "payloads", "payloads of decisions"
    PEOPLE_SAID = "people_said", "what people wrote about decisions"
    LETTERS = "letters", "explanation letters"
    QUARANTINE = "quarantine", "records in quarantine"
    CASES = "cases", "what was written in cases"
    SEARCHES = "searches", "terms of searches"
    STAFF = "staff", "names of people who have left"


OF_THE_ORGANISATION = frozenset({DataKind.CASES, DataKind.SEARCHES, DataKind.STAFF})
"""Kinds that belong to no one AI system."""
LEGAL_FLOOR_DAYS = 190
LEGAL_SOURCE = "Regulation (EU) 2024/1689, articles 19(1) and 26(6): six months"
"""And some days, so that no month is too short."""
QUARANTINE_PURPOSE = "to be mended and sent again"
DEFAULT_FLOORS = {
    DataKind.PAYLOADS: LEGAL_FLOOR_DAYS,
    DataKind.PEOPLE_SAID: LEGAL_FLOOR_DAYS,
    DataKind.LETTERS: LEGAL_FLOOR_DAYS,
    DataKind.QUARANTINE: 0,
    DataKind.CASES: 0,
    DataKind.SEARCHES: LEGAL_FLOOR_DAYS,
    DataKind.STAFF: LEGAL_FLOOR_DAYS,
}
"""Where no class says otherwise. The database has the same in `evidence_floor_days`."""
LONGEST_DAYS = 36_500


class RetentionClass(GovernedRow):
    """A floor and its legal source, a ceiling and its purpose. Never changed: another one takes its place."""

    ERASABLE_FIELDS = ("name", "floor_source", "purpose", "why_lower")

    kind = models.CharField(max_length=16, choices=DataKind.choices)
    floor_days = models.PositiveIntegerField()
    """Before this nothing is erased, on whose wish ever: it is restricted."""
    ceiling_days = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    """By then it is gone. None: nothing goes by itself."""
    archived_at = models.DateTimeField(null=True, blank=True)
    made_by_id = models.UUIDField()
    name = models.CharField(max_length=100)
    floor_source = models.TextField(max_length=MAX_TEXT)
    purpose = models.TextField(blank=True, max_length=MAX_TEXT)
    why_lower = models.TextField(blank=True, max_length=MAX_TEXT)
    """Why the floor is lower than the one that the law of most places asks for."""

    class Meta:
        verbose_name_plural = "retention classes"
        ordering = ["kind", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ceiling_days__isnull=True) | Q(ceiling_days__gte=F("floor_days")),
                name="retention_ceiling_above_floor",
            ),
            models.CheckConstraint(
                condition=Q(floor_days__lte=LONGEST_DAYS)
                & (Q(ceiling_days__isnull=True) | Q(ceiling_days__lte=LONGEST_DAYS)),
                name="retention_days_are_days",
            ),
        ]

    def __str__(self) -> str:
        return self.name or "erased"


class RetentionRule(GovernedRow):
    """That a class counts for a kind of data, of an AI system where the kind belongs to one. Takes two people."""

    class Status(models.TextChoices):
        REQUESTED = "requested", "waits for a second person"
        IN_FORCE = "in_force", "in force"
        SUPERSEDED = "superseded"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    ERASABLE_FIELDS = ("reason", "answer")

    retention_class = models.ForeignKey(RetentionClass, models.PROTECT, related_name="rules")
    kind = models.CharField(max_length=16, choices=DataKind.choices)
    system_id = models.UUIDField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.REQUESTED)
    requested_by_id = models.UUIDField()
    requested_at = models.DateTimeField()
    decided_by_id = models.UUIDField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    superseded_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(max_length=MAX_TEXT)
    answer = models.TextField(blank=True, max_length=MAX_TEXT)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "system_id"],
                condition=Q(status="in_force"),
                nulls_distinct=False,
                name="retention_rule_one_in_force",
            ),
            models.UniqueConstraint(
                fields=["kind", "system_id"],
                condition=Q(status="requested"),
                nulls_distinct=False,
                name="retention_rule_asked_for_once",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["cases", "searches", "staff"], system_id__isnull=True)
                | Q(kind__in=["payloads", "people_said", "letters", "quarantine"], system_id__isnull=False),
                name="retention_rule_of_a_place",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["requested", "withdrawn"], decided_by_id__isnull=True)
                | Q(status__in=["in_force", "superseded", "refused"], decided_by_id__isnull=False),
                name="retention_rule_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(decided_by_id=F("requested_by_id")), name="retention_rule_decided_by_another"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.retention_class}"


class Purge(GovernedRow):
    """What goes since its time has come: told of some days before, then done in slices."""

    class Status(models.TextChoices):
        ANNOUNCED = "announced"
        RUNNING = "running"
        HELD = "held", "stopped by somebody"
        DONE = "done"

    ERASABLE_FIELDS = ("why",)
    UNSEALED_FIELDS = ("walk",)

    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ANNOUNCED)
    announced_at = models.DateTimeField()
    runs_at = models.DateTimeField()
    parts = models.JSONField()
    """What it takes, as it was announced: kind, AI system (or null), class, the moment before which, how many."""
    done = models.JSONField(default=list, blank=True)
    """The same parts as they went: how many, how many were kept back, and the digest over the ids of what went."""
    stopped = models.JSONField(default=dict, blank=True)
    """By AI system when whoever answers for it kept its parts out."""
    walk = models.JSONField(default=dict, blank=True)
    """By the number of a part how far it has been gone through; what is kept back is passed by once."""
    held_by_id = models.UUIDField(null=True, blank=True)
    held_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    why = models.TextField(blank=True, max_length=MAX_TEXT)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                models.Value(1), condition=Q(status__in=["announced", "running"]), name="purge_one_at_a_time"
            ),
            models.CheckConstraint(condition=Q(runs_at__gt=F("announced_at")), name="purge_is_announced_before"),
        ]

    def __str__(self) -> str:
        return f"Purge of {self.runs_at:%Y-%m-%d}"
