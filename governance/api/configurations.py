"""Configurations over the API: stored as they are sent, read back byte for byte."""

from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.errors import FieldProblem, InvalidInput
from config.pagination import KeysetPagination
from governance.api.authentication import KeyAuthentication, PersonAuthentication, PersonOrKey, actor_of
from governance.api.visible import visible_system
from governance.models import ConfigurationSnapshot, ServiceKey
from governance.services.configurations import ALGORITHMS, MAX_BYTES, store_configuration
from governance.version_errors import ConfigurationNotFound

TAGS = ["model versions"]


class ConfigurationOutput(serializers.Serializer[Any]):
    """A configuration that is kept."""

    digest = serializers.CharField()
    size = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class ConfigurationPage(serializers.Serializer[Any]):
    """One page of configurations."""

    items = ConfigurationOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


class _Api(APIView):
    authentication_classes = (PersonAuthentication, KeyAuthentication)
    permission_classes: Any = (PersonOrKey(ServiceKey.Scope.REGISTER_WRITE),)


class ConfigurationsApi(_Api):
    """The configurations of an AI system that are kept."""

    @extend_schema(operation_id="configurations_list", responses=ConfigurationPage, tags=TAGS)
    def get(self, request: Request, slug: str) -> Response:
        """The newest first."""
        rows = ConfigurationSnapshot.objects.filter(system=visible_system(request, slug)).order_by("-id")
        pages = KeysetPagination()
        return pages.get_paginated_response(ConfigurationOutput(pages.paginate_queryset(rows, request), many=True).data)

    @extend_schema(
        operation_id="configuration_store",
        parameters=[OpenApiParameter("algorithm", OpenApiTypes.STR, enum=ALGORITHMS, description="sha256 without it.")],
        request=OpenApiTypes.OBJECT,
        responses={201: ConfigurationOutput, 200: ConfigurationOutput},
        tags=TAGS,
    )
    def post(self, request: Request, slug: str) -> Response:
        """Keep a configuration under the digest of its exact bytes; send that as `config_digest` with decisions."""
        system, algorithm = visible_system(request, slug), request.query_params.get("algorithm", ALGORITHMS[0])
        if algorithm not in ALGORITHMS:
            expected = ", ".join(ALGORITHMS)
            raise InvalidInput(
                errors=[FieldProblem(pointer="/algorithm", detail="This is not taken.", expected=expected)]
            )
        before = system.configurations.count()
        kept = store_configuration(
            actor=actor_of(request), system_id=system.pk, content=_exact_bytes(request), algorithm=algorithm
        )
        is_new = system.configurations.count() > before
        return Response(ConfigurationOutput(kept).data, HTTPStatus.CREATED if is_new else HTTPStatus.OK)


class ConfigurationApi(_Api):
    """One configuration."""

    @extend_schema(operation_id="configuration_read", responses=OpenApiTypes.OBJECT, tags=TAGS)
    def get(self, request: Request, slug: str, digest: str) -> HttpResponse:
        """The bytes as they were sent."""
        row = ConfigurationSnapshot.objects.filter(system=visible_system(request, slug), digest=digest).first()
        if row is None:
            raise ConfigurationNotFound()
        return HttpResponse(row.content.encode(), content_type="application/json")


def _exact_bytes(request: Request) -> bytes:
    """The body as it is, since the digest is of these bytes. One byte too many is enough to refuse it."""
    stream: Any = request.stream
    return bytes(stream.read(MAX_BYTES + 1)) if stream is not None else b""
