"""Service accounts: what posts decisions, with a human owner, and the keys it signs in with."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from config.database import Access
from governance.models.people import Person
from governance.models.systems import slug
from ledger.rows import GovernedRow


class ServiceAccount(GovernedRow):
    """A program that talks to the API. A person owns it."""

    ERASABLE_FIELDS = ("name", "description")

    slug = models.CharField(max_length=100, unique=True, validators=[slug])
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    owner = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="service_accounts")
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name or self.slug


class ServiceKey(GovernedRow):
    """`ans_<id>_<secret>`: of the secret only a hash is kept. For one environment, named systems and acts."""

    class Scope(models.TextChoices):
        DECISIONS_WRITE = "decisions:write"
        DECISIONS_READ = "decisions:read"
        PAYLOADS_READ = "payloads:read"
        LEDGER_READ = "ledger:read"
        REGISTER_WRITE = "register:write"
        CONTROL_READ = "control:read"
        CONTROL_TIGHTEN = "control:tighten"
        FEEDBACK_WRITE = "feedback:write"

    UNSEALED_FIELDS = ("last_used_at",)

    account = models.ForeignKey(ServiceAccount, models.PROTECT, related_name="keys")
    key_id = models.CharField(max_length=16, unique=True, editable=False)
    secret_hash = models.BinaryField(editable=False)
    environment = models.CharField(max_length=100, default="production", validators=[slug])
    system_ids = ArrayField(models.UUIDField(), default=list, blank=True)
    scopes = ArrayField(models.CharField(max_length=32, choices=Scope.choices))
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    replaced_by = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="replaces")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"ans_{self.key_id}_…"


class KeyAct(models.Model):
    """When a key last did one of a few things that say what client it is. Noted in memory, written now and then."""

    class Act(models.TextChoices):
        POSTED = "posted", "Sent decisions"
        READ_CONTROL = "read-control", "Read the controls"

    DB_ACCESS = Access.WORK

    key_id = models.UUIDField()
    act = models.CharField(max_length=16, choices=Act.choices)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint("key_id", "act", name="key_act_once")]

    def __str__(self) -> str:
        return self.act
