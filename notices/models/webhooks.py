"""Webhook endpoints of callers, and each delivery to one."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from config.database import Access
from config.ids import new_id
from governance.models import Person
from ledger.rows import GovernedRow
from notices.models.outbox import Event


class WebhookEndpoint(GovernedRow):
    """An address of a caller that is told of events. A person owns it, and it is told no more than they may see."""

    class Format(models.TextChoices):
        STANDARD = "standard", "Standard Webhooks"
        CLOUDEVENTS = "cloudevents", "CloudEvents, structured"

    class Status(models.TextChoices):
        ENABLED = "enabled"
        DISABLED = "disabled"

    class Why(models.TextChoices):
        """Why it is disabled."""

        BY_A_PERSON = "by_a_person", "somebody disabled it"
        GONE = "gone", "it answered 410 Gone"
        EXHAUSTED = "exhausted", "all attempts failed"
        OWNER_LEFT = "owner_left", "its owner has left"

    ERASABLE_FIELDS = ("name", "url")  # addresses may hold tokens, and names of people

    name = models.CharField(max_length=100)
    url = models.CharField(max_length=2000)
    owner = models.ForeignKey(Person, models.PROTECT, related_name="webhook_endpoints")
    system_ids = ArrayField(models.UUIDField(), default=list, blank=True)
    """None named: all that the owner may see."""
    event_types = ArrayField(models.CharField(max_length=60))
    format = models.CharField(max_length=16, choices=Format.choices, default=Format.STANDARD)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ENABLED)
    disabled_why = models.CharField(max_length=16, choices=Why.choices, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "webhook endpoint"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status="enabled", disabled_why="", disabled_at=None)
                | models.Q(status="disabled", disabled_at__isnull=False) & ~models.Q(disabled_why=""),
                name="endpoint_disabled_why",
            ),
            models.CheckConstraint(condition=models.Q(event_types__len__gt=0), name="endpoint_wants_something"),
        ]

    def __str__(self) -> str:
        return self.name or "Webhook endpoint"


class EndpointSecret(models.Model):
    """What signs deliveries to an endpoint: 32 random bytes, encrypted. Read by `notices.services.sending` alone."""

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, models.PROTECT, related_name="+")
    secret = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)
    """Null for the newest. The one before signs along until then."""

    class Meta:
        constraints = [
            models.UniqueConstraint("endpoint", condition=models.Q(expires_at=None), name="endpoint_newest_secret")
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Delivery(models.Model):
    """One event on its way to one endpoint: the bytes that are sent, the same at every attempt."""

    DB_ACCESS = Access.WORK

    class Status(models.TextChoices):
        WAITING = "waiting"
        DELIVERED = "delivered"
        FAILED = "failed"
        DROPPED = "dropped", "Dropped: the endpoint was disabled"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, models.PROTECT, related_name="deliveries")
    event = models.ForeignKey(Event, models.PROTECT, related_name="deliveries")
    content_type = models.CharField(max_length=60)
    body = models.BinaryField()
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.WAITING)
    attempt_count = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    """Failed attempts since it was made or replayed: its place in the schedule."""
    next_attempt_at = models.DateTimeField(db_default=Now())
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    """Somebody is sending it. A killed worker's lease runs out, and it is sent again."""
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint("endpoint", "event", name="delivery_once"),
            models.CheckConstraint(
                condition=models.Q(lease=None, leased_until=None)
                | models.Q(lease__isnull=False, leased_until__isnull=False),
                name="delivery_lease_ends",
            ),
        ]
        indexes = [
            models.Index("next_attempt_at", condition=models.Q(status="waiting"), name="delivery_waits"),
            models.Index("endpoint", "leased_until", condition=models.Q(lease__isnull=False), name="delivery_leased"),
        ]

    def __str__(self) -> str:
        return f"{self.event.type} {self.event_id}"


class Attempt(models.Model):
    """One try at a delivery. What the receiver said beyond its status is not kept: it may say anything of anybody."""

    DB_ACCESS = Access.WORK

    class Outcome(models.TextChoices):
        DELIVERED = "delivered"
        REFUSED = "refused", "Refused by the receiver"
        THROTTLED = "throttled", "Told to wait"
        GONE = "gone", "Gone for good"
        REDIRECTED = "redirected", "Redirected: never followed"
        TIMED_OUT = "timed_out", "No answer in time"
        UNREACHABLE = "unreachable", "No connection"
        UNKNOWN_HOST = "unknown_host", "The name resolves to nothing"
        TLS_FAILED = "tls_failed", "The certificate is not valid"
        BROKEN_OFF = "broken_off", "Broken off before an answer"
        BAD_ADDRESS = "bad_address", "Leads to an address that is not allowed"
        OUR_FAULT = "our_fault", "Failed on our side"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="log")
    number = models.PositiveIntegerField()
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    http_status = models.PositiveSmallIntegerField(null=True)
    duration_ms = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.get_outcome_display()
