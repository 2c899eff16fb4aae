"""Counts of decisions by minute, for pages: derived from the record, and can be derived again. None is evidence."""

from django.db import models

from config.database import Access


class DecisionTally(models.Model):
    """How many decisions of an AI system were recorded in one minute with one outcome."""

    DB_ACCESS = Access.WORK

    pk = models.CompositePrimaryKey("minute", "system_id", "outcome")
    minute = models.DateTimeField()
    system_id = models.UUIDField()
    outcome = models.CharField(max_length=100)
    count = models.PositiveIntegerField()
    adverse = models.PositiveIntegerField()
    held = models.PositiveIntegerField()
    """Of which the caller was told anything but to proceed."""

    class Meta:
        verbose_name_plural = "decision tallies"

    def __str__(self) -> str:
        return f"{self.minute:%Y-%m-%d %H:%M} {self.outcome}: {self.count}"


class CardTally(models.Model):
    """How many decisions were recorded in one minute under a system card, and how many of them outside its scope.

    Only for AI systems with a card. After some weeks the minutes of an hour are one row, of its first minute.
    """

    DB_ACCESS = Access.WORK

    pk = models.CompositePrimaryKey("minute", "system_id", "card")
    minute = models.DateTimeField()
    system_id = models.UUIDField()
    card = models.PositiveIntegerField()
    """The card's number."""
    count = models.PositiveBigIntegerField()
    outside = models.PositiveBigIntegerField()

    class Meta:
        verbose_name_plural = "card tallies"
        indexes = [models.Index("system_id", "minute", name="card_tally_system")]

    def __str__(self) -> str:
        return f"{self.minute:%Y-%m-%d %H:%M} card {self.card}: {self.outside} of {self.count}"
