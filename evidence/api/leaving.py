"""Leaving over the API: what it will do, and doing it."""

import uuid
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import FieldProblem
from evidence.services.leaving import leave, preview_leaving
from governance.api.answering import PersonOutput
from governance.api.authentication import actor_of, require_fresh
from governance.api.people import PersonApi
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.errors import PersonNotFound
from governance.models import Person
from governance.models.people import plain_address
from overrides.api.assignments import AssignmentOutput

TAGS = ["people"]
MAX_REASON = 2000


class LeavingOutput(serializers.Serializer[Any]):
    """What ends, passes on or is left open when somebody leaves."""

    person = PersonOutput()
    is_last_administrator = serializers.BooleanField(help_text="Then it is refused.")
    needs_successor = serializers.BooleanField()
    left_open = serializers.SerializerMethodField(help_text="Slugs of live AI systems that nobody would answer for.")
    sessions = serializers.SerializerMethodField()
    tokens = serializers.IntegerField()
    roles = AssignmentOutput(many=True)
    delegated = AssignmentOutput(many=True, help_text="What they delegated, which ends too.")
    claims = serializers.IntegerField(help_text="Reviews that are given back.")
    requests = serializers.IntegerField(help_text="What they asked a second person for, and counts no more.")
    skills = serializers.IntegerField()
    alerts = serializers.IntegerField()
    grants = serializers.IntegerField()
    service_accounts = serializers.SerializerMethodField()
    review_queues = serializers.SerializerMethodField()
    data_sources = serializers.SerializerMethodField()
    cases = serializers.SerializerMethodField(help_text="References of the cases they lead.")
    corrective_actions = serializers.SerializerMethodField()
    webhook_endpoints = serializers.SerializerMethodField(help_text="Names of those that stop.")

    def get_left_open(self, found: Any) -> list[str]:
        return [each.slug for each in found.left_open]

    def get_sessions(self, found: Any) -> int:
        return len(found.sessions)

    def get_service_accounts(self, found: Any) -> list[str]:
        return [each.slug for each in found.accounts]

    def get_review_queues(self, found: Any) -> list[str]:
        return [each.slug for each in found.queues]

    def get_data_sources(self, found: Any) -> list[str]:
        return [each.slug for each in found.sources]

    def get_cases(self, found: Any) -> list[str]:
        return [each.reference for each in found.cases]

    def get_corrective_actions(self, found: Any) -> int:
        return len(found.actions)

    def get_webhook_endpoints(self, found: Any) -> list[str]:
        return [each.name for each in found.endpoints]


class LeavingApi(PersonApi):
    """Somebody leaves. For administrators."""

    class Leaves(StrictSerializer):
        successor = serializers.EmailField(
            required=False, help_text="Takes over service accounts, review queues, data sources, actions and alerts."
        )
        heir = serializers.EmailField(required=False, help_text="Is asked to be accountable in their place.")
        investigator = serializers.EmailField(required=False, help_text="Leads their cases.")
        accepts_gap = serializers.BooleanField(
            required=False, help_text="Confirms that live AI systems are left without an accountable person."
        )
        reason = StrictCharField(required=False, allow_blank=True, max_length=MAX_REASON)

    @extend_schema(operation_id="people_preview_leaving", responses=LeavingOutput, tags=TAGS)
    def get(self, request: Request, person_id: uuid.UUID) -> Response:
        """Say what it would do now. Nothing is done."""
        return Response(LeavingOutput(preview_leaving(actor=actor_of(request), person_id=person_id)).data)

    @extend_schema(operation_id="people_leave", request=Leaves, responses=PersonOutput, tags=TAGS)
    def post(self, request: Request, person_id: uuid.UUID) -> Response:
        """End everything that somebody holds, everywhere and at once; all of it or nothing."""
        require_fresh(request)
        given = checked(self.Leaves, request)
        preview_leaving(actor=actor_of(request), person_id=person_id)  # the right, before anybody is looked up
        named = {name: _named(given, name) for name in ("successor", "heir", "investigator")}
        left = leave(
            actor=actor_of(request),
            person_id=person_id,
            reason=given.get("reason", ""),
            accepts_gap=given.get("accepts_gap", False),
            **named,
        )
        return Response(PersonOutput(left).data)


def _named(given: Mapping[str, Any], name: str) -> Person | None:
    """Errors: `PersonNotFound`, with its place."""
    if name not in given:
        return None
    found = Person.objects.filter(email=plain_address(given[name]), is_active=True).first()
    if found is None:
        raise PersonNotFound(
            errors=[FieldProblem(pointer=f"/{name}", detail="Nobody in the register has this address.")]
        )
    return found
