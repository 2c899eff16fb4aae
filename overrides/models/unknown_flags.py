"""Flags that clients asked for and nobody has."""

from django.db import models

from config.database import Access


class UnknownFlag(models.Model):
    """A key asked for a flag that is not there, or not for it. A typo would otherwise give the code's default for ever.

    A work table: counted in memory and added to now and then.
    """

    DB_ACCESS = Access.WORK

    key_id = models.UUIDField()
    flag = models.CharField(max_length=300)
    asked = models.BigIntegerField()
    first_asked_at = models.DateTimeField()
    last_asked_at = models.DateTimeField()

    class Meta:
        ordering = ["-last_asked_at"]
        constraints = [
            models.UniqueConstraint(fields=["key_id", "flag"], name="unknown_flag_once"),
            models.CheckConstraint(condition=models.Q(asked__gt=0), name="unknown_flag_asked"),
        ]

    def __str__(self) -> str:
        return self.flag
