"""Endpoints as tests want them, and what verifies a delivery as a receiver would."""

from typing import Any

from standardwebhooks.webhooks import Webhook

from governance.models import AISystem, Person
from notices.models import Delivery
from notices.services.endpoints import NewSecret, register_endpoint
from notices.services.fan_out import fan_out
from notices.services.sending import deliver, due_deliveries
from tests.factories.register import actor_of, make_person
from tests.notices.receivers import Received


def make_endpoint(
    url: str = "https://hooks.example.org/x",
    *systems: AISystem,
    owner: Person | None = None,
    event_types: tuple[str, ...] = ("*",),
    **rest: Any,
) -> NewSecret:
    owner = owner or make_person(administrator=True)
    return register_endpoint(
        actor=actor_of(owner), name="Ticketing", url=url, systems=systems, event_types=event_types, **rest
    )


def sweep() -> int:
    """What the beat's sweep and its tasks do, without a broker."""
    fan_out()
    return sum(deliver(each) for each in due_deliveries())


def make_due() -> None:
    """As if the time until the next attempts had passed."""
    Delivery.objects.filter(status=Delivery.Status.WAITING).update(next_attempt_at="2020-01-01T00:00Z")


def verified(secret: str, received: Received) -> Any:
    """The body, once the signature was found good by code that others wrote."""
    return Webhook(secret).verify(received.body, received.headers)
