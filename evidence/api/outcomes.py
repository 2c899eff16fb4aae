"""Outcomes in batches, by decision or by the caller's own key: that key is intake's, outcomes are monitoring's."""

import uuid
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.errors import DecisionNotFound
from audit.reach import Reach
from audit.selectors import SealedDecision, visible_decision
from config.errors import FieldProblem, InvalidInput, ServiceError
from config.problems import problem_fields
from governance.api.authentication import HasScope, grant_of
from governance.api.strict import StrictCharField, StrictSerializer
from governance.models import ServiceKey
from governance.register import KeyGrant
from intake.selectors import decision_of_external_id
from monitoring.api.outcomes import OutcomeFields, OutcomeOutput
from monitoring.models import Outcome
from monitoring.services.outcomes import NewOutcome, record_outcomes
from overrides.api.callers import checked

MOST = 500


class BatchOutcome(OutcomeFields):
    """One outcome of a batch: of a decision by its id, or by the caller's own key with the AI system."""

    decision_id = serializers.UUIDField(required=False)
    external_id = StrictCharField(required=False, max_length=200, trim_whitespace=False)
    system = StrictCharField(required=False, max_length=100)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("decision_id" in attrs) == ("external_id" in attrs) or ("external_id" in attrs) != ("system" in attrs):
            detail = "Name the decision: `decision_id`, or `external_id` with `system`."
            raise serializers.ValidationError({"decision_id": [detail]})
        return attrs


class ResultOutput(serializers.Serializer[Any]):
    """What became of one outcome, in the order they were sent."""

    status = serializers.ChoiceField(choices=["recorded", "refused"])
    outcome = OutcomeOutput(required=False)
    problem = serializers.JSONField(required=False)


class OutcomesApi(APIView):
    """Up to 500 outcomes. Each is recorded for itself; a wrong one is refused, with its problem, in its place."""

    permission_classes: Any = (HasScope(ServiceKey.Scope.FEEDBACK_WRITE),)

    class Batch(StrictSerializer):
        outcomes = serializers.ListField(child=serializers.JSONField(), min_length=1, max_length=MOST)

    @extend_schema(
        operation_id="record_outcomes", tags=["outcomes"], request=Batch, responses={200: ResultOutput(many=True)}
    )
    def post(self, request: Request) -> Response:
        grant = grant_of(request)
        given = [_read(each, grant) for each in checked(self.Batch, request)["outcomes"]]
        wanted = [each for each in given if isinstance(each, NewOutcome)]
        recorded = iter(record_outcomes(actor=grant.actor, outcomes=wanted) if wanted else [])
        results = [next(recorded) if isinstance(each, NewOutcome) else each for each in given]
        return Response({"results": [_told(each) for each in results]}, HTTPStatus.OK)


def _read(given: Any, grant: KeyGrant) -> NewOutcome | ServiceError:
    try:
        return _new(given, grant)
    except ServiceError as error:
        return error


def _new(given: Any, grant: KeyGrant) -> NewOutcome:
    serializer = BatchOutcome(data=given)
    if not serializer.is_valid():
        raise InvalidInput(errors=list(_problems(serializer.errors)))
    values = dict(serializer.validated_data)
    decision = _decision(
        values.pop("decision_id", None), values.pop("external_id", ""), values.pop("system", ""), grant
    )
    return NewOutcome(decision=decision, **values)


def _decision(decision_id: uuid.UUID | None, external_id: str, system: str, grant: KeyGrant) -> SealedDecision:
    if decision_id is None:
        decision_id = decision_of_external_id(
            system_id=grant.system(system).id,
            account_id=grant.account_id,
            environment=grant.environment,
            external_id=external_id,
        )
    if decision_id is None:
        raise DecisionNotFound()
    return visible_decision(decision_id, Reach.of_key(grant))


def _problems(errors: Any) -> Any:
    for name, details in dict(errors).items():
        for detail in details if isinstance(details, list) else [details]:
            yield FieldProblem(pointer=f"/{name}", detail=str(detail))


def _told(found: Outcome | ServiceError) -> dict[str, Any]:
    if isinstance(found, ServiceError):
        return {"status": "refused", "problem": problem_fields(found)}
    return {"status": "recorded", "outcome": OutcomeOutput(found).data}
