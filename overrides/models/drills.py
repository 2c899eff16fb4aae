"""Drills: stopping for practice, and probes between them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from config.database import Access
from config.ids import new_id
from governance.models.systems import AISystem, slug
from ledger.rows import GovernedRow
from overrides.models.switches import IN_FLIGHT, MODES
from overrides.standing import Epoch, InFlight, Mode, Node


class Drill(GovernedRow):
    """One drill of an AI system: planned, agreed to where it is live, run, concluded by a person."""

    class Type(models.TextChoices):
        TABLE_TOP = "table_top", "table-top: talked through"
        PROBE = "probe", "probe: who would hear"
        LIVE_TEST = "live_test", "live, where nobody is concerned"
        LIVE_PRODUCTION = "live_production", "live in production, in a window"

    class Status(models.TextChoices):
        PLANNED = "planned"
        APPROVED = "approved"
        RUNNING = "running"
        ENDED = "ended", "waits for a conclusion"
        CONCLUDED = "concluded"
        CANCELLED = "cancelled"

    class EndedBy(models.TextChoices):
        PERSON = "person"
        WINDOW = "window", "the end of its window"
        REAL_TRIP = "real_trip", "a real stop"

    class Conclusion(models.TextChoices):
        PASSED = "passed", "it went as expected"
        PARTLY = "partly", "in part"
        FAILED = "failed", "it did not"

    LIVE = (Type.LIVE_TEST, Type.LIVE_PRODUCTION)
    ERASABLE_FIELDS = ("expectation", "conclusion_note")

    system = models.ForeignKey(AISystem, models.PROTECT, related_name="drills")
    environment = models.CharField(max_length=100, blank=True, validators=[slug])
    type = models.CharField(max_length=16, choices=Type.choices)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PLANNED)
    mode = models.CharField(max_length=16, choices=MODES, default=Mode.STOP.value)
    in_flight = models.CharField(max_length=16, choices=IN_FLIGHT, default=InFlight.HOLD.value)
    starts_at = models.DateTimeField()
    window_ends_at = models.DateTimeField()
    """A live drill ends by itself then."""
    expectation = models.TextField()
    participants = ArrayField(models.UUIDField(), default=list, blank=True)
    planned_by_id = models.UUIDField()
    approved_by_id = models.UUIDField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    started_by_id = models.UUIDField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    former = models.JSONField(default=dict, blank=True)
    """What its switch said before: mode, reason code, what becomes of work that has begun."""
    switch_id = models.UUIDField(null=True, blank=True)
    generation = models.BigIntegerField(null=True, blank=True)
    number = models.BigIntegerField(null=True, blank=True)
    requested_at = models.DateTimeField(null=True, blank=True)
    """When the epoch that clients are to confirm was given out."""
    expected = models.JSONField(default=dict, blank=True)
    """Ids of the instances, and of the service accounts without any, that were in reach then."""
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=16, choices=EndedBy.choices, blank=True)
    measures = models.JSONField(default=dict, blank=True)
    """How many of the expected saw, applied and drained, after how many seconds; who was silent. Frozen at its end."""
    conclusion = models.CharField(max_length=16, choices=Conclusion.choices, blank=True)
    conclusion_note = models.TextField(blank=True)
    concluded_by_id = models.UUIDField(null=True, blank=True)
    concluded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint("system", condition=Q(status="running"), name="drill_runs_once"),
            models.CheckConstraint(condition=Q(window_ends_at__gt=models.F("starts_at")), name="drill_window"),
            models.CheckConstraint(
                condition=~Q(approved_by_id=models.F("planned_by_id")), name="drill_approved_by_another"
            ),
            models.CheckConstraint(
                condition=~Q(type__in=["live_test", "live_production"])
                | ~Q(status__in=["approved", "running", "ended", "concluded"])
                | Q(approved_by_id__isnull=False),
                name="drill_live_by_two",
            ),
            models.CheckConstraint(
                condition=~Q(status="concluded") | (Q(concluded_by_id__isnull=False) & ~Q(conclusion="")),
                name="drill_concluded_by_a_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_type_display().split(':')[0].split(',')[0]} of {self.system}, {self.starts_at:%Y-%m-%d}"

    @property
    def is_live(self) -> bool:
        return self.type in self.LIVE

    @property
    def node(self) -> Node:
        """The place that it stops."""
        return Node(system_id=self.system_id, environment=self.environment)

    @property
    def epoch(self) -> Epoch | None:
        """What clients are to confirm; None before it began, and at a table."""
        return None if self.generation is None or self.number is None else Epoch(self.generation, self.number)


class DrillFinding(GovernedRow):
    """Something a drill showed, who sees to it, and by when."""

    ERASABLE_FIELDS = ("text", "resolution")

    drill = models.ForeignKey(Drill, models.PROTECT, related_name="findings")
    text = models.TextField()
    owner_id = models.UUIDField()
    due_on = models.DateField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by_id = models.UUIDField(null=True, blank=True)
    resolution = models.TextField(blank=True)

    class Meta:
        ordering = ["due_on", "id"]

    def __str__(self) -> str:
        return f"Finding due on {self.due_on}"


class DrillReading(models.Model):
    """What one instance did during a drill, when the server first heard so. The drill's measures are made of these."""

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    drill = models.ForeignKey(Drill, models.CASCADE, related_name="readings")
    instance_id = models.UUIDField()
    instance = models.CharField(max_length=100)
    seen_at = models.DateTimeField(null=True)
    applied_at = models.DateTimeField(null=True)
    drained_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint("drill", "instance_id", name="drill_reading_once")]

    def __str__(self) -> str:
        return self.instance


class Probe(models.Model):
    """An epoch that changes nothing: whoever applies it would have applied a stop."""

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    generation = models.BigIntegerField()
    number = models.BigIntegerField()
    sent_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index("sent_at", name="probe_sent")]

    def __str__(self) -> str:
        return str(self.epoch)

    @property
    def epoch(self) -> Epoch:
        return Epoch(self.generation, self.number)
