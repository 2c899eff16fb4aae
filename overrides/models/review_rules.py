"""What asks for a person's look: queues, rules, reason codes, skills."""

from typing import ClassVar

from django.db import models

from governance.models import AISystem, Person
from governance.models.systems import slug
from ledger.rows import GovernedRow

DAY_S = 24 * 3600


class OnTimeout(models.TextChoices):
    """What becomes of a held decision that nobody has looked at in time."""

    BLOCK = "block", "it may not be carried out"
    FALLBACK = "fallback", "the declared alternative takes its place"
    ALLOW = "allow", "it may be carried out unseen"


class ReviewQueue(GovernedRow):
    """Where reviews wait, and who answers for their being looked at."""

    class WhenFull(models.TextChoices):
        ACCEPT = "accept", "takes more all the same"
        FALLBACK = "fallback", "what is beyond its capacity goes to the declared alternative"
        BLOCK = "block", "what is beyond its capacity may not be carried out"

    slug = models.CharField(max_length=100, unique=True, validators=[slug])
    owner = models.ForeignKey(Person, models.PROTECT, related_name="+")
    system = models.ForeignKey(AISystem, models.PROTECT, null=True, blank=True, related_name="+")
    """The AI system it is for; None: any."""
    is_default = models.BooleanField(default=False)
    """Takes what is held without a rule: everything, while its system is in the mode review."""
    when_full = models.CharField(max_length=16, choices=WhenFull.choices, default=WhenFull.ACCEPT)
    capacity = models.PositiveIntegerField(null=True, blank=True)
    """So many open reviews are as many as its people can look at; None: no limit."""
    lease_s = models.PositiveIntegerField(default=600)
    claims_per_person = models.PositiveSmallIntegerField(default=5)
    deadline_s = models.PositiveIntegerField(default=DAY_S)
    """For what is held without a rule."""
    blind_share = models.FloatField(default=0.0)
    """Of reviews that no rule makes blind, so many are all the same: how far people follow the model shows there."""
    dwell_floor_s = models.PositiveIntegerField(default=5)
    """A decision after less time than this was hardly a look."""
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(
                fields=["system"],
                condition=models.Q(is_default=True, archived_at__isnull=True),
                nulls_distinct=False,
                name="review_queue_one_default",
            ),
            models.CheckConstraint(
                condition=models.Q(blind_share__gte=0, blind_share__lte=1), name="review_queue_share_is_a_share"
            ),
            models.CheckConstraint(
                condition=models.Q(lease_s__gte=60, lease_s__lte=4 * 3600), name="review_queue_lease_in_bounds"
            ),
            models.CheckConstraint(
                condition=models.Q(when_full="accept") | models.Q(capacity__isnull=False),
                name="review_queue_full_of_what",
            ),
            models.CheckConstraint(condition=models.Q(claims_per_person__gte=1), name="review_queue_can_be_claimed"),
        ]

    def __str__(self) -> str:
        return self.slug


class ReviewRule(GovernedRow):
    """Which decisions of an AI system a person must look at. See `overrides.conditions` for what a condition says."""

    system = models.ForeignKey(AISystem, models.PROTECT, related_name="+")
    environment = models.CharField(max_length=100, blank=True, validators=[slug])
    """Empty: every one."""
    name = models.CharField(max_length=100, validators=[slug])
    condition = models.JSONField()
    queue = models.ForeignKey(ReviewQueue, models.PROTECT, related_name="rules")
    deadline_s = models.PositiveIntegerField()
    required_skill = models.CharField(max_length=100, blank=True, validators=[slug])
    reviews_required = models.PositiveSmallIntegerField(default=1)
    is_blind = models.BooleanField(default=False)
    on_timeout = models.CharField(max_length=16, choices=OnTimeout.choices, default=OnTimeout.BLOCK)
    order = models.PositiveIntegerField()
    """The first rule that matches is taken: the lowest number is tried first."""
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["system", "order"]
        constraints = [
            models.UniqueConstraint("system", "name", name="review_rule_once"),
            models.UniqueConstraint(
                fields=["system", "order"],
                condition=models.Q(archived_at__isnull=True),
                name="review_rule_one_an_order",
            ),
            models.CheckConstraint(
                condition=models.Q(reviews_required__in=[1, 2]), name="review_rule_one_or_two_reviews"
            ),
            models.CheckConstraint(
                condition=models.Q(deadline_s__gte=30, deadline_s__lte=90 * DAY_S), name="review_rule_deadline"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RuleChange(GovernedRow):
    """A loosening of a review rule, or of a queue, that waits for a second person. Bound to the row as it stood."""

    class Status(models.TextChoices):
        REQUESTED = "requested"
        APPLIED = "applied"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    rule = models.ForeignKey(ReviewRule, models.PROTECT, null=True, blank=True, related_name="changes")
    """None for a rule that is to be put before others, and for a queue."""
    queue = models.ForeignKey(ReviewQueue, models.PROTECT, null=True, blank=True, related_name="changes")
    system = models.ForeignKey(AISystem, models.PROTECT, null=True, blank=True, related_name="+")
    """None for a queue of all AI systems."""
    rule_revision = models.PositiveIntegerField(default=0)
    """Of the rule or the queue."""
    changes = models.JSONField()
    loosens = models.JSONField()
    """Names of what becomes looser."""
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.REQUESTED)
    requested_by_id = models.UUIDField()
    decided_by_id = models.UUIDField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint("rule", condition=models.Q(status="requested"), name="rule_change_one_at_a_time"),
            models.UniqueConstraint("queue", condition=models.Q(status="requested"), name="queue_change_one_at_a_time"),
            models.CheckConstraint(
                condition=models.Q(queue__isnull=True) | models.Q(rule__isnull=True), name="rule_change_of_one_thing"
            ),
            models.CheckConstraint(
                condition=models.Q(system__isnull=False) | models.Q(queue__isnull=False),
                name="rule_change_of_a_rule_has_system",
            ),
        ]

    def __str__(self) -> str:
        return f"change of {self.queue or self.rule or 'the rules'}"


class ReasonList(GovernedRow):
    """The reason codes of a queue, or of all that have none of their own. A new list is a new row: the last counts."""

    queue = models.ForeignKey(ReviewQueue, models.PROTECT, null=True, blank=True, related_name="+")
    version = models.PositiveIntegerField()
    codes = models.JSONField()
    """`[{"code": "income-misread", "words": "Income was misread", "for": ["modify", "reject"]}]`"""

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.UniqueConstraint(fields=["queue", "version"], nulls_distinct=False, name="reason_list_version"),
        ]

    def __str__(self) -> str:
        return f"reasons of {self.queue or 'all queues'}, version {self.version}"


class ReviewerSkill(GovernedRow):
    """Somebody was found able to judge a kind of case: a name, given and ended by administrators."""

    person = models.ForeignKey(Person, models.PROTECT, related_name="skills")
    skill = models.CharField(max_length=100, validators=[slug])
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["skill"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["person", "skill"], condition=models.Q(ended_at__isnull=True), name="reviewer_skill_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.skill}: {self.person}"


__all__ = [
    "OnTimeout",
    "ReasonList",
    "ReviewQueue",
    "ReviewRule",
    "ReviewerSkill",
    "RuleChange",
]
