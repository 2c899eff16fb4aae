"""What tells of a stop leaves at once; nobody waits for the broker through which that is asked for."""

import threading

import pytest
from celery import current_app
from django.db import connections, transaction
from kombu.exceptions import OperationalError

from notices.models import Delivery, Event
from notices.nudging import SENDS
from notices.outbox import announce
from notices.tasks import send_webhooks_task
from tests.factories.control import stop
from tests.factories.register import make_system
from tests.notices.endpoints import make_endpoint, sweep
from tests.notices.receivers import receiver

pytestmark = [pytest.mark.django_db, pytest.mark.committing, pytest.mark.usefixtures("loopback")]


def until_nudged() -> None:
    for thread in threading.enumerate():
        if thread.name == "nudge":
            thread.join(10)
            assert not thread.is_alive()


def at_once(name: str, **options: object) -> None:
    """A worker that gets the message at once."""
    try:
        sweep()
    finally:
        connections.close_all()


def test_a_stop_leaves_without_waiting_for_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_app, "send_task", at_once)
    system = make_system()
    with receiver() as there:
        make_endpoint(there.url, event_types=("switch.*",))
        stop(system)
        until_nudged()
        assert len(there.requests) == 1, "there is no beat here, and nobody sweeps"
    assert Delivery.objects.get().status == Delivery.Status.DELIVERED


def test_a_stop_waits_for_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = threading.Event()
    monkeypatch.setattr(current_app, "send_task", lambda *of, **how: hanging.wait(60))
    try:
        assert stop(make_system()).is_sealed
        assert any(thread.name == "nudge" for thread in threading.enumerate()), "the broker has not answered yet"
    finally:
        hanging.set()
        until_nudged()


@pytest.mark.parametrize("error", [OperationalError("it is down"), RuntimeError("whatever it is")])
def test_a_stop_fails_by_no_broker(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*of: object, **how: object) -> None:
        raise error

    monkeypatch.setattr(current_app, "send_task", refuse)
    assert stop(make_system()).is_sealed
    until_nudged()
    assert Event.objects.filter(type="switch.stopped", fanned_out_at=None).count() == 1, "the sweep finds it"


def test_what_is_rolled_back_or_not_urgent_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **how: asked.append(name))
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        announce(event="switch.stopped", system_id=None)
        raise ZeroDivisionError
    with transaction.atomic():
        announce(event="review.decided", system_id=None)
    until_nudged()
    assert not asked
    with transaction.atomic():
        announce(event="switch.stopped", system_id=None)
    until_nudged()
    assert asked == [SENDS]


def test_the_task_that_is_asked_for_is_there() -> None:
    assert send_webhooks_task.name == SENDS
