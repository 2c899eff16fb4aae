"""Appeals over the API."""

import uuid
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.restricted_texts import for_reading
from audit.restrictions import barred_among
from governance.api.authentication import IsPerson, actor_of
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.models import ServiceKey
from overrides.api.callers import decision_for
from overrides.api.effective import with_raw_output
from overrides.models import Appeal
from overrides.selectors import appeals_to_decide
from overrides.services.appeals import confirm_remedy, decide_appeal, open_appeal

Scope = ServiceKey.Scope


class AppealOutput(serializers.Serializer[Any]):
    """An appeal. What people wrote of it is shown on its page alone."""

    id = serializers.UUIDField()
    decision_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Appeal.Status.choices)
    ground_code = serializers.CharField()
    reason_code = serializers.CharField(allow_blank=True)
    received_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    remedied_at = serializers.DateTimeField(allow_null=True)
    override_id = serializers.UUIDField(allow_null=True)


class AppealToDecide(AppealOutput):
    """For who decides it: with what the appellant says."""

    statement = serializers.CharField(
        help_text="Empty once erased, or restricted with its decision; a notice where it is restricted alone."
    )


class AppealPage(serializers.Serializer[Any]):
    items = AppealToDecide(many=True)


class DecisionAppealsApi(APIView):
    """Appeals against a decision."""

    class NewAppeal(StrictSerializer):
        ground_code = StrictCharField(max_length=100)
        statement = StrictCharField(max_length=10_000)
        received_at = serializers.DateTimeField(required=False)

    @extend_schema(operation_id="list_appeals", tags=["human control"], responses=AppealOutput(many=True))
    def get(self, request: Request, decision_id: uuid.UUID) -> Response:
        decision_for(request, decision_id, Scope.FEEDBACK_WRITE, Scope.DECISIONS_READ)
        return Response(AppealOutput(Appeal.objects.filter(decision_id=decision_id), many=True).data)

    @extend_schema(operation_id="open_appeal", tags=["human control"], request=NewAppeal, responses={201: AppealOutput})
    def post(self, request: Request, decision_id: uuid.UUID) -> Response:
        decision_for(request, decision_id, Scope.FEEDBACK_WRITE)
        appeal = open_appeal(actor=actor_of(request), decision_id=decision_id, **checked(self.NewAppeal, request))
        return Response(AppealOutput(appeal).data, HTTPStatus.CREATED)


class AppealsApi(APIView):
    """Open appeals that whoever asks may decide: none of a decision they had a part in."""

    permission_classes: Any = (IsPerson,)

    @extend_schema(operation_id="list_appeals_to_decide", tags=["human control"], responses=AppealPage)
    def get(self, request: Request) -> Response:
        found = for_reading(actor_of(request), appeals_to_decide(actor_of(request)))
        barred = barred_among(actor_of(request), [each.decision_id for each in found])
        for each in found:
            if each.decision_id in barred:
                each.statement = ""
        return Response(AppealPage({"items": found}).data)


class AppealDecideApi(APIView):
    """Uphold the decision, or overturn it with the outcome that takes its place."""

    permission_classes: Any = (IsPerson,)

    class Verdict(StrictSerializer):
        verdict = serializers.ChoiceField(choices=["upheld", "overturned"])
        outcome = StrictCharField(max_length=100, required=False)
        output = serializers.JSONField(required=False, allow_null=True)
        reason_code = StrictCharField(max_length=100)
        finding = StrictCharField(max_length=10_000, required=False, allow_blank=True)

    @extend_schema(operation_id="decide_appeal", tags=["human control"], request=Verdict, responses=AppealOutput)
    def post(self, request: Request, appeal_id: uuid.UUID) -> Response:
        values = with_raw_output(checked(self.Verdict, request))
        return Response(AppealOutput(decide_appeal(actor=actor_of(request), appeal_id=appeal_id, **values)).data)


class AppealRemedyApi(APIView):
    """Say how an overturned decision was put right, where no service can confirm it."""

    permission_classes: Any = (IsPerson,)

    class Remedy(StrictSerializer):
        note = StrictCharField(max_length=10_000)

    @extend_schema(operation_id="confirm_remedy", tags=["human control"], request=Remedy, responses=AppealOutput)
    def post(self, request: Request, appeal_id: uuid.UUID) -> Response:
        values = checked(self.Remedy, request)
        return Response(AppealOutput(confirm_remedy(actor=actor_of(request), appeal_id=appeal_id, **values)).data)
