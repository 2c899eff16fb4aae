"""Second factors: authenticator apps, passkeys, recovery codes."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from config.database import Access
from config.ids import new_id
from governance.models.people import Person
from ledger.rows import GovernedRow


class TotpFactor(GovernedRow):
    """An authenticator app. Its secret is encrypted, and in neither history nor state."""

    UNSEALED_FIELDS = ("sealed_secret", "last_step", "last_used_at")

    person = models.ForeignKey(Person, models.PROTECT, related_name="totp_factors")
    sealed_secret = models.BinaryField(editable=False)
    """Empty once it was removed."""
    last_step = models.BigIntegerField(default=0, editable=False)
    """The time step of the last code that was taken: no code is taken twice."""
    last_used_at = models.DateTimeField(null=True, editable=False)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint("person", condition=models.Q(removed_at=None), name="totp_one_a_person"),
        ]

    def __str__(self) -> str:
        return "Authenticator app"


class Passkey(GovernedRow):
    """A WebAuthn credential: its public key. It stands for two factors, as it asks its holder for a PIN or finger."""

    ERASABLE_FIELDS = ("name",)
    UNSEALED_FIELDS = ("sign_count", "last_used_at")

    person = models.ForeignKey(Person, models.PROTECT, related_name="passkeys")
    name = models.CharField(max_length=100)
    credential_id = models.BinaryField(unique=True, editable=False)
    public_key = models.BinaryField(editable=False)
    is_synced = models.BooleanField(default=False, editable=False)
    """Kept by a password manager on several devices, rather than in one piece of hardware."""
    sign_count = models.BigIntegerField(default=0, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class RecoveryCode(models.Model):
    """One of ten codes for whoever lost their other factors. Each works once; a new set ends the old one."""

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    person = models.ForeignKey(Person, models.CASCADE, related_name="recovery_codes")
    code_hash = models.BinaryField()
    used_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint("person", "code_hash", name="recovery_code_once"),
        ]

    def __str__(self) -> str:
        return f"recovery code {self.id}"
