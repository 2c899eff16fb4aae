"""Sending deliveries: claimed by one conditional update, with a lease that a killed worker cannot take along.

At least once, and with the same `webhook-id` each time. The order is not that of the events.
"""

import random
import uuid
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from config.ids import new_id
from governance.locks import hold
from ledger.entries import SERVER, Actor
from ledger.errors import CANNOT_SEAL_NOW
from ledger.sealing import sealing
from notices.errors import DeliveryNotFound, DeliveryUnderWay
from notices.event_types import is_urgent
from notices.models import Attempt, Delivery, EndpointSecret, Event, Message, WebhookEndpoint
from notices.outbox import tell
from notices.services.endpoints import managed, may_manage, switch_off
from notices.webhooks import signing, transport
from notices.webhooks.transport import Answer

MINUTE, HOUR = 60.0, 3600.0
LATER = (5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
SCHEDULE = (5.0, *LATER)
"""Seconds after the first, second, ... failed attempt. After the last of them it is given up."""
FAST_SCHEDULE = (1.0, 2.0, 5.0, 10.0, 30.0, *LATER)
"""For what is urgent."""
JITTER = 0.2
LEASE = timedelta(seconds=60)
AT_ONCE = 4
AT_ONCE_WHILE_FAILING = 1
DUE_AT_ONCE = 500
KEPT = timedelta(days=30)
Status, Outcome = Delivery.Status, Attempt.Outcome

logger = structlog.get_logger(__name__)


def due_deliveries() -> list[uuid.UUID]:
    """What is to be sent now: of each endpoint as many as it may have at once, so that none keeps others waiting."""
    now = timezone.now()
    _drop_of_disabled(now)
    leased = dict(
        Delivery.objects.filter(leased_until__gt=now).values_list("endpoint_id").annotate(Count("pk")).order_by()
    )
    found: list[uuid.UUID] = []
    endpoints = _due(now).values_list("endpoint_id", flat=True).order_by().distinct()
    for endpoint_id in list(endpoints):
        room = _room(endpoint_id) - leased.get(endpoint_id, 0)
        if room > 0:
            waiting = _due(now).filter(endpoint_id=endpoint_id).order_by("next_attempt_at", "id")
            found.extend(waiting.values_list("id", flat=True)[:room])
    return found[:DUE_AT_ONCE]


def _drop_of_disabled(now: datetime) -> None:
    """What was made while somebody disabled its endpoint: nobody would ever send it."""
    left = Delivery.objects.filter(status=Status.WAITING, endpoint__status=WebhookEndpoint.Status.DISABLED)
    left.update(status=Status.DROPPED, ended_at=now, lease=None, leased_until=None)


def _due(now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        Q(leased_until=None) | Q(leased_until__lte=now), status=Status.WAITING, next_attempt_at__lte=now
    )


def _room(endpoint_id: uuid.UUID) -> int:
    """How many at once: one that failed last is tried one at a time."""
    newest = Attempt.objects.filter(delivery__endpoint_id=endpoint_id).order_by("-id").first()
    is_failing = newest is not None and newest.outcome != Outcome.DELIVERED
    return AT_ONCE_WHILE_FAILING if is_failing else AT_ONCE


def deliver(delivery_id: uuid.UUID) -> bool:
    """Send a delivery if it is due and nobody else is sending it. Returns whether it was tried.

    May be called any number of times, by any number of workers.
    """
    claimed = _claim(delivery_id)
    if claimed is None:
        return False
    began = timezone.now()
    answer = _send(claimed)
    _settle(claimed, answer, began)
    return True


def next_after(delivery_id: uuid.UUID) -> uuid.UUID | None:
    """Another one that waits for the same endpoint: whoever sent this one goes on with it."""
    endpoint_id = Delivery.objects.filter(pk=delivery_id).values_list("endpoint_id", flat=True).first()
    due = _due(timezone.now()).filter(endpoint_id=endpoint_id).order_by("next_attempt_at", "id")
    return due.values_list("id", flat=True).first()


def _claim(delivery_id: uuid.UUID) -> Delivery | None:
    now, lease = timezone.now(), new_id()
    with transaction.atomic():
        endpoint_id = Delivery.objects.filter(pk=delivery_id).values_list("endpoint_id", flat=True).first()
        if endpoint_id is None:
            return None
        hold(f"webhook:{endpoint_id}")  # else two that count at once both see room for one
        if Delivery.objects.filter(endpoint_id=endpoint_id, leased_until__gt=now).count() >= _room(endpoint_id):
            return None
        mine = _due(now).filter(pk=delivery_id, endpoint__status=WebhookEndpoint.Status.ENABLED)
        if not mine.update(lease=lease, leased_until=now + LEASE, attempt_count=F("attempt_count") + 1):
            return None
    return Delivery.objects.select_related("endpoint", "event").get(pk=delivery_id)


def _send(delivery: Delivery) -> Answer:
    """One attempt: the stored bytes, signed anew with every secret in force, at this moment."""
    now = timezone.now()
    in_force = EndpointSecret.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), endpoint=delivery.endpoint)
    body = bytes(delivery.body)
    try:
        secrets = [signing.opened(bytes(each.secret), each.endpoint_id) for each in in_force.order_by("-created_at")]
        signed = signing.signed_headers(
            webhook_id=str(delivery.event_id), timestamp=int(now.timestamp()), body=body, signing=secrets
        )
        headers = {"Content-Type": delivery.content_type, "User-Agent": "Answerable/1", "Connection": "close", **signed}
        return transport.post(delivery.endpoint.url, body=body, headers=headers)
    except Exception:  # whatever it is, the attempt is logged and tried again by the schedule
        logger.exception("notices.webhook_failed", delivery=str(delivery.pk))
        return Answer(Outcome.OUR_FAULT)


