"""Outcomes of one decision over the API."""

import uuid
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.authentication import actor_of
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.models import ServiceKey
from monitoring.selectors import outcomes_of
from monitoring.services.outcomes import NewOutcome, record_outcome
from overrides.api.callers import decision_for

Scope = ServiceKey.Scope


class OutcomeOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    decision_id = serializers.UUIDField()
    outcome = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    observed_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    corrects = serializers.UUIDField(source="corrects_id", allow_null=True)


class OutcomeFields(StrictSerializer):
    """What turned out to be true, in the words of the decision's own outcomes."""

    outcome = StrictCharField(max_length=100)
    observed_at = serializers.DateTimeField()
    value = serializers.FloatField(required=False, allow_null=True)
    note = StrictCharField(max_length=10_000, required=False, allow_blank=True)
    corrects = serializers.UUIDField(required=False, allow_null=True, help_text="The outcome that this one corrects.")


class DecisionOutcomesApi(APIView):
    """What turned out to be true of a decision. The same again is the same outcome; a later one may correct one."""

    @extend_schema(operation_id="list_outcomes", tags=["outcomes"], responses=OutcomeOutput(many=True))
    def get(self, request: Request, decision_id: uuid.UUID) -> Response:
        decision_for(request, decision_id, Scope.FEEDBACK_WRITE, Scope.DECISIONS_READ)
        return Response(OutcomeOutput(outcomes_of(decision_id), many=True).data)

    @extend_schema(
        operation_id="record_outcome", tags=["outcomes"], request=OutcomeFields, responses={201: OutcomeOutput}
    )
    def post(self, request: Request, decision_id: uuid.UUID) -> Response:
        decision = decision_for(request, decision_id, Scope.FEEDBACK_WRITE)
        new = NewOutcome(decision=decision, **checked(OutcomeFields, request))
        return Response(OutcomeOutput(record_outcome(actor=actor_of(request), new=new)).data, HTTPStatus.CREATED)
