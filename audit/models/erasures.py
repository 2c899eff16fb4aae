"""Erasures: asked for by one, agreed to by another, announced, then done everywhere; inside a floor only restricted."""

from django.contrib.postgres.indexes import HashIndex
from django.db import models
from django.db.models import F, Q

from audit.models.cases import MAX_TEXT
from config.database import Access
from ledger.rows import GovernedRow

FROZEN = (("freeze", "BEFORE INSERT OR UPDATE OR DELETE", "evidence_freeze"),)
"""What two people agreed to stays as they agreed to it."""


class ErasureRequest(GovernedRow):
    """The wish to erase decisions, everything of a subject, or the name of somebody who has left."""

    class Kind(models.TextChoices):
        DECISION = "decision", "single decisions"
        SUBJECT = "subject", "a subject"
        PERSON = "person", "a former member of staff"

    class Basis(models.TextChoices):
        """Regulation (EU) 2016/679, article 17(1)."""

        NOT_NEEDED = "not_needed", "not needed any more (17(1)(a))"
        CONSENT = "consent_withdrawn", "consent was withdrawn (17(1)(b))"
        OBJECTION = "objection", "objection (17(1)(c))"
        UNLAWFUL = "unlawful", "it was processed unlawfully (17(1)(d))"
        OBLIGATION = "legal_obligation", "a law asks for it (17(1)(e))"
        CHILD = "child", "collected from a child (17(1)(f))"
        OTHER = "other", "another basis, named in the reason"

    class Status(models.TextChoices):
        DRAFT = "draft", "being prepared"
        REQUESTED = "requested", "waits for a second person"
        WAITING = "waiting", "agreed to, waits for its time"
        RUNNING = "running", "under way"
        SCHEDULED = "scheduled", "waits for floors or holds to end"
        HELD = "held", "stopped by somebody"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"
        PERFORMED = "performed"

    ERASABLE_FIELDS = ("subject", "identifiers", "reason")
    UNSEALED_FIELDS = ("looked_at",)

    kind = models.CharField(max_length=16, choices=Kind.choices)
    basis = models.CharField(max_length=24, choices=Basis.choices)
    system_id = models.UUIDField(null=True, blank=True)
    """Of which AI system; None: of all."""
    person_id = models.UUIDField(null=True, blank=True)
    """The former member of staff."""
    look_into_payloads = models.BooleanField(default=False)
    """Whether payloads of others were looked through, too."""
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.DRAFT)
    requested_by_id = models.UUIDField()
    requested_at = models.DateTimeField(null=True, blank=True)
    runs_at = models.DateTimeField(null=True, blank=True)
    """Not before: a day after those who may stop it were told."""
    held_by_id = models.UUIDField(null=True, blank=True)
    held_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    decisions = models.PositiveIntegerField(default=0)
    decisions_digest = models.CharField(max_length=64, blank=True)
    """SHA-256, in hex, over the sixteen bytes of each decision's id, in ascending order."""
    texts = models.PositiveIntegerField(default=0)
    texts_digest = models.CharField(max_length=64, blank=True)
    """The same over the ids of what was found by its words."""
    looked_at = models.DateTimeField(null=True, blank=True)
    """When the server last looked whether something of it may be erased by now."""
    subject = models.TextField(blank=True, max_length=200)
    identifiers = models.JSONField(default=list, blank=True)
    """What else names them in texts: a list of strings."""
    reason = models.TextField(max_length=MAX_TEXT)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="person", person_id__isnull=False) | ~Q(kind="person") & Q(person_id__isnull=True),
                name="erasure_of_somebody",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "withdrawn"]) | Q(requested_at__isnull=False),
                name="erasure_asked_for_when",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["waiting", "running", "scheduled", "performed"]) | Q(runs_at__isnull=False),
                name="erasure_runs_when",
            ),
        ]

    def __str__(self) -> str:
        return f"Erasure asked for on {(self.requested_at or self.created_at):%Y-%m-%d}"


ACTIVE = frozenset({"waiting", "running", "scheduled"})
"""States of a request that two people agreed to, and that is not over."""
RESTRICTING = ACTIVE | {"held", "requested"}
"""States in which stays restricted what a request restricted: whoever stops it frees nothing. It is free once the
request is withdrawn or refused, or performed."""


class ErasureTarget(models.Model):
    """One decision of a request. Frozen once two people have agreed to it."""

    DB_ACCESS = Access.WORK
    OWN_TRIGGERS = FROZEN

    pk = models.CompositePrimaryKey("request_id", "decision_id")
    request = models.ForeignKey(ErasureRequest, models.PROTECT, related_name="targets", db_index=False)
    decision_id = models.UUIDField()
    system_id = models.UUIDField()

    class Meta:
        indexes = [models.Index("request", "system_id", name="erasure_target_system")]

    def __str__(self) -> str:
        return str(self.decision_id)


