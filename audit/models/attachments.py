"""Which decisions are in a case. Each act is one sealed row with a digest over its decisions; these only ever grow."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from audit.models.cases import MAX_TEXT, Case
from config.database import Access
from ledger.rows import KeyedRow, key_once


class CaseAttachment(KeyedRow):
    """One act of attaching or detaching: how many decisions, of which AI systems, and a digest over all of them."""

    class Act(models.TextChoices):
        ATTACHED = "attached"
        DETACHED = "detached"

    class By(models.TextChoices):
        CHOICE = "choice", "chosen one by one"
        FILTER = "filter", "found by a filter"
        SEARCH = "search", "found by a search"
        ATTACHMENT = "attachment", "all that one act put in"

    KEYED_BY = "person_id"
    ERASABLE_FIELDS = ("why", "question")

    case = models.ForeignKey(Case, models.PROTECT, related_name="attachments")
    act = models.CharField(max_length=16, choices=Act.choices, default=Act.ATTACHED)
    by = models.CharField(max_length=16, choices=By.choices)
    question = models.JSONField(default=dict, blank=True)
    """The filter: its fields that are known and were given, moments in UTC."""
    is_all = models.BooleanField(default=True)
    """Whether it took all that the filter found; else as many as are taken at a time, the newest first."""
    count = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    """SHA-256, in hex, over the sixteen bytes of each decision's id, in ascending order."""
    system_ids = ArrayField(models.UUIDField())
    person_id = models.UUIDField()
    why = models.TextField(blank=True, max_length=MAX_TEXT)

    class Meta:
        ordering = ["id"]
        constraints = [
            key_once("person_id", "attachment_key_once"),
            models.CheckConstraint(condition=models.Q(count__gt=0), name="attachment_is_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.count} {self.act}"


class CaseDecision(models.Model):
    """One decision of an attachment. It counts until a `CaseDetachment` names it; a later attachment may repeat it."""

    DB_ACCESS = Access.APPEND

    pk = models.CompositePrimaryKey("attachment_id", "decision_id")
    attachment = models.ForeignKey(CaseAttachment, models.PROTECT, related_name="decisions", db_index=False)
    decision_id = models.UUIDField()
    # Copies, for the order of lists and for look-ups; `verify_logs` compares them.
    case_id = models.UUIDField()
    system_id = models.UUIDField()
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index("case_id", "recorded_at", "decision_id", name="case_decision_order"),
            models.Index("decision_id", "case_id", name="case_decision_cases"),
        ]

    def __str__(self) -> str:
        return str(self.decision_id)

    @classmethod
    def current(cls) -> models.QuerySet["CaseDecision"]:
        """Those that are in their case now."""
        gone = CaseDetachment.objects.filter(
            attached_by_id=models.OuterRef("attachment_id"), decision_id=models.OuterRef("decision_id")
        )
        return cls.objects.filter(~models.Exists(gone))


class CaseDetachment(models.Model):
    """One decision that was taken out again, from the attachment that brought it."""

    DB_ACCESS = Access.APPEND

    pk = models.CompositePrimaryKey("attached_by_id", "decision_id")
    attached_by = models.ForeignKey(CaseAttachment, models.PROTECT, related_name="+", db_index=False)
    decision_id = models.UUIDField()
    attachment = models.ForeignKey(CaseAttachment, models.PROTECT, related_name="detached")
    """The act that took it out."""

    def __str__(self) -> str:
        return str(self.decision_id)


class CaseTally(models.Model):
    """What is in a case now, counted for its page: derived from the rows above and the record. None is evidence."""

    DB_ACCESS = Access.WORK

    case = models.ForeignKey(Case, models.CASCADE, related_name="tallies")
    system_id = models.UUIDField()
    model_version = models.CharField(max_length=100)
    outcome = models.CharField(max_length=100)
    accountable_id = models.UUIDField(null=True)
    """Who answered for it when it was recorded; None: nobody."""
    is_accepted = models.BooleanField()
    count = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "case tallies"
        constraints = [
            models.UniqueConstraint(
                fields=["case", "system_id", "model_version", "outcome", "accountable_id", "is_accepted"],
                nulls_distinct=False,
                name="case_tally_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.outcome}: {self.count}"