def _settle(delivery: Delivery, answer: Answer, began: datetime) -> None:
    """Write down what became of an attempt, and what follows."""
    failures = delivery.failures + 1
    if answer.outcome == Outcome.DELIVERED:
        _record(delivery, answer, began, status=Status.DELIVERED, ended_at=timezone.now(), failures=0)
    elif answer.outcome == Outcome.GONE:
        _end(delivery, answer, began, WebhookEndpoint.Why.GONE)
    elif failures > len(schedule_of(delivery)):
        _end(delivery, answer, began, WebhookEndpoint.Why.EXHAUSTED)
    else:
        _again(delivery, answer, began, failures)


def _again(delivery: Delivery, answer: Answer, began: datetime, failures: int) -> None:
    wait = pause(delivery, failures, answer.retry_after)
    _record(delivery, answer, began, failures=failures, next_attempt_at=timezone.now() + timedelta(seconds=wait))


def pause(delivery: Delivery, failures: int, retry_after: float | None) -> float:
    """Seconds until the next attempt: by the schedule, with up to a fifth more, and no sooner than was asked for."""
    planned = schedule_of(delivery)[failures - 1] * (1 + random.random() * JITTER)  # noqa: S311 - jitter, no secret
    return max(planned, retry_after or 0.0)


def schedule_of(delivery: Delivery) -> tuple[float, ...]:
    return FAST_SCHEDULE if is_urgent(delivery.event.type) else SCHEDULE


def _record(delivery: Delivery, answer: Answer, began: datetime, **columns: object) -> None:
    """The attempt, and the delivery's state, unless the lease ran out and another has it, or it was dropped."""
    with transaction.atomic():
        Attempt.objects.create(
            delivery=delivery,
            number=delivery.attempt_count,
            outcome=answer.outcome,
            http_status=answer.http_status,
            duration_ms=int((timezone.now() - began).total_seconds() * 1000),
            at=began,
        )
        mine = Delivery.objects.filter(pk=delivery.pk, lease=delivery.lease)
        mine.update(lease=None, leased_until=None, **columns)


def _end(delivery: Delivery, answer: Answer, began: datetime, why: WebhookEndpoint.Why) -> None:
    """Give a delivery up. The endpoint goes with it where it is gone, or took nothing since this one began."""
    try:
        with sealing() as seal:
            endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=delivery.endpoint_id)
            _record(delivery, answer, began, status=Status.FAILED, ended_at=timezone.now())
            if endpoint.status == WebhookEndpoint.Status.ENABLED and (
                why is WebhookEndpoint.Why.GONE or not _took_something(delivery)
            ):
                switch_off(seal, actor=SERVER, endpoint=endpoint, why=why)
                _tell_owner(endpoint, why, delivery)
            else:
                _tell_owner(endpoint, None, delivery)
    except CANNOT_SEAL_NOW as error:
        logger.warning("notices.endpoint_not_disabled", endpoint=str(delivery.endpoint_id), error=type(error).__name__)
        _again(delivery, answer, began, min(delivery.failures + 1, len(schedule_of(delivery))))


def _took_something(delivery: Delivery) -> bool:
    since = Attempt.objects.filter(delivery__endpoint=delivery.endpoint_id, at__gte=delivery.created_at)
    return since.filter(outcome=Outcome.DELIVERED).exists()


def _tell_owner(endpoint: WebhookEndpoint, why: WebhookEndpoint.Why | None, delivery: Delivery) -> None:
    kind = "webhook.disabled" if why else "webhook.delivery_failed"
    facts = {"endpoint": str(endpoint.pk), "event": delivery.event.type, "why": str(why) if why else None}
    about = f"{endpoint.pk}:{endpoint.revision}" if why else delivery.pk
    tell(person_id=endpoint.owner_id, kind=kind, fingerprint=f"{kind}:{about}", facts=facts)


def replay(*, actor: Actor, delivery_id: uuid.UUID) -> Delivery:
    """Send a delivery that has ended once more: the same id and the same bytes, with the schedule from its start.

    Errors: `DeliveryNotFound`, `DeliveryUnderWay`, `EndpointDisabled`.
    """
    delivery = Delivery.objects.select_related("event", "endpoint").filter(pk=delivery_id).first()
    if delivery is None or not may_manage(actor, delivery.endpoint):
        raise DeliveryNotFound()
    managed(actor, delivery.endpoint_id)
    ended = Delivery.objects.filter(pk=delivery_id).exclude(status=Status.WAITING)
    now = timezone.now()
    if not ended.update(status=Status.WAITING, failures=0, next_attempt_at=now, ended_at=None):
        raise DeliveryUnderWay()
    delivery.refresh_from_db()
    return delivery


def forget_old() -> int:
    """Delete what is past its time: ended deliveries with their attempts, and events that have no delivery left."""
    before = timezone.now() - KEPT
    Delivery.objects.exclude(status=Status.WAITING).filter(ended_at__lt=before).delete()
    gone, _ = Event.objects.filter(fanned_out_at__lt=before, deliveries=None).delete()
    Message.objects.exclude(status=Message.Status.WAITING).filter(created_at__lt=before).delete()
    EndpointSecret.objects.filter(expires_at__lt=timezone.now()).delete()
    return gone
