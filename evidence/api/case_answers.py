"""Cases as programs read them: what somebody may know of one, and no more."""

from collections.abc import Collection
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from audit.case_access import may_read_findings, readable_among, systems_named, systems_seen
from audit.case_selectors import Facets, facets_of
from audit.incident_deadlines import deadlines_of
from audit.models import (
    Case,
    CaseAttachment,
    Clock,
    CorrectiveAction,
    Finding,
    Incident,
    IncidentSignOff,
    LegalHold,
    RootCause,
    Severity,
)
from audit.restricted_texts import for_reading
from ledger.entries import Actor


class Restrictable(serializers.Serializer[Any]):
    """Something that people wrote."""

    is_restricted = serializers.BooleanField(
        source="restricted",
        read_only=True,
        help_text="Some of it is about to be erased, and only a data protection officer reads that: to everybody else"
        " a notice says so in its place.",
    )


class CaseOutput(Restrictable):
    """A case. `summary` is null for who may know of it and not read it."""

    id = serializers.UUIDField()
    reference = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(choices=Case.Status.choices)
    severity = serializers.ChoiceField(choices=Severity.choices)
    origin = serializers.ChoiceField(choices=Case.Origin.choices)
    system_ids = serializers.ListField(child=serializers.UUIDField())
    opened_by_id = serializers.UUIDField()
    opened_at = serializers.DateTimeField()
    lead_id = serializers.UUIDField(allow_null=True)
    concluded_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    revision = serializers.IntegerField()


class AccountableCount(serializers.Serializer[Any]):
    person_id = serializers.UUIDField(allow_null=True)
    accepted = serializers.BooleanField()
    count = serializers.IntegerField()


class FacetsOutput(serializers.Serializer[Any]):
    """What is in the case now, counted. `accountable`: who answered when each was recorded, not who does today."""

    total = serializers.IntegerField()
    systems = serializers.DictField(child=serializers.IntegerField())
    model_versions = serializers.DictField(child=serializers.IntegerField())
    outcomes = serializers.DictField(child=serializers.IntegerField())
    accountable = AccountableCount(many=True)


class CaseDetail(CaseOutput):
    decisions = FacetsOutput(allow_null=True, help_text="Null while you judge one of its decisions blind.")
    is_held = serializers.BooleanField()


class AttachmentOutput(Restrictable):
    id = serializers.UUIDField()
    act = serializers.ChoiceField(choices=CaseAttachment.Act.choices)
    by = serializers.ChoiceField(choices=CaseAttachment.By.choices)
    person_id = serializers.UUIDField()
    why = serializers.CharField(allow_blank=True)
    count = serializers.IntegerField(
        allow_null=True, help_text="Null where you may not know of some of them, or judge one of the case blind."
    )
    is_all = serializers.BooleanField(help_text="False where the filter finds more than is taken at a time.")
    digest = serializers.CharField(
        allow_blank=True,
        help_text="SHA-256 over the ids, 16 bytes each, in ascending order. Empty where nothing is counted.",
    )
    created_at = serializers.DateTimeField()


class InvestigatorOutput(serializers.Serializer[Any]):
    person_id = serializers.UUIDField()
    is_lead = serializers.BooleanField()


class ConflictOutput(serializers.Serializer[Any]):
    person_id = serializers.UUIDField(allow_null=True)
    why = serializers.CharField(allow_blank=True, help_text="Empty where nothing stands against it.")


