"""Serious incidents, after Regulation (EU) 2024/1689, articles 3(49) and 73. A case that became one."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from audit.models.cases import MAX_TEXT, Case
from ledger.rows import GovernedRow, KeyedRow, key_once


class Limb(models.TextChoices):
    """What makes it serious. Where several apply, the shortest clock runs."""

    WIDESPREAD = "widespread", "a widespread infringement"
    CRITICAL_INFRASTRUCTURE = "critical_infrastructure", "critical infrastructure disrupted (3(49)(b))"
    DEATH = "death", "the death of a person (3(49)(a))"
    HEALTH = "health", "serious harm to a person's health (3(49)(a))"
    FUNDAMENTAL_RIGHTS = (
        "fundamental_rights",
        "an infringement of obligations that protect fundamental rights (3(49)(c))",
    )
    PROPERTY = "property", "serious harm to property or the environment (3(49)(d))"


DAYS = {Limb.WIDESPREAD: 2, Limb.CRITICAL_INFRASTRUCTURE: 2, Limb.DEATH: 10}
OTHERWISE_DAYS = 15
BREACH_TIME = timedelta(hours=72)
"""To tell the data protection authority of a personal data breach: Regulation (EU) 2016/679, article 33(1)."""


def days_for(limbs: list[str]) -> int:
    """How many days from awareness there are to report."""
    return min(DAYS.get(Limb(limb), OTHERWISE_DAYS) for limb in limbs)


def due_from(awareness_at: datetime, days: int) -> datetime:
    """Plain calendar days, counted from the moment: no weekend or holiday is added, so it is never too late."""
    return awareness_at + timedelta(days=days)


class CausalLink(models.TextChoices):
    SUSPECTED = "suspected"
    LIKELY = "likely", "reasonably likely"
    ESTABLISHED = "established"


class Use(models.TextChoices):
    INTENDED = "intended", "used as intended"
    MISUSE = "misuse", "misuse that could be foreseen"
    OTHER = "other", "some other use"
    UNKNOWN = "unknown", "not known yet"


class Incident(GovernedRow):
    """What a report to the authority says, as far as it is known. Reports and notices are rows of their own."""

    TEXTS: ClassVar[dict[str, str]] = {
        "narrative": "What happened",
        "aware_by": "By whom, and how, it became known",
        "harm": "Harm, to whom and how serious",
        "reporter": "Who reports, in which role",
        "provider": "Provider",
        "representative": "Authorised representative",
        "deployer": "Deployer",
        "contacts": "Contacts",
        "authority": "Market surveillance authority",
        "oversight": "Human oversight in place, and its effect",
        "containment": "Containment: what was done at once",
        "risk_assessment": "Risk assessment",
        "similar_incidents": "Similar incidents",
        "lessons": "Lessons learned",
    }
    ERASABLE_FIELDS = tuple(TEXTS)

    case = models.OneToOneField(Case, models.PROTECT, related_name="incident")
    limbs = ArrayField(models.CharField(max_length=32, choices=Limb.choices))
    days = models.PositiveSmallIntegerField(choices=[(2, "2 days"), (10, "10 days"), (15, "15 days")])
    awareness_at = models.DateTimeField()
    due_at = models.DateTimeField()
    """Of the initial report."""
    follow_up_due_at = models.DateTimeField(null=True, blank=True)
    """Of the next follow-up report, as agreed with the authority; gone once one was recorded."""
    final_due_at = models.DateTimeField(null=True, blank=True)
    breach_aware_at = models.DateTimeField(null=True, blank=True)
    """Since when it is known that it is a personal data breach too: 72 hours run from there. None: it is not known."""
    declared_by_id = models.UUIDField()
    occurred_at = models.DateTimeField(null=True, blank=True)
    detected_at = models.DateTimeField(null=True, blank=True)
    causal_link = models.CharField(max_length=16, choices=CausalLink.choices, default=CausalLink.SUSPECTED)
    causal_link_at = models.DateTimeField(null=True, blank=True)
    use = models.CharField(max_length=16, choices=Use.choices, default=Use.UNKNOWN)
    persons_affected = models.PositiveIntegerField(null=True, blank=True)
    member_state = models.CharField(
        max_length=2, blank=True, validators=[RegexValidator(r"^[A-Z]{2}\Z", "Two capital letters, as in FR.")]
    )
    eu_registration_id = models.CharField(max_length=100, blank=True)
    annex_iii_point = models.CharField(max_length=20, blank=True)
    contained_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    authority_informed_at = models.DateTimeField(null=True, blank=True)
    """Before the AI system was changed in a way that could affect finding the cause: article 73(6)."""
    narrative = models.TextField(max_length=MAX_TEXT)
    aware_by = models.TextField(blank=True, max_length=MAX_TEXT)
    harm = models.TextField(blank=True, max_length=MAX_TEXT)
    reporter = models.TextField(blank=True, max_length=MAX_TEXT)
    provider = models.TextField(blank=True, max_length=MAX_TEXT)
    representative = models.TextField(blank=True, max_length=MAX_TEXT)
    deployer = models.TextField(blank=True, max_length=MAX_TEXT)
    contacts = models.TextField(blank=True, max_length=MAX_TEXT)
    authority = models.TextField(blank=True, max_length=MAX_TEXT)
    oversight = models.TextField(blank=True, max_length=MAX_TEXT)
    containment = models.TextField(blank=True, max_length=MAX_TEXT)
    risk_assessment = models.TextField(blank=True, max_length=MAX_TEXT)
    similar_incidents = models.TextField(blank=True, max_length=MAX_TEXT)
    lessons = models.TextField(blank=True, max_length=MAX_TEXT)

    class Meta:
        ordering = ["due_at"]
        constraints = [
            models.CheckConstraint(condition=Q(limbs__len__gt=0), name="incident_is_serious"),
            models.CheckConstraint(condition=Q(days__in=[2, 10, 15]), name="incident_days"),
            models.CheckConstraint(
                condition=Q(
                    due_at=models.ExpressionWrapper(
                        F("awareness_at") + F("days") * timedelta(days=1), models.DateTimeField()
                    )
                ),
                name="incident_due_is_awareness_and_days",
            ),
        ]

    @property
    def breach_due_at(self) -> datetime | None:
        """When the data protection authority must have been told."""
        return self.breach_aware_at + BREACH_TIME if self.breach_aware_at else None

    @property
    def serious_by(self) -> list[str]:
        """Its limbs in words."""
        return [str(Limb(limb).label) for limb in self.limbs]

    def __str__(self) -> str:
        return f"Incident of case {self.case}"


class Clock(models.TextChoices):
    """What has to be done by a certain time because of an incident."""

    INITIAL = "initial", "initial report to the authority"
    FOLLOW_UP = "follow_up", "follow-up report"
    FINAL = "final", "final report"
    DATA_PROTECTION = "data_protection", "notice to the data protection authority"


class IncidentExtension(GovernedRow):
    """That a deadline moved later, or was taken away: from when, until when, and why."""

    ERASABLE_FIELDS = ("why",)

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="extensions")
    clock = models.CharField(max_length=16, choices=Clock.choices)
    was_due_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    by_id = models.UUIDField()
    why = models.TextField(max_length=MAX_TEXT)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(due_at__isnull=True) | Q(due_at__gt=F("was_due_at")), name="incident_extension_is_later"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_clock_display()} moved later"


class IncidentReport(KeyedRow):
    """A report that went to the authority: which stage, when, and what the register said of it at that moment."""

    class Stage(models.TextChoices):
        INITIAL = "initial"
        FOLLOW_UP = "follow_up", "follow-up"
        FINAL = "final"

    KEYED_BY = "reported_by_id"
    ERASABLE_FIELDS = ("receipt", "content")

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="reports")
    stage = models.CharField(max_length=16, choices=Stage.choices)
    reported_at = models.DateTimeField()
    reported_by_id = models.UUIDField()
    due_at = models.DateTimeField(null=True, blank=True)
    """The earliest deadline that ever stood for it. None: there was none."""
    is_late = models.BooleanField(default=False)
    """It was recorded after that, whatever it says of when it was sent."""
    receipt = models.TextField(blank=True, max_length=MAX_TEXT)
    """How it went there, and what the authority answered: a number, a name."""
    content = models.TextField()
    """The case as it stood, as JSON: all that its printed report says."""

    class Meta:
        ordering = ["id"]
        constraints = [
            key_once("reported_by_id", "incident_report_key_once"),
            models.UniqueConstraint(
                "incident", "stage", condition=Q(stage__in=["initial", "final"]), name="incident_report_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_stage_display()} report"


class IncidentNotice(KeyedRow):
    """Who else was told, and when."""

    class To(models.TextChoices):
        PROVIDER = "provider"
        IMPORTER = "importer"
        DISTRIBUTOR = "distributor"
        DEPLOYER = "deployer"
        PERSONS = "persons", "the persons concerned"
        DATA_PROTECTION = "data_protection", "the data protection authority"
        SECTOR = "sector", "a sector's authority"
        OTHER = "other", "somebody else"

    KEYED_BY = "told_by_id"
    ERASABLE_FIELDS = ("text",)

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="notices")
    to = models.CharField(max_length=16, choices=To.choices)
    told_at = models.DateTimeField()
    told_by_id = models.UUIDField()
    due_at = models.DateTimeField(null=True, blank=True)
    is_late = models.BooleanField(default=False)
    """As of reports: of what has a deadline, the notice to the data protection authority."""
    text = models.TextField(blank=True, max_length=MAX_TEXT)

    class Meta:
        ordering = ["told_at", "id"]
        constraints = [key_once("told_by_id", "incident_notice_key_once")]

    def __str__(self) -> str:
        return f"Notice to {self.get_to_display()}"


class IncidentSignOff(GovernedRow):
    """Somebody's word, with a fresh factor, that what an incident says is what they know: of one of its revisions."""

    class Capacity(models.TextChoices):
        LEAD = "lead", "lead investigator"
        ACCOUNTABLE = "accountable", "accountable person"
        DEPUTY = "deputy", "deputy of the accountable person"
        DATA_PROTECTION = "dpo", "data protection officer"
        INVESTIGATOR = "investigator"
        AUDITOR = "auditor"

    ERASABLE_FIELDS = ("text",)

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="sign_offs")
    incident_revision = models.PositiveIntegerField()
    stage = models.CharField(max_length=16, choices=IncidentReport.Stage.choices)
    """For which report."""
    person_id = models.UUIDField()
    capacity = models.CharField(max_length=16, choices=Capacity.choices)
    text = models.TextField(blank=True, max_length=MAX_TEXT)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint("incident", "stage", "person_id", "incident_revision", name="incident_signed_once")
        ]

    def __str__(self) -> str:
        return f"Signed as {self.get_capacity_display()}"
