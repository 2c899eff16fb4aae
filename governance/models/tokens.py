"""Personal tokens: what people call the API with, each for some hours."""

from datetime import timedelta
from typing import ClassVar

from django.db import models

from governance.models.people import Person
from ledger.rows import GovernedRow

LONGEST_LIFE = timedelta(days=30)


class PersonToken(GovernedRow):
    """`anp_<id>_<secret>`: of the secret only a hash is kept. It may do what its person may, while they may."""

    ERASABLE_FIELDS = ("name",)
    UNSEALED_FIELDS = ("last_used_at",)

    person = models.ForeignKey(Person, models.PROTECT, related_name="tokens")
    name = models.CharField(max_length=100)
    """What it is for, in its person's words."""
    token_id = models.CharField(max_length=16, unique=True, editable=False)
    secret_hash = models.BinaryField(editable=False)
    proven_at = models.DateTimeField()
    """When its person last proved a factor before making it."""
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("created_at"))
                & models.Q(expires_at__lte=models.F("created_at") + LONGEST_LIFE),
                name="token_is_short_lived",
                violation_error_message="A token lasts at most 30 days.",
            ),
            models.CheckConstraint(
                condition=models.Q(proven_at__lte=models.F("created_at")), name="token_proven_before_made"
            ),
        ]

    def __str__(self) -> str:
        return f"anp_{self.token_id}_…"
