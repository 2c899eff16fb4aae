"""The record over the API: a list, a search, one decision, and the parts of its payload."""

import uuid
from hashlib import sha256
from typing import Any

import orjson
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.api.answers import DecisionDetail, DecisionPageOutput, described, described_page
from audit.api.questions import DecisionQuery, SearchBody, read_query, read_search
from audit.errors import PartNotSent
from audit.reach import Reach
from audit.selectors import PARTS, list_decisions, visible_decision
from audit.services.disclosure import view_payload
from audit.services.searching import search_decisions
from governance.api.authentication import HasScope, grant_of
from governance.models import ServiceKey

Scope = ServiceKey.Scope
PART_KEY_HEADER = "Answerable-Part-Key"


class DecisionList(APIView):
    """Decisions within the key's reach, newest first by `recorded_at`; what is shown is what their entries say.

    Pages are stable while decisions are being recorded, in both directions. A page may be short, or empty, and still
    have a `next_cursor`: then `searched_to` says how far back was looked.
    """

    permission_classes: Any = (HasScope(Scope.DECISIONS_READ),)

    @extend_schema(
        operation_id="list_decisions", tags=["decisions"], parameters=[DecisionQuery], responses=DecisionPageOutput
    )
    def get(self, request: Request) -> Response:
        asked, cursor, limit = read_query(request.query_params.dict(), grant_of(request))
        scope = _digest(request.query_params.dict())
        page = list_decisions(asked, Reach.of_key(grant_of(request)), cursor=cursor, limit=limit, scope=scope)
        return Response(described_page(page, grant_of(request).register))


def _digest(params: dict[str, Any]) -> str:
    """The question a cursor belongs to."""
    kept = sorted((name, value) for name, value in params.items() if name not in {"cursor", "limit"})
    return sha256(orjson.dumps(kept)).hexdigest()


class DecisionSearch(APIView):
    """Decisions by subject, labels or text in their payload, newest first, in the last 7 days unless `from` says else.

    Each search is sealed in a log, with a commitment to its terms and the number of hits.
    """

    permission_classes: Any = (HasScope(Scope.DECISIONS_READ),)

    @extend_schema(
        operation_id="search_decisions",
        tags=["decisions"],
        request=SearchBody,
        responses=DecisionPageOutput,
        examples=[
            OpenApiExample("By subject", value={"system": "credit-limits", "subject": "c-20391"}, request_only=True),
            OpenApiExample(
                "By label and text",
                value={"labels": {"branch": "north"}, "text": "income", "from": "2026-11-01T00:00:00Z"},
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        terms, within, cursor, limit = read_search(request.data, grant_of(request))
        if terms.text:
            grant_of(request).require(Scope.PAYLOADS_READ)
        page = search_decisions(
            actor=grant_of(request).actor,
            reach=Reach.of_key(grant_of(request)),
            terms=terms,
            within=within,
            cursor=cursor,
            limit=limit,
        )
        return Response(described_page(page, grant_of(request).register))


class DecisionItem(APIView):
    """One decision as its entry says it, and which parts of its payload there are."""

    permission_classes: Any = (HasScope(Scope.DECISIONS_READ),)

    @extend_schema(operation_id="read_decision", tags=["decisions"], responses=DecisionDetail)
    def get(self, request: Request, decision_id: uuid.UUID) -> Response:
        decision = visible_decision(decision_id, Reach.of_key(grant_of(request)))
        return Response(described(decision, grant_of(request).register))


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