class TrailEntry(serializers.Serializer[Any]):
    """One sealed entry about the case or something in it. Counts of AI systems out of your sight are left out."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    at = serializers.CharField()
    actor = serializers.DictField()
    said = serializers.DictField()


class NoteOutput(Restrictable):
    id = serializers.UUIDField()
    author_id = serializers.UUIDField()
    text = serializers.CharField()
    created_at = serializers.DateTimeField()


class FindingOutput(NoteOutput):
    severity = serializers.ChoiceField(choices=Severity.choices)
    root_cause = serializers.ChoiceField(choices=RootCause.choices)
    replaces_id = serializers.UUIDField(allow_null=True)


class ActionOutput(Restrictable):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=CorrectiveAction.Kind.choices)
    what = serializers.CharField()
    owner_id = serializers.UUIDField()
    due_on = serializers.DateField()
    done_at = serializers.DateTimeField(allow_null=True)
    dropped_at = serializers.DateTimeField(allow_null=True)
    evidence = serializers.CharField(allow_blank=True)
    dropped_because = serializers.CharField(allow_blank=True)


class DeadlineOutput(serializers.Serializer[Any]):
    """By when something has to be done, and whether it was in time."""

    clock = serializers.ChoiceField(choices=Clock.choices)
    due_at = serializers.DateTimeField(allow_null=True, help_text="Null: the deadline was taken away.")
    first_due_at = serializers.DateTimeField(help_text="The earliest that ever stood: late is what came after it.")
    done_at = serializers.DateTimeField(allow_null=True, help_text="As was said when it was recorded.")
    is_late = serializers.BooleanField(help_text="Recorded too late, or not recorded and too late by now.")


class ExtensionOutput(Restrictable):
    """That a deadline moved later, or went."""

    clock = serializers.ChoiceField(choices=Clock.choices)
    was_due_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(allow_null=True)
    by_id = serializers.UUIDField()
    why = serializers.CharField()
    created_at = serializers.DateTimeField()


class IncidentOutput(serializers.ModelSerializer[Incident]):
    """A serious incident, as it stands."""

    deadlines = serializers.SerializerMethodField()
    extensions = serializers.SerializerMethodField()
    is_restricted = serializers.BooleanField(
        source="restricted",
        read_only=True,
        help_text="Some of it is about to be erased: a notice stands in its place to all but data protection officers.",
    )

    @extend_schema_field(DeadlineOutput(many=True))
    def get_deadlines(self, incident: Incident) -> Any:
        return DeadlineOutput(deadlines_of(incident), many=True).data

    @extend_schema_field(ExtensionOutput(many=True))
    def get_extensions(self, incident: Incident) -> Any:
        return ExtensionOutput(for_reading(self.context["actor"], incident.extensions.all()), many=True).data

    class Meta:
        model = Incident
        exclude = ("particulars_id", "case")


class ReportOutput(Restrictable):
    id = serializers.UUIDField()
    stage = serializers.CharField()
    reported_at = serializers.DateTimeField()
    reported_by_id = serializers.UUIDField()
    receipt = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField(help_text="When it was recorded.")
    due_at = serializers.DateTimeField(allow_null=True, help_text="The earliest deadline that ever stood for it.")
    is_late = serializers.BooleanField(help_text="It was recorded after that.")


class KeptReportOutput(ReportOutput):
    """A report with what it said."""

    content = serializers.DictField(
        allow_null=True,
        help_text="The case as it stood, as far as you may know of it; people by id. Null once erased, or restricted.",
    )


class SignOffOutput(Restrictable):
    id = serializers.UUIDField()
    stage = serializers.CharField()
    person_id = serializers.UUIDField()
    capacity = serializers.ChoiceField(choices=IncidentSignOff.Capacity.choices)
    incident_revision = serializers.IntegerField()
    text = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class NoticeOutput(Restrictable):
    id = serializers.UUIDField()
    to = serializers.CharField()
    told_at = serializers.DateTimeField()
    told_by_id = serializers.UUIDField()
    text = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField(help_text="When it was recorded.")
    due_at = serializers.DateTimeField(allow_null=True)
    is_late = serializers.BooleanField()


class HoldOutput(Restrictable):
    id = serializers.UUIDField()
    case_id = serializers.UUIDField(allow_null=True)
    system_id = serializers.UUIDField(allow_null=True)
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)
    status = serializers.ChoiceField(choices=LegalHold.Status.choices)
    reason = serializers.CharField()
    placed_by_id = serializers.UUIDField(allow_null=True)
    lift_requested_by_id = serializers.UUIDField(allow_null=True)
    lift_reason = serializers.CharField(allow_blank=True)
    lifted_by_id = serializers.UUIDField(allow_null=True)
    lifted_at = serializers.DateTimeField(allow_null=True)


def described(actor: Actor, cases: Collection[Case]) -> list[dict[str, Any]]:
    """Cases as JSON values, as far as somebody may know them: a few queries, however many they are."""
    names = {str(name) for name in CaseOutput().fields} - {"summary", "opened_at", "is_restricted"} | {"restricted"}
    read, systems = readable_among(actor, cases), systems_named(actor, cases)
    return [
        {name: getattr(case, name) for name in names}
        | {"summary": case.summary if case.pk in read else None, "system_ids": systems[case.pk]}
        | {"opened_at": case.created_at}
        for case in for_reading(actor, cases)
    ]


def in_detail(actor: Actor, case: Case, *, is_blind: bool) -> dict[str, Any]:
    """The same, with what is in it: of the AI systems whose decisions somebody may know of."""
    counted = None if is_blind else facets_as_json(facets_of(case, systems_seen(actor, case)))
    is_held = case.holds.exclude(status=LegalHold.Status.LIFTED).exists()
    return described(actor, [case])[0] | {"decisions": counted, "is_held": is_held}


def facets_as_json(found: Facets) -> dict[str, Any]:
    accountable = found.accountable.most_common()
    return {
        "total": found.total,
        "systems": {str(key): count for key, count in found.systems.items()},
        "model_versions": dict(found.model_versions),
        "outcomes": dict(found.outcomes),
        "accountable": [
            {"person_id": person, "accepted": accepted, "count": count} for (person, accepted), count in accountable
        ],
    }


def findings_of(actor: Actor, case: Case) -> list[Finding]:
    return for_reading(actor, case.findings.all()) if may_read_findings(actor, case) else []
