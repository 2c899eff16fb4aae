"""What is known of a case over the API: what was put in, who investigates, who must not, what happened."""

import uuid
from typing import Any

import msgspec
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.case_access import investigators_of, readable_case, visible_case
from audit.case_document import Seen, acts_seen, entry_seen
from audit.case_selectors import trail_page
from config.pagination import KeysetPagination, limit_of
from evidence.api.case_answers import AttachmentOutput, ConflictOutput, InvestigatorOutput, TrailEntry
from evidence.api.cases import TAGS, ForPeople
from evidence.api.paged import PAGED, page_of
from evidence.case_reports import seen_by
from governance.api.authentication import actor_of
from governance.api.strict import StrictSerializer
from ledger.models import Entry
from overrides.services.case_leads import conflict_in


class CaseAttachmentsApi(ForPeople):
    """Every act of putting in and taking out, the newest first."""

    @extend_schema(
        operation_id="list_case_attachments", tags=TAGS, parameters=PAGED, responses=page_of(AttachmentOutput)
    )
    def get(self, request: Request, case_id: uuid.UUID) -> Response:
        actor, paging = actor_of(request), KeysetPagination()
        case = readable_case(actor, case_id)
        found = paging.paginate_queryset(case.attachments.all(), request)
        said = [AttachmentOutput(each.row).data | each.told() for each in acts_seen(found, seen_by(actor, case))]
        return paging.get_paginated_response(said)


class CaseInvestigatorsApi(ForPeople):
    """Who leads it, and who was appointed to it."""

    @extend_schema(operation_id="list_case_investigators", tags=TAGS, responses=InvestigatorOutput(many=True))
    def get(self, request: Request, case_id: uuid.UUID) -> Response:
        case = readable_case(actor_of(request), case_id)
        people = [{"person_id": each.pk, "is_lead": each.pk == case.lead_id} for each in investigators_of(case)]
        return Response(InvestigatorOutput(people, many=True).data)


class CaseConflictApi(ForPeople):
    """Why somebody must not lead it, for those who name who does. Without a person, of the one who leads it."""

    class Asked(StrictSerializer):
        person_id = serializers.UUIDField(required=False)

    @extend_schema(
        operation_id="read_case_conflict",
        tags=TAGS,
        parameters=[OpenApiParameter("person_id", uuid.UUID)],
        responses=ConflictOutput,
    )
    def get(self, request: Request, case_id: uuid.UUID) -> Response:
        asked = self.Asked(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        case = visible_case(actor_of(request), case_id)
        person_id = asked.validated_data.get("person_id") or case.lead_id
        why = conflict_in(actor=actor_of(request), case=case, person_id=person_id)
        return Response(ConflictOutput({"person_id": person_id, "why": why}).data)


class CaseTrailApi(ForPeople):
    """The sealed entries about the case and everything in it, oldest first; the newest ones without `before`."""

    class Page(serializers.Serializer[Any]):
        items = TrailEntry(many=True)
        earlier = serializers.UUIDField(allow_null=True, help_text="Send it as `before` for what was before.")

    @extend_schema(
        operation_id="read_case_trail",
        tags=TAGS,
        parameters=[OpenApiParameter("before", uuid.UUID), OpenApiParameter("limit", int)],
        responses=Page,
    )
    def get(self, request: Request, case_id: uuid.UUID) -> Response:
        actor, params = actor_of(request), request.query_params
        case = readable_case(actor, case_id)
        before = serializers.UUIDField().run_validation(params["before"]) if "before" in params else None
        found = trail_page(case, before, limit_of(params.get("limit")))
        seen = seen_by(actor, case)
        items = [_entry(each, seen) for each in found.entries]
        return Response(self.Page({"items": items, "earlier": found.earlier}).data)


def _entry(entry: Entry, seen: Seen) -> dict[str, Any]:
    said = msgspec.json.decode(bytes(entry.data))
    body = entry_seen(said["body"], seen)
    return {"id": entry.id, "kind": entry.kind, "at": said["at"], "actor": said["actor"], "said": body}
