"""Acknowledgements: what running instances say they obey."""

from collections.abc import Mapping
from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.authentication import HasScope, KeyAuthentication, grant_of
from governance.api.strict import StrictCharField, StrictSerializer
from governance.models import ServiceKey
from governance.models.systems import clear
from governance.register import KeyGrant
from overrides.api.states import MODES
from overrides.api.switches import EpochField
from overrides.services.acknowledging import Ack, record_acks
from overrides.standing import HEARTBEAT_SECONDS, Mode

MOST_AT_ONCE = 100
APPLIED_BY = ["server", "file", "fail_policy"]
instance_name = RegexValidator(r"^[A-Za-z0-9_.:-]{1,100}\Z", "Use 1 to 100 of A-Z, a-z, 0-9 and _.:-")


class AckInput(StrictSerializer):
    """What one instance says of one AI system."""

    instance = StrictCharField(max_length=100, validators=[instance_name], trim_whitespace=False)
    system = StrictCharField(max_length=100)
    client = StrictCharField(required=False, allow_blank=True, max_length=100, validators=[clear], default="")
    model_version = StrictCharField(required=False, allow_null=True, max_length=100, validators=[clear])
    epoch = EpochField(allow_null=True, max_length=30, help_text="Of the state it holds; null: it never had one.")
    seen_at = serializers.DateTimeField(required=False, allow_null=True)
    applied_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Whether it obeys that state. The server's clock counts, not this."
    )
    applied_mode = serializers.ChoiceField(MODES, required=False, allow_null=True)
    applied_by = serializers.ChoiceField(
        APPLIED_BY,
        required=False,
        allow_null=True,
        help_text="Who made the mode what it is: this service, a break-glass file, or the client's own fail policy.",
    )
    file_mode = serializers.ChoiceField(MODES, required=False, allow_null=True)
    in_flight = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=2**31 - 1)
    drained_at = serializers.DateTimeField(required=False, allow_null=True)


class Acks(StrictSerializer):
    """Several acknowledgements."""

    acks = serializers.ListField(child=AckInput(), allow_empty=False, max_length=MOST_AT_ONCE)


class AckOutput(serializers.Serializer):  # type: ignore[type-arg]
    """The epoch that holds now, and when to be heard of again."""

    epoch = serializers.CharField()
    heartbeat_s = serializers.IntegerField()


class AcksApi(APIView):
    """Where running instances are heard of."""

    authentication_classes = (KeyAuthentication,)
    permission_classes: Any = (HasScope(ServiceKey.Scope.CONTROL_READ),)
    throttle_classes = ()

    @extend_schema(operation_id="control_acks", request=Acks, responses=AckOutput, tags=["control"])
    def post(self, request: Request) -> Response:
        """Say what an instance obeys: every `heartbeat_s`, and after each change. One, or up to 100 under `acks`."""
        grant = grant_of(request)
        acks = [_ack(grant, each) for each in _read(request)]
        epoch = record_acks(grant=grant, acks=acks)
        return Response({"epoch": str(epoch), "heartbeat_s": HEARTBEAT_SECONDS})


def _read(request: Request) -> list[dict[str, Any]]:
    is_many = isinstance(request.data, Mapping) and "acks" in request.data
    given = (Acks if is_many else AckInput)(data=request.data)
    given.is_valid(raise_exception=True)
    return list(given.validated_data["acks"]) if is_many else [dict(given.validated_data)]


def _ack(grant: KeyGrant, given: dict[str, Any]) -> Ack:
    mode = given.get("applied_mode")
    return Ack(
        instance=given["instance"],
        system_id=grant.system(given["system"]).id,
        client=given["client"],
        model_version=given.get("model_version") or "",
        epoch=given["epoch"],
        has_applied=given.get("applied_at") is not None and mode is not None,
        applied_mode=Mode(mode) if mode else None,
        applied_by=given.get("applied_by") or "",
        file_mode=given.get("file_mode") or "",
        in_flight=given.get("in_flight"),
        has_drained=given.get("drained_at") is not None,
    )
