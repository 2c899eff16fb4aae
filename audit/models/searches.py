"""Filters that people keep, and searches that are under way."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from config.database import Access
from config.ids import new_id


class SavedFilter(models.Model):
    """A filter or search that somebody keeps under a name. Its owner alone changes or deletes it. No evidence."""

    class Shared(models.TextChoices):
        NOBODY = "nobody", "nobody else"
        SYSTEM = "system", "people of the AI system"
        EVERYBODY = "everybody", "everybody who sees decisions"

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    owner_id = models.UUIDField()
    name = models.CharField(max_length=100)
    conditions = models.JSONField(default=dict)
    """A filter by the names of the API, as clear JSON values. Stands in addresses."""
    terms = models.JSONField(default=dict, blank=True)
    """Of a search: what is searched for. Its owner's alone, in no address, and on a page only where they ask for it."""
    was_of_somebody = models.BooleanField(default=False)
    """Of a search: whether a payload was there, some day, that it is for. What none is there of yet may still come."""
    system_ids = ArrayField(models.UUIDField(), default=list, blank=True)
    """The AI systems that its conditions name: whoever may not see one is not told of the filter."""
    shared = models.CharField(max_length=16, choices=Shared.choices, default=Shared.NOBODY)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint("owner_id", "name", name="saved_filter_name_once"),
            models.CheckConstraint(condition=Q(shared="nobody") | Q(terms={}), name="saved_filter_terms_not_shared"),
            models.CheckConstraint(
                condition=~Q(shared="system") | ~Q(system_ids=[]), name="saved_filter_shared_with_system_names_it"
            ),
        ]
        indexes = [models.Index("shared", condition=~Q(shared="nobody"), name="saved_filter_shared")]

    def __str__(self) -> str:
        return self.name


class SearchRun(models.Model):
    """A search that may go on over pages: what is asked, how far it came, whether it was given up.

    It is there for whoever began it to come back to, and deleted a day later. No evidence: the entries of its log say
    who searched and what was found.
    """

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    actor_type = models.CharField(max_length=16)
    actor_id = models.UUIDField(null=True)
    log_id = models.UUIDField()
    terms = models.JSONField(default=dict)
    """What is searched for: personal, and in no address."""
    question = models.JSONField(default=dict)
    """The filter within which is searched, as `DecisionFilter.said` has it."""
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(auto_now_add=True)
    last_at = models.DateTimeField(auto_now=True)
    entry_id = models.UUIDField(null=True)
    """The entry that says that it began; none until its first page was given out."""
    hits = models.PositiveIntegerField(default=0)
    scanned = models.PositiveBigIntegerField(null=True)
    """Decisions whose payload was looked for; None where an index found them."""
    barred = models.PositiveBigIntegerField(default=0)
    erased = models.PositiveBigIntegerField(default=0)
    searched_to = models.DateTimeField(null=True)
    """Where it paused; None at the end, or where a page was full."""
    frontier = models.CharField(max_length=500, blank=True)
    """The cursor that leads on from the furthest page."""
    cancelled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    """When it came to its end, or was left alone for so long that its end was sealed; going on takes it away again."""

    class Meta:
        indexes = [models.Index("last_at", name="search_run_last")]

    @property
    def is_whole(self) -> bool:
        """Whether it looked at all there is. One that was left alone has an end, and a place from which it goes on."""
        return self.ended_at is not None and not self.frontier

    @property
    def is_left(self) -> bool:
        """Whether nobody came back to it for a while."""
        return self.ended_at is not None and not self.is_over

    @property
    def is_over(self) -> bool:
        """Whether it cannot go on."""
        return self.is_whole or self.cancelled_at is not None

    def __str__(self) -> str:
        return f"search of {self.started_at:%Y-%m-%d %H:%M}"


class SearchHit(models.Model):
    """A decision that a person's search found, in the order of its pages. Goes with the search."""

    DB_ACCESS = Access.WORK

    pk = models.CompositePrimaryKey("run_id", "position")
    run = models.ForeignKey(SearchRun, models.CASCADE, related_name="found", db_index=False)
    position = models.PositiveIntegerField()
    decision_id = models.UUIDField()

    def __str__(self) -> str:
        return str(self.decision_id)
