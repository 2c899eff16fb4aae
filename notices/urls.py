"""Addresses of notices."""

from django.urls import path

from notices.api.deliveries import DeliveriesApi, SendAgainApi
from notices.api.endpoints import DisableApi, EnableApi, EndpointApi, RotateApi, SendTestApi
from notices.api.webhooks import EventTypesApi, WebhooksApi

urlpatterns = [
    path("webhooks", WebhooksApi.as_view(), name="webhooks"),
    path("webhooks/event-types", EventTypesApi.as_view(), name="webhook-event-types"),
    path("webhooks/deliveries/<uuid:delivery_id>/again", SendAgainApi.as_view(), name="webhook-send-again"),
    path("webhooks/<uuid:endpoint_id>", EndpointApi.as_view(), name="webhook"),
    path("webhooks/<uuid:endpoint_id>/deliveries", DeliveriesApi.as_view(), name="webhook-deliveries"),
    path("webhooks/<uuid:endpoint_id>/disable", DisableApi.as_view(), name="webhook-disable"),
    path("webhooks/<uuid:endpoint_id>/enable", EnableApi.as_view(), name="webhook-enable"),
    path("webhooks/<uuid:endpoint_id>/rotate", RotateApi.as_view(), name="webhook-rotate"),
    path("webhooks/<uuid:endpoint_id>/test", SendTestApi.as_view(), name="webhook-test"),
]
