"""Where somebody is signed in, for administrators: seeing it, ending it."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from governance import rights
from governance.acts import Act
from governance.api.authentication import actor_of, person_of, require_fresh
from governance.api.people import PersonApi
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.errors import PersonNotFound
from governance.models import Person
from governance.services.sessions import end_access_of, end_session_of
from governance.sessions import sessions_of

TAGS = ["people"]


class SessionOutput(serializers.Serializer[Any]):
    """A browser that somebody is signed in with."""

    handle = serializers.CharField(help_text="Names it, and is of no use for anything else.")
    signed_in_at = serializers.DateTimeField(allow_null=True)
    last_seen_at = serializers.DateTimeField(allow_null=True)
    address = serializers.CharField(source="place")
    browser = serializers.CharField(source="agent")
    signed_in_by = serializers.CharField(source="how")


class SessionList(serializers.Serializer[Any]):
    """Where somebody is signed in, the newest first."""

    items = SessionOutput(many=True)


class SessionsApi(PersonApi):
    """The sessions of somebody else."""

    @extend_schema(operation_id="people_sessions", responses=SessionList, tags=TAGS)
    def get(self, request: Request, person_id: uuid.UUID) -> Response:
        """List where somebody is signed in. For administrators."""
        rights.require(person_of(request), Act.PEOPLE_MANAGE)
        person = Person.objects.filter(pk=person_id, is_active=True).first()
        if person is None:
            raise PersonNotFound()
        return Response(SessionList({"items": sessions_of(person)}).data)


class SessionsEndApi(PersonApi):
    """An end of one session, or of all."""

    class Ending(StrictSerializer):
        handle = StrictCharField(
            required=False, max_length=64, help_text="Of the session to end. Left out: all, and personal tokens."
        )

    class Ended(serializers.Serializer[Any]):
        """How many."""

        ended = serializers.IntegerField()

    @extend_schema(operation_id="people_end_sessions", request=Ending, responses=Ended, tags=TAGS)
    def post(self, request: Request, person_id: uuid.UUID) -> Response:
        """Sign somebody out: of one browser, or everywhere with their personal tokens. In force at once."""
        require_fresh(request)
        given, actor = checked(self.Ending, request), actor_of(request)
        if handle := given.get("handle"):
            ended = int(end_session_of(actor=actor, person_id=person_id, handle=handle))
        else:
            ended = end_access_of(actor=actor, person_id=person_id)
        return Response({"ended": ended})
