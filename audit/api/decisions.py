"""The record over the API: one decision, and the parts of its payload. (The list stands higher: evidence.api.)"""

import uuid
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.api.answers import DecisionDetail, described
from audit.errors import PartNotSent
from audit.reach import Reach
from audit.selectors import PARTS, visible_decision
from audit.services.disclosure import view_payload
from governance.api.authentication import HasScope, grant_of
from governance.models import ServiceKey

Scope = ServiceKey.Scope
PART_KEY_HEADER = "Answerable-Part-Key"


class DecisionItem(APIView):
    """One decision as its entry says it, which parts of its payload there are, and until when."""

    permission_classes: Any = (HasScope(Scope.DECISIONS_READ),)

    @extend_schema(operation_id="read_decision", tags=["decisions"], responses=DecisionDetail)
    def get(self, request: Request, decision_id: uuid.UUID) -> Response:
        decision = visible_decision(decision_id, Reach.of_key(grant_of(request)))
        return Response(described(decision, grant_of(request).register, grant_of(request).actor))


class DecisionPayload(APIView):
    """A part of the payload byte for byte as it was sent. Each view is sealed in the AI system's log.

    The header `Answerable-Part-Key` holds the key that opens the part's commitment:
    SHA-256(part key, then the bytes) is what the entry says.
    """

    permission_classes: Any = (HasScope(Scope.PAYLOADS_READ),)

    @extend_schema(
        operation_id="read_payload",
        tags=["decisions"],
        parameters=[OpenApiParameter("part", str, OpenApiParameter.PATH, enum=list(PARTS))],
        responses={(200, "application/json"): OpenApiTypes.ANY},
    )
    def get(self, request: Request, decision_id: uuid.UUID, part: str) -> HttpResponse:
        decision = visible_decision(decision_id, Reach.of_key(grant_of(request)))
        if part not in PARTS:
            raise PartNotSent()
        (disclosed,) = view_payload(actor=grant_of(request).actor, decision=decision, parts=[part])
        headers = {PART_KEY_HEADER: disclosed.key.hex(), "Cache-Control": "no-store"}
        return HttpResponse(disclosed.data, content_type="application/json", headers=headers)
