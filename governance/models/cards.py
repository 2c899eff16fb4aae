"""System cards: what an AI system is for and how good it is, numbered and sealed when they are published."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from config.database import Access
from config.ids import new_id
from governance.models.systems import AISystem
from governance.models.writers import not_by_a_writer
from ledger.rows import GovernedRow


class SystemCard(GovernedRow):
    """One card. What is being written stands in `CardSave` until somebody submits it."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        SUBMITTED = "submitted", "waits for a second person"
        PUBLISHED = "published"
        SUPERSEDED = "superseded"
        WITHDRAWN = "withdrawn", "given up"

    OPEN = (Status.DRAFT, Status.SUBMITTED)
    NUMBERED = (Status.PUBLISHED, Status.SUPERSEDED)
    ERASABLE_FIELDS = ("content", "content_digest", "check_key", "note", "answer")

    system = models.ForeignKey(AISystem, models.PROTECT, related_name="cards")
    number = models.PositiveIntegerField(null=True, blank=True)
    """None before it is published."""
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.DRAFT)
    content = models.TextField(blank=True)
    """One canonical JSON document (governance.cards.content), as submitted, published or given up."""
    content_digest = models.CharField(max_length=80, blank=True)
    """Of the document alone: erased with it, since a text that can be guessed could be tried on it."""
    check_key = models.CharField(max_length=64, blank=True)
    """In hex. With it whoever holds the document checks the digest; without it the digest opens nothing."""
    digest = models.CharField(max_length=64, blank=True)
    """SHA-256, in hex, over the 32 bytes of the check key and the document: what the entries name."""
    note = models.TextField(blank=True)
    """What whoever submitted it said to whoever decides."""
    answer = models.TextField(blank=True)
    """Why it went back."""
    begun_from = models.PositiveIntegerField(null=True, blank=True)
    """The number of the card whose content it began with."""
    begun_by_id = models.UUIDField()
    drafted_by_id = models.UUIDField(null=True, blank=True)
    """Who saved it last before it was submitted."""
    written_by = ArrayField(models.UUIDField(), default=list, blank=True)
    """Everybody who saved it since the card in force, as of the submission: none of them publishes it."""
    submitted_by_id = models.UUIDField(null=True, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    published_by_id = models.UUIDField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    superseded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "system card"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint("system", "number", name="card_number_once"),
            models.UniqueConstraint("system", condition=Q(status__in=["draft", "submitted"]), name="card_open_once"),
            models.UniqueConstraint("system", condition=Q(status="published"), name="card_in_force_once"),
            models.CheckConstraint(
                condition=Q(status__in=["published", "superseded"], number__gte=1, published_at__isnull=False)
                | Q(status__in=["draft", "submitted", "withdrawn"], number=None, published_at=None),
                name="card_numbered_when_published",
            ),
            models.CheckConstraint(
                condition=Q(status="superseded", superseded_at__gte=F("published_at"))
                | (~Q(status="superseded") & Q(superseded_at=None)),
                name="card_superseded_has_an_end",
            ),
            models.CheckConstraint(
                condition=Q(published_at=None)
                | (
                    Q(published_by_id__isnull=False, submitted_by_id__isnull=False, drafted_by_id__isnull=False)
                    & ~Q(published_by_id=F("submitted_by_id"))
                    & ~Q(published_by_id=F("drafted_by_id"))
                ),
                name="card_published_by_another",
            ),
            models.CheckConstraint(condition=not_by_a_writer("published_by_id"), name="card_not_published_by_a_writer"),
        ]

    def __str__(self) -> str:
        return f"Card {self.number}" if self.number else f"Card, {self.get_status_display()}"


class CardSave(models.Model):
    """A draft as somebody saved it. All saves of a draft are kept until it is published or given up."""

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    card = models.ForeignKey(SystemCard, models.PROTECT, related_name="saves")
    number = models.PositiveIntegerField()
    """Counts the saves of one draft: whoever saves says which one they had before them."""
    content = models.TextField()
    saved_by_id = models.UUIDField()
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint("card", "number", name="card_save_once")]

    def __str__(self) -> str:
        return f"{self.card}, save {self.number}"
