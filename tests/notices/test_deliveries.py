"""Deliveries from rows: to whoever may know, at least once, by the schedule, whatever dies on the way."""

import json
import threading
import time
import uuid
from datetime import timedelta
from http.server import BaseHTTPRequestHandler

import pytest
import time_machine
from django.db import connections, transaction
from django.utils import timezone
from pytest_django.fixtures import Settings
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from governance.acts import Role
from governance.scopes import Scope
from governance.services.people import deactivate_person
from ledger.entries import COMMAND
from ledger.heads import head_store
from ledger.models import Entry
from ledger.selectors import registry_log
from notices.errors import DeliveryNotFound, DeliveryUnderWay, EndpointDisabled
from notices.event_types import wants
from notices.models import Attempt, Delivery, Event, Message, WebhookEndpoint
from notices.outbox import announce
from notices.services import sending
from notices.services.endpoints import disable_endpoint, enable_endpoint, rotate_secret, update_endpoint
from notices.services.fan_out import disable_orphans, fan_out, send_test
from notices.services.sending import FAST_SCHEDULE, SCHEDULE, deliver, due_deliveries, forget_old, pause, replay
from notices.tasks import deliver_task, send_webhooks_task
from notices.webhooks import transport
from notices.webhooks.transport import Answer
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.notices.endpoints import make_due, make_endpoint, sweep, verified
from tests.notices.receivers import answer, receiver

Status, Outcome, Why = Delivery.Status, Attempt.Outcome, WebhookEndpoint.Why
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loopback")]


def one() -> Delivery:
    return Delivery.objects.select_related("endpoint", "event").get()


def tried() -> list[str]:
    return list(Attempt.objects.order_by("id").values_list("outcome", flat=True))


# --- what is sent ----------------------------------------------------------------------------------------------------
def test_a_delivery_is_signed_and_thin() -> None:
    system = make_system(slug="credit")
    with receiver() as there:
        made = make_endpoint(there.url)
        event = announce(event="switch.stopped", system_id=system.pk, about_id=system.pk, facts={"epoch": "1.2"})
        assert sweep() == 1
        body = verified(made.text, there.last)
        assert body["type"] == "switch.stopped"
        assert body["data"] == {
            "system": "credit",
            "system_id": str(system.pk),
            "about_id": str(system.pk),
            "link": f"http://localhost:8000/admin/governance/aisystem/{system.pk}/change/",
            "facts": {"epoch": "1.2"},
        }
        assert there.last.headers["webhook-id"] == str(event.pk)
        assert "." not in there.last.headers["webhook-id"]
    assert (one().status, tried()) == (Status.DELIVERED, [Outcome.DELIVERED])
    assert sweep() == 0


def test_a_delivery_in_the_form_of_cloudevents() -> None:
    with receiver() as there:
        made = make_endpoint(there.url, format="cloudevents")
        event = announce(event="alert.opened", system_id=None, about_id=uuid.uuid4())
        sweep()
        body = verified(made.text, there.last)
        assert there.last.headers["content-type"] == "application/cloudevents+json"
        assert (body["specversion"], body["id"], body["type"]) == ("1.0", str(event.pk), "alert.opened")
        assert body["id"] == there.last.headers["webhook-id"]
        assert {"source", "time", "data"} <= body.keys()


def test_facts_that_are_too_long_are_left_out_and_that_is_said() -> None:
    with receiver() as there:
        make_endpoint(there.url)
        announce(event="switch.stopped", system_id=None, facts={"instances": ["x" * 90] * 400})
        sweep()
        body = json.loads(there.last.body)
        assert (body["data"]["facts"], body["data"]["facts_left_out"]) == ({}, True)
        assert len(there.last.body) < 20_000


