"""What the API says of webhook endpoints, their deliveries and the types of events."""

from http import HTTPStatus
from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from notices.models import Attempt, Delivery, WebhookEndpoint
from notices.services.endpoints import NewSecret


class EndpointOutput(serializers.ModelSerializer):  # type: ignore[type-arg]
    """What is told to an endpoint, and whether it is."""

    class Meta:
        model = WebhookEndpoint
        fields = (
            "id",
            "name",
            "url",
            "owner_id",
            "system_ids",
            "event_types",
            "format",
            "status",
            "disabled_why",
            "disabled_at",
            "created_at",
        )


class NewEndpointOutput(serializers.Serializer):  # type: ignore[type-arg]
    """An endpoint with its newest secret, which is shown this one time."""

    endpoint = EndpointOutput()
    secret = serializers.CharField(help_text="`whsec_...`: verifies the signature of every delivery.")


class EndpointPage(serializers.Serializer):  # type: ignore[type-arg]
    """One page of webhook endpoints."""

    items = EndpointOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


class AttemptOutput(serializers.ModelSerializer):  # type: ignore[type-arg]
    """One try at a delivery."""

    class Meta:
        model = Attempt
        fields = ("number", "outcome", "http_status", "duration_ms", "at")


class DeliveryOutput(serializers.ModelSerializer):  # type: ignore[type-arg]
    """One event on its way to one endpoint. `event_id` is its `webhook-id`."""

    event_type = serializers.CharField(source="event.type")
    next_attempt_at = serializers.SerializerMethodField()
    attempts = AttemptOutput(source="log", many=True, help_text="The newest first.")

    class Meta:
        model = Delivery
        fields = (
            "id",
            "endpoint_id",
            "event_id",
            "event_type",
            "status",
            "attempt_count",
            "next_attempt_at",
            "created_at",
            "ended_at",
            "attempts",
        )

    def get_next_attempt_at(self, delivery: Delivery) -> str | None:
        """Null for one that has ended."""
        waits = delivery.status == Delivery.Status.WAITING
        return serializers.DateTimeField().to_representation(delivery.next_attempt_at) if waits else None


class DeliveryPage(serializers.Serializer):  # type: ignore[type-arg]
    """One page of deliveries, the newest first."""

    items = DeliveryOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


class EventTypeOutput(serializers.Serializer):  # type: ignore[type-arg]
    """A type of events."""

    name = serializers.CharField()
    meaning = serializers.CharField()
    about = serializers.CharField(help_text="Whose id `about_id` is.")
    example: Any = serializers.DictField(help_text="`facts` as an event of this type may have them.")


class EventTypesOutput(serializers.Serializer):  # type: ignore[type-arg]
    """All types of events."""

    items = EventTypeOutput(many=True)


def shown_once(made: NewSecret) -> Response:
    """The one answer that holds a secret."""
    body = {"endpoint": EndpointOutput(made.row).data, "secret": made.text}
    return Response(body, HTTPStatus.CREATED, headers={"Cache-Control": "no-store"})
