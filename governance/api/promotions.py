"""One model version over the API: what it depends on, and its way into use."""

import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance import rights
from governance.acts import Act
from governance.api.authentication import (
    IsPerson,
    KeyAuthentication,
    PersonAuthentication,
    PersonOrKey,
    actor_of,
    person_of,
    require_fresh,
)
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.versions import VersionOutput
from governance.errors import VersionNotFound
from governance.gates import gates_of
from governance.models import DataDependency, ModelVersion, ServiceKey, VersionPromotion
from governance.models.systems import clear
from governance.models.versions import digest
from governance.register import KeyGrant
from governance.services.dependencies import declare_dependency, remove_dependency
from governance.services.promotions import (
    approve_version,
    propose_version,
    refuse_version,
    release_version,
    retire_version,
    withdraw_proposal,
)
from governance.version_errors import DataDependencyNotFound

TAGS = ["model versions"]


class DependencyOutput(serializers.Serializer[Any]):
    """A data source that a version depends on."""

    id = serializers.UUIDField()
    data_source = serializers.CharField(source="source.slug")
    use = serializers.ChoiceField(DataDependency.Use.choices)
    snapshot = serializers.CharField()
    digest = serializers.CharField()
    note = serializers.CharField()


class GateOutput(serializers.Serializer[Any]):
    """What must hold before a version is approved, as it stands."""

    code = serializers.CharField()
    title = serializers.CharField()
    is_met = serializers.BooleanField()
    blocks = serializers.BooleanField()
    advice = serializers.CharField()


class StoodGate(serializers.Serializer[Any]):
    """A gate as it stood."""

    code = serializers.CharField()
    title = serializers.CharField()
    met = serializers.BooleanField()
    blocks = serializers.BooleanField()


class PromotionOutput(serializers.Serializer[Any]):
    """A proposal, and what became of it."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(VersionPromotion.Status.choices)
    reason = serializers.CharField()
    requested_by_id = serializers.UUIDField()
    requested_at = serializers.DateTimeField()
    decided_by_id = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    answer = serializers.CharField()
    gates = StoodGate(many=True, help_text="As they stood when it was approved, else when it was proposed. Sealed.")


class VersionDetail(VersionOutput):
    """A model version with what it depends on and how it came into use."""

    system = serializers.CharField(source="system.slug")
    revision = serializers.IntegerField(help_text="Counts its changes: sent back to approve it.")
    dependencies = serializers.SerializerMethodField()
    gates = serializers.SerializerMethodField(help_text="Empty once it was approved: see the promotion.")
    promotions = PromotionOutput(many=True)

    @extend_schema_field(DependencyOutput(many=True))
    def get_dependencies(self, row: ModelVersion) -> Any:
        held = row.dependencies.filter(removed_at=None).select_related("source")
        return DependencyOutput(held, many=True).data

    @extend_schema_field(GateOutput(many=True))
    def get_gates(self, row: ModelVersion) -> Any:
        return [] if row.status in ModelVersion.SETTLED else GateOutput(gates_of(row), many=True).data


class _Api(APIView):
    authentication_classes = (PersonAuthentication, KeyAuthentication)
    permission_classes: Any = (PersonOrKey(ServiceKey.Scope.REGISTER_WRITE),)


class VersionApi(_Api):
    """One model version."""

    @extend_schema(operation_id="version_read", responses=VersionDetail, tags=TAGS)
    def get(self, request: Request, version_id: uuid.UUID) -> Response:
        """What the register says of it, what it depends on, its gates and its proposals."""
        return _detail(request, version_id)


class DependenciesApi(_Api):
    """What a model version depends on."""

    class Declaration(StrictSerializer):
        data_source = StrictCharField(max_length=100, help_text="By slug.")
        use = serializers.ChoiceField(DataDependency.Use.choices)
        snapshot = StrictCharField(required=False, allow_blank=True, max_length=100, validators=[clear])
        digest = StrictCharField(required=False, allow_blank=True, max_length=150, validators=[digest])
        note = StrictCharField(required=False, allow_blank=True, max_length=2000)

    @extend_schema(operation_id="dependency_declare", request=Declaration, responses=VersionDetail, tags=TAGS)
    def post(self, request: Request, version_id: uuid.UUID) -> Response:
        """Declare one; once more for the same source and use takes the new values."""
        given, row = checked(self.Declaration, request), _visible(request, version_id)
        source = given.pop("data_source")
        declare_dependency(actor=actor_of(request), version_id=row.pk, source=source, **given)
        return _detail(request, version_id)


class DependencyApi(_Api):
    """One dependency."""

    @extend_schema(operation_id="dependency_remove", responses={204: None}, tags=TAGS)
    def delete(self, request: Request, dependency_id: uuid.UUID) -> Response:
        """Say that the version does not depend on it after all."""
        found = DataDependency.objects.filter(pk=dependency_id).first()
        if found is None or not _is_seen(request, found.model_version):
            raise DataDependencyNotFound()
        remove_dependency(actor=actor_of(request), dependency_id=dependency_id)
        return Response(status=HTTPStatus.NO_CONTENT)


class Reason(StrictSerializer):
    reason = StrictCharField(required=False, allow_blank=True, max_length=2000)


class Retirement(Reason):
    leaves_none = serializers.BooleanField(
        default=False, help_text="That no approved version of a live AI system is left is meant."
    )


class NeededReason(StrictSerializer):
    reason = StrictCharField(max_length=2000)


class Answer(StrictSerializer):
    answer = StrictCharField(required=False, allow_blank=True, max_length=2000)


class Approval(Answer):
    promotion_id = serializers.UUIDField(help_text="The proposal that was looked at.")
    revision = serializers.IntegerField(min_value=1, help_text="The version's, as it was looked at.")


class NeededAnswer(StrictSerializer):
    answer = StrictCharField(max_length=2000)


class _ActApi(APIView):
    """One step of a version's way. A service key is known, and told that a person is needed."""

    authentication_classes = (PersonAuthentication, KeyAuthentication)
    permission_classes: Any = (IsPerson,)
    body: ClassVar[type[StrictSerializer]] = Reason
    service: ClassVar[Callable[..., object]]
    asks_factor: ClassVar[bool] = False

    def act(self, request: Request, version_id: uuid.UUID) -> Response:
        if self.asks_factor:
            require_fresh(request)
        given, row = checked(self.body, request), _visible(request, version_id)
        type(self).service(actor=actor_of(request), version_id=row.pk, **given)
        return _detail(request, version_id)


