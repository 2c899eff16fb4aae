"""How people's oversight works, over the API, for people."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.acts import Act
from governance.api.authentication import IsPerson, actor_of
from governance.scopes import ORGANISATION, Scope
from monitoring.oversight import measures
from overrides.models import ReviewQueue
from overrides.review_errors import QueueNotFound

USUAL = timedelta(days=28)
LONGEST = timedelta(days=366)


class ShareOutput(serializers.Serializer[Any]):
    share = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField(allow_null=True, help_text="Null: from one to four.")


class MeasuresOutput(serializers.Serializer[Any]):
    """Conditions to look at, no scores. Null: too few to say."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    ended = serializers.IntegerField(allow_null=True, help_text="Null: from one to four.")
    decided = serializers.IntegerField(allow_null=True, help_text="Null: from one to four.")
    overridden = ShareOutput()
    overridden_when_right = ShareOutput()
    overridden_when_wrong = ShareOutput()
    agreement = ShareOutput()
    dwell_median_s = serializers.FloatField(allow_null=True)
    dwell_under_floor = ShareOutput()
    timed_out = ShareOutput()
    overflowed = ShareOutput()
    escalated = ShareOutput()
    appeals_overturned = serializers.IntegerField(allow_null=True)
    blind_switched = ShareOutput()


class Period(serializers.Serializer[Any]):
    """By when reviews ended; the last 28 days unless told otherwise."""

    def get_fields(self) -> dict[str, Any]:
        return {
            "from": serializers.DateTimeField(required=False, source="since"),
            "to": serializers.DateTimeField(required=False, source="until"),
        }


class OversightApi(APIView):
    """The measures of one queue."""

    permission_classes: Any = (IsPerson,)

    @extend_schema(operation_id="read_oversight", tags=["outcomes"], parameters=[Period], responses=MeasuresOutput)
    def get(self, request: Request, slug: str) -> Response:
        queue = ReviewQueue.objects.filter(slug=slug).first()
        place = Scope.system(queue.system_id) if queue and queue.system_id else ORGANISATION
        actor = actor_of(request)
        if queue is None or not (queue.owner_id == actor.id or rights.can(actor, Act.OVERSIGHT_VIEW, place)):
            raise QueueNotFound()
        since, until = _period(request)
        return Response(MeasuresOutput(asdict(measures(queue, since, until))).data)


def _period(request: Request) -> tuple[datetime, datetime]:
    given = Period(data=request.query_params.dict())
    given.is_valid(raise_exception=True)
    until = given.validated_data.get("until") or timezone.now()
    since = given.validated_data.get("since") or until - USUAL
    if not timedelta(0) < until - since <= LONGEST:
        raise InvalidInput(errors=[FieldProblem(pointer="/from", detail="Before `to`, by a year at most.")])
    return since, until
