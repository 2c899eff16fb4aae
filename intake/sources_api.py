"""Sources over the API: what has arrived of each counter, and heartbeats."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.pagination import KeysetPagination
from governance.api.authentication import HasScope, KeyAuthentication, grant_of
from governance.api.strict import StrictSerializer
from governance.models import ServiceKey
from intake.models import Source, SourceState
from intake.services.sources import BELOW_KNOWN, hear, missing_of
from ledger.entries import CLEAR_FIELD

Scope = ServiceKey.Scope


class GapOutput(serializers.Serializer[Any]):
    first = serializers.IntegerField()
    last = serializers.IntegerField()


class SourceOutput(serializers.Serializer[Any]):
    """One counter: how far it came, which numbers never arrived, which two decisions claim."""

    id = serializers.UUIDField()
    source: Any = serializers.CharField(help_text="The name the sender gave it.")
    last_seq = serializers.IntegerField(allow_null=True)
    gaps = GapOutput(many=True, help_text="Missing ranges, the last 1,000 of them and what a heartbeat tells of.")
    missing = serializers.IntegerField(
        allow_null=True,
        help_text="How many numbers are missing: the sum of `gaps`, and of older ones where those are over 1,000. "
        "Null until what was sealed before the last heartbeat has been counted: ask again a few seconds later.",
    )
    forks = serializers.ListField(child=serializers.IntegerField())
    last_seen_at = serializers.DateTimeField(allow_null=True)
    last_heartbeat_at = serializers.DateTimeField(allow_null=True)
    heartbeat_seq = serializers.IntegerField(allow_null=True)


class HeartbeatOutput(SourceOutput):
    """The counter after a heartbeat, and what was odd about it."""

    warnings = serializers.ListField(
        child=serializers.ChoiceField([BELOW_KNOWN]), help_text="`heartbeat_below_known`: a higher number is known."
    )


class SourcePage(serializers.Serializer[Any]):
    """One page of sources."""

    items = SourceOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


def source_fields(state: SourceState) -> dict[str, Any]:
    """A source as the API shows it."""
    missing = missing_of(state)
    return {
        "id": state.pk,
        "source": state.source.slug,
        "last_seq": state.last_seq,
        "gaps": [{"first": first, "last": last} for first, last in missing.gaps],
        "missing": missing.count,
        "forks": state.forks,
        "last_seen_at": state.last_seen_at,
        "last_heartbeat_at": state.last_heartbeat_at,
        "heartbeat_seq": state.heartbeat_seq,
    }


class SourcesApi(APIView):
    """The sources of the key's service account."""

    authentication_classes = (KeyAuthentication,)
    permission_classes: Any = (HasScope(Scope.DECISIONS_WRITE, Scope.DECISIONS_READ),)

    @extend_schema(operation_id="sources_list", responses=SourcePage, tags=["decisions"])
    def get(self, request: Request) -> Response:
        """List what has arrived of each source. A few seconds behind what was sealed."""
        pages = KeysetPagination()
        found = Source.objects.filter(account_id=grant_of(request).account_id).select_related("state")
        items = [source_fields(source.state) for source in pages.paginate_queryset(found, request)]
        return pages.get_paginated_response(SourceOutput(items, many=True).data)


class HeartbeatApi(APIView):
    """Alive, nothing to report."""

    authentication_classes = (KeyAuthentication,)
    permission_classes: Any = (HasScope(Scope.DECISIONS_WRITE),)

    class InputSerializer(StrictSerializer):
        source: Any = serializers.RegexField(CLEAR_FIELD, max_length=100, trim_whitespace=False)
        last_seq = serializers.IntegerField(min_value=0, max_value=2**63 - 1)

    @extend_schema(
        operation_id="sources_heartbeat", request=InputSerializer, responses={200: HeartbeatOutput}, tags=["decisions"]
    )
    def post(self, request: Request) -> Response:
        """Say that a source lives, and the last number it gave out. Sealed once an hour."""
        given = self.InputSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        state, warnings = hear(
            actor=grant_of(request).actor,
            slug=given.validated_data["source"],
            last_seq=given.validated_data["last_seq"],
        )
        return Response(HeartbeatOutput(source_fields(state) | {"warnings": warnings}).data)
