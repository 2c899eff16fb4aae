"""Grants to read payloads over the API."""

import uuid
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import PayloadGrant
from audit.payload_grants import grants_for
from audit.services.payload_grants import approve_grant, end_grant, refuse_grant, request_grant, withdraw_grant
from evidence.api.cases import ForPeople
from governance.api.authentication import actor_of, require_fresh
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.visible import visible_system

TAGS = ["payload grants"]
LISTED = 200


class GrantOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    person_id = serializers.UUIDField()
    system_id = serializers.UUIDField()
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField()
    status = serializers.ChoiceField(choices=PayloadGrant.Status.choices)
    reason = serializers.CharField()
    requested_at = serializers.DateTimeField()
    decided_by_id = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    answer = serializers.CharField(allow_blank=True)
    ended_by_id = serializers.UUIDField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class Answer(StrictSerializer):
    answer = StrictCharField(max_length=20_000, required=False, allow_blank=True)


class GrantsApi(ForPeople):
    """The newest 200 grants that one asked for, or may agree to; asking for one."""

    class NewGrant(StrictSerializer):
        system = serializers.SlugField()
        since = serializers.DateTimeField(required=False)
        until = serializers.DateTimeField(required=False)
        ends_at = serializers.DateTimeField(help_text="At most 90 days ahead.")
        reason = StrictCharField(max_length=20_000)

    @extend_schema(operation_id="list_payload_grants", tags=TAGS, responses=GrantOutput(many=True))
    def get(self, request: Request) -> Response:
        return Response(GrantOutput(grants_for(actor_of(request))[:LISTED], many=True).data)

    @extend_schema(operation_id="request_payload_grant", tags=TAGS, request=NewGrant, responses={201: GrantOutput})
    def post(self, request: Request) -> Response:
        values = checked(self.NewGrant, request)
        system = visible_system(request, values.pop("system"))
        made = request_grant(actor=actor_of(request), system_id=system.pk, **values)
        return Response(GrantOutput(made).data, HTTPStatus.CREATED)


class GrantApproveApi(ForPeople):
    """Agree, as the second person, with a factor of the last ten minutes."""

    @extend_schema(operation_id="approve_payload_grant", tags=TAGS, request=Answer, responses=GrantOutput)
    def post(self, request: Request, grant_id: uuid.UUID) -> Response:
        require_fresh(request)
        made = approve_grant(actor=actor_of(request), grant_id=grant_id, **checked(Answer, request))
        return Response(GrantOutput(made).data)


class GrantRefuseApi(ForPeople):
    """Say no, as the second person."""

    @extend_schema(operation_id="refuse_payload_grant", tags=TAGS, request=Answer, responses=GrantOutput)
    def post(self, request: Request, grant_id: uuid.UUID) -> Response:
        made = refuse_grant(actor=actor_of(request), grant_id=grant_id, **checked(Answer, request))
        return Response(GrantOutput(made).data)


class GrantWithdrawApi(ForPeople):
    """Take one's own request back."""

    @extend_schema(operation_id="withdraw_payload_grant", tags=TAGS, request=None, responses=GrantOutput)
    def post(self, request: Request, grant_id: uuid.UUID) -> Response:
        return Response(GrantOutput(withdraw_grant(actor=actor_of(request), grant_id=grant_id)).data)


class GrantEndApi(ForPeople):
    """End a grant before its day: whoever reads by it, or a data protection officer."""

    class Ended(StrictSerializer):
        reason = StrictCharField(max_length=20_000, required=False, allow_blank=True)

    @extend_schema(operation_id="end_payload_grant", tags=TAGS, request=Ended, responses=GrantOutput)
    def post(self, request: Request, grant_id: uuid.UUID) -> Response:
        made = end_grant(actor=actor_of(request), grant_id=grant_id, **checked(self.Ended, request))
        return Response(GrantOutput(made).data)
