"""Parameters: typed values that people change while an AI system runs."""

from typing import cast

from django.db import models
from django.db.models import Q

from governance.models.systems import AISystem, clear, slug
from ledger.entries import Actor, type_names
from ledger.rows import GovernedRow
from overrides.parameter_values import Definition, SafeDirection, Type


class Parameter(GovernedRow):
    """What may be set, within which bounds, and which way one person may move it alone.

    A name is defined either once for every environment or in single ones, never both: else a new definition for one
    environment would be a way round the second person.
    """

    ERASABLE_FIELDS = ("description",)

    system = models.ForeignKey(AISystem, models.PROTECT, related_name="parameters")
    environment = models.CharField(max_length=100, blank=True, validators=[slug])
    """Empty: in every one."""
    name = models.CharField(max_length=100, validators=[slug])
    type = models.CharField(max_length=16, choices=Type.choices)
    minimum = models.JSONField(null=True, blank=True)
    maximum = models.JSONField(null=True, blank=True)
    allowed = models.JSONField(default=list, blank=True)
    """The only values there are, where it is not empty."""
    max_length = models.PositiveIntegerField(null=True, blank=True)
    unit = models.CharField(max_length=30, blank=True, validators=[clear])
    safe_direction = models.CharField(max_length=16, choices=SafeDirection.choices)
    safe_value = models.JSONField(null=True, blank=True)
    default = models.JSONField(blank=True)
    """The first value. Callers who never heard of us have one of their own in their code."""
    description = models.TextField(blank=True)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "system", "environment", "name", condition=Q(retired_at=None), name="parameter_name_once"
            )
        ]
        ordering = ["name", "environment"]

    def __str__(self) -> str:
        return f"{self.name} ({self.environment})" if self.environment else self.name

    @property
    def definition(self) -> Definition:
        """What its values must be."""
        return Definition(
            type=self.type,
            minimum=self.minimum,
            maximum=self.maximum,
            allowed=tuple(self.allowed),
            max_length=self.max_length,
            safe_direction=self.safe_direction,
            safe_value=self.safe_value,
        )


class ParameterVersion(GovernedRow):
    """One value of a parameter: asked for, in force, or gone.

    A value without an end lies beneath one with an end: both are `in_force`, and the one with an end holds until it
    lapses. So what follows is always a value that was agreed on.
    """

    class Status(models.TextChoices):
        PROPOSED = "proposed", "waits for a second person"
        IN_FORCE = "in_force", "in force"
        SUPERSEDED = "superseded"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"
        EXPIRED = "expired"
        VOID = "void"

    ERASABLE_FIELDS = ("note",)

    parameter = models.ForeignKey(Parameter, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    value = models.JSONField(null=True, blank=True)
    retires = models.BooleanField(default=False)
    """Asks for the parameter's end, not for a value."""
    status = models.CharField(max_length=16, choices=Status.choices)
    against = models.PositiveIntegerField(null=True, blank=True)
    """Number of the version that held when this one was asked for: if another holds, the request is void."""
    requested_by_type = models.CharField(max_length=16)
    requested_by_id = models.UUIDField(null=True)
    requested_at = models.DateTimeField()
    request_expires_at = models.DateTimeField(null=True, blank=True)
    approved_by_id = models.UUIDField(null=True, blank=True)
    in_force_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    """When the value lapses."""
    ended_at = models.DateTimeField(null=True, blank=True)
    epoch = models.CharField(max_length=40, blank=True)
    """Of all controls, when it came into force."""
    reason_code = models.CharField(max_length=60, validators=[slug])
    note = models.TextField(blank=True)

    class Meta:
        verbose_name = "parameter change"
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint("parameter", "number", name="parameter_version_once"),
            models.UniqueConstraint(
                "parameter", condition=Q(status="in_force", expires_at=None), name="parameter_lasting_value_once"
            ),
            models.UniqueConstraint(
                "parameter", condition=Q(status="in_force", expires_at__isnull=False), name="parameter_passing_once"
            ),
            models.CheckConstraint(
                condition=Q(retires=True) | Q(value__isnull=False), name="parameter_version_has_value"
            ),
            models.CheckConstraint(
                condition=~Q(status="proposed") | Q(request_expires_at__isnull=False), name="parameter_request_ends"
            ),
            models.CheckConstraint(
                condition=Q(approved_by_id=None)
                | Q(requested_by_id=None)
                | ~Q(approved_by_id=models.F("requested_by_id")),
                name="parameter_approver_is_another",
            ),
            models.CheckConstraint(
                condition=~Q(status="in_force") | Q(against=None) | Q(approved_by_id__isnull=False),
                name="parameter_proposed_was_approved",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.parameter} version {self.number}"

    @property
    def requested_by(self) -> Actor:
        """Who asked for it."""
        return Actor(cast(type_names, self.requested_by_type), self.requested_by_id)
