"""Parameters over the API: people with personal tokens; keys read them, and move them towards safety."""

import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

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
from governance.api.strict import StrictCharField, StrictSerializer
from governance.errors import SystemNotFound
from governance.models import AISystem, ServiceKey
from governance.models.systems import clear, slug
from governance.register import KeyGrant
from governance.services.systems import system_by_slug
from overrides.api.admission import PersonOrKey
from overrides.models import Parameter, ParameterVersion
from overrides.parameter_errors import ParameterNotFound
from overrides.parameter_values import SafeDirection, Type
from overrides.parameters import standing_of
from overrides.services.parameter_requests import approve_change, refuse_change, withdraw_change
from overrides.services.parameters import (
    ask_to_retire_parameter,
    change_parameter,
    define_parameter,
    takes_two,
)

TAGS = ["parameters"]
READERS = PersonOrKey(ServiceKey.Scope.CONTROL_READ, ServiceKey.Scope.CONTROL_TIGHTEN)
SETTERS = PersonOrKey(ServiceKey.Scope.CONTROL_TIGHTEN)
Status = ParameterVersion.Status


class VersionOutput(serializers.Serializer):  # type: ignore[type-arg]
    """One value of a parameter: asked for, in force, or gone."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    value = serializers.JSONField(allow_null=True)
    retires = serializers.BooleanField(help_text="Asks for the parameter's end, not for a value.")
    status = serializers.ChoiceField(Status.choices)
    reason_code = serializers.CharField()
    note = serializers.CharField()
    requested_by_type = serializers.CharField()
    requested_by_id = serializers.UUIDField(allow_null=True)
    requested_at = serializers.DateTimeField()
    request_expires_at = serializers.DateTimeField(allow_null=True)
    approved_by_id = serializers.UUIDField(allow_null=True)
    in_force_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True, help_text="When the value lapses.")
    ended_at = serializers.DateTimeField(allow_null=True)
    epoch = serializers.CharField(help_text="Of all controls, when it came into force; empty until then.")


class ParameterOutput(serializers.Serializer):  # type: ignore[type-arg]
    """A parameter, what it says now, and what waits for a second person."""

    id = serializers.UUIDField()
    system = serializers.CharField(source="system.slug")
    environment = serializers.CharField(help_text="Empty: every environment.")
    name = serializers.CharField()
    type = serializers.ChoiceField(Type.choices)
    minimum = serializers.JSONField(allow_null=True)
    maximum = serializers.JSONField(allow_null=True)
    allowed = serializers.JSONField()
    max_length = serializers.IntegerField(allow_null=True)
    unit = serializers.CharField()
    safe_direction = serializers.ChoiceField(SafeDirection.choices)
    safe_value = serializers.JSONField(allow_null=True)
    default = serializers.JSONField()
    description = serializers.CharField()
    retired_at = serializers.DateTimeField(allow_null=True)
    in_force = serializers.SerializerMethodField()
    proposed = serializers.SerializerMethodField()

    def get_in_force(self, parameter: Parameter) -> VersionOutput | None:
        if parameter.retired_at is not None:
            return None
        return VersionOutput(standing_of(_in(parameter, Status.IN_FORCE), timezone.now())[0]).data  # type: ignore[return-value]

    def get_proposed(self, parameter: Parameter) -> list[VersionOutput]:
        return VersionOutput(_in(parameter, Status.PROPOSED), many=True).data  # type: ignore[return-value]


class ParameterPage(serializers.Serializer):  # type: ignore[type-arg]
    """One page of parameters."""

    items = ParameterOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


class VersionPage(serializers.Serializer):  # type: ignore[type-arg]
    """One page of a parameter's versions, the newest first."""

    items = VersionOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


class _Api(APIView):
    authentication_classes = (PersonAuthentication, KeyAuthentication)
    permission_classes: Any = (IsPerson,)


class Why(StrictSerializer):
    reason = StrictCharField(required=False, allow_blank=True, max_length=2000)


