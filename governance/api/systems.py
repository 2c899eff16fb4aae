"""AI systems over the API, for keys with `register:write`."""

from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.errors import FieldProblem, InvalidInput
from config.pagination import KeysetPagination
from governance.api.authentication import HasScope, KeyAuthentication, grant_of
from governance.api.strict import StrictCharField, StrictSerializer
from governance.fail_policies import LONGEST_STALENESS_S, SHORTEST_STALENESS_S
from governance.models import AISystem, Person, ServiceAccount, ServiceKey
from governance.models.people import plain_address
from governance.models.systems import clear
from governance.models.systems import slug as slug_rule
from governance.register import KeyGrant
from governance.services.registration import register_by_key


class SystemPagination(KeysetPagination):
    key = ("slug",)
    descending = False


class SystemOutput(serializers.Serializer):  # type: ignore[type-arg]
    """What the register says about an AI system."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    intended_purpose = serializers.CharField()
    provider = serializers.CharField()
    risk_class = serializers.ChoiceField(AISystem.RiskClass.choices)
    status = serializers.ChoiceField(AISystem.Status.choices)
    max_staleness_s = serializers.IntegerField(allow_null=True)
    safe_mode = serializers.CharField()
    fallback_kind = serializers.CharField()
    fallback = serializers.CharField()
    environments = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_environments(self, system: AISystem) -> list[str]:
        return [environment.slug for environment in system.environments.all() if environment.ended_at is None]


class SystemPage(serializers.Serializer):  # type: ignore[type-arg]
    """One page of AI systems."""

    items = SystemOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


def _is_registered(address: str) -> None:
    """A key makes no people: an unknown address is an error of the sender, and told with the others."""
    if not _known(address).exists():
        raise serializers.ValidationError("Nobody in the register has this address.")


def _known(address: str) -> QuerySet[Person]:
    return Person.objects.filter(email=plain_address(address), is_active=True)


class SystemsApi(APIView):
    """The AI systems that the key reaches."""

    authentication_classes = (KeyAuthentication,)
    permission_classes: Any = (HasScope(ServiceKey.Scope.REGISTER_WRITE),)

    class NewAISystem(StrictSerializer):
        slug = StrictCharField(max_length=100, validators=[slug_rule], trim_whitespace=False)
        name = StrictCharField(max_length=200)
        accountable = serializers.EmailField(
            required=False,
            validators=[_is_registered],
            help_text="E-mail address of the registered person who is offered the responsibility. "
            "Left out: the person who owns the key's service account.",
        )
        intended_purpose = StrictCharField(required=False, allow_blank=True, max_length=10_000)
        provider = StrictCharField(required=False, allow_blank=True, max_length=200)
        risk_class = serializers.ChoiceField(AISystem.RiskClass.choices, required=False)
        max_staleness_s = serializers.IntegerField(
            required=False, min_value=SHORTEST_STALENESS_S, max_value=LONGEST_STALENESS_S
        )
        safe_mode = serializers.ChoiceField(AISystem.SafeMode.choices, required=False)
        fallback_kind = serializers.ChoiceField(AISystem.FallbackKind.choices, required=False)
        fallback = StrictCharField(required=False, max_length=100, validators=[clear])
        environments = serializers.ListField(
            child=StrictCharField(max_length=100, validators=[slug_rule], trim_whitespace=False),
            required=False,
            min_length=1,
            max_length=20,
        )

    @extend_schema(operation_id="systems_list", responses=SystemPage, tags=["register"])
    def get(self, request: Request) -> Response:
        """List the AI systems that the key reaches."""
        grant = grant_of(request)
        systems = AISystem.objects.filter(pk__in=grant.system_ids).prefetch_related("environments")
        pages = SystemPagination()
        return pages.get_paginated_response(SystemOutput(pages.paginate_queryset(systems, request), many=True).data)

    @extend_schema(
        operation_id="systems_register",
        request=NewAISystem,
        responses={201: SystemOutput, 200: SystemOutput},
        tags=["register"],
    )
    def post(self, request: Request) -> Response:
        """Register an AI system. The same again with the same values is 200, with other values 409.

        The key reaches the new system from then on. Somebody is offered the responsibility; until they accept,
        decisions are recorded and flagged.
        """
        grant = grant_of(request)
        values = _validated(self.NewAISystem, request)
        accountable = _person(values.pop("accountable", None), grant)
        system, created = register_by_key(
            actor=grant.actor, key_id=grant.key.id, environment=grant.environment, accountable=accountable, **values
        )
        return Response(SystemOutput(system).data, HTTPStatus.CREATED if created else HTTPStatus.OK)


def _validated(kind: type[StrictSerializer], request: Request) -> dict[str, Any]:
    given = kind(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def _person(address: str | None, grant: KeyGrant) -> Person:
    """Who is to be asked. A key makes no people: an unknown address is an error of the sender."""
    if address is None:
        owner = ServiceAccount.objects.get(pk=grant.account_id).owner
        found = owner if owner and owner.is_active else None
    else:
        found = _known(address).first()
    if found is None:
        problem = FieldProblem(
            pointer="/accountable",
            detail="Nobody in the register has this address." if address else "The service account has no owner.",
            expected="the e-mail address of a registered person",
        )
        raise InvalidInput("Say who is to answer for the AI system.", errors=[problem])
    return found
