"""Who is signed in where, and who tried too often."""

from typing import Any, ClassVar

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

from config.database import Access
from config.ids import new_id


class StaffSession(AbstractBaseSession):
    """A session that says whose it is, so that all of a person's can be shown and ended."""

    DB_ACCESS = Access.WORK

    person_id = models.UUIDField(null=True, db_index=True)

    @classmethod
    def get_session_store_class(cls) -> Any:
        from governance.sessions import SessionStore  # it imports this model

        return SessionStore


class SignInThrottle(models.Model):
    """Failed attempts to sign in: for an account, from an address, with a second factor. Forgotten after a day.

    An account is a keyed hash of what was typed, whether there is such an account or not.
    """

    DB_ACCESS = Access.WORK

    class Kind(models.TextChoices):
        ACCOUNT = "account"
        ADDRESS = "address"
        FACTOR = "factor"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    digest = models.BinaryField()
    failures = models.PositiveIntegerField(default=0)
    locks = models.PositiveIntegerField(default=0)
    last_failed_at = models.DateTimeField(null=True)
    locked_until = models.DateTimeField(null=True)
    is_told = models.BooleanField(default=True)
    """Whether the lock-out in force is in the log and administrators were told."""

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint("kind", "digest", name="throttle_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index("id", condition=models.Q(is_told=False), name="throttle_untold"),
            models.Index("last_failed_at", name="throttle_last_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"