class ParametersApi(_Api):
    """The parameters within reach."""

    class NewParameter(StrictSerializer):
        system = StrictCharField(max_length=100)
        environment = StrictCharField(required=False, allow_blank=True, max_length=100)
        name = StrictCharField(max_length=100, validators=[slug], trim_whitespace=False)
        type = serializers.ChoiceField(Type.choices)
        default = serializers.JSONField()
        safe_direction = serializers.ChoiceField(SafeDirection.choices)
        safe_value = serializers.JSONField(required=False, allow_null=True)
        minimum = serializers.JSONField(required=False, allow_null=True)
        maximum = serializers.JSONField(required=False, allow_null=True)
        allowed = serializers.ListField(child=serializers.JSONField(), required=False, max_length=100)
        max_length = serializers.IntegerField(required=False, allow_null=True)
        unit = StrictCharField(required=False, allow_blank=True, max_length=30, validators=[clear])
        description = StrictCharField(required=False, allow_blank=True, max_length=4000)

    def get_permissions(self) -> list[Any]:
        return [READERS() if self.request.method == "GET" else IsPerson()]

    @extend_schema(
        operation_id="parameters_list",
        responses=ParameterPage,
        parameters=[OpenApiParameter("system", str, description="The slug of an AI system.")],
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        """List the parameters in use, of the AI systems within reach; of a key also its environment only."""
        found = _within_reach(request).filter(retired_at=None)
        if system := request.query_params.get("system"):
            found = found.filter(system__slug=system)
        pages = KeysetPagination()
        rows = pages.paginate_queryset(found, request)
        return pages.get_paginated_response(ParameterOutput(rows, many=True).data)

    @extend_schema(operation_id="parameters_define", request=NewParameter, responses={201: ParameterOutput}, tags=TAGS)
    def post(self, request: Request) -> Response:
        """Define a parameter. Its default is in force at once."""
        given = _validated(self.NewParameter, request)
        system, value_type = _system(given.pop("system"), request), given.pop("type")
        made = define_parameter(actor=actor_of(request), system_id=system.pk, value_type=value_type, **given)
        return Response(ParameterOutput(_parameter(request, made.pk)).data, HTTPStatus.CREATED)


class ParameterApi(_Api):
    """One parameter."""

    permission_classes = (READERS,)

    @extend_schema(operation_id="parameters_read", responses=ParameterOutput, tags=TAGS)
    def get(self, request: Request, parameter_id: uuid.UUID) -> Response:
        """What it may say, what it says now, and what waits for a second person."""
        return Response(ParameterOutput(_parameter(request, parameter_id)).data)


class ParameterChangesApi(_Api):
    """The values of one parameter."""

    class NewValue(StrictSerializer):
        value = serializers.JSONField()
        expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="When the value lapses.")
        reason_code = StrictCharField(max_length=60, validators=[slug])
        note = StrictCharField(required=False, allow_blank=True, max_length=2000)
        on_top_of = serializers.IntegerField(
            required=False, help_text="Number of the version that you saw: where another one holds, it is a 409."
        )

    def get_permissions(self) -> list[Any]:
        return [READERS() if self.request.method == "GET" else SETTERS()]

    @extend_schema(operation_id="parameters_history", responses=VersionPage, tags=TAGS)
    def get(self, request: Request, parameter_id: uuid.UUID) -> Response:
        """Every value that was asked for, the newest first."""
        pages = KeysetPagination()
        rows = pages.paginate_queryset(_parameter(request, parameter_id).versions.all(), request)
        return pages.get_paginated_response(VersionOutput(rows, many=True).data)

    @extend_schema(
        operation_id="parameters_change",
        request=NewValue,
        responses={200: VersionOutput, 202: VersionOutput},
        tags=TAGS,
    )
    def post(self, request: Request, parameter_id: uuid.UUID) -> Response:
        """Set a parameter. 200: the value is in force. 202: it waits for another person.

        One person, or a key with `control:tighten`, is enough where the value is at no moment to come less safe than
        what would hold without the change; a key sets parameters of its own environment alone. Asking for a less safe
        value needs a token of a factor proven within 10 minutes.
        """
        given = _validated(self.NewValue, request)
        parameter = _parameter(request, parameter_id)
        ends = given.get("expires_at")
        if parameter.retired_at is None and takes_two(parameter=parameter, value=given["value"], expires_at=ends):
            require_fresh(request)
        version = change_parameter(actor=actor_of(request), parameter_id=parameter_id, **given)
        waits = version.status == Status.PROPOSED
        return Response(VersionOutput(version).data, HTTPStatus.ACCEPTED if waits else HTTPStatus.OK)