def test_every_attempt_has_the_same_id_and_bytes_and_a_signature_of_its_own_moment() -> None:
    with receiver(answer(500)) as there:
        made = make_endpoint(there.url)
        announce(event="review.decided", system_id=None)
        sweep()
        there.behave = None
        later = timezone.now() + timedelta(hours=1)
        with time_machine.travel(later, tick=False):
            sweep()
        first, second = there.requests
        assert first.body == second.body
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert int(second.headers["webhook-timestamp"]) == int(later.timestamp())
        assert int(first.headers["webhook-timestamp"]) <= int(later.timestamp()) - 3600
        verified(made.text, first)
        with time_machine.travel(later, tick=False):
            verified(made.text, second)
            with pytest.raises(WebhookVerificationError):  # the moment is signed along
                Webhook(made.text).verify(
                    second.body, {**second.headers, "webhook-timestamp": str(int(time.time()) + 1)}
                )


def test_a_secret_rotated_in_the_middle_of_a_retry_signs_beside_the_old_one() -> None:
    with receiver(answer(500)) as there:
        old = make_endpoint(there.url)
        announce(event="review.decided", system_id=None)
        sweep()
        new = rotate_secret(actor=actor_of(old.row.owner), endpoint_id=old.row.pk, overlap=timedelta(hours=1))
        make_due()
        sweep()
        assert there.last.headers["webhook-signature"].count("v1,") == 2
        verified(old.text, there.last)
        verified(new.text, there.last)
        with time_machine.travel(timezone.now() + timedelta(hours=2)):
            make_due()
            sweep()
            verified(new.text, there.last)
            with pytest.raises(WebhookVerificationError):
                verified(old.text, there.last)


# --- who is told -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("pattern", "type_", "wanted"),
    [
        ("*", "switch.stopped", True),
        ("switch.*", "switch.stopped", True),
        ("switch.stopped", "switch.stopped", True),
        ("switch.*", "switchboard.opened", False),
        ("switch.stopped", "switch.stopped_again", False),
        ("*", "webhook.test", False),
    ],
)
def test_which_types_a_pattern_means(pattern: str, type_: str, wanted: bool) -> None:
    assert wants([pattern], type_) is wanted


def told_of(event_system: uuid.UUID | None) -> bool:
    before = Delivery.objects.count()
    announce(event="switch.stopped", system_id=event_system)
    fan_out()
    return Delivery.objects.count() > before


def test_an_endpoint_is_told_no_more_than_its_owner_may_see() -> None:
    mine, other = make_system(), make_system()
    owner = make_person(technical_owner=mine)
    make_endpoint("https://hooks.example.org/", mine, owner=owner)
    assert [told_of(mine.pk), told_of(other.pk), told_of(None)] == [True, False, False]


def test_an_endpoint_for_all_is_told_of_all_and_one_for_some_of_those() -> None:
    mine, other = make_system(), make_system()
    made = make_endpoint()
    assert [told_of(mine.pk), told_of(None)] == [True, True]
    update_endpoint(actor=actor_of(made.row.owner), endpoint_id=made.row.pk, changes={"system_ids": [mine.pk]})
    assert [told_of(mine.pk), told_of(other.pk), told_of(None)] == [True, False, False]


def test_a_right_that_ends_ends_what_is_told() -> None:
    mine = make_system()
    owner = make_person()
    held = give_role(owner, Role.TECHNICAL_OWNER, Scope.system(mine.pk), ends_at=timezone.now() + timedelta(hours=1))
    make_endpoint("https://hooks.example.org/", mine, owner=owner)
    assert told_of(mine.pk)
    assert held.ends_at
    with time_machine.travel(held.ends_at + timedelta(seconds=1)):
        assert not told_of(mine.pk)


def test_an_owner_who_has_left_takes_the_endpoint_along() -> None:
    owner = make_person(administrator=True)
    make_person(administrator=True)
    made = make_endpoint(owner=owner)
    announce(event="switch.stopped", system_id=None)
    fan_out()
    deactivate_person(actor=COMMAND, person_id=owner.pk)
    assert not told_of(None)
    assert [disable_orphans(), disable_orphans()] == [1, 0]
    assert one().endpoint.disabled_why == Why.OWNER_LEFT
    assert one().status == Status.DROPPED
    assert Entry.objects.filter(about_id=made.row.pk, kind="webhook.disabled").count() == 1


# --- retries ---------------------------------------------------------------------------------------------------------
def test_the_schedules_are_those_of_the_specification() -> None:
    assert list(SCHEDULE) == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert list(FAST_SCHEDULE[:5]) == [1, 2, 5, 10, 30]


