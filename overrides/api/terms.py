"""The terms of assignments, and notes beside the past, over the API."""

import uuid
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import Forbidden
from governance import rights
from governance.acts import Role
from governance.answering import Noted
from governance.api.answering import NoteOutput
from governance.api.authentication import actor_of, person_of, require_fresh
from governance.api.people import PersonApi
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.visible import visible_system
from governance.models import Assignment
from governance.models.people import LONGEST_TERMS
from governance.scopes import Scope
from governance.services.assignments import giving
from governance.services.terms import note_past, update_terms
from governance.terms import Terms
from overrides.api.assignments import MAX_REASON, TAGS, TermsBody, TermsOutput, seen_assignment


class TermsApi(PersonApi):
    """Duties, powers, competence and review of one assignment: for its holder, and for who may give the role."""

    class Changes(TermsBody):
        revision = serializers.IntegerField(min_value=0, help_text="Of what was read.")
        reason = StrictCharField(required=False, allow_blank=True, max_length=MAX_REASON)

    @extend_schema(operation_id="assignments_terms", responses=TermsOutput, tags=TAGS)
    def get(self, request: Request, assignment_id: uuid.UUID) -> Response:
        """Read what goes with a role."""
        found = seen_assignment(request, assignment_id)
        _require_concerned(request, found)
        return Response(_described(found))

    @extend_schema(operation_id="assignments_update_terms", request=Changes, responses=TermsOutput, tags=TAGS)
    def patch(self, request: Request, assignment_id: uuid.UUID) -> Response:
        """Change it, as somebody else who may give the role. What is left out stays."""
        require_fresh(request)
        given = checked(self.Changes, request)
        seen_assignment(request, assignment_id)
        rest = {"revision": given.pop("revision"), "reason": given.pop("reason", "")}
        found = update_terms(actor=actor_of(request), assignment_id=assignment_id, changes=given, **rest)
        return Response(_described(found))


class NotesApi(PersonApi):
    """Notes beside who answered in the past."""

    class NewNote(StrictSerializer):
        since = serializers.DateTimeField()
        until = serializers.DateTimeField(
            required=False,
            allow_null=True,
            help_text="Left out: 24 hours after the beginning, or now, or the end of the role.",
        )
        assignment = serializers.UUIDField(required=False, allow_null=True, help_text="The one it is about.")
        text = StrictCharField(max_length=LONGEST_TERMS)

    @extend_schema(operation_id="systems_note_past", request=NewNote, responses={201: NoteOutput}, tags=["register"])
    def post(self, request: Request, slug: str) -> Response:
        """Put a note beside the past. Whoever gives roles there may, and who held the role it is about."""
        require_fresh(request)
        given = checked(self.NewNote, request)
        note = note_past(
            actor=actor_of(request),
            system_id=visible_system(request, slug).pk,
            since=given["since"],
            until=given.get("until"),
            assignment_id=given.get("assignment"),
            text=given["text"],
        )
        return Response(NoteOutput(Noted(note, person_of(request))).data, HTTPStatus.CREATED)


def _described(found: Assignment) -> Any:
    return TermsOutput(asdict(Terms.of(found)) | {"revision": found.revision}).data


def _require_concerned(request: Request, found: Assignment) -> None:
    person: Any = person_of(request)
    if found.person_id != person.pk and not rights.can(person, giving(Role(found.role)), Scope.of(found)):
        raise Forbidden()
