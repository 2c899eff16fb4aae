"""Drills over the API, for people; who is armed, for keys that read control too."""

import uuid
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.errors import FieldProblem, InvalidInput
from config.pagination import KeysetPagination
from governance import rights
from governance.acts import Act
from governance.api.authentication import (
    IsPerson,
    KeyAuthentication,
    PersonAuthentication,
    actor_of,
    person_of,
    require_fresh,
)
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.visible import visible_system
from governance.models import Person, ServiceKey
from governance.register import KeyGrant
from overrides.api.admission import PersonOrKey
from overrides.drill_errors import DrillNotFound
from overrides.models import Drill, DrillFinding
from overrides.services.drill_readings import measures_of, readings_of
from overrides.services.drill_running import end_drill, start_drill
from overrides.services.drills import (
    approve_drill,
    cancel_drill,
    close_finding,
    conclude_drill,
    plan_drill,
    record_finding,
)
from overrides.services.probing import armed_instances
from overrides.standing import InFlight, Mode

TAGS = ["drills"]
LONG = 10_000
ACTS = {"approve": approve_drill, "cancel": cancel_drill, "start": start_drill, "end": end_drill}
LOOSENING = frozenset({"approve", "end"})


class FindingOutput(serializers.Serializer[Any]):
    """Something a drill showed."""

    id = serializers.UUIDField()
    text = serializers.CharField()
    owner_id = serializers.UUIDField()
    due_on = serializers.DateField()
    closed_at = serializers.DateTimeField(allow_null=True)
    resolution = serializers.CharField()


class DrillOutput(serializers.Serializer[Any]):
    """One drill."""

    id = serializers.UUIDField()
    system = serializers.CharField(source="system.slug")
    environment = serializers.CharField()
    type = serializers.ChoiceField(Drill.Type.choices)
    status = serializers.ChoiceField(Drill.Status.choices)
    mode = serializers.CharField()
    in_flight = serializers.CharField()
    starts_at = serializers.DateTimeField()
    window_ends_at = serializers.DateTimeField()
    expectation = serializers.CharField()
    participants = serializers.ListField(child=serializers.UUIDField())
    planned_by_id = serializers.UUIDField()
    approved_by_id = serializers.UUIDField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_by = serializers.CharField()
    measures = serializers.SerializerMethodField(help_text="Frozen at its end; of a running one as they are now.")
    conclusion = serializers.CharField()
    conclusion_note = serializers.CharField()
    findings = FindingOutput(many=True)

    def get_measures(self, drill: Drill) -> dict[str, Any]:
        if drill.status == Drill.Status.RUNNING and drill.epoch:
            return measures_of(drill, readings_of(drill))
        return dict(drill.measures)


class DrillPage(serializers.Serializer[Any]):
    """One page of drills, the newest first."""

    items = DrillOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


class ArmedOutput(serializers.Serializer[Any]):
    """Whether an instance would stop."""

    instance = serializers.CharField(source="instance.instance")
    environment = serializers.CharField(source="instance.environment")
    state = serializers.ChoiceField(["armed", "not_armed", "silent", "cannot_confirm"])
    since = serializers.DateTimeField(allow_null=True)


class _Api(APIView):
    # a service key is known, and told that a person is needed
    authentication_classes = (PersonAuthentication, KeyAuthentication)
    permission_classes: Any = (IsPerson,)


class DrillsApi(_Api):
    """The drills within reach."""

    class NewDrill(StrictSerializer):
        system = StrictCharField(max_length=100)
        environment = StrictCharField(required=False, allow_blank=True, max_length=100)
        type = serializers.ChoiceField(Drill.Type.choices)
        mode = serializers.ChoiceField([each.value for each in Mode], required=False)
        in_flight = serializers.ChoiceField([each.value for each in InFlight], required=False)
        starts_at = serializers.DateTimeField()
        window_s = serializers.IntegerField(required=False, min_value=60, max_value=8 * 3600)
        expectation = StrictCharField(max_length=LONG)
        participants = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=100)

    @extend_schema(operation_id="drills_list", responses=DrillPage, tags=TAGS)
    def get(self, request: Request) -> Response:
        """List them."""
        pages = KeysetPagination()
        rows = pages.paginate_queryset(_within_reach(request), request)
        return pages.get_paginated_response(DrillOutput(rows, many=True).data)

    @extend_schema(operation_id="drills_plan", request=NewDrill, responses={201: DrillOutput}, tags=TAGS)
    def post(self, request: Request) -> Response:
        """Plan one. A live one waits for a second person."""
        given = checked(self.NewDrill, request)
        system = visible_system(request, given.pop("system"))
        if (seconds := given.pop("window_s", None)) is not None:
            given["window"] = timedelta(seconds=seconds)
        for name, kind in (("mode", Mode), ("in_flight", InFlight)):
            if name in given:
                given[name] = kind(given[name])
        made = plan_drill(actor=actor_of(request), system_id=system.pk, drill_type=given.pop("type"), **given)
        return Response(DrillOutput(made).data, HTTPStatus.CREATED)


