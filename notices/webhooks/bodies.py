"""What is sent: ids, facts and a link. Made once for each delivery, and the same bytes at every attempt."""

import uuid
from typing import Any

import orjson
from django.conf import settings
from django.urls import reverse

from governance.models import AISystem
from ledger.entries import timestamp
from notices.models import Event, WebhookEndpoint

LARGEST = 20_000
STANDARD_TYPE = "application/json"
CLOUDEVENTS_TYPE = "application/cloudevents+json"


def body_for(event: Event, form: str, system: AISystem | None) -> tuple[str, bytes]:
    """Media type and bytes of an event in an endpoint's format. Facts that make it too long are left out, and said."""
    data = _data(event, system)
    made = _formed(event, form, data)
    if len(made[1]) > LARGEST:
        made = _formed(event, form, data | {"facts": {}, "facts_left_out": True})
    return made


def _formed(event: Event, form: str, data: dict[str, Any]) -> tuple[str, bytes]:
    at = timestamp(event.occurred_at)
    if form == WebhookEndpoint.Format.CLOUDEVENTS:
        envelope = {
            "specversion": "1.0",
            "id": str(event.pk),
            "source": settings.BASE_URL,
            "type": event.type,
            "time": at,
            "datacontenttype": "application/json",
            "data": data,
        }
        return CLOUDEVENTS_TYPE, orjson.dumps(envelope)
    return STANDARD_TYPE, orjson.dumps({"type": event.type, "timestamp": at, "data": data})


def _data(event: Event, system: AISystem | None) -> dict[str, Any]:
    return {
        "system": system.slug if system else None,
        "system_id": _text(event.system_id),
        "about_id": _text(event.about_id),
        "link": settings.BASE_URL.rstrip("/") + page_of(event),
        "facts": event.facts,
    }


def page_of(event: Event) -> str:
    """The page that says more, for whoever may see it."""
    if event.type.startswith("alert.") and event.about_id:
        return reverse("admin:notices_alert_change", args=[event.about_id])
    if event.type.startswith(("case.", "incident.")) and event.about_id:
        return reverse("admin:case", args=[event.about_id])
    if event.system_id:
        return reverse("admin:governance_aisystem_change", args=[event.system_id])
    return reverse("admin:index")


def _text(value: uuid.UUID | None) -> str | None:
    return str(value) if value else None
