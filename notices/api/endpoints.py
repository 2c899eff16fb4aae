"""One webhook endpoint over the API: looked at, disabled and enabled, given a new secret, sent a test."""

import uuid
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.authentication import IsPerson, actor_of, person_of, require_fresh
from governance.api.strict import StrictCharField, StrictSerializer
from notices.api.outputs import DeliveryOutput, EndpointOutput, NewEndpointOutput, shown_once
from notices.errors import EndpointNotFound
from notices.nudging import nudge
from notices.selectors import endpoints_for
from notices.services.endpoints import disable_endpoint, enable_endpoint, rotate_secret
from notices.services.fan_out import send_test

LONGEST_OVERLAP_H = 168


class OneEndpointApi(APIView):
    """What all of these share: they are for people."""

    permission_classes: Any = (IsPerson,)


class EndpointApi(OneEndpointApi):
    """One of the webhook endpoints that the person may manage."""

    @extend_schema(operation_id="webhooks_read", responses=EndpointOutput, tags=["webhooks"])
    def get(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Show one webhook endpoint. Its secret is never shown again."""
        found = endpoints_for(person_of(request)).filter(pk=endpoint_id).first()
        if found is None:
            raise EndpointNotFound()
        return Response(EndpointOutput(found).data)


class RotateApi(OneEndpointApi):
    """A new secret."""

    class RotateWebhookSecret(StrictSerializer):
        overlap_h = serializers.IntegerField(
            default=24,
            min_value=0,
            max_value=LONGEST_OVERLAP_H,
            help_text="For so many hours deliveries bear a signature by each of the two secrets.",
        )

    @extend_schema(
        operation_id="webhooks_rotate",
        request=RotateWebhookSecret,
        responses={201: NewEndpointOutput},
        tags=["webhooks"],
    )
    def post(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Make a new secret. The answer shows it, this one time."""
        require_fresh(request)
        given = self.RotateWebhookSecret(data=request.data)
        given.is_valid(raise_exception=True)
        overlap = timedelta(hours=given.validated_data["overlap_h"])
        return shown_once(rotate_secret(actor=actor_of(request), endpoint_id=endpoint_id, overlap=overlap))


class DisableApi(OneEndpointApi):
    """Nothing more is sent."""

    class DisableWebhook(StrictSerializer):
        reason = StrictCharField(max_length=2000, required=False, allow_blank=True)

    @extend_schema(operation_id="webhooks_disable", request=DisableWebhook, responses=EndpointOutput, tags=["webhooks"])
    def post(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Send nothing more to it. What waits is dropped; once it is enabled it can be sent again, one by one."""
        given = self.DisableWebhook(data=request.data)
        given.is_valid(raise_exception=True)
        row = disable_endpoint(actor=actor_of(request), endpoint_id=endpoint_id, **given.validated_data)
        return Response(EndpointOutput(row).data)


class EnableApi(OneEndpointApi):
    """It is told of events again."""

    @extend_schema(operation_id="webhooks_enable", request=None, responses=EndpointOutput, tags=["webhooks"])
    def post(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Tell it of events again, from now on."""
        require_fresh(request)
        row = enable_endpoint(actor=actor_of(request), endpoint_id=endpoint_id)
        return Response(EndpointOutput(row).data)


class SendTestApi(OneEndpointApi):
    """An event to try it with."""

    @extend_schema(operation_id="webhooks_test", request=None, responses={202: DeliveryOutput}, tags=["webhooks"])
    def post(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Send an event of type `webhook.test` to this endpoint alone."""
        delivery = send_test(actor=actor_of(request), endpoint_id=endpoint_id)
        nudge()
        return Response(DeliveryOutput(delivery).data, HTTPStatus.ACCEPTED)
