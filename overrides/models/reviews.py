"""Reviews, and who works on them."""

from datetime import datetime

from django.db import models

from config.ids import new_id
from governance.models import Person
from governance.models.systems import clear
from ledger.rows import GovernedRow
from overrides.models.review_rules import OnTimeout, ReviewQueue


class Review(GovernedRow):
    """One decision that a person must look at.

    Its first trail is the decision's own entry, which names it: it stands at revision 0 until something happens to it.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        IN_REVIEW = "in_review", "in review"
        DECIDED = "decided"
        CONFLICT = "conflict"
        """Two disagree: a third person decides."""
        ADJUDICATED = "adjudicated"
        TIMED_OUT = "timed_out", "timed out"
        OVERFLOWED = "overflowed"
        """The queue was full: it had no chance of being looked at, which is another thing than too little time."""
        WITHDRAWN = "withdrawn"
        SUPERSEDED = "superseded"
        """Somebody who answers for the AI system has overridden the decision meanwhile."""

    class Verdict(models.TextChoices):
        """What became of the decision."""

        CONFIRM = "confirm"
        MODIFY = "modify"
        REJECT = "reject"

    class Closing(models.TextChoices):
        """Why nobody has decided."""

        DEADLINE = "deadline", "nobody decided in time"
        QUEUE_FULL = "queue_full", "the queue was full"
        CALLER = "caller", "the caller took it back"
        STOPPED = "stopped", "the AI system was stopped"
        OVERRIDE = "override", "overridden meanwhile"

    UNSEALED_FIELDS = ("told_share", "visible_at", "announced_at")

    decision_id = models.UUIDField()
    system_id = models.UUIDField()
    environment = models.CharField(max_length=100)
    rule_id = models.UUIDField(null=True, blank=True)
    """None where the mode review holds everything and no rule matches."""
    # its own index would be one more to write while intake holds a log: `review_waits` leads with the queue
    queue = models.ForeignKey(
        ReviewQueue, models.PROTECT, null=True, blank=True, related_name="reviews", db_index=False
    )
    mode_epoch = models.CharField(max_length=40)
    phase = models.CharField(max_length=16)
    """`proposed`: the decision is held; `effective`: it was carried out, and is looked at afterwards."""
    opened_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    on_timeout = models.CharField(max_length=16, choices=OnTimeout.choices)
    reviews_required = models.PositiveSmallIntegerField()
    is_blind = models.BooleanField()
    required_skill = models.CharField(max_length=100, blank=True)
    probability = models.FloatField()
    """With which it was chosen: 1 unless its rule takes a random share."""

    status = models.CharField(max_length=16, choices=Status.choices, default=Status.OPEN)
    version = models.PositiveIntegerField(default=1)
    """Of what is to be decided: an answer to an earlier one is not taken."""
    escalated_at = models.DateTimeField(null=True, blank=True)
    """Since then only those who answer for the AI system decide."""
    verdict = models.CharField(max_length=16, choices=Verdict.choices, blank=True)
    outcome = models.CharField(max_length=100, blank=True, validators=[clear])
    """The corrected one, where the verdict is modify."""
    reason_code = models.CharField(max_length=100, blank=True, validators=[clear])
    decisive_id = models.UUIDField(null=True, blank=True)
    """The assignment whose output counts."""
    action = models.CharField(max_length=16, choices=OnTimeout.choices, blank=True)
    """What was applied where nobody decided."""
    closing = models.CharField(max_length=16, choices=Closing.choices, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    told_share = models.PositiveSmallIntegerField(default=0)
    """How much of its time had run, in percent, when somebody was last told."""
    visible_at = models.DateTimeField(null=True, blank=True)
    """From when on callers are told: what was decided can be taken back until then."""
    announced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["decision_id"],
                condition=models.Q(status__in=["open", "in_review", "conflict"]),
                name="review_one_open",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["open", "in_review", "conflict"], closed_at__isnull=True)
                | models.Q(
                    status__in=["decided", "adjudicated", "timed_out", "overflowed", "withdrawn", "superseded"],
                    closed_at__isnull=False,
                ),
                name="review_closed_has_time",
            ),
            models.CheckConstraint(
                condition=~models.Q(status__in=["decided", "adjudicated"]) | ~models.Q(verdict=""),
                name="review_decided_has_verdict",
            ),
            models.CheckConstraint(
                condition=~models.Q(verdict="modify") | ~models.Q(outcome=""), name="review_modified_has_outcome"
            ),
            models.CheckConstraint(condition=models.Q(reviews_required__in=[1, 2]), name="review_one_or_two"),
        ]
        indexes = [
            models.Index("decision_id", name="review_decision"),
            models.Index(
                "queue",
                "deadline_at",
                condition=models.Q(status__in=["open", "in_review", "conflict"]),
                name="review_waits",
            ),
            models.Index(
                "deadline_at",
                condition=models.Q(status__in=["open", "in_review", "conflict"]),
                name="review_deadline",
            ),
            models.Index(
                "visible_at",
                condition=models.Q(announced_at__isnull=True, visible_at__isnull=False),
                name="review_to_announce",
            ),
            models.Index("system_id", "opened_at", name="review_system"),
            # intake writes nothing to it: what it opens has not ended
            models.Index(
                "queue", "closed_at", condition=models.Q(closed_at__isnull=False), name="review_ended_in_queue"
            ),
        ]

    def __str__(self) -> str:
        return f"review {self.id}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


OPEN = (Review.Status.OPEN, Review.Status.IN_REVIEW, Review.Status.CONFLICT)
ONE_DECIDES = 3
"""The seat of who decides between two, or what was left to those who answer for it."""


def is_held(prefix: str = "") -> models.Q:
    """What a queue's capacity counts: what took effect already cannot be turned away, and takes nobody's room."""
    return models.Q(**{f"{prefix}status__in": OPEN, f"{prefix}phase": "proposed"})


class ReviewAssignment(GovernedRow):
    """One person's work on a review: taken for a while, then handed in, given back or lost."""

    class Status(models.TextChoices):
        OFFERED = "offered"
        CLAIMED = "claimed"
        SUBMITTED = "submitted"
        RELEASED = "released"
        DECLINED = "declined"
        EXPIRED = "expired"
        WITHDRAWN = "withdrawn"
        """The review ended without it."""

    class Decision(models.TextChoices):
        CONFIRM = "confirm"
        MODIFY = "modify"
        REJECT = "reject"
        ESCALATE = "escalate"
        ABSTAIN = "abstain"

    ERASABLE_FIELDS = ("output", "note")
    UNSEALED_FIELDS = ("lease_until", "draft", "draft_saved_at")

    review = models.ForeignKey(Review, models.PROTECT, related_name="assignments")
    person = models.ForeignKey(Person, models.PROTECT, related_name="+")
    seat = models.PositiveSmallIntegerField()
    """1 and 2 review; 3 decides between them."""
    status = models.CharField(max_length=16, choices=Status.choices)
    token = models.UUIDField(default=new_id, editable=False, unique=True)
    is_blind = models.BooleanField(default=False)
    """The model's outcome is hidden until a first judgement. Not where they had been shown it before."""
    offered_by_id = models.UUIDField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    held_until = models.DateTimeField(null=True, blank=True)
    shown_at = models.DateTimeField(null=True, blank=True)
    """When the server first gave out what is to be judged."""
    first_outcome = models.CharField(max_length=100, blank=True, validators=[clear])
    """The judgement before the model's outcome was seen."""
    first_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    decision = models.CharField(max_length=16, choices=Decision.choices, blank=True)
    outcome = models.CharField(max_length=100, blank=True, validators=[clear])
    reason_code = models.CharField(max_length=100, blank=True, validators=[clear])
    output = models.TextField(blank=True)
    """Raw JSON as sent."""
    note = models.TextField(blank=True)

    lease_until = models.DateTimeField(null=True, blank=True)
    draft = models.JSONField(null=True, blank=True)
    draft_saved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["review", "seat"],
                condition=models.Q(status__in=["offered", "claimed", "submitted"])
                & ~models.Q(decision__in=["escalate", "abstain"]),
                name="assignment_of_work_one_a_seat",
            ),
            models.UniqueConstraint(
                fields=["review", "person"],
                condition=models.Q(status__in=["offered", "claimed", "submitted", "declined"]),
                name="assignment_of_work_one_a_person",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="submitted") | ~models.Q(decision=""),
                name="assignment_of_work_submitted_decides",
            ),
            models.CheckConstraint(
                condition=~models.Q(decision="modify") | ~models.Q(outcome=""),
                name="assignment_of_work_modify_has_outcome",
            ),
        ]
        indexes = [
            models.Index("lease_until", condition=models.Q(status="claimed"), name="assignment_of_work_lease"),
        ]

    def __str__(self) -> str:
        return f"work on {self.review_id}"

    @property
    def is_unseen(self) -> bool:
        """Whether what the model decided is still hidden from this person."""
        return self.is_blind and self.first_at is None

    def is_live(self, now: datetime) -> bool:
        """Whether it can still be handed in."""
        return self.status == self.Status.CLAIMED and self.lease_until is not None and self.lease_until > now
