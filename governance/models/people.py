"""People and what they answer for."""

import unicodedata
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from config.database import Access
from config.ids import new_id
from governance.models.systems import AISystem, clear
from governance.models.versions import ModelVersion
from ledger.rows import GovernedRow

LONGEST_TERMS = 4000


def plain_address(address: str) -> str:
    """An e-mail address as it is stored and compared: composed Unicode, lower case, no space around it."""
    return unicodedata.normalize("NFKC", address).strip().lower()


class PersonManager(BaseUserManager["Person"]):
    def get_by_natural_key(self, username: str | None) -> "Person":
        # compared as stored: UPPER() in the database would take addresses for equal that are not (U+0131 and i)
        return self.get(email=plain_address(username or ""))


class Person(AbstractBaseUser, GovernedRow):
    """A member of staff. Entries name them by id; who that is stands in erasable columns."""

    ERASABLE_FIELDS = ("name", "email", "staff_number")
    UNSEALED_FIELDS = ("password", "last_login", "time_zone")
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    name = models.CharField(max_length=200)
    email = models.EmailField(unique=True, null=True)
    staff_number = models.CharField(max_length=50, blank=True)
    is_active = models.BooleanField(default=True)
    time_zone = models.CharField(max_length=64, blank=True)

    objects: ClassVar[PersonManager] = PersonManager()

    class Meta:
        verbose_name_plural = "people"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name or "former member of staff"

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return self.name.split(" ")[0]

    # Django's admin asks these. What somebody may do is answered by governance.rights alone.
    @property
    def is_staff(self) -> bool:
        return self.is_active

    @property
    def is_superuser(self) -> bool:
        return False

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return False

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active


class Assignment(GovernedRow):
    """A person, a role, a scope, a time span, an acceptance. It starts at its acceptance, never before."""

    ERASABLE_FIELDS = ("duties", "competence")

    class Role(models.TextChoices):
        ACCOUNTABLE = "accountable"
        DEPUTY = "deputy"
        TECHNICAL_OWNER = "technical_owner"
        REVIEWER = "reviewer"
        OPERATOR = "operator"
        APPROVER = "approver"
        EMERGENCY_OPERATOR = "emergency_operator", "emergency operator"
        """May take a stopped system to review alone, for four hours. Nobody is one unless appointed."""
        AUDITOR = "auditor"
        INVESTIGATOR = "investigator"
        DPO = "dpo", "data protection officer"
        ADMINISTRATOR = "administrator"
        VIEWER = "viewer"

    class Scope(models.TextChoices):
        ORGANISATION = "organisation"
        SYSTEM = "system", "AI system"
        MODEL_VERSION = "model_version", "model version"
        CAPABILITY = "capability"
        CASE = "case"

    class Status(models.TextChoices):
        PROPOSED = "proposed"
        """Waits for a second administrator."""
        OFFERED = "offered"
        ACCEPTED = "accepted"
        DECLINED = "declined"
        REFUSED = "refused"
        """The second administrator said no."""
        ENDED = "ended"

    class Power(models.TextChoices):
        """What the organisation has told its holder that they may do. Rights come from the role alone."""

        OVERRIDE = "override", "override decisions"
        STOP = "stop", "stop the AI system"
        RESUME = "resume", "let it run again"
        APPROVE = "approve", "approve model versions and cards"
        STAFF = "staff", "say who reviews"

    person = models.ForeignKey(Person, models.PROTECT, related_name="assignments")
    role = models.CharField(max_length=20, choices=Role.choices)
    scope = models.CharField(max_length=16, choices=Scope.choices, default=Scope.SYSTEM)
    system = models.ForeignKey(AISystem, models.PROTECT, null=True, blank=True, related_name="assignments")
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, null=True, blank=True, related_name="+")
    capability = models.CharField(max_length=100, blank=True, validators=[clear])
    # Cases live on a higher floor: an opaque id, resolved there.
    case_id = models.UUIDField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.OFFERED)
    requested_by_id = models.UUIDField(null=True, blank=True)
    approved_by_id = models.UUIDField(null=True, blank=True)
    offered_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    declined_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    """Set when offered for a span, or when the assignment is ended."""
    delegated_from = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="delegations")
    succeeds = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="successors")
    """Handed over: the one that ends at the moment this one is accepted."""
    duties = models.TextField(blank=True, max_length=LONGEST_TERMS)
    powers = ArrayField(models.CharField(max_length=16, choices=Power.choices), default=list, blank=True)
    competence = models.TextField(blank=True, max_length=LONGEST_TERMS)
    """What shows that they can: training, certificates, years in the work."""
    competence_until = models.DateField(null=True, blank=True)
    review_on = models.DateField(null=True, blank=True)
    """When somebody looks again at whether this is still right."""

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(status="accepted") | models.Q(accepted_at__isnull=False),
                name="assignment_accepted_has_time",
            ),
            models.CheckConstraint(
                condition=models.Q(scope="organisation", system__isnull=True)
                | models.Q(scope="case", case_id__isnull=False)
                | models.Q(scope__in=["system", "model_version", "capability"], system__isnull=False),
                name="assignment_scope_is_whole",
            ),
            models.UniqueConstraint(
                fields=["scope", "system", "model_version", "capability"],
                condition=models.Q(role="accountable", status="accepted", delegated_from__isnull=True),
                nulls_distinct=False,
                name="assignment_one_accountable",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index("person", "status", name="assignment_person_status")]

    def __str__(self) -> str:
        return f"{self.get_role_display()}: {self.person}"

    @property
    def power_words(self) -> list[str]:
        return [str(power.label) for power in self.Power if power in self.powers]

    @property
    def term_words(self) -> list[tuple[str, str]]:
        """What goes with the role and was written down, by what it is called."""
        said = [
            ("Duties", self.duties.strip()),
            ("Powers", ", ".join(self.power_words)),
            ("What shows that they can", self.competence.strip()),
            ("Which lasts until", str(self.competence_until or "")),
            ("To be looked at again on", str(self.review_on or "")),
        ]
        return [(label, words) for label, words in said if words]

    @property
    def place(self) -> str:
        """What it is for, in words."""
        match self.scope:
            case Assignment.Scope.ORGANISATION:
                return "the organisation"
            case Assignment.Scope.CASE:
                return f"case {self.case_id}"
        part = self.model_version.version if self.model_version else self.capability
        return f"{self.system}, {part}" if part else str(self.system)


