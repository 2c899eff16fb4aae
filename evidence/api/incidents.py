"""Incidents and legal holds over the API."""

import uuid
from http import HTTPStatus
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.case_access import may_read_findings, readable_case, visible_case
from audit.case_document import document_of
from audit.case_errors import CasePartNotFound
from audit.case_selectors import holds_for
from audit.models import CausalLink, Incident, IncidentNotice, IncidentReport, Limb, Use
from audit.services.holds import approve_lift, place_hold, place_span_hold, refuse_lift, request_lift
from audit.services.incident_signing import sign_off
from audit.services.incidents import MOMENTS, PLANS, declare_incident, record_notice, record_report, update_incident
from config.errors import Forbidden
from evidence.api.case_answers import (
    HoldOutput,
    IncidentOutput,
    KeptReportOutput,
    NoticeOutput,
    ReportOutput,
    SignOffOutput,
)
from evidence.api.cases import TAGS, ForPeople
from evidence.api.paged import PAGED, answered, page_of, paged
from evidence.case_reports import content_of, kept_report, seen_by
from governance.api.authentication import actor_of, require_fresh
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.visible import visible_system

LONG: dict[str, Any] = {"max_length": 20_000, "required": False, "allow_blank": True}


class KnownFields(StrictSerializer):
    """What is known of an incident: all of it may come later."""

    def get_fields(self) -> dict[str, Any]:
        texts = {name: StrictCharField(**LONG, help_text=label) for name, label in Incident.TEXTS.items()}
        moments = {name: serializers.DateTimeField(required=False, allow_null=True) for name in (*MOMENTS, *PLANS)}
        return super().get_fields() | texts | moments

    limbs = serializers.ListField(child=serializers.ChoiceField(choices=Limb.choices), required=False)
    awareness_at = serializers.DateTimeField(required=False)
    causal_link = serializers.ChoiceField(choices=CausalLink.choices, required=False)
    use = serializers.ChoiceField(choices=Use.choices, required=False)
    persons_affected = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=2**31 - 1)
    member_state = StrictCharField(max_length=2, required=False, allow_blank=True)
    eu_registration_id = StrictCharField(max_length=100, required=False, allow_blank=True)
    annex_iii_point = StrictCharField(max_length=20, required=False, allow_blank=True)


class NewIncident(KnownFields):
    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for name in ("limbs", "awareness_at", "narrative"):
            fields[name].required = True
        return fields


class ChangedIncident(KnownFields):
    revision = serializers.IntegerField(required=False)
    reason = StrictCharField(**LONG, help_text="Why a deadline moves later, where one does; it is shown.")


class IncidentApi(ForPeople):
    """The incident that a case is: declared, completed as more is known."""

    @extend_schema(operation_id="read_incident", tags=TAGS, responses=IncidentOutput)
    def get(self, request: Request, case_id: uuid.UUID) -> Response:
        return Response(answered(request, _incident(request, case_id), IncidentOutput))

    @extend_schema(operation_id="declare_incident", tags=TAGS, request=NewIncident, responses={201: IncidentOutput})
    def post(self, request: Request, case_id: uuid.UUID) -> Response:
        made = declare_incident(actor=actor_of(request), case_id=case_id, **checked(NewIncident, request))
        return Response(answered(request, made, IncidentOutput), HTTPStatus.CREATED)

    @extend_schema(operation_id="update_incident", tags=TAGS, request=ChangedIncident, responses=IncidentOutput)
    def patch(self, request: Request, case_id: uuid.UUID) -> Response:
        values = checked(ChangedIncident, request)
        apart = {name: values.pop(name) for name in ("revision", "reason") if name in values}
        made = update_incident(actor=actor_of(request), case_id=case_id, changes=values, **apart)
        return Response(answered(request, made, IncidentOutput))


class IncidentReportsApi(ForPeople):
    """Reports that went to the authority."""

    class NewReport(StrictSerializer):
        stage = serializers.ChoiceField(choices=IncidentReport.Stage.choices)
        reported_at = serializers.DateTimeField()
        receipt = StrictCharField(**LONG)
        key = serializers.UUIDField(required=False)

    @extend_schema(operation_id="list_incident_reports", tags=TAGS, parameters=PAGED, responses=page_of(ReportOutput))
    def get(self, request: Request, case_id: uuid.UUID) -> Response:
        return paged(request, _incident(request, case_id).reports.all(), ReportOutput)

    @extend_schema(operation_id="record_incident_report", tags=TAGS, request=NewReport, responses={201: ReportOutput})
    def post(self, request: Request, case_id: uuid.UUID) -> Response:
        made = record_report(actor=actor_of(request), case_id=case_id, **checked(self.NewReport, request))
        return Response(answered(request, made, ReportOutput), HTTPStatus.CREATED)


class IncidentReportApi(ForPeople):
    """One report that went to the authority, with what it said."""

    @extend_schema(operation_id="read_incident_report", tags=TAGS, responses=KeptReportOutput)
    def get(self, request: Request, case_id: uuid.UUID, report_id: uuid.UUID) -> Response:
        actor = actor_of(request)
        report = kept_report(actor, case_id, report_id)
        return Response(answered(request, report, ReportOutput) | {"content": content_of(actor, report)})


class CaseReportApi(ForPeople):
    """The report of a case as it stands, incident or not: what a page prints."""

    @extend_schema(operation_id="read_case_report", tags=TAGS, responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, case_id: uuid.UUID) -> Response:
        """Everything written in it, its newest 300 decisions one by one, and counts; people by id."""
        actor = actor_of(request)
        case = readable_case(actor, case_id)
        return Response(document_of(case, seen_by(actor, case)))


