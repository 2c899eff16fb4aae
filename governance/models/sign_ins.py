"""Who is signed in where, and who tried too often."""

from typing import Any, ClassVar

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Now

from config.database import Access
from config.ids import new_id
from governance.models.people import Person
from ledger.rows import GovernedRow


class StaffSession(AbstractBaseSession):
    """A session that says whose it is, so that all of a person's can be shown and ended."""

    DB_ACCESS = Access.WORK

    person_id = models.UUIDField(null=True, db_index=True)
    last_seen_at = models.DateTimeField(null=True)
    """To the minute."""

    @classmethod
    def get_session_store_class(cls) -> Any:
        from governance.sessions import SessionStore  # it imports this model

        return SessionStore


class ExternalIdentity(GovernedRow):
    """An account of the sign-in provider that is a person's. Which one, a keyed hash says: nothing else is kept."""

    ERASABLE_FIELDS = ("subject_digest",)

    person = models.ForeignKey(Person, models.PROTECT, related_name="identities")
    issuer = models.CharField(max_length=500)
    subject_digest = models.CharField(max_length=64, editable=False)
    by_group = models.BooleanField(default=False)
    """They were registered because of a group, and sign in while they are in one."""
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "external identities"
        ordering = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                "subject_digest",
                condition=models.Q(ended_at=None) & ~models.Q(subject_digest=""),
                name="identity_of_one_person",
            ),
            models.UniqueConstraint(
                "person", "issuer", condition=models.Q(ended_at=None), name="identity_one_a_person_and_issuer"
            ),
        ]

    def __str__(self) -> str:
        return self.issuer


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


class CredentialChange(models.Model):
    """A change of how somebody signs in, of which they are to be told. Deleted as soon as the e-mail waits."""

    DB_ACCESS = Access.WORK

    class What(models.TextChoices):
        PASSWORD_SET = "password-set", "a new password was set"
        LINK_ISSUED = "link-issued", "a link was made with which your password can be set"
        APP_ADDED = "app-added", "an authenticator app was added"
        APP_REMOVED = "app-removed", "an authenticator app was removed"
        PASSKEY_ADDED = "passkey-added", "a passkey was added"
        PASSKEY_REMOVED = "passkey-removed", "a passkey was removed"
        CODES_MADE = "codes-made", "new recovery codes were made"
        CODE_USED = "code-used", "a recovery code was used"
        FACTORS_RESET = "factors-reset", "all second factors were removed"
        TOKEN_MADE = "token-made", "a personal token was made"
        ADDRESS_CHANGED = "address-changed", "your e-mail address was changed"
        LINKED = "linked", "an account of the sign-in provider was linked to you"
        UNLINKED = "unlinked", "your account of the sign-in provider was unlinked"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    person_id = models.UUIDField()
    what = models.CharField(max_length=20, choices=What.choices)
    actor_type = models.CharField(max_length=16)
    actor_id = models.UUIDField(null=True)
    place = models.CharField(max_length=45, blank=True)
    """The address it came from; none at the command line."""
    email = models.EmailField(blank=True)
    """Where to tell them, if not where they are written to now: an address that was theirs until this change."""
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.get_what_display()
