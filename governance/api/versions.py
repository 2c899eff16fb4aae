"""Model versions over the API: registered by programs and people, described, listed."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.pagination import KeysetPagination
from governance.api.authentication import KeyAuthentication, PersonAuthentication, PersonOrKey, actor_of
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.visible import visible_system
from governance.models import AISystem, ModelVersion, ServiceKey
from governance.models.systems import clear
from governance.models.versions import digest
from governance.register import KeyGrant
from governance.services.versions import register_version


class VersionOutput(serializers.Serializer[Any]):
    """What the register says about a model version."""

    id = serializers.UUIDField()
    version = serializers.CharField()
    status = serializers.ChoiceField(ModelVersion.Status.choices)
    name = serializers.CharField()
    provider = serializers.CharField()
    base_model = serializers.CharField()
    notes = serializers.CharField()
    model_digest = serializers.CharField()
    configuration = serializers.JSONField()
    config_digest = serializers.CharField()
    created_at = serializers.DateTimeField()


class VersionPage(serializers.Serializer[Any]):
    """One page of model versions."""

    items = VersionOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


class VersionsApi(APIView):
    """The model versions of an AI system within reach."""

    authentication_classes = (PersonAuthentication, KeyAuthentication)
    permission_classes: Any = (PersonOrKey(ServiceKey.Scope.REGISTER_WRITE),)

    class NewModelVersion(StrictSerializer):
        version = StrictCharField(max_length=100, validators=[clear], trim_whitespace=False)
        name = StrictCharField(required=False, allow_blank=True, max_length=200)
        provider = StrictCharField(required=False, allow_blank=True, max_length=200)
        base_model = StrictCharField(required=False, allow_blank=True, max_length=200)
        notes = StrictCharField(required=False, allow_blank=True, max_length=10_000)
        model_digest = StrictCharField(required=False, max_length=150, validators=[digest])
        configuration = serializers.DictField(required=False)
        config_digest = StrictCharField(required=False, max_length=150, validators=[digest])

    @extend_schema(operation_id="versions_list", responses=VersionPage, tags=["register"])
    def get(self, request: Request, slug: str) -> Response:
        """List the model versions of an AI system, the newest first."""
        versions = ModelVersion.objects.filter(system=_system(request, slug))
        pages = KeysetPagination()
        return pages.get_paginated_response(VersionOutput(pages.paginate_queryset(versions, request), many=True).data)

    @extend_schema(
        operation_id="versions_register",
        request=NewModelVersion,
        responses={201: VersionOutput, 200: VersionOutput},
        tags=["register"],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Register a model version. The same again with the same values is 200, with other values 409.

        One that was only seen on decisions so far takes the values and counts as registered.
        """
        given, system = checked(self.NewModelVersion, request), _system(request, slug)
        is_known = system.model_versions.filter(version=given["version"]).exists()
        version = register_version(actor=actor_of(request), system_id=system.pk, **given)
        return Response(VersionOutput(version).data, HTTPStatus.OK if is_known else HTTPStatus.CREATED)


def _system(request: Request, slug: str) -> AISystem:
    """Errors: `KeyOutOfScope` for a key, `SystemNotFound` for a person: each the same for one out of reach and none."""
    if isinstance(request.auth, KeyGrant):
        request.auth.system(slug)
    return visible_system(request, slug)
