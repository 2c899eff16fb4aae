"""From events to deliveries: each enabled endpoint that asked for an event, and may be told of it, gets one."""

import uuid
from collections.abc import Iterator

from django.db import transaction
from django.utils import timezone

from governance import rights
from governance.acts import Act
from governance.models import AISystem
from ledger.entries import SERVER, Actor
from ledger.errors import CANNOT_SEAL_NOW
from ledger.sealing import sealing
from notices.event_types import TEST, seen_by, wants
from notices.models import Delivery, Event, WebhookEndpoint
from notices.outbox import announce
from notices.services.endpoints import managed, switch_off
from notices.webhooks.bodies import body_for

EVENTS_AT_ONCE = 500
Reach = frozenset[uuid.UUID] | None


def fan_out() -> int:
    """Make the deliveries of the events that wait. Returns how many there are of them."""
    with transaction.atomic():
        waiting = Event.objects.select_for_update(skip_locked=True).filter(fanned_out_at=None).order_by("id")
        events = list(waiting[:EVENTS_AT_ONCE])
        if not events:
            return 0
        made = list(_deliveries(events))
        # a test has its delivery already
        Delivery.objects.bulk_create(made, ignore_conflicts=True, batch_size=1000)
        Event.objects.filter(pk__in=[event.pk for event in events]).update(fanned_out_at=timezone.now())
    return len(made)


def _deliveries(events: list[Event]) -> Iterator[Delivery]:
    endpoints = list(WebhookEndpoint.objects.filter(status=WebhookEndpoint.Status.ENABLED).select_related("owner"))
    acts = {seen_by(event.type) for event in events}
    reaches = {(endpoint.pk, act): _reach(endpoint, act) for endpoint in endpoints for act in acts}
    systems = AISystem.objects.in_bulk({event.system_id for event in events if event.system_id})
    for event in events:
        for endpoint in endpoints:
            if wants(endpoint.event_types, event.type) and _may_know(reaches[endpoint.pk, seen_by(event.type)], event):
                yield _delivery(event, endpoint, systems.get(event.system_id) if event.system_id else None)


def _delivery(event: Event, endpoint: WebhookEndpoint, system: AISystem | None) -> Delivery:
    media_type, body = body_for(event, endpoint.format, system)
    return Delivery(event=event, endpoint=endpoint, content_type=media_type, body=body, next_attempt_at=timezone.now())


def _reach(endpoint: WebhookEndpoint, act: Act) -> Reach:
    """What it may be told of: what its owner may see now, within what it names. None: everything."""
    seen = rights.systems_where(endpoint.owner, act) if endpoint.owner.is_active else frozenset()
    named = frozenset(endpoint.system_ids)
    if not named:
        return seen
    return named if seen is None else named & seen


def _may_know(reach: Reach, event: Event) -> bool:
    # what belongs to no system is for those who see the whole organisation
    return reach is None or event.system_id in reach


def send_test(*, actor: Actor, endpoint_id: uuid.UUID) -> Delivery:
    """A delivery of type `webhook.test` to this endpoint alone.

    Errors: `Forbidden`, `EndpointNotFound`, `EndpointDisabled`.
    """
    endpoint = managed(actor, endpoint_id)
    with transaction.atomic():
        event = announce(event=TEST, system_id=None, about_id=endpoint.pk)
        delivery = _delivery(event, endpoint, None)
        delivery.save(force_insert=True)
    return delivery


def disable_orphans() -> int:
    """Disable the endpoints whose owners have left: nobody answers for them. Returns how many."""
    left = WebhookEndpoint.objects.filter(status=WebhookEndpoint.Status.ENABLED, owner__is_active=False)
    return sum(_disable_orphan(pk) for pk in list(left.values_list("pk", flat=True)))


def _disable_orphan(endpoint_id: uuid.UUID) -> bool:
    try:
        with sealing() as seal:
            endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint_id)
            if endpoint.status == WebhookEndpoint.Status.ENABLED:
                switch_off(seal, actor=SERVER, endpoint=endpoint, why=WebhookEndpoint.Why.OWNER_LEFT)
    except CANNOT_SEAL_NOW:
        return False  # the next sweep finds it again; it is told of nothing meanwhile
    return True
