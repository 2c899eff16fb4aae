"""What went, or is to go, to webhook endpoints, and sending it once more."""

import uuid
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.errors import FieldProblem, InvalidInput
from config.pagination import KeysetPagination
from governance.api.authentication import IsPerson, actor_of, person_of
from notices.api.outputs import DeliveryOutput, DeliveryPage
from notices.errors import EndpointNotFound
from notices.models import Delivery
from notices.nudging import nudge
from notices.selectors import deliveries_for, endpoints_for
from notices.services.sending import replay

STATUS = OpenApiParameter("status", str, enum=Delivery.Status.values, description="Only those of this state.")


class DeliveryPagination(KeysetPagination):
    key = ("id",)


class DeliveriesApi(APIView):
    """The deliveries of one endpoint."""

    permission_classes: Any = (IsPerson,)

    @extend_schema(operation_id="webhooks_deliveries", parameters=[STATUS], responses=DeliveryPage, tags=["webhooks"])
    def get(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """List what went, or is to go, to this endpoint. Each is kept for 30 days after it ended."""
        person, pages = person_of(request), DeliveryPagination()
        if not endpoints_for(person).filter(pk=endpoint_id).exists():
            raise EndpointNotFound()
        wanted = deliveries_for(person).filter(endpoint=endpoint_id)
        if status := _status(request):
            wanted = wanted.filter(status=status)
        found = pages.paginate_queryset(wanted.prefetch_related("log"), request)
        return pages.get_paginated_response(DeliveryOutput(found, many=True).data)


class SendAgainApi(APIView):
    """One delivery, once more."""

    permission_classes: Any = (IsPerson,)

    @extend_schema(operation_id="webhooks_send_again", request=None, responses={202: DeliveryOutput}, tags=["webhooks"])
    def post(self, request: Request, delivery_id: uuid.UUID) -> Response:
        """Send a delivery that has ended once more: the same bytes under the same `webhook-id`."""
        delivery = replay(actor=actor_of(request), delivery_id=delivery_id)
        nudge()
        return Response(DeliveryOutput(delivery).data, HTTPStatus.ACCEPTED)


def _status(request: Request) -> str:
    given = request.query_params.get("status", "")
    if given and given not in Delivery.Status.values:
        known = ", ".join(Delivery.Status.values)
        raise InvalidInput(errors=[FieldProblem(pointer="/status", detail="There is no such state.", expected=known)])
    return given