class ErasureFind(models.Model):
    """Something whose words name the subject: a version of a text, or a row that is no evidence."""

    DB_ACCESS = Access.WORK
    OWN_TRIGGERS = FROZEN

    pk = models.CompositePrimaryKey("request_id", "item_id")
    request = models.ForeignKey(ErasureRequest, models.PROTECT, related_name="finds", db_index=False)
    item_id = models.UUIDField()
    """Of the version in `Particulars`; else of the row."""
    place = models.CharField(max_length=40)
    """Which place of `evidence.erasure.places` it was found by."""
    row_id = models.UUIDField()
    is_chosen = models.BooleanField(default=True)
    is_shown = models.BooleanField(default=False)
    """Whether it was shown to a data protection officer: nothing is asked for that nobody has seen."""
    system_id = models.UUIDField(null=True)
    """Whose words they are: of which AI system; None: of the organisation."""

    def __str__(self) -> str:
        return f"{self.place} {self.item_id}"


class ErasureScan(models.Model):
    """How far the search for a request's finds has come."""

    DB_ACCESS = Access.WORK

    request = models.OneToOneField(ErasureRequest, models.PROTECT, primary_key=True, related_name="scan")
    place = models.CharField(max_length=40, blank=True)
    cursor = models.UUIDField(null=True)
    finished_at = models.DateTimeField(null=True)
    newer = models.JSONField(default=dict)
    """The same of what came since, before it is performed: place, cursor, how many were found, whether it is over."""
    walk = models.JSONField(default=dict)
    """How far a run has gone through decisions and finds: what is kept back is passed by once, not by each slice."""

    def __str__(self) -> str:
        return f"{self.place} to {self.cursor}"


class ErasureConsent(GovernedRow):
    """The second person's word on a request: of each AI system that it is about, whoever is accountable there; of what
    belongs to none, one for the organisation.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "waits for an answer"
        APPROVED = "approved"
        REFUSED = "refused"
        VOID = "void", "not asked any more"

    ERASABLE_FIELDS = ("answer",)

    request = models.ForeignKey(ErasureRequest, models.PROTECT, related_name="consents")
    system_id = models.UUIDField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.WAITING)
    asked_by_id = models.UUIDField()
    decided_by_id = models.UUIDField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decisions = models.PositiveIntegerField(default=0)
    decisions_digest = models.CharField(max_length=64, blank=True)
    texts_digest = models.CharField(max_length=64, blank=True)
    """Over what was found of this AI system, or of the organisation; of a former member of staff over all of it."""
    answer = models.TextField(blank=True, max_length=MAX_TEXT)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["request", "system_id"],
                condition=~Q(status="void"),
                nulls_distinct=False,
                name="erasure_consent_once",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["waiting", "void"]) | Q(decided_by_id__isnull=False, decided_at__isnull=False),
                name="erasure_consent_by_somebody",
            ),
            models.CheckConstraint(condition=~Q(decided_by_id=F("asked_by_id")), name="erasure_consent_by_another"),
        ]

    def __str__(self) -> str:
        return f"consent to {self.request}"


class ErasureWarrant(models.Model):
    """That the database itself compared what two people agreed to with what their entry says. Written by it alone."""

    DB_ACCESS = Access.FUNCTIONS_ONLY

    consent = models.OneToOneField(ErasureConsent, models.PROTECT, primary_key=True, related_name="warrant")
    request_id = models.UUIDField(db_index=True)
    system_id = models.UUIDField(null=True)
    agreed_at = models.DateTimeField()
    """When the sealed entry says that the second person agreed."""
    opened_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"warrant of {self.request_id}"


class Restriction(models.Model):
    """A decision of which only a data protection officer reads more than its entry says, while its request goes on."""

    DB_ACCESS = Access.APPEND

    pk = models.CompositePrimaryKey("request_id", "decision_id")
    request = models.ForeignKey(ErasureRequest, models.PROTECT, related_name="restrictions", db_index=False)
    decision_id = models.UUIDField()
    entry_id = models.UUIDField()
    """The entry that counts it."""

    class Meta:
        indexes = [HashIndex("decision_id", name="restriction_decision")]

    def __str__(self) -> str:
        return str(self.decision_id)


class TextRestriction(models.Model):
    """A version of a text, or a row that is no evidence, of which the same is true: it was found by its words."""

    DB_ACCESS = Access.APPEND

    pk = models.CompositePrimaryKey("request_id", "item_id")
    request = models.ForeignKey(ErasureRequest, models.PROTECT, related_name="text_restrictions", db_index=False)
    item_id = models.UUIDField()
    """Of the find: the version in `Particulars`; else the row."""
    row_id = models.UUIDField()
    """The row that it is a version of."""
    entry_id = models.UUIDField()
    """The entry that counts it."""

    class Meta:
        # both are walked through in their order: by exports and by the self-audit
        indexes = [
            models.Index(fields=["row_id"], name="text_restriction_row"),
            models.Index(fields=["item_id"], name="text_restriction_item"),
        ]

    def __str__(self) -> str:
        return str(self.item_id)


class ErasureStep(models.Model):
    """That a decision, or what was found by its words, is erased everywhere, for a request."""

    DB_ACCESS = Access.APPEND

    pk = models.CompositePrimaryKey("request_id", "item_id")
    request = models.ForeignKey(ErasureRequest, models.PROTECT, related_name="steps", db_index=False)
    item_id = models.UUIDField()
    """Of the decision, or of the find."""
    entry_id = models.UUIDField()
    counts = models.JSONField(default=dict)
    """How many of what went, by place."""

    def __str__(self) -> str:
        return str(self.item_id)