@pytest.mark.parametrize(("type_", "first"), [("switch.stopped", 1.0), ("review.decided", 5.0)])
def test_a_failed_attempt_is_tried_again_by_the_schedule(type_: str, first: float) -> None:
    with receiver(answer(500)) as there:
        make_endpoint(there.url)
        announce(event=type_, system_id=None)
        sweep()
        found = one()
        wait = (found.next_attempt_at - timezone.now()).total_seconds()
        assert first - 1 < wait <= first * 1.2
        assert (found.status, found.failures, found.lease) == (Status.WAITING, 1, None)


def test_jitter_spreads_and_never_comes_early() -> None:
    event = Event(type="review.decided")
    waits = [pause(Delivery(event=event), 2, None) for _ in range(200)]
    assert 300 <= min(waits) < max(waits) <= 360
    assert len(set(waits)) > 100


def test_retry_after_is_honoured_where_it_is_longer() -> None:
    with receiver(answer(429, Retry_After="120")) as there:
        make_endpoint(there.url)
        announce(event="switch.stopped", system_id=None)
        sweep()
        assert 115 < (one().next_attempt_at - timezone.now()).total_seconds() <= 120
    assert pause(Delivery(event=Event(type="review.decided")), 2, 1.0) >= 300


def exhaust() -> None:
    announce(event="review.decided", system_id=None)
    for _ in range(len(SCHEDULE) + 1):
        make_due()
        sweep()


def test_all_attempts_failed_the_endpoint_is_disabled_and_its_owner_told() -> None:
    with receiver(answer(500)) as there:
        made = make_endpoint(there.url)
        exhaust()
        assert len(there.requests) == 10
    found = one()
    assert (found.status, found.endpoint.disabled_why) == (Status.FAILED, Why.EXHAUSTED)
    assert Entry.objects.filter(about_id=made.row.pk, kind="webhook.disabled").count() == 1
    message = Message.objects.get(person_id=made.row.owner_id, kind="webhook.disabled")
    assert message.facts["why"] == Why.EXHAUSTED
    assert not told_of(None)


def test_one_event_that_a_receiver_chokes_on_does_not_end_the_others() -> None:
    with receiver() as there:

        def choke(handler: BaseHTTPRequestHandler) -> None:
            answer(500 if b"alert.opened" in there.last.body else 204)(handler)

        there.behave = choke
        made = make_endpoint(there.url)
        announce(event="alert.opened", system_id=None)
        sweep()
        announce(event="review.decided", system_id=None)
        sweep()
        for _ in range(len(SCHEDULE)):
            make_due()
            sweep()
    made.row.refresh_from_db()
    assert made.row.status == WebhookEndpoint.Status.ENABLED
    assert Message.objects.get(kind="webhook.delivery_failed").person_id == made.row.owner_id
    assert sorted(Delivery.objects.values_list("status", flat=True)) == [Status.DELIVERED, Status.FAILED]


def test_gone_disables_at_once_and_drops_what_waits() -> None:
    with receiver(answer(410)) as there:
        make_endpoint(there.url)
        announce(event="review.decided", system_id=None)
        announce(event="review.decided", system_id=None)
        fan_out()
        assert deliver(due_deliveries()[0])
        assert sweep() == 0
    assert sorted(Delivery.objects.values_list("status", flat=True)) == [Status.DROPPED, Status.FAILED]
    assert WebhookEndpoint.objects.get().disabled_why == Why.GONE


def test_an_end_that_cannot_be_sealed_is_tried_again() -> None:
    with receiver(answer(410)) as there:
        make_endpoint(there.url)
        announce(event="review.decided", system_id=None)
        head_store().advance(registry_log().id, 10_000, bytes(32))
        sweep()
    assert (one().status, tried(), one().endpoint.status) == (Status.WAITING, [Outcome.GONE], "enabled")


