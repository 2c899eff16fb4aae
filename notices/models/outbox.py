"""What is to be told to the outside: rows that sweeps send, so that a lost broker or mail server loses nothing."""

from django.db import models
from django.db.models.functions import Now

from config.database import Access
from config.ids import new_id


class Event(models.Model):
    """Something that happened, for webhook endpoints that asked for it. Its id is the same for every delivery."""

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    type = models.CharField(max_length=60)
    system_id = models.UUIDField(null=True)
    about_id = models.UUIDField(null=True)
    facts = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    fanned_out_at = models.DateTimeField(null=True)
    """When its deliveries were made. Until then the sweep has it to do."""

    class Meta:
        indexes = [models.Index("id", condition=models.Q(fanned_out_at=None), name="event_waits")]

    def __str__(self) -> str:
        return self.type


class Message(models.Model):
    """An e-mail to a person, told once for each fingerprint. Its words are made when it is sent."""

    DB_ACCESS = Access.WORK

    class Status(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        GIVEN_UP = "given_up", "Given up"
        NOBODY = "nobody", "Nobody to send it to"
        """The person has left, or has no address."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    person_id = models.UUIDField()
    address = models.EmailField(blank=True)
    """Where it goes, if not to the address that the person has: one that was theirs."""
    kind = models.CharField(max_length=60)
    fingerprint = models.CharField(max_length=200)
    facts = models.JSONField(default=dict)
    is_urgent = models.BooleanField(default=False)
    """Not kept waiting by a flood of what is not: each of the two is counted and gathered apart."""
    created_at = models.DateTimeField(db_default=Now())
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())
    """Also the end of a lease: whoever sends it moves this on first, and a killed sender's turn passes to the next."""
    last_error = models.CharField(max_length=100, blank=True)
    """The class of what went wrong, no more: mail servers quote addresses."""
    mail_id = models.UUIDField(null=True)
    """The e-mail it went in; several that went in one share it."""
    sent_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "e-mail"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint("person_id", "fingerprint", name="message_once")]
        indexes = [
            models.Index("next_attempt_at", condition=models.Q(status="waiting"), name="message_waits"),
            models.Index("person_id", "sent_at", name="message_sent"),
        ]

    def __str__(self) -> str:
        return self.kind
