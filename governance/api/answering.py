"""Who answered for an AI system, now and at any moment since it was registered."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.errors import FieldProblem, InvalidInput
from governance.answering import Answering, Holding, answering_at
from governance.api.authentication import KeyAuthentication, KeyGrant, PersonAuthentication, grant_of, person_of
from governance.api.visible import visible_system
from governance.models import AISystem, Assignment, ServiceKey


class PersonOutput(serializers.Serializer[Any]):
    """A member of staff."""

    id = serializers.UUIDField()
    name = serializers.CharField(source="__str__", help_text="As of today; “former member of staff” once erased.")


class EntryOutput(serializers.Serializer[Any]):
    """Where it is sealed."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    log = serializers.CharField(source="log.origin")
    index = serializers.IntegerField(source="leaf_index")


class HoldingOutput(serializers.Serializer[Any]):
    """A role as somebody held it at that moment, or was asked to."""

    assignment = serializers.UUIDField(source="assignment.id")
    role = serializers.ChoiceField(Assignment.Role.choices)
    person = PersonOutput(source="assignment.person")
    scope = serializers.ChoiceField(Assignment.Scope.choices, source="assignment.scope")
    model_version = serializers.CharField(source="assignment.model_version.version", default=None, allow_null=True)
    capability = serializers.SerializerMethodField()
    accepted = serializers.BooleanField(help_text="False while they were only asked.")
    offered_at = serializers.DateTimeField(source="assignment.offered_at")
    accepted_at = serializers.SerializerMethodField()
    ended_at = serializers.DateTimeField(
        source="assignment.ends_at", allow_null=True, help_text="When it ended since, or will."
    )
    delegated_by = serializers.SerializerMethodField()
    entries = EntryOutput(many=True)

    def get_capability(self, holding: Holding) -> str | None:
        return holding.assignment.capability or None

    def get_accepted_at(self, holding: Holding) -> str | None:
        moment = holding.assignment.accepted_at if holding.accepted else None
        return serializers.DateTimeField().to_representation(moment) if moment else None

    def get_delegated_by(self, holding: Holding) -> dict[str, Any] | None:
        delegated = holding.assignment.delegated_from
        return dict(PersonOutput(delegated.person).data) if delegated else None


class GapOutput(serializers.Serializer[Any]):
    """A span in which a live AI system had nobody accountable."""

    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class NoteOutput(serializers.Serializer[Any]):
    """What was said later about a span of the past."""

    id = serializers.UUIDField(source="note.id")
    assignment = serializers.UUIDField(source="note.assignment_id", allow_null=True)
    since = serializers.DateTimeField(source="note.since")
    until = serializers.DateTimeField(source="note.until")
    text = serializers.CharField(source="note.text")
    written_by = PersonOutput(source="by", allow_null=True)
    written_at = serializers.DateTimeField(source="note.created_at")


class AnsweringOutput(serializers.Serializer[Any]):
    """Who held what for an AI system at one moment."""

    system = serializers.CharField(source="system.slug")
    at = serializers.DateTimeField()
    status = serializers.ChoiceField(AISystem.Status.choices, help_text="Of the AI system at that moment.")
    accountable = HoldingOutput(allow_null=True, help_text="For the AI system as a whole: accepted before asked.")
    gap = GapOutput(allow_null=True)
    roles = HoldingOutput(many=True, source="holdings")
    notes = NoteOutput(many=True, help_text="Said later about spans that the moment falls in.")


class AnsweringApi(APIView):
    """Who answered for an AI system at a moment, in every role, with the entries that sealed it.

    For keys with `decisions:read` and for people who may see the AI system.
    """

    authentication_classes = (PersonAuthentication, KeyAuthentication)
    permission_classes: Any = ()

    @extend_schema(
        operation_id="systems_accountable",
        tags=["register"],
        parameters=[
            OpenApiParameter(
                "at",
                str,
                description="RFC 3339, with a time zone. Left out: now.",
                examples=[OpenApiExample("A day in March", value="2026-03-03T12:00:00Z")],
            )
        ],
        responses=AnsweringOutput,
    )
    def get(self, request: Request, slug: str) -> Response:
        """Say who answered at that moment. One that has not come yet, or was before the AI system, is refused."""
        _require_reader(request)
        found: Answering = answering_at(visible_system(request, slug), _at(request))
        return Response(AnsweringOutput(found).data)


def _require_reader(request: Request) -> None:
    if isinstance(request.auth, KeyGrant):
        grant_of(request).require(ServiceKey.Scope.DECISIONS_READ)
    else:
        person_of(request)


def _at(request: Request) -> datetime | None:
    """Errors: `InvalidInput`, also without a zone: somebody else would read another moment."""
    text = request.query_params.get("at")
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        expected = "RFC 3339, as in 2026-03-03T12:00:00Z"
        raise InvalidInput(
            errors=[FieldProblem(pointer="/at", detail="Not a moment with a time zone.", expected=expected)]
        )
    return moment