# --- what dies on the way --------------------------------------------------------------------------------------------
def test_without_any_task_the_sweep_delivers() -> None:
    """The broker was down: the nudge and the tasks were lost, the rows are there."""
    with receiver() as there:
        make_endpoint(there.url)
        for number in range(6):
            announce(event="review.decided", system_id=None, facts={"number": number})
        while sweep():
            pass
        assert sorted(json.loads(each.body)["data"]["facts"]["number"] for each in there.requests) == list(range(6))


def test_a_killed_worker_keeps_a_delivery_for_its_lease_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as there:
        make_endpoint(there.url)
        announce(event="review.decided", system_id=None)
        fan_out()
        monkeypatch.setattr(sending, "_settle", lambda *of: None)  # it dies after the receiver took it
        deliver(one().pk)
        monkeypatch.undo()
        assert (due_deliveries(), deliver(one().pk)) == ([], False)
        with time_machine.travel(timezone.now() + sending.LEASE + timedelta(seconds=1)):
            assert sweep() == 1
        first, again = there.requests
        assert first.headers["webhook-id"] == again.headers["webhook-id"]
        assert first.body == again.body
    assert one().status == Status.DELIVERED


def test_a_worker_whose_lease_ran_out_does_not_overrule_the_next_one() -> None:
    with receiver() as there:
        make_endpoint(there.url)
        announce(event="review.decided", system_id=None)
        fan_out()
        late = sending._claim(one().pk)
        assert late
        with time_machine.travel(timezone.now() + sending.LEASE + timedelta(seconds=1)):
            assert sweep() == 1
        sending._settle(late, Answer(Outcome.TIMED_OUT), timezone.now())
    assert (one().status, one().failures) == (Status.DELIVERED, 0)


@pytest.mark.committing
def test_of_many_that_send_the_same_one_does() -> None:
    def slow(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.2)
        answer(204)(handler)

    with receiver(slow) as there:
        make_endpoint(there.url)
        announce(event="review.decided", system_id=None)
        fan_out()
        delivery_id = one().pk
        outcomes: list[bool] = []

        def run() -> None:
            outcomes.append(deliver(delivery_id))
            connections.close_all()

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (outcomes.count(True), len(there.requests)) == (1, 1)


