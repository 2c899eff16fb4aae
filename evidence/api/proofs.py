"""`/api/v1/logs` and, for one decision, its proof and its entry."""

import uuid
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.errors import DecisionNotFound
from audit.reach import Reach
from audit.selectors import visible_decision
from config.errors import ServiceError
from evidence.api.logs import may_read
from evidence.exposure import Exposure, exposures
from evidence.proofs import entry_of, prove_entry
from evidence.services.self_audit import last_verified_at
from governance.api.authentication import HasScope, grant_of
from governance.memory import current
from governance.models import ServiceKey
from ledger.models import Entry, Log
from ledger.selectors import latest_checkpoint, vkeys_of

Scope = ServiceKey.Scope
READING = frozenset({Scope.DECISIONS_READ, Scope.LEDGER_READ})


class LogList(APIView):
    """The logs this key may read, with the keys that verify them."""

    permission_classes: Any = [HasScope(Scope.LEDGER_READ, Scope.DECISIONS_WRITE)]

    class Output(serializers.Serializer[Any]):
        origin = serializers.CharField(help_text="Name of the log in its checkpoints.")
        kind = serializers.ChoiceField(choices=Log.Kind.choices)
        system = serializers.CharField(allow_null=True, help_text="Slug of the AI system; null for the registry.")
        path = serializers.CharField(help_text="Where checkpoint and tiles are served.")
        tree_size = serializers.IntegerField(
            allow_null=True, help_text="Null where no checkpoint is signed: `refusal`."
        )
        root_hash = serializers.CharField(allow_null=True, help_text="64 hex digits; null as the size is.")
        refusal = serializers.CharField(
            allow_null=True,
            help_text="Code of the problem for which this server signs no checkpoint of it.",
        )
        vkey = serializers.CharField(help_text="Verifier key (C2SP signed-note). Compare it with one from elsewhere.")
        vkeys = serializers.ListField(
            child=serializers.CharField(),
            help_text="All keys in force: two while one replaces the other. Either verifies a checkpoint.",
        )
        predecessor = serializers.CharField(allow_null=True, help_text="Origin of the log this one continues.")
        is_closed = serializers.BooleanField()
        verified_at = serializers.DateTimeField(allow_null=True, help_text="End of the last whole self-audit.")
        anchors = serializers.CharField(help_text="Where its anchored checkpoints are listed.")
        cosigned_size = serializers.IntegerField(
            help_text="The newest tree that enough witnesses have cosigned; 0: none."
        )
        stamped_size = serializers.IntegerField(help_text="The newest tree that is time-stamped; 0: none.")
        exposed_since = serializers.DateTimeField(
            allow_null=True,
            help_text="When the first entry was sealed that nobody outside has seen. Null: all are seen.",
        )

    @extend_schema(responses=Output(many=True), operation_id="list_logs", tags=["evidence"])
    def get(self, request: Request) -> Response:
        logs = list(Log.objects.select_related("predecessor", "closure").order_by("kind", "id"))
        exposed = {each.log_id: each for each in exposures(open_only=False)}
        return Response([_described(log, exposed[log.id]) for log in logs if may_read(grant_of(request), log)])


def _described(log: Log, exposed: Exposure) -> dict[str, Any]:
    tree_size, root_hash, refusal = _tree(log)
    keys = vkeys_of(log)
    system = current().system_by_id(log.system_id) if log.system_id else None
    name = log.origin.rsplit("/", 1)[1]
    return {
        "origin": log.origin,
        "kind": log.kind,
        "system": system.slug if system else None,
        "path": f"/logs/{name}",
        "tree_size": tree_size,
        "root_hash": root_hash,
        "refusal": refusal,
        "vkey": keys[0],
        "vkeys": keys,
        "predecessor": log.predecessor.origin if log.predecessor else None,
        "is_closed": hasattr(log, "closure"),
        "verified_at": last_verified_at(log),
        "anchors": f"/api/v1/logs/{name}/anchors",
        "cosigned_size": exposed.cosigned_size,
        "stamped_size": exposed.stamped_size,
        "exposed_since": exposed.since,
    }


def _tree(log: Log) -> tuple[int | None, str | None, str | None]:
    """Size and root, else why there are none: a log in trouble must not take the others' keys from the auditors."""
    try:
        tree = getattr(log, "closure", None) or latest_checkpoint(log)
    except ServiceError as error:
        return None, None, error.code
    return tree.tree_size, bytes(tree.root_hash).hex(), None


def _decision_entry(request: Request, decision_id: uuid.UUID) -> Entry:
    """What the key may see as a decision, it may see as an entry. Who only writes sees its own account's."""
    grant = grant_of(request)
    decision = visible_decision(decision_id, Reach.of_key(grant))
    if not grant.scopes & READING and decision.service_account_id != grant.account_id:
        raise DecisionNotFound()
    return entry_of(decision.id)


class DecisionProof(APIView):
    """The `.tlog-proof` of a decision: its place in the log under the newest signed checkpoint."""

    permission_classes: Any = [HasScope(Scope.DECISIONS_READ, Scope.LEDGER_READ, Scope.DECISIONS_WRITE)]

    @extend_schema(responses={(200, "text/plain"): OpenApiTypes.STR}, operation_id="prove_decision", tags=["evidence"])
    def get(self, request: Request, decision_id: uuid.UUID) -> HttpResponse:
        proof = prove_entry(_decision_entry(request, decision_id))
        response = HttpResponse(proof.text, content_type="text/plain; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{decision_id}.tlog-proof"'
        return response


class DecisionEntry(APIView):
    """The exact bytes of a decision's entry: hash them with a zero byte in front and you have the leaf."""

    permission_classes: Any = [HasScope(Scope.DECISIONS_READ, Scope.LEDGER_READ, Scope.DECISIONS_WRITE)]

    @extend_schema(
        responses={(200, "application/json"): OpenApiTypes.OBJECT}, operation_id="read_entry", tags=["evidence"]
    )
    def get(self, request: Request, decision_id: uuid.UUID) -> HttpResponse:
        entry = _decision_entry(request, decision_id)
        return HttpResponse(bytes(entry.data), content_type="application/json")
