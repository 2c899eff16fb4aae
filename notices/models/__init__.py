"""Alerts, and what is told to people and callers."""

from notices.models.alerts import Alert, GatheredAlert
from notices.models.outbox import Event, Message
from notices.models.webhooks import Attempt, Delivery, EndpointSecret, WebhookEndpoint

__all__ = ["Alert", "Attempt", "Delivery", "EndpointSecret", "Event", "GatheredAlert", "Message", "WebhookEndpoint"]
