"""What must be told, from its real cause to the e-mail: one alert, whoever answers for it, one message."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.db import OperationalError
from django.utils import timezone

from evidence.services.self_audit import audit_slice
from evidence.verification import LogVerification
from governance.models import AISystem, Assignment, Person
from governance.services.assignments import accept_assignments
from governance.services.people import deactivate_person
from intake.services.sources import alert_silence, hear, register_source
from ledger.entries import COMMAND, SERVER, Actor
from ledger.selectors import open_log
from notices.models import Alert, Event, Message
from notices.services.gaps import alert_gaps
from notices.services.mailing import send_mails
from overrides.services.breaches import alert_breaches
from overrides.services.confirming import watch_changes
from overrides.services.deadlines import apply_deadlines
from overrides.standing import Epoch
from tests.factories.control import ack, reading, stop
from tests.factories.register import actor_of, make_account, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review
from tests.intake.conftest import make_sender

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Person:
    return make_person(administrator=True)


@pytest.fixture
def owner() -> Person:
    return make_person(name="Grace", email="grace@example.org")


@pytest.fixture
def system(admin: Person, owner: Person) -> AISystem:
    return make_system(accountable=owner)


def told(kind: str, person: Person, sweep: Callable[[], object]) -> Alert:
    """After any number of sweeps: the one alert, the one message and the one e-mail, all to this person."""
    for _ in range(3):
        sweep()
    opened = Alert.objects.get()
    assert (opened.kind, opened.owner_id) == (kind, person.pk)
    written = Message.objects.get(kind="alert.opened")
    assert (written.person_id, written.facts) == (person.pk, {"alert": str(opened.pk)})
    assert Event.objects.filter(type="alert.opened").count() == 1
    send_mails()
    sweep()
    send_mails()
    (sent,) = [each for each in mail.outbox if str(opened) in each.subject]
    assert sent.to == [person.email]
    return opened


@pytest.mark.committing
def test_a_breach(owner: Person, admin: Person) -> None:
    sender = make_sender("credit", accountable=owner)
    done = stop(sender.systems[0])

    def sweep() -> None:
        answer = sender.post(sender.record(occurred_at=timezone.now().isoformat(), control_epoch=str(done.epoch)))
        assert answer.status_code == 201
        alert_breaches()

    assert told("switch.breached", owner, sweep).severity == "critical"


def test_an_unconfirmed_stop(system: AISystem, owner: Person) -> None:
    ack(reading(system), system, Epoch(1, 0))
    stop(system)
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        assert told("switch.unconfirmed", owner, watch_changes).facts["silent"] == 1


def test_a_missed_deadline_is_for_the_owner_of_the_queue(system: AISystem) -> None:
    head = make_person(email="head-of-reviews@example.org")
    review = open_review(system, rule=make_rule(system, make_queue(head)))
    with time_machine.travel(review.deadline_at + timedelta(seconds=1)):
        told("review.deadline_missed", head, lambda: apply_deadlines(actor=SERVER))


def test_a_missed_deadline_without_a_queue(system: AISystem, owner: Person) -> None:
    review = open_review(system)
    with time_machine.travel(review.deadline_at + timedelta(seconds=1)):
        told("review.deadline_missed", owner, lambda: apply_deadlines(actor=SERVER))


def test_a_self_audit_that_fails(system: AISystem, owner: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    conclude, log = LogVerification.conclude, open_log(system.pk)

    def failing(verification: LogVerification) -> object:
        if verification.log == log:
            raise OperationalError("canceling statement due to statement timeout")
        return conclude(verification)

    monkeypatch.setattr(LogVerification, "conclude", failing)
    found = told("ledger.audit_failed", owner, lambda: audit_slice(actor=SERVER, seconds=20))
    assert found.facts["error"] == "OperationalError"


def test_a_source_that_falls_silent(system: AISystem, owner: Person) -> None:
    account = Actor("service", make_account().pk)
    source = register_source(actor=account, slug="spool", system_id=system.pk)
    hear(actor=account, slug="spool", last_seq=0)
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        assert told("source.silent", owner, alert_silence).facts["source"] == str(source.pk)


def test_a_gap_of_responsibility(system: AISystem, owner: Person, admin: Person) -> None:
    AISystem.objects.filter(pk=system.pk).update(status=AISystem.Status.LIVE)
    offered = Assignment.objects.get(person=owner)
    accept_assignments(actor=actor_of(owner), assignment_ids=[offered.pk])
    assert alert_gaps() == 0
    deactivate_person(actor=COMMAND, person_id=owner.pk, accepts_gap=True, reason="Left.")
    for _ in range(3):
        alert_gaps()
    opened = Alert.objects.get()
    assert (opened.kind, opened.owner_id) == ("accountability.gap", None)
    assert [each.person_id for each in Message.objects.all()] == [admin.pk]
    send_mails()
    assert [each.to for each in mail.outbox] == [[admin.email]]
