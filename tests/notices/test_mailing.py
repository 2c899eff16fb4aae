"""E-mails: from rows, tried again, given up in the open, many as one, and nothing in them that is not for the post."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone
from environs import ValidationError
from pytest_django.fixtures import Settings

from config.outgoing import are_networks, is_proxy, mail_server
from governance.models import Person
from governance.services.people import deactivate_person
from ledger.entries import COMMAND, SERVER
from notices.letters import letter
from notices.models import Alert, Message
from notices.outbox import tell
from notices.services import mailing, open_alert
from notices.services.mailing import PAUSES, SINGLE_MAILS, send_again, send_mails
from tests.factories.register import make_person, make_system

pytestmark = pytest.mark.django_db
Status = Message.Status


class BrokenBackend(EmailBackend):
    """A mail server that refuses, and quotes an address."""

    def send_messages(self, messages: Any) -> int:
        raise OSError("550 anna@example.org unknown")


@pytest.fixture
def broken(settings: Settings) -> Settings:
    settings.EMAIL_BACKEND = f"{__name__}.BrokenBackend"
    return settings


def told(person: Person, number: int = 1) -> Message:
    message = tell(
        person_id=person.pk, kind="review.deadline", fingerprint=f"deadline:{number}", facts={"left": number}
    )
    assert message
    return message


def test_an_alert_is_told_in_words_with_a_link_and_without_what_it_found() -> None:
    owner = make_person(email="anna@example.org")
    system = make_system(slug="credit", accountable=owner)
    alert = open_alert(
        actor=SERVER,
        kind="decision.conflicted",
        severity=Alert.Severity.CRITICAL,
        fingerprint="x",
        system_id=system.pk,
        facts={"decision": "0190-unmistakable"},
    )
    assert send_mails() == 1
    [sent] = mail.outbox
    assert sent.to == ["anna@example.org"]
    assert sent.subject == "[Answerable] Two records under one id (Credit)"
    assert "Severity: Critical" in sent.body
    assert "Another record came under the id of a decision. The first one stands." in sent.body
    assert f"http://localhost:8000/admin/notices/alert/{alert.pk}/change/" in sent.body
    assert "unmistakable" not in str(sent.message())
    assert sent.extra_headers["Message-ID"].endswith("@localhost>")
    assert Message.objects.get().status == Status.SENT
    assert send_mails() == 0


def test_names_are_text_in_html() -> None:
    owner = make_person()
    system = make_system(accountable=owner)
    type(system).objects.filter(pk=system.pk).update(name="<b>Bold</b>\nX-Header: 1")
    open_alert(actor=SERVER, kind="source.silent", severity=Alert.Severity.INFO, fingerprint="x", system_id=system.pk)
    send_mails()
    [sent] = mail.outbox
    assert "\n" not in sent.subject
    assert "&lt;b&gt;Bold" in sent.alternatives[0][0]  # type: ignore[attr-defined]
    assert "<b>Bold" in sent.body


def test_a_kind_that_nobody_declared_is_told_in_plain_figures() -> None:
    told(make_person(), 7)
    send_mails()
    assert mail.outbox[0].subject == "[Answerable] Review: deadline"
    assert "Left: 7" in mail.outbox[0].body


def test_the_words_of_a_kind_are_declared_once() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        letter("alert.opened")(lambda facts: None)  # type: ignore[arg-type,return-value]


def test_somebody_is_told_of_one_thing_once() -> None:
    person = make_person()
    told(person)
    assert tell(person_id=person.pk, kind="review.deadline", fingerprint="deadline:1") is None


def test_a_mail_server_that_fails_is_tried_again_and_given_up_in_the_open(broken: Settings) -> None:
    message = told(make_person())
    now = timezone.now()
    for pause in (timedelta(0), *PAUSES):
        now += pause + timedelta(seconds=5)
        with time_machine.travel(now):
            assert send_mails() == 0
    message.refresh_from_db()
    assert (message.status, message.attempts, message.last_error) == (Status.GIVEN_UP, 7, "OSError")
    assert send_again(message.pk)
    assert not send_again(message.pk)
    broken.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert send_mails() == 1


def test_it_is_not_tried_before_its_time(broken: Settings) -> None:
    message = told(make_person())
    send_mails()
    send_mails()
    message.refresh_from_db()
    assert message.attempts == 1


def test_a_killed_sender_keeps_a_message_for_its_lease_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    told(make_person())
    monkeypatch.setattr(mailing, "_send", lambda *of: 0)
    send_mails()
    monkeypatch.undo()
    assert send_mails() == 0
    with time_machine.travel(timezone.now() + mailing.LEASE + timedelta(seconds=1)):
        assert send_mails() == 1


def test_a_few_come_one_by_one() -> None:
    person = make_person()
    for number in range(SINGLE_MAILS):
        told(person, number)
    assert send_mails() == SINGLE_MAILS


def test_many_at_once_come_as_one() -> None:
    person, other = make_person(), make_person()
    for number in range(60):
        told(person, number)
    told(other)
    assert send_mails() == 2
    [many] = [each for each in mail.outbox if person.email in each.to]
    assert many.subject == "[Answerable] 60 notices"
    assert "Review: deadline (60 times)" in many.body


def test_a_digest_of_many_things_names_the_first_of_them() -> None:
    person = make_person()
    for number in range(60):
        tell(person_id=person.pk, kind=f"kind.n_{number}", fingerprint=str(number))
    send_mails()
    assert len(re.findall("Kind: ", str(mail.outbox[0].body))) == 50
    assert "... and 10 more" in mail.outbox[0].body


def test_what_is_urgent_does_not_wait_behind_a_flood() -> None:
    owner = make_person()
    system = make_system(accountable=owner)
    for number in range(60):
        told(owner, number)
    send_mails()
    told(owner, 99)
    open_alert(
        actor=SERVER, kind="switch.unconfirmed", severity=Alert.Severity.CRITICAL, fingerprint="u", system_id=system.pk
    )
    assert send_mails() == 1
    assert "Not confirmed by every client" in mail.outbox[-1].subject


def test_after_a_digest_there_is_quiet_and_then_the_next_one() -> None:
    person = make_person()
    for number in range(60):
        told(person, number)
    send_mails()
    for number in range(60, 70):
        told(person, number)
    assert send_mails() == 0
    with time_machine.travel(timezone.now() + timedelta(minutes=10, seconds=5)):
        assert send_mails() == 1
    assert mail.outbox[-1].subject == "[Answerable] 10 notices"
    assert not Message.objects.exclude(status=Status.SENT).exists()


def test_a_flood_that_trickles_becomes_a_digest_too() -> None:
    person = make_person()
    for number in range(40):
        told(person, number)
        send_mails()
    assert len(mail.outbox) == SINGLE_MAILS + 1
    with time_machine.travel(timezone.now() + timedelta(minutes=10, seconds=5)):
        assert send_mails() == 1
    assert mail.outbox[-1].subject == "[Answerable] 34 notices"


def test_who_has_left_is_written_to_no_more() -> None:
    make_person(administrator=True)
    person = make_person()
    message = told(person)
    deactivate_person(actor=COMMAND, person_id=person.pk)
    assert send_mails() == 0
    message.refresh_from_db()
    assert message.status == Status.NOBODY


# --- settings --------------------------------------------------------------------------------------------------------
def test_mail_servers_by_address() -> None:
    asked = mail_server("smtp://us%40er:p%3Aw@mail.example.org")
    assert (asked.host, asked.port, asked.user, asked.password) == ("mail.example.org", 587, "us@er", "p:w")
    assert (asked.starttls, asked.tls) == (True, False)
    asked = mail_server("smtps://mail.example.org")
    assert (asked.port, asked.starttls, asked.tls) == (465, False, True)
    assert not mail_server("smtp://mail.example.org:25?tls=none").starttls
    assert mail_server("file:///var/mail%20box").folder == "/var/mail box"


@pytest.mark.parametrize(
    "url", ["mail.example.org", "http://x", "smtp://", "smtp://x?tls=yes", "file://mail", "smtp://x:y"]
)
def test_a_mail_server_that_cannot_be_meant_ends_the_start(url: str) -> None:
    with pytest.raises(ValidationError):
        mail_server(url)


@pytest.mark.parametrize("networks", [["10.0.0.1/8"], ["inside"], ["10.0.0.0/8", ""]])
def test_networks_that_are_none_end_the_start(networks: list[str]) -> None:
    with pytest.raises(ValidationError):
        are_networks(networks)


@pytest.mark.parametrize("url", ["proxy:3128", "https://proxy", "http://u@proxy", "http://proxy/path", "socks5://x"])
def test_a_proxy_that_is_none_ends_the_start(url: str) -> None:
    with pytest.raises(ValidationError):
        is_proxy(url)
    is_proxy("")
    is_proxy("http://proxy.example.org:3128")