class ParameterRetirementApi(_Api):
    """The end of a parameter."""

    class Ending(StrictSerializer):
        reason_code = StrictCharField(max_length=60, validators=[slug])
        note = StrictCharField(required=False, allow_blank=True, max_length=2000)

    @extend_schema(operation_id="parameters_retire", request=Ending, responses={202: VersionOutput}, tags=TAGS)
    def post(self, request: Request, parameter_id: uuid.UUID) -> Response:
        """Ask that it is not given out any more. Always waits for another person."""
        require_fresh(request)
        given = _validated(self.Ending, request)
        version = ask_to_retire_parameter(actor=actor_of(request), parameter_id=parameter_id, **given)
        return Response(VersionOutput(version).data, HTTPStatus.ACCEPTED)


class ParameterApprovalApi(_Api):
    """Saying yes to a change."""

    @extend_schema(operation_id="parameter_changes_approve", request=None, responses=VersionOutput, tags=TAGS)
    def post(self, request: Request, version_id: uuid.UUID) -> Response:
        """Agree, as the second person; the value is in force at once. Needs a factor proven within 10 minutes."""
        require_fresh(request)
        return Response(VersionOutput(approve_change(actor=actor_of(request), version_id=version_id)).data)


class ParameterRefusalApi(_Api):
    """Saying no to a change."""

    @extend_schema(operation_id="parameter_changes_refuse", request=Why, responses=VersionOutput, tags=TAGS)
    def post(self, request: Request, version_id: uuid.UUID) -> Response:
        """Refuse, as the second person."""
        given = _validated(Why, request)
        return Response(VersionOutput(refuse_change(actor=actor_of(request), version_id=version_id, **given)).data)


class ParameterWithdrawalApi(_Api):
    """Taking a request back."""

    @extend_schema(operation_id="parameter_changes_withdraw", request=Why, responses=VersionOutput, tags=TAGS)
    def post(self, request: Request, version_id: uuid.UUID) -> Response:
        """Take one's own request back."""
        given = _validated(Why, request)
        return Response(VersionOutput(withdraw_change(actor=actor_of(request), version_id=version_id, **given)).data)


def _validated(kind: type[StrictSerializer], request: Request) -> dict[str, Any]:
    body = request.data if isinstance(request.data, Mapping) or request.data else {}
    given = kind(data=body)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def _within_reach(request: Request) -> QuerySet[Parameter]:
    """A key reaches parameters of its own environment, and those of every environment."""
    open_ones = ParameterVersion.objects.filter(status__in=[Status.IN_FORCE, Status.PROPOSED])
    rows = Parameter.objects.select_related("system").prefetch_related(
        Prefetch("versions", queryset=open_ones, to_attr="open_versions")
    )
    if isinstance(request.auth, KeyGrant):
        reached = Q(system_id__in=request.auth.system_ids, environment__in=["", request.auth.environment])
        return rows.filter(reached)
    systems = rights.systems_where(person_of(request), Act.SYSTEM_VIEW)
    return rows if systems is None else rows.filter(system_id__in=systems)


def _in(parameter: Parameter, status: ParameterVersion.Status) -> list[ParameterVersion]:
    """Of what `_within_reach` has read along with it."""
    versions: list[ParameterVersion] = vars(parameter)["open_versions"]
    return [each for each in versions if each.status == status]


def _parameter(request: Request, parameter_id: uuid.UUID) -> Parameter:
    found = _within_reach(request).filter(pk=parameter_id).first()
    if found is None:
        raise ParameterNotFound()
    return found


def _system(name: str, request: Request) -> AISystem:
    """Errors: `SystemNotFound`, the same for one out of sight and for none."""
    systems = rights.systems_where(person_of(request), Act.SYSTEM_VIEW)
    found = system_by_slug(name)
    if systems is not None and found.pk not in systems:
        raise SystemNotFound(f"No AI system has the slug '{name}'.")
    return found
