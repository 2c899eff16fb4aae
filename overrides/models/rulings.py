"""What people said of a decision beside its review: overrides, appeals; and what the caller did about it."""

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.utils import timezone

from governance.models.systems import clear
from ledger.rows import GovernedRow


class Override(GovernedRow):
    """A person put another outcome in the place of a decision's. Never changed; a later one may say otherwise."""

    class Source(models.TextChoices):
        OVERRIDE = "override"
        APPEAL = "appeal"

    class Status(models.TextChoices):
        REQUESTED = "requested"
        """A rule asks for a second person."""
        IN_FORCE = "in_force", "in force"
        REFUSED = "refused"
        EXPIRED = "expired"
        """No second person came in time."""

    ERASABLE_FIELDS = ("output", "note")
    REQUEST_COUNTS = timedelta(days=7)
    """So long a second person may agree."""

    decision_id = models.UUIDField()
    system_id = models.UUIDField()
    source = models.CharField(max_length=16, choices=Source.choices, default=Source.OVERRIDE)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.IN_FORCE)
    outcome = models.CharField(max_length=100, validators=[clear])
    reason_code = models.CharField(max_length=100, validators=[clear])
    person_id = models.UUIDField()
    second_person_id = models.UUIDField(null=True, blank=True)
    at = models.DateTimeField()
    """Since when it counts."""
    has_output = models.BooleanField(default=False)
    output = models.TextField(blank=True)
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["decision_id"], condition=models.Q(status="requested"), name="override_one_request"
            ),
        ]
        indexes = [
            models.Index("decision_id", "at", name="override_decision"),
            models.Index("system_id", "at", name="override_system"),
        ]

    def __str__(self) -> str:
        return f"override of {self.decision_id}"

    @property
    def waits(self) -> bool:
        """Whether a second person may still agree to it."""
        return self.status == self.Status.REQUESTED and self.at > timezone.now() - self.REQUEST_COUNTS


class ReportedOverride(GovernedRow):
    """A human decision made in the customer's own tool, as a key reports it: no act here, shown and counted apart."""

    ERASABLE_FIELDS = ("reviewer", "note")

    decision_id = models.UUIDField()
    system_id = models.UUIDField()
    account_id = models.UUIDField()
    outcome = models.CharField(max_length=100, validators=[clear])
    reason_code = models.CharField(max_length=100, blank=True, validators=[clear])
    occurred_at = models.DateTimeField()
    reviewer = models.CharField(max_length=200, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        indexes: ClassVar[list[models.Index]] = [models.Index("decision_id", name="reported_override_decision")]

    def __str__(self) -> str:
        return f"reported override of {self.decision_id}"


class Effect(GovernedRow):
    """What the calling service says it did in the end. A fact of its own; a later one counts for the present."""

    class Status(models.TextChoices):
        CONFIRMED = "confirmed"
        MISMATCH = "mismatch"
        FAILED = "failed", "failed to carry out"

    class Via(models.TextChoices):
        """What the outcome is of, where it is not the decision's own."""

        FALLBACK = "fallback"

    ERASABLE_FIELDS = ("detail",)

    decision_id = models.UUIDField()
    system_id = models.UUIDField()
    account_id = models.UUIDField()
    outcome = models.CharField(max_length=100, blank=True, validators=[clear])
    """Empty: nothing was carried out."""
    via = models.CharField(max_length=16, choices=Via.choices, blank=True)
    expected = models.CharField(max_length=100, blank=True)
    """The effective outcome at that time; empty: none was allowed."""
    status = models.CharField(max_length=16, choices=Status.choices)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=~models.Q(status="failed") | models.Q(outcome=""), name="effect_failed_has_no_outcome"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index("decision_id", "received_at", name="effect_decision")]

    def __str__(self) -> str:
        return f"effect of {self.decision_id}"


class Execution(GovernedRow):
    """A worker of the calling service took what was decided to carry it out: one for each word on a decision.

    What became of it is an `Effect`. Never changed: what nobody finished needs a new word, of a person.
    """

    decision_id = models.UUIDField()
    system_id = models.UUIDField()
    account_id = models.UUIDField()
    word_id = models.UUIDField()
    """What it carries out: an override or a review, or the decision itself where nobody had to say anything."""
    execution_id = models.UUIDField()
    """Of the caller's making: by it a question that is asked again is known."""
    version = models.PositiveBigIntegerField()
    outcome = models.CharField(max_length=100, validators=[clear])
    worker = models.CharField(max_length=100, blank=True, validators=[clear])
    claimed_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["decision_id", "word_id"], name="execution_once"),
        ]

    def __str__(self) -> str:
        return f"execution of {self.decision_id}"


class Appeal(GovernedRow):
    """Somebody contests a decision. Open until it is upheld, or overturned and the remedy confirmed."""

    class Status(models.TextChoices):
        OPEN = "open"
        UPHELD = "upheld"
        OVERTURNED = "overturned"
        """Waits for the remedy."""
        REMEDIED = "remedied"

    ERASABLE_FIELDS = ("statement", "finding")

    decision_id = models.UUIDField()
    system_id = models.UUIDField()
    ground_code = models.CharField(max_length=100, validators=[clear])
    received_at = models.DateTimeField()
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.OPEN)
    opened_by_id = models.UUIDField(null=True, blank=True)
    """The person who filed it; None where a key did."""
    account_id = models.UUIDField(null=True, blank=True)
    decided_by_id = models.UUIDField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    reason_code = models.CharField(max_length=100, blank=True, validators=[clear])
    override = models.ForeignKey(Override, models.PROTECT, null=True, blank=True, related_name="+")
    effect = models.ForeignKey(Effect, models.PROTECT, null=True, blank=True, related_name="+")
    remedied_at = models.DateTimeField(null=True, blank=True)
    statement = models.TextField(blank=True)
    finding = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["decision_id"], condition=models.Q(status="open"), name="appeal_one_open"),
            models.CheckConstraint(
                condition=models.Q(status="open") | models.Q(decided_at__isnull=False), name="appeal_decided_has_time"
            ),
            models.CheckConstraint(
                condition=~models.Q(status__in=["overturned", "remedied"]) | models.Q(override__isnull=False),
                name="appeal_overturned_by_override",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index("decision_id", name="appeal_decision"),
            models.Index("system_id", condition=models.Q(status__in=["open", "overturned"]), name="appeal_waits"),
        ]

    def __str__(self) -> str:
        return f"appeal against {self.decision_id}"