class ProposeApi(_ActApi):
    body, service = NeededReason, propose_version

    @extend_schema(operation_id="version_propose", request=NeededReason, responses=VersionDetail, tags=TAGS)
    def post(self, request: Request, version_id: uuid.UUID) -> Response:
        """Propose that it may run, with reasons. 409 `promotion-blocked` names the gates that are not met."""
        return self.act(request, version_id)


class ApproveApi(_ActApi):
    body, service, asks_factor = Approval, approve_version, True

    @extend_schema(operation_id="version_approve", request=Approval, responses=VersionDetail, tags=TAGS)
    def post(self, request: Request, version_id: uuid.UUID) -> Response:
        """Agree, as the accountable person. Needs a factor proven within 10 minutes.

        409 `promotion-anew` where something else waits than what was looked at.
        """
        return self.act(request, version_id)


class RefuseApi(_ActApi):
    body, service = NeededAnswer, refuse_version

    @extend_schema(operation_id="version_refuse", request=NeededAnswer, responses=VersionDetail, tags=TAGS)
    def post(self, request: Request, version_id: uuid.UUID) -> Response:
        """Say no, as the accountable person, and why."""
        return self.act(request, version_id)


class WithdrawApi(_ActApi):
    body, service = StrictSerializer, withdraw_proposal

    @extend_schema(operation_id="version_withdraw", request=None, responses=VersionDetail, tags=TAGS)
    def post(self, request: Request, version_id: uuid.UUID) -> Response:
        """Take the proposal back."""
        return self.act(request, version_id)


class ReleaseApi(_ActApi):
    service = release_version

    @extend_schema(operation_id="version_release", request=Reason, responses=VersionDetail, tags=TAGS)
    def post(self, request: Request, version_id: uuid.UUID) -> Response:
        """Say that an approved version runs now."""
        return self.act(request, version_id)


class RetireApi(_ActApi):
    body, service = Retirement, retire_version

    @extend_schema(operation_id="version_retire", request=Retirement, responses=VersionDetail, tags=TAGS)
    def post(self, request: Request, version_id: uuid.UUID) -> Response:
        """Say that it is not to run any more.

        409 `last-approved-version` where a live AI system is left with none: confirm it with `leaves_none` and why.
        """
        return self.act(request, version_id)


def _detail(request: Request, version_id: uuid.UUID) -> Response:
    return Response(VersionDetail(_visible(request, version_id)).data)


def _visible(request: Request, version_id: uuid.UUID) -> ModelVersion:
    """Errors: `VersionNotFound`, the same for one out of sight and for none."""
    row = ModelVersion.objects.select_related("system").filter(pk=version_id).first()
    if row is None or not _is_seen(request, row):
        raise VersionNotFound()
    return row


def _is_seen(request: Request, row: ModelVersion) -> bool:
    if isinstance(request.auth, KeyGrant):
        return row.system_id in request.auth.system_ids
    systems = rights.systems_where(person_of(request), Act.SYSTEM_VIEW)
    return systems is None or row.system_id in systems
