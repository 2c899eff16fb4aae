"""The fail policy and the fallback of an AI system over the API, for people."""

import uuid
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.authentication import (
    IsPerson,
    KeyAuthentication,
    PersonAuthentication,
    actor_of,
    require_fresh,
)
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.visible import visible_system
from governance.fail_policies import LONGEST_STALENESS_S, SHORTEST_STALENESS_S, FailPolicy, fail_policy_of
from governance.models import AISystem, FailPolicyRequest
from governance.models.systems import clear
from governance.services.fail_policies import (
    approve_milder_policy,
    ask_for_milder_policy,
    refuse_milder_policy,
    withdraw_milder_policy,
)
from governance.services.systems import update_system

TAGS = ["register"]


class FailPolicyOutput(serializers.Serializer[Any]):
    """What callers do when they lose contact, and what stands in for the AI system in fallback."""

    max_staleness_s = serializers.IntegerField(allow_null=True, help_text="Null: what the risk class asks for.")
    safe_mode = serializers.CharField(help_text="Empty: what the risk class asks for.")
    fallback_kind = serializers.CharField()
    fallback = serializers.CharField()
    in_force = serializers.SerializerMethodField()

    def get_in_force(self, system: AISystem) -> dict[str, Any]:
        held: FailPolicy = fail_policy_of(system)
        return {"max_staleness_s": held.max_staleness_s, "safe_mode": held.safe_mode}


class FailPolicyRequestOutput(serializers.Serializer[Any]):
    """A milder policy that somebody asked for."""

    id = serializers.UUIDField()
    system = serializers.CharField(source="system.slug")
    max_staleness_s = serializers.IntegerField()
    safe_mode = serializers.CharField()
    status = serializers.ChoiceField(FailPolicyRequest.Status.choices)
    requested_by_id = serializers.UUIDField()
    requested_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    decided_by_id = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    note = serializers.CharField()


class _Api(APIView):
    # a service key is known, and told that a person is needed
    authentication_classes = (PersonAuthentication, KeyAuthentication)
    permission_classes: Any = (IsPerson,)


class FailPolicyApi(_Api):
    """The fail policy of one AI system."""

    class NewPolicy(StrictSerializer):
        max_staleness_s = serializers.IntegerField(
            required=False, allow_null=True, min_value=SHORTEST_STALENESS_S, max_value=LONGEST_STALENESS_S
        )
        safe_mode = serializers.ChoiceField(AISystem.SafeMode.choices, required=False, allow_blank=True)
        fallback_kind = serializers.ChoiceField(AISystem.FallbackKind.choices, required=False, allow_blank=True)
        fallback = StrictCharField(required=False, allow_blank=True, max_length=100, validators=[clear])

    @extend_schema(operation_id="fail_policy_read", responses=FailPolicyOutput, tags=TAGS)
    def get(self, request: Request, slug: str) -> Response:
        """What it says itself, and what is in force."""
        return Response(FailPolicyOutput(visible_system(request, slug)).data)

    @extend_schema(operation_id="fail_policy_set", request=NewPolicy, responses=FailPolicyOutput, tags=TAGS)
    def patch(self, request: Request, slug: str) -> Response:
        """Set it. Of a live AI system only to a stricter one: a milder one is asked for at `/milder`."""
        given = checked(self.NewPolicy, request)
        system = visible_system(request, slug)
        return Response(
            FailPolicyOutput(update_system(actor=actor_of(request), system_id=system.pk, changes=given)).data
        )


class MilderPolicyApi(_Api):
    """Asking for a milder fail policy."""

    class MilderPolicy(StrictSerializer):
        max_staleness_s = serializers.IntegerField(min_value=SHORTEST_STALENESS_S, max_value=LONGEST_STALENESS_S)
        safe_mode = serializers.ChoiceField(AISystem.SafeMode.choices)
        note = StrictCharField(required=False, allow_blank=True, max_length=2000)

    @extend_schema(
        operation_id="fail_policy_ask", request=MilderPolicy, responses={202: FailPolicyRequestOutput}, tags=TAGS
    )
    def post(self, request: Request, slug: str) -> Response:
        """Ask for it. Another person approves. Needs a factor proven within 10 minutes."""
        require_fresh(request)
        given = checked(self.MilderPolicy, request)
        asked = ask_for_milder_policy(actor=actor_of(request), system_id=visible_system(request, slug).pk, **given)
        return Response(FailPolicyRequestOutput(asked).data, HTTPStatus.ACCEPTED)


class MilderPolicyAnswerApi(_Api):
    """Answering a request for a milder fail policy."""

    @extend_schema(operation_id="fail_policy_answer", request=None, responses=FailPolicyRequestOutput, tags=TAGS)
    def post(self, request: Request, request_id: uuid.UUID, answer: str) -> Response:
        """`approve` (with a factor proven within 10 minutes) or `refuse` it; `withdraw` one's own."""
        if answer == "approve":
            require_fresh(request)
        act = {"approve": approve_milder_policy, "refuse": refuse_milder_policy, "withdraw": withdraw_milder_policy}
        return Response(FailPolicyRequestOutput(act[answer](actor=actor_of(request), request_id=request_id)).data)