class AccountabilityNote(GovernedRow):
    """Something said later about who answered in a span of the past. What was recorded then stays as it is."""

    ERASABLE_FIELDS = ("text",)

    system = models.ForeignKey(AISystem, models.PROTECT, related_name="accountability_notes")
    assignment = models.ForeignKey(Assignment, models.PROTECT, null=True, blank=True, related_name="notes")
    """The one it is about; None for the AI system as a whole."""
    since = models.DateTimeField()
    until = models.DateTimeField()
    text = models.TextField(max_length=LONGEST_TERMS)
    written_by_id = models.UUIDField()

    class Meta:
        ordering = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(until__gt=models.F("since")), name="accountability_note_spans_time"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index("system", "since", name="accountability_note_place")]

    def __str__(self) -> str:
        return f"{self.system}: note"


class AccountabilityGap(GovernedRow):
    """A span in which a live AI system had nobody who had accepted to answer for it."""

    system = models.ForeignKey(AISystem, models.PROTECT, related_name="accountability_gaps")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    last_assignment = models.ForeignKey(Assignment, models.PROTECT, null=True, blank=True, related_name="+")
    """Whose end opened it."""

    class Meta:
        ordering = ["-opened_at"]
        constraints = [
            models.UniqueConstraint("system", condition=models.Q(closed_at=None), name="gap_open_once"),
            models.CheckConstraint(
                condition=models.Q(closed_at=None) | models.Q(closed_at__gte=models.F("opened_at")),
                name="gap_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system}: nobody accountable"


class SetupLink(models.Model):
    """A one-time link with which a person sets their first password; the bootstrap link names nobody yet."""

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    person = models.ForeignKey(Person, models.CASCADE, null=True, related_name="setup_links")
    secret_hash = models.BinaryField(unique=True)
    expires_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"set-up link {self.id}"
