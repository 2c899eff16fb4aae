"""Templates of explanation letters: one in force for each AI system and language, numbered when it is published."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q

from governance.letter_templates.languages import TAG
from governance.letter_templates.wording import MOST_REASONS, REASONS, Side
from governance.models.systems import AISystem
from governance.models.writers import not_by_a_writer
from ledger.rows import GovernedRow

language_tag = RegexValidator(rf"^{TAG.pattern}\Z", "A language tag, as en or pt-BR.")


class LetterTemplate(GovernedRow):
    """One template. A draft is changed until somebody who wrote nothing of it publishes it."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        SUBMITTED = "submitted", "waits for a second person"
        PUBLISHED = "published", "in force"
        SUPERSEDED = "superseded"
        WITHDRAWN = "withdrawn", "given up"

    OPEN = (Status.DRAFT, Status.SUBMITTED)
    NUMBERED = (Status.PUBLISHED, Status.SUPERSEDED)
    ERASABLE_FIELDS = ("text", "words", "responsible", "contact", "note", "answer")

    system = models.ForeignKey(AISystem, models.PROTECT, related_name="letter_templates")
    language = models.CharField(max_length=20, validators=[language_tag])
    number = models.PositiveIntegerField(null=True, blank=True)
    """None before it is published; counts the templates of one language."""
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.DRAFT)
    text = models.TextField(blank=True)
    words = models.TextField(blank=True)
    """The dictionary (governance.letter_templates.words)."""
    responsible = models.TextField(blank=True)
    contact = models.TextField(blank=True)
    contest_days = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    reasons_most = models.PositiveSmallIntegerField(
        default=REASONS, validators=[MinValueValidator(1), MaxValueValidator(MOST_REASONS)]
    )
    reasons_side = models.CharField(max_length=16, choices=Side.choices, default=Side.OUTCOME)
    names_staff = models.BooleanField(default=False)
    saved_by_id = models.UUIDField()
    saved_at = models.DateTimeField()
    written_by = ArrayField(models.UUIDField(), default=list, blank=True)
    """Everybody who saved it: none of them publishes it."""
    note = models.TextField(blank=True)
    """What whoever submitted it said to whoever decides."""
    answer = models.TextField(blank=True)
    """Why it went back."""
    submitted_by_id = models.UUIDField(null=True, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    published_by_id = models.UUIDField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    superseded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "letter template"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint("system", "language", "number", name="letter_template_number_once"),
            models.UniqueConstraint(
                "system",
                "language",
                condition=Q(status__in=["draft", "submitted"]),
                name="letter_template_one_draft",
            ),
            models.UniqueConstraint(
                "system", "language", condition=Q(status="published"), name="letter_template_in_force_once"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["published", "superseded"], number__gte=1, published_at__isnull=False)
                | Q(status__in=["draft", "submitted", "withdrawn"], number=None, published_at=None),
                name="letter_template_numbered_when_published",
            ),
            models.CheckConstraint(
                condition=Q(status="superseded", superseded_at__gte=F("published_at"))
                | (~Q(status="superseded") & Q(superseded_at=None)),
                name="letter_template_superseded_has_an_end",
            ),
            models.CheckConstraint(
                condition=Q(published_at=None)
                | (Q(published_by_id__isnull=False) & ~Q(published_by_id=F("saved_by_id"))),
                name="letter_template_published_by_another",
            ),
            models.CheckConstraint(
                condition=~Q(status="submitted") | Q(submitted_by_id__isnull=False, submitted_at__isnull=False),
                name="letter_template_submitted_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(published_at=None)
                | (Q(submitted_by_id__isnull=False) & ~Q(published_by_id=F("submitted_by_id"))),
                name="letter_template_published_by_another_than_asked",
            ),
            models.CheckConstraint(
                condition=not_by_a_writer("published_by_id"), name="letter_template_not_published_by_a_writer"
            ),
        ]

    def __str__(self) -> str:
        return f"Template {self.number} ({self.language})" if self.number else f"Template ({self.language}), draft"
