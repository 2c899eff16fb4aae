"""Webhook endpoints over the API, for people with a personal token."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.errors import FieldProblem, Forbidden, InvalidInput
from config.pagination import KeysetPagination
from governance import rights
from governance.acts import Act
from governance.api.authentication import IsPerson, actor_of, person_of, require_fresh
from governance.api.strict import StrictCharField, StrictSerializer
from governance.models import AISystem, Person
from notices.api.outputs import (
    EndpointOutput,
    EndpointPage,
    EventTypeOutput,
    EventTypesOutput,
    NewEndpointOutput,
    shown_once,
)
from notices.event_types import event_types
from notices.models import WebhookEndpoint
from notices.selectors import endpoints_for, systems_to_tell_of
from notices.services.endpoints import MOST_TYPES, register_endpoint


class EndpointPagination(KeysetPagination):
    key = ("id",)


class WebhooksApi(APIView):
    """The webhook endpoints that the person may manage."""

    permission_classes: Any = (IsPerson,)

    class NewWebhookEndpoint(StrictSerializer):
        name = StrictCharField(max_length=100)
        url = StrictCharField(max_length=2000)
        event_types = serializers.ListField(child=StrictCharField(max_length=60), min_length=1, max_length=MOST_TYPES)
        systems = serializers.ListField(
            child=StrictCharField(max_length=100),
            required=False,
            max_length=500,
            help_text="Slugs of AI systems. None: all that the owner may see.",
        )
        format = serializers.ChoiceField(WebhookEndpoint.Format.choices, required=False)

    @extend_schema(operation_id="webhooks_list", responses=EndpointPage, tags=["webhooks"])
    def get(self, request: Request) -> Response:
        """List the webhook endpoints that you may manage."""
        person = person_of(request)
        if not rights.can_anywhere(person, Act.WEBHOOK_MANAGE):
            raise Forbidden()
        pages = EndpointPagination()
        found = pages.paginate_queryset(endpoints_for(person), request)
        return pages.get_paginated_response(EndpointOutput(found, many=True).data)

    @extend_schema(
        operation_id="webhooks_register",
        request=NewWebhookEndpoint,
        responses={201: NewEndpointOutput},
        tags=["webhooks"],
    )
    def post(self, request: Request) -> Response:
        """Register an address that is told of events. The answer shows its secret, this one time."""
        person = require_fresh(request)
        given = self.NewWebhookEndpoint(data=request.data)
        given.is_valid(raise_exception=True)
        values = dict(given.validated_data)
        values["systems"] = _systems(person, values.get("systems", []))
        return shown_once(register_endpoint(actor=actor_of(request), **values))


class EventTypesApi(APIView):
    """What there is to be told of."""

    permission_classes: Any = (IsPerson,)

    @extend_schema(operation_id="webhooks_event_types", responses=EventTypesOutput, tags=["webhooks"])
    def get(self, request: Request) -> Response:
        """List the types of events: what each means, and what its facts look like."""
        return Response({"items": EventTypeOutput(event_types(), many=True).data})


def _systems(person: Person, slugs: list[str]) -> list[AISystem]:
    """One that the person may not name is not there for them."""
    found = {system.slug: system for system in systems_to_tell_of(person).filter(slug__in=slugs)}
    unknown = [place for place, slug in enumerate(slugs) if slug not in found]
    if unknown:
        detail = "There is no AI system of this slug that you may name."
        raise InvalidInput(errors=[FieldProblem(pointer=f"/systems/{place}", detail=detail) for place in unknown])
    return list(found.values())
