"""Data sources and configurations over the API."""

import uuid
from http import HTTPStatus
from typing import Any

from django.db.models import Q
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.errors import FieldProblem, InvalidInput
from config.pagination import KeysetPagination
from governance import rights
from governance.acts import Act
from governance.api.authentication import KeyAuthentication, PersonAuthentication, PersonOrKey, actor_of, person_of
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.models import DataDependency, DataSource, Person, ServiceKey
from governance.models.systems import slug as slug_validator
from governance.register import KeyGrant
from governance.services.data_sources import archive_data_source, register_data_source, update_data_source
from governance.version_errors import DataSourceNotFound

TAGS = ["data sources"]


class SourceOutput(serializers.Serializer[Any]):
    """What the register says about a data source."""

    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(DataSource.Kind.choices)
    description = serializers.CharField()
    provider = serializers.CharField()
    location = serializers.CharField()
    personal_data = serializers.ChoiceField(DataSource.PersonalData.choices)
    legal_basis = serializers.CharField()
    owner_id = serializers.UUIDField()
    archived_at = serializers.DateTimeField(allow_null=True)


class SourcePage(serializers.Serializer[Any]):
    """One page of data sources."""

    items = SourceOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


class DependentOutput(serializers.Serializer[Any]):
    """A model version that depends on a source."""

    system = serializers.CharField(source="model_version.system.slug")
    model_version = serializers.CharField(source="model_version.version")
    model_version_id = serializers.UUIDField()
    status = serializers.CharField(source="model_version.status")
    use = serializers.ChoiceField(DataDependency.Use.choices)
    snapshot = serializers.CharField()


class DependentPage(serializers.Serializer[Any]):
    """One page of what depends on a source."""

    items = DependentOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


class _Described(StrictSerializer):
    name = StrictCharField(required=False, max_length=200)
    kind = serializers.ChoiceField(DataSource.Kind.choices, required=False)
    description = StrictCharField(required=False, allow_blank=True, max_length=10_000)
    provider = StrictCharField(required=False, allow_blank=True, max_length=200)
    location = StrictCharField(required=False, allow_blank=True, max_length=500)
    personal_data = serializers.ChoiceField(DataSource.PersonalData.choices, required=False)
    legal_basis = StrictCharField(required=False, allow_blank=True, max_length=10_000)
    owner_id = serializers.UUIDField(required=False)


class _Api(APIView):
    authentication_classes = (PersonAuthentication, KeyAuthentication)
    permission_classes: Any = (PersonOrKey(ServiceKey.Scope.REGISTER_WRITE),)


class DataSourcesApi(_Api):
    """The data sources of the organisation: whoever may see an AI system sees them."""

    class NewSource(_Described):
        slug = StrictCharField(max_length=100, validators=[slug_validator])
        name = StrictCharField(max_length=200)
        owner_id = serializers.UUIDField(help_text="The person who answers for what is in it.")

    @extend_schema(operation_id="data_sources_list", responses=SourcePage, tags=TAGS)
    def get(self, request: Request) -> Response:
        """List them, the newest first."""
        _require_sight(request)
        pages = KeysetPagination()
        found = pages.paginate_queryset(DataSource.objects.order_by("-id"), request)
        return pages.get_paginated_response(SourceOutput(found, many=True).data)

    @extend_schema(
        operation_id="data_source_register",
        request=NewSource,
        responses={201: SourceOutput, 200: SourceOutput},
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        """Register one. The same again with the same values is 200, with other values 409."""
        given = checked(self.NewSource, request)
        is_known = DataSource.objects.filter(slug=given["slug"]).exists()
        made = register_data_source(actor=actor_of(request), **_with_owner(given))
        return Response(SourceOutput(made).data, HTTPStatus.OK if is_known else HTTPStatus.CREATED)


class DataSourceApi(_Api):
    """One data source."""

    @extend_schema(operation_id="data_source_read", responses=SourceOutput, tags=TAGS)
    def get(self, request: Request, slug: str) -> Response:
        """What the register says about it."""
        return Response(SourceOutput(_source(request, slug)).data)

    @extend_schema(operation_id="data_source_update", request=_Described, responses=SourceOutput, tags=TAGS)
    def patch(self, request: Request, slug: str) -> Response:
        """Change what the register says about it."""
        given, source = checked(_Described, request), _source(request, slug)
        changed = update_data_source(actor=actor_of(request), source_id=source.pk, changes=_with_owner(given))
        return Response(SourceOutput(changed).data)


class DataSourceArchiveApi(_Api):
    """Taking a source out of use."""

    class Reason(StrictSerializer):
        reason = StrictCharField(required=False, allow_blank=True, max_length=2000)

    @extend_schema(operation_id="data_source_archive", request=Reason, responses=SourceOutput, tags=TAGS)
    def post(self, request: Request, slug: str) -> Response:
        """Say that it is not used any more. 409 while versions that are in use depend on it."""
        given, source = checked(self.Reason, request), _source(request, slug)
        return Response(SourceOutput(archive_data_source(actor=actor_of(request), source_id=source.pk, **given)).data)


class DependentsApi(_Api):
    """What else depends on the same source."""

    @extend_schema(
        operation_id="data_source_dependents",
        parameters=[OpenApiParameter("slug", OpenApiTypes.STR, OpenApiParameter.PATH)],
        responses={200: OpenApiResponse(DependentPage, "Of AI systems within reach; others are not counted.")},
        tags=TAGS,
    )
    def get(self, request: Request, slug: str) -> Response:
        """The model versions that depend on it, of AI systems within reach."""
        held = _source(request, slug).dependencies.filter(_reach(request), removed_at=None)
        pages = KeysetPagination()
        found = pages.paginate_queryset(held.select_related("model_version__system").order_by("-id"), request)
        return pages.get_paginated_response(DependentOutput(found, many=True).data)


def _source(request: Request, slug: str) -> DataSource:
    _require_sight(request)
    found = DataSource.objects.filter(slug=slug).first()
    if found is None:
        raise DataSourceNotFound()
    return found


def _require_sight(request: Request) -> None:
    """Errors: `DataSourceNotFound` for whoever has no part in any AI system."""
    if not isinstance(request.auth, KeyGrant) and not rights.can_anywhere(person_of(request), Act.SYSTEM_VIEW):
        raise DataSourceNotFound()


def _reach(request: Request) -> Q:
    if isinstance(request.auth, KeyGrant):
        return Q(model_version__system_id__in=request.auth.system_ids)
    systems = rights.systems_where(person_of(request), Act.SYSTEM_VIEW)
    return Q() if systems is None else Q(model_version__system_id__in=systems)


def _with_owner(given: dict[str, Any]) -> dict[str, Any]:
    """With the person in the place of their id. Errors: `InvalidInput` for one who is not there."""
    said = dict(given)
    owner_id: uuid.UUID | None = said.pop("owner_id", None)
    if owner_id is None:
        return said
    owner = Person.objects.filter(pk=owner_id, is_active=True).first()
    if owner is None:
        raise InvalidInput(errors=[FieldProblem(pointer="/owner_id", detail="No active person has this id.")])
    return said | {"owner": owner}