class IncidentSignOffsApi(ForPeople):
    """Who signed what the incident says."""

    class NewSignOff(StrictSerializer):
        stage = serializers.ChoiceField(choices=IncidentReport.Stage.choices)
        revision = serializers.IntegerField(help_text="Of the incident, as it was looked at.")
        text = StrictCharField(**LONG)

    @extend_schema(
        operation_id="list_incident_sign_offs", tags=TAGS, parameters=PAGED, responses=page_of(SignOffOutput)
    )
    def get(self, request: Request, case_id: uuid.UUID) -> Response:
        return paged(request, _incident(request, case_id).sign_offs.all(), SignOffOutput)

    @extend_schema(operation_id="sign_off_incident", tags=TAGS, request=NewSignOff, responses={201: SignOffOutput})
    def post(self, request: Request, case_id: uuid.UUID) -> Response:
        """With a factor of the last ten minutes."""
        require_fresh(request)
        made = sign_off(actor=actor_of(request), case_id=case_id, **checked(self.NewSignOff, request))
        return Response(answered(request, made, SignOffOutput), HTTPStatus.CREATED)


class IncidentNoticesApi(ForPeople):
    """Who else was told, and when."""

    class NewNotice(StrictSerializer):
        to = serializers.ChoiceField(choices=IncidentNotice.To.choices)
        told_at = serializers.DateTimeField()
        text = StrictCharField(**LONG)
        key = serializers.UUIDField(required=False)

    @extend_schema(operation_id="list_incident_notices", tags=TAGS, parameters=PAGED, responses=page_of(NoticeOutput))
    def get(self, request: Request, case_id: uuid.UUID) -> Response:
        return paged(request, _incident(request, case_id).notices.all(), NoticeOutput)

    @extend_schema(operation_id="record_incident_notice", tags=TAGS, request=NewNotice, responses={201: NoticeOutput})
    def post(self, request: Request, case_id: uuid.UUID) -> Response:
        made = record_notice(actor=actor_of(request), case_id=case_id, **checked(self.NewNotice, request))
        return Response(answered(request, made, NoticeOutput), HTTPStatus.CREATED)


# --- legal holds ------------------------------------------------------------------------------------------------------
class HoldsApi(ForPeople):
    """Legal holds that one may know of; placing one on a case, or on an AI system's decisions of a span."""

    class NewHold(StrictSerializer):
        case_id = serializers.UUIDField(required=False)
        system = serializers.SlugField(required=False)
        since = serializers.DateTimeField(required=False)
        until = serializers.DateTimeField(required=False)
        reason = StrictCharField(max_length=20_000)

        def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
            if set(attrs) - {"reason"} not in ({"case_id"}, {"system", "since", "until"}):
                raise serializers.ValidationError({"case_id": ["Name a case, or a system with since and until."]})
            return attrs

    @extend_schema(operation_id="list_holds", tags=TAGS, parameters=PAGED, responses=page_of(HoldOutput))
    def get(self, request: Request) -> Response:
        return paged(request, holds_for(actor_of(request)), HoldOutput)

    @extend_schema(operation_id="place_hold", tags=TAGS, request=NewHold, responses={201: HoldOutput})
    def post(self, request: Request) -> Response:
        values, actor = checked(self.NewHold, request), actor_of(request)
        if "case_id" in values:
            hold = place_hold(actor=actor, **values)
        else:
            hold = place_span_hold(actor=actor, system_id=visible_system(request, values.pop("system")).pk, **values)
        return Response(answered(request, hold, HoldOutput), HTTPStatus.CREATED)


class HoldLiftApi(ForPeople):
    """Ask that a legal hold be lifted. It stays in force until a data protection officer agrees."""

    class Asked(StrictSerializer):
        reason = StrictCharField(max_length=20_000)

    @extend_schema(operation_id="request_hold_lift", tags=TAGS, request=Asked, responses=HoldOutput)
    def post(self, request: Request, hold_id: uuid.UUID) -> Response:
        hold = request_lift(actor=actor_of(request), hold_id=hold_id, **checked(self.Asked, request))
        return Response(answered(request, hold, HoldOutput))


class HoldLiftApproveApi(ForPeople):
    """Agree, as the second person, with a factor of the last ten minutes."""

    @extend_schema(operation_id="approve_hold_lift", tags=TAGS, request=None, responses=HoldOutput)
    def post(self, request: Request, hold_id: uuid.UUID) -> Response:
        require_fresh(request)
        return Response(answered(request, approve_lift(actor=actor_of(request), hold_id=hold_id), HoldOutput))


class HoldLiftRefuseApi(ForPeople):
    """Say no as the second person, or take one's own request back."""

    class Refused(StrictSerializer):
        reason = StrictCharField(**LONG)

    @extend_schema(operation_id="refuse_hold_lift", tags=TAGS, request=Refused, responses=HoldOutput)
    def post(self, request: Request, hold_id: uuid.UUID) -> Response:
        hold = refuse_lift(actor=actor_of(request), hold_id=hold_id, **checked(self.Refused, request))
        return Response(answered(request, hold, HoldOutput))


def _incident(request: Request, case_id: uuid.UUID) -> Incident:
    actor = actor_of(request)
    case = visible_case(actor, case_id)
    if not may_read_findings(actor, case):
        raise Forbidden("An incident is for those who work on its case, and for those who answer once it is concluded.")
    incident: Incident | None = getattr(case, "incident", None)
    if incident is None:
        raise CasePartNotFound("This case was not declared to be an incident.")
    return incident
