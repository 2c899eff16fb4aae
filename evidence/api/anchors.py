"""`/api/v1/logs/<log>/anchors`: which checkpoints of a log witnesses and time-stamp authorities have seen."""

from itertools import islice
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.errors import FieldProblem, InvalidInput
from evidence.anchors import StoredCheckpoint, anchored_checkpoints
from evidence.api.logs import find_log, may_read
from governance.api.authentication import HasScope, grant_of
from governance.models import ServiceKey
from ledger.errors import LogNotFound
from ledger.models import Log

PAGE = 50


class CosignedBy(serializers.Serializer[Any]):
    witness = serializers.CharField(help_text="As the trust policy of this installation names it.")
    vkey = serializers.CharField()
    cosigned_at = serializers.DateTimeField(help_text="By the witness's clock.")


class StampedBy(serializers.Serializer[Any]):
    authority = serializers.CharField()
    stamped_at = serializers.DateTimeField(help_text="By the authority's clock (genTime).")
    path = serializers.CharField(help_text="Where the RFC 3161 response is served, in DER.")


class AnchoredCheckpoint(serializers.Serializer[Any]):
    tree_size = serializers.IntegerField()
    root_hash = serializers.CharField(help_text="64 hex digits.")
    path = serializers.CharField(help_text="Where the checkpoint is served, with its cosignatures.")
    meets_policy = serializers.BooleanField(help_text="Whether the witnesses are a quorum by the trust policy.")
    cosigned_by = CosignedBy(many=True)
    stamped_by = StampedBy(many=True)


class AnchoredCheckpoints(serializers.Serializer[Any]):
    items = AnchoredCheckpoint(many=True)
    next_before = serializers.IntegerField(allow_null=True, help_text="`before` of the next page.")


class LogAnchors(APIView):
    """Anchored checkpoints, the largest tree first, 50 at a time."""

    permission_classes: Any = [HasScope(ServiceKey.Scope.LEDGER_READ, ServiceKey.Scope.DECISIONS_WRITE)]

    @extend_schema(
        responses=AnchoredCheckpoints,
        operation_id="list_anchors",
        tags=["evidence"],
        parameters=[OpenApiParameter("before", int, description="Only trees smaller than this.")],
    )
    def get(self, request: Request, name: str) -> Response:
        log = find_log(name)
        if log is None or not may_read(grant_of(request), log):
            raise LogNotFound()
        found = list(islice(anchored_checkpoints(log, below=_before(request)), PAGE + 1))
        shown = found[:PAGE]
        more = shown[-1].tree_size if len(found) > PAGE else None
        return Response({"items": [_described(log, each) for each in shown], "next_before": more})


def _before(request: Request) -> int | None:
    text = request.query_params.get("before")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidInput(errors=[FieldProblem(pointer="/before", detail="Give a tree size.", expected="a number")])
    return int(text)


def _described(log: Log, each: StoredCheckpoint) -> dict[str, Any]:
    path = f"/logs/{log.origin.rsplit('/', 1)[1]}"
    stamps = f"{path}/timestamps/{each.tree_size}"
    return {
        "tree_size": each.tree_size,
        "root_hash": each.root_hash.hex(),
        "path": f"{path}/checkpoints/{each.tree_size}",
        "meets_policy": each.meets_policy and bool(each.cosignatures),
        "cosigned_by": [
            {"witness": one.witness, "vkey": one.vkey, "cosigned_at": one.cosigned_at} for one in each.cosignatures
        ],
        "stamped_by": [
            {"authority": one.authority, "stamped_at": one.stamped_at, "path": f"{stamps}/{one.authority}"}
            for one in each.timestamps
        ],
    }