@pytest.mark.committing
def test_a_fault_of_ours_is_an_attempt_too(monkeypatch: pytest.MonkeyPatch) -> None:
    make_endpoint()
    announce(event="review.decided", system_id=None)

    def fail(*of: object, **named: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(transport, "post", fail)
    sweep()
    assert (one().status, tried()) == (Status.WAITING, [Outcome.OUR_FAULT])


def test_an_event_that_was_rolled_back_is_told_to_nobody() -> None:
    make_endpoint()
    with pytest.raises(RuntimeError), transaction.atomic():
        announce(event="review.decided", system_id=None)
        raise RuntimeError
    assert fan_out() == 0


def test_fanning_out_twice_makes_one_delivery() -> None:
    make_endpoint()
    announce(event="review.decided", system_id=None)
    fan_out()
    Event.objects.update(fanned_out_at=None)  # a worker that died before it could say so
    fan_out()
    assert Delivery.objects.count() == 1


# --- a slow endpoint -------------------------------------------------------------------------------------------------
def test_an_endpoint_gets_no_more_at_once_than_its_share() -> None:
    slow, quick = make_endpoint(), make_endpoint("https://quick.example.org/")
    for _ in range(20):
        announce(event="review.decided", system_id=None)
    fan_out()
    due = Delivery.objects.filter(pk__in=due_deliveries())
    assert [due.filter(endpoint=each.row).count() for each in (slow, quick)] == [sending.AT_ONCE] * 2
    for delivery in due.filter(endpoint=slow.row):
        assert sending._claim(delivery.pk)
    another = Delivery.objects.filter(endpoint=slow.row, lease=None).first()
    assert another
    assert sending._claim(another.pk) is None
    assert not Delivery.objects.filter(pk__in=due_deliveries(), endpoint=slow.row).exists()


def test_a_failing_endpoint_is_tried_one_at_a_time() -> None:
    with receiver(answer(500)) as there:
        make_endpoint(there.url)
        announce(event="review.decided", system_id=None)
        sweep()
        for _ in range(5):
            announce(event="review.decided", system_id=None)
        fan_out()
        assert len(due_deliveries()) == 1


def test_a_task_goes_on_with_what_waits_for_the_same_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[str] = []
    monkeypatch.setattr(deliver_task, "delay", handed.append)
    with receiver() as there:
        make_endpoint(there.url)
        for _ in range(10):
            announce(event="review.decided", system_id=None)
        assert send_webhooks_task() == len(handed) == sending.AT_ONCE
        assert deliver_task(handed[0]) == 10
        assert [deliver_task(each) for each in handed[1:]] == [0, 0, 0]
        assert len(there.requests) == 10


# --- what people do --------------------------------------------------------------------------------------------------
def test_a_delivery_is_sent_again_with_its_own_id() -> None:
    with receiver() as there:
        made = make_endpoint(there.url)
        actor = actor_of(made.row.owner)
        announce(event="review.decided", system_id=None)
        fan_out()
        with pytest.raises(DeliveryUnderWay):
            replay(actor=actor, delivery_id=one().pk)
        sweep()
        replay(actor=actor, delivery_id=one().pk)
        sweep()
        first, second = there.requests
        assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
        assert list(Attempt.objects.order_by("id").values_list("number", flat=True)) == [1, 2]
        with pytest.raises(DeliveryNotFound):
            replay(actor=actor_of(make_person()), delivery_id=one().pk)


def test_a_test_goes_to_that_endpoint_alone() -> None:
    with receiver() as there:
        made = make_endpoint(there.url, event_types=("switch.*",))
        make_endpoint("https://other.example.org/")
        send_test(actor=actor_of(made.row.owner), endpoint_id=made.row.pk)
        sweep()
        assert verified(made.text, there.last)["type"] == "webhook.test"
    assert Delivery.objects.count() == 1


def test_nothing_is_sent_to_what_is_disabled_until_it_is_enabled() -> None:
    with receiver() as there:
        made = make_endpoint(there.url)
        actor = actor_of(made.row.owner)
        announce(event="review.decided", system_id=None)
        fan_out()
        disable_endpoint(actor=actor, endpoint_id=made.row.pk, reason="Moves")
        assert (sweep(), one().status) == (0, Status.DROPPED)
        with pytest.raises(EndpointDisabled):
            send_test(actor=actor, endpoint_id=made.row.pk)
        with pytest.raises(EndpointDisabled):
            replay(actor=actor, delivery_id=one().pk)
        enable_endpoint(actor=actor, endpoint_id=made.row.pk)
        replay(actor=actor, delivery_id=one().pk)
        assert (sweep(), len(there.requests)) == (1, 1)


def test_what_was_made_while_its_endpoint_was_being_disabled_is_dropped() -> None:
    made, event = make_endpoint(), announce(event="switch.stopped", system_id=None)
    fan_out()
    disable_endpoint(actor=actor_of(made.row.owner), endpoint_id=made.row.pk)
    Delivery.objects.filter(event=event).update(status="waiting", ended_at=None)  # as its maker, who saw it enabled
    assert due_deliveries() == []
    late = Delivery.objects.get(event=event)
    assert (late.status, late.ended_at is not None, late.attempt_count) == ("dropped", True, 0)


def test_a_retry_goes_to_the_new_address() -> None:
    with receiver(answer(500)) as old, receiver() as new:
        made = make_endpoint(old.url)
        announce(event="review.decided", system_id=None)
        sweep()
        update_endpoint(actor=actor_of(made.row.owner), endpoint_id=made.row.pk, changes={"url": new.url})
        make_due()
        sweep()
        assert (len(old.requests), len(new.requests)) == (1, 1)


def test_what_is_past_its_time_goes_and_what_waits_stays(settings: Settings) -> None:
    with receiver() as there:
        make_endpoint(there.url)
        announce(event="review.decided", system_id=None)
        sweep()
        announce(event="review.decided", system_id=None)
        fan_out()
        with time_machine.travel(timezone.now() + sending.KEPT + timedelta(days=1)):
            assert forget_old() == 1
    assert (Delivery.objects.get().status, Attempt.objects.count(), Event.objects.count()) == (Status.WAITING, 0, 1)
