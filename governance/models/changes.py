"""The feed that keeps every process's memory of the register up to date."""

from django.db import models
from django.db.models.functions import Cast, Now

from config.database import Access
from config.ids import new_id


class CurrentTransaction(models.Func):
    """PostgreSQL's 64-bit id of the running transaction, as text (there is no cast to a number)."""

    function = "pg_current_xact_id"
    output_field = models.TextField()


class RegisterChange(models.Model):
    """A row of the register changed in this transaction.

    Readers ask for changes at or above the oldest transaction that was still running when they last looked, so one
    that commits late is not missed, whatever order its number has (see `governance.memory`).
    """

    DB_ACCESS = Access.WORK

    class Noun(models.TextChoices):
        SYSTEM = "system"
        ENVIRONMENT = "environment"
        MODEL_VERSION = "model_version"
        CARD = "card"
        ASSIGNMENT = "assignment"
        ACCOUNT = "account"
        KEY = "key"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    transaction = models.BigIntegerField(
        db_default=Cast(Cast(CurrentTransaction(), models.TextField()), models.BigIntegerField()), db_index=True
    )
    noun = models.CharField(max_length=16, choices=Noun.choices)
    row_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.noun} {self.row_id}"