class DrillApi(_Api):
    """One drill."""

    @extend_schema(operation_id="drills_read", responses=DrillOutput, tags=TAGS)
    def get(self, request: Request, drill_id: uuid.UUID) -> Response:
        """What was planned, how it went, what it showed."""
        found = _within_reach(request).filter(pk=drill_id).first()
        if found is None:
            raise DrillNotFound()
        return Response(DrillOutput(found).data)


class DrillActApi(_Api):
    """Moving a drill on."""

    @extend_schema(operation_id="drills_act", request=None, responses=DrillOutput, tags=TAGS)
    def post(self, request: Request, drill_id: uuid.UUID, act: str) -> Response:
        """`approve` it as the second person, `cancel`, `start` or `end` it. Approving and ending loosen, so they need
        a factor proven within 10 minutes."""
        if act not in ACTS:
            raise DrillNotFound()
        if act in LOOSENING:
            require_fresh(request)
        return Response(DrillOutput(ACTS[act](actor=actor_of(request), drill_id=drill_id)).data)


class DrillConclusionApi(_Api):
    """What a drill showed, in a person's words."""

    class Conclusion(StrictSerializer):
        conclusion = serializers.ChoiceField(Drill.Conclusion.choices)
        note = StrictCharField(max_length=LONG)

    @extend_schema(operation_id="drills_conclude", request=Conclusion, responses=DrillOutput, tags=TAGS)
    def post(self, request: Request, drill_id: uuid.UUID) -> Response:
        """Conclude it, once it has ended."""
        given = checked(self.Conclusion, request)
        return Response(DrillOutput(conclude_drill(actor=actor_of(request), drill_id=drill_id, **given)).data)


class DrillFindingsApi(_Api):
    """What a drill showed, and who sees to it."""

    class NewFinding(StrictSerializer):
        text = StrictCharField(max_length=LONG)
        owner = serializers.UUIDField()
        due_on = serializers.DateField()

    @extend_schema(operation_id="drill_findings_add", request=NewFinding, responses={201: FindingOutput}, tags=TAGS)
    def post(self, request: Request, drill_id: uuid.UUID) -> Response:
        """Add one."""
        given = checked(self.NewFinding, request)
        owner = Person.objects.filter(pk=given.pop("owner"), is_active=True).first()
        if owner is None:
            raise InvalidInput(errors=[FieldProblem(pointer="/owner", detail="Nobody in the register has this id.")])
        made = record_finding(actor=actor_of(request), drill_id=drill_id, owner=owner, **given)
        return Response(FindingOutput(made).data, HTTPStatus.CREATED)


class DrillFindingApi(_Api):
    """Closing a finding."""

    class Closing(StrictSerializer):
        resolution = StrictCharField(max_length=LONG)

    @extend_schema(operation_id="drill_findings_close", request=Closing, responses=FindingOutput, tags=TAGS)
    def post(self, request: Request, finding_id: uuid.UUID) -> Response:
        """Say that it was dealt with, and how."""
        given = checked(self.Closing, request)
        found: DrillFinding = close_finding(actor=actor_of(request), finding_id=finding_id, **given)
        return Response(FindingOutput(found).data)


class ArmedApi(_Api):
    """Who would hear a stop."""

    permission_classes = (PersonOrKey(ServiceKey.Scope.CONTROL_READ),)

    @extend_schema(
        operation_id="control_armed",
        responses=ArmedOutput(many=True),
        parameters=[OpenApiParameter("system", str, required=True, description="The slug of an AI system.")],
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        """Every instance heard within a day (to a key: of its environment): armed, or since when it is not."""
        system = visible_system(request, request.query_params.get("system", ""))
        found, grant = armed_instances(system.pk), request.auth
        if isinstance(grant, KeyGrant):
            found = [each for each in found if each.instance.environment == grant.environment]
        return Response(ArmedOutput(found, many=True).data)


def _within_reach(request: Request) -> QuerySet[Drill]:
    systems = rights.systems_where(person_of(request), Act.SYSTEM_VIEW)
    rows = Drill.objects.select_related("system").prefetch_related("findings")
    return rows if systems is None else rows.filter(system_id__in=systems)
