"""Switches, their changes, and requests to loosen them.

A switch is evidence: each change of its row is sealed. So is a request to loosen one. `SwitchChange` is the working
copy of a change for pages and confirmations: the switch's entry states a digest of it, and what became of it stands in
`switch.confirmed` and `switch.unconfirmed` (`overrides.change_digests`).
"""

from django.db import models
from django.db.models import Q

from config.database import Access
from config.ids import new_id
from governance.models.systems import clear, slug
from ledger.rows import GovernedRow
from overrides.standing import Epoch, InFlight, Mode, Node

MODES = [(mode.value, mode.value) for mode in Mode]
IN_FLIGHT = [(each.value, each.value) for each in InFlight]


class Switch(GovernedRow):
    """One node of the scope tree and the mode it says. Never deleted: one that is not needed says run."""

    ERASABLE_FIELDS = ("note",)
    UNSEALED_FIELDS = ("seal_pending",)

    # No constraint: it would lock the AI system's row, and a stop waits for nobody who edits that.
    system_id = models.UUIDField(null=True, blank=True)
    environment = models.CharField(max_length=100, blank=True, validators=[slug])
    model_version = models.CharField(max_length=100, blank=True, validators=[clear])
    capability = models.CharField(max_length=100, blank=True, validators=[clear])
    mode = models.CharField(max_length=16, choices=MODES)
    reason_code = models.CharField(max_length=100, validators=[clear])
    in_flight = models.CharField(max_length=16, choices=IN_FLIGHT, default=InFlight.HOLD.value)
    note = models.TextField(blank=True)
    generation = models.BigIntegerField()
    number = models.BigIntegerField()
    changed_at = models.DateTimeField()
    changed_by_type = models.CharField(max_length=16)
    changed_by_id = models.UUIDField(null=True, blank=True)
    source = models.CharField(max_length=32, validators=[clear])
    """By which way it was changed: page, api, command, lapse, recovery."""
    drill_id = models.UUIDField(null=True, blank=True)
    """The drill that threw it, where one did."""
    expires_at = models.DateTimeField(null=True, blank=True)
    """When an emergency clear ends: from then on it says stop."""
    seal_pending = models.BooleanField(default=False, editable=False)
    """Its log took no entry when it was tightened: it is in force, and the sweep seals it."""

    class Meta:
        verbose_name_plural = "switches"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                "system_id",
                "environment",
                "model_version",
                "capability",
                name="switch_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(mode__in=[mode.value for mode in Mode]), name="switch_mode_known"),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(mode__in=["review", "fallback"], system_id__isnull=False),
                name="switch_expires_from_emergency",
            ),
        ]
        indexes = [models.Index("id", condition=Q(seal_pending=True), name="switch_waits")]

    def __str__(self) -> str:
        return f"{self.mode} since {self.epoch}"

    @property
    def epoch(self) -> Epoch:
        return Epoch(self.generation, self.number)

    @property
    def node(self) -> Node:
        return Node(
            system_id=self.system_id,
            environment=self.environment,
            model_version=self.model_version,
            capability=self.capability,
        )


class SwitchChange(models.Model):
    """One change of a switch, who must confirm it, and who did."""

    class Status(models.TextChoices):
        REQUESTED = "requested"
        PROPAGATING = "propagating"
        CONFIRMED = "confirmed"
        PARTIAL = "partial"
        UNCONFIRMED = "unconfirmed"

    DB_ACCESS = Access.MUTABLE

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    switch = models.ForeignKey(Switch, models.PROTECT, related_name="changes")
    from_mode = models.CharField(max_length=16, choices=MODES)
    to_mode = models.CharField(max_length=16, choices=MODES)
    reason_code = models.CharField(max_length=100)
    in_flight = models.CharField(max_length=16, choices=IN_FLIGHT)
    generation = models.BigIntegerField()
    number = models.BigIntegerField()
    actor_type = models.CharField(max_length=16)
    actor_id = models.UUIDField(null=True)
    source = models.CharField(max_length=32)
    drill_id = models.UUIDField(null=True)
    requested_at = models.DateTimeField()
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.REQUESTED)
    expected = models.JSONField(default=dict)
    """Ids of the instances, and of the service accounts without any, that were in reach when it was made."""
    applied = models.JSONField(default=dict)
    """When each of these instances had applied it, by id, as far as it was watched."""
    confirmed_count = models.PositiveIntegerField(default=0)
    confirmed_at = models.DateTimeField(null=True)
    """When the last of all expected clients had applied it."""
    reported_at = models.DateTimeField(null=True)
    """When it was sealed, and told, that a minute was not enough."""
    settled_at = models.DateTimeField(null=True)
    """Since when nobody looks any more: confirmed, replaced, or a day old."""

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index("id", condition=Q(settled_at=None), name="switch_change_open")]
        constraints = [models.UniqueConstraint("switch", "generation", "number", name="switch_change_once")]

    def __str__(self) -> str:
        return f"{self.from_mode} to {self.to_mode} at {self.epoch}"

    @property
    def epoch(self) -> Epoch:
        return Epoch(self.generation, self.number)


class LooseningRequest(GovernedRow):
    """Somebody asks to set a switch less restrictive; somebody else approves. Bound to the switch as it stood."""

    class Status(models.TextChoices):
        OPEN = "open"
        APPROVED = "approved"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"
        VOID = "void"

    ERASABLE_FIELDS = ("note", "evidence_url")

    switch = models.ForeignKey(Switch, models.PROTECT, related_name="loosenings")
    generation = models.BigIntegerField()
    number = models.BigIntegerField()
    mode = models.CharField(max_length=16, choices=MODES)
    reason_code = models.CharField(max_length=100, validators=[clear])
    note = models.TextField(blank=True, max_length=10_000)
    evidence_url = models.URLField(blank=True, max_length=2_000)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.OPEN)
    requested_by_id = models.UUIDField()
    expires_at = models.DateTimeField()
    decided_by_id = models.UUIDField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint("switch", condition=Q(status="open"), name="loosening_open_once"),
            models.CheckConstraint(
                condition=~Q(status="approved") | ~Q(decided_by_id=models.F("requested_by_id")),
                name="loosening_by_two",
            ),
        ]

    def __str__(self) -> str:
        return f"to {self.mode}, {self.status}"

    @property
    def epoch(self) -> Epoch:
        return Epoch(self.generation, self.number)


class ControlRecovery(models.Model):
    """Epochs jumped ahead, since somebody knew a higher one than the database. Sealed by the sweep."""

    DB_ACCESS = Access.MUTABLE

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    cause = models.CharField(max_length=32)
    """host-file, memory or acknowledgement."""
    found_generation = models.BigIntegerField()
    found_number = models.BigIntegerField()
    """What the database said: all above it, up to the new epoch, it has forgotten."""
    known_generation = models.BigIntegerField()
    known_number = models.BigIntegerField()
    generation = models.BigIntegerField()
    number = models.BigIntegerField()
    reinstated = models.PositiveIntegerField()
    system_id = models.UUIDField(null=True)
    account_id = models.UUIDField(null=True)
    recovered_at = models.DateTimeField()
    entry_id = models.UUIDField(null=True)

    class Meta:
        indexes = [models.Index("id", condition=Q(entry_id=None), name="control_recovery_waits")]

    def __str__(self) -> str:
        return f"{self.generation}.{self.number} after {self.known_generation}.{self.known_number}"
