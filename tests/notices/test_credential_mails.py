"""Each change of how somebody signs in is told to them, with when and from where."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from governance.models import CredentialChange, Passkey, Person, TotpFactor
from governance.services.factors import (
    enrol_passkey,
    make_recovery_codes,
    remove_factor,
    reset_factors,
    use_code,
)
from governance.services.people import (
    change_own_password,
    deactivate_person,
    issue_setup_link,
    set_first_password,
    update_person,
)
from governance.services.tokens import create_token
from governance.sign_in.passkeys import NewCredential
from ledger.entries import COMMAND, Actor
from notices.credentials import tell_credential_changes
from notices.lockouts import tell_lock_outs
from notices.models import Alert, Message
from notices.services.alerts import STORM
from notices.services.mailing import SINGLE_MAILS, send_mails
from notices.tasks import tell_credential_changes_task
from tests.factories.register import actor_of, make_person
from tests.factories.sign_in import PASSWORD, with_app, with_password

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Person:
    return with_password(make_person(name="Ada", email="ada@example.org"))


def passkey_of(person: Person) -> Passkey:
    return enrol_passkey(actor=actor_of(person), name="Phone", credential=NewCredential(b"id", b"key", 0, False))


def _remove_app(person: Person) -> None:
    with_app(person)
    factor = TotpFactor.objects.get(person=person)
    remove_factor(actor=actor_of(person), kind=TotpFactor, factor_id=factor.pk)


def _remove_passkey(person: Person) -> None:
    remove_factor(actor=actor_of(person), kind=Passkey, factor_id=passkey_of(person).pk)


def _use_recovery_code(person: Person) -> None:
    use_code(person=person, code=make_recovery_codes(actor=actor_of(person))[0])


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (with_app, "an authenticator app was added"),
        (_remove_app, "an authenticator app was removed"),
        (passkey_of, "a passkey was added"),
        (_remove_passkey, "a passkey was removed"),
        (lambda ada: make_recovery_codes(actor=actor_of(ada)), "new recovery codes were made"),
        (_use_recovery_code, "a recovery code was used"),
        (lambda ada: change_own_password(actor=actor_of(ada), password="plum otter crane"), "a new password was set"),
        (
            lambda ada: set_first_password(
                token=issue_setup_link(actor=COMMAND, person_id=ada.pk), password="plum otter crane"
            ),
            "a new password was set",
        ),
        (lambda ada: issue_setup_link(actor=COMMAND, person_id=ada.pk), "a link was made with which your password"),
        (lambda ada: reset_factors(actor=COMMAND, person_id=ada.pk), "all second factors were removed"),
        (
            lambda ada: create_token(actor=actor_of(ada), name="Laptop", proven_at=timezone.now()),
            "a personal token was made",
        ),
    ],
)
def test_their_person_is_told(ada: Person, act: Callable[[Person], object], words: str) -> None:
    act(ada)
    assert tell_credential_changes_task() > 0
    assert not CredentialChange.objects.exists()
    send_mails()
    assert all(each.to == ["ada@example.org"] for each in mail.outbox)
    [told] = [each for each in mail.outbox if words in each.subject]
    assert re.search(r"When: \d{4}-\d\d-\d\d \d\d:\d\d", str(told.body))
    assert "If it was not you" in told.body


def test_it_says_from_where_and_only_of_this_request(ada: Person) -> None:
    browser = Client(REMOTE_ADDR="192.0.2.7")
    browser.force_login(ada)
    new = {"new_password1": "plum otter crane", "new_password2": "plum otter crane"}
    assert browser.post("/admin/password_change/", {"old_password": PASSWORD, **new}).status_code == 302
    issue_setup_link(actor=COMMAND, person_id=ada.pk)
    tell_credential_changes()
    send_mails()
    by_page, by_command = (each.body for each in mail.outbox)
    assert "From: 192.0.2.7" in by_page
    assert "By:" not in by_page
    assert "From: the command line of the host" in by_command
    assert "By: somebody at the host's command line" in by_command


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("2001:db8::7", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("192.0.2.9:4711", "192.0.2.9"),
        ("<b>anything</b> ünd mehr", "an address that is not known"),
    ],
)
def test_whatever_a_proxy_writes_keeps_no_mail_waiting(ada: Person, settings: Settings, said: str, shown: str) -> None:
    settings.TRUST_PROXY = True
    browser = Client(headers={"X-Forwarded-For": said})
    browser.force_login(ada)
    new = {"new_password1": "plum otter crane", "new_password2": "plum otter crane"}
    browser.post("/admin/password_change/", {"old_password": PASSWORD, **new})
    assert tell_credential_changes() == 1
    send_mails()
    assert f"From: {shown}" in mail.outbox[0].body


def test_what_an_administrator_does_says_who(ada: Person) -> None:
    issue_setup_link(actor=actor_of(make_person(administrator=True, name="Grace")), person_id=ada.pk)
    tell_credential_changes()
    send_mails()
    assert "By: Grace" in mail.outbox[0].body


# --- another address --------------------------------------------------------------------------------------------------
def move(person: Person, by: Actor, email: str) -> None:
    update_person(actor=by, person_id=person.pk, changes={"email": email, "name": person.name})


def test_of_another_address_the_old_one_is_told(ada: Person) -> None:
    grace = make_person(administrator=True, name="Grace")
    move(ada, actor_of(grace), "ada@elsewhere.example")
    tell_credential_changes()
    send_mails()
    [told] = mail.outbox
    assert told.to == ["ada@example.org"]
    assert "your e-mail address was changed" in told.subject
    assert "By: Grace" in told.body
    assert "the last" in told.body
    assert "ada@elsewhere.example" not in f"{told.subject}{told.body}"


def test_who_changes_their_own_address_is_told_at_the_old_one_too() -> None:
    grace = make_person(administrator=True, email="grace@example.org")
    move(grace, actor_of(grace), "grace@elsewhere.example")
    tell_credential_changes()
    send_mails()
    assert [each.to for each in mail.outbox] == [["grace@example.org"]]
    assert "By:" not in mail.outbox[0].body


def test_the_old_address_gets_nothing_else_and_hides_in_no_gathering(ada: Person) -> None:
    move(ada, COMMAND, "ada@second.example")
    move(ada, COMMAND, "ada@third.example")
    for _ in range(SINGLE_MAILS + 1):
        issue_setup_link(actor=COMMAND, person_id=ada.pk)
    tell_credential_changes()
    send_mails()
    to = [each.to[0] for each in mail.outbox]
    assert sorted(to) == ["ada@example.org", "ada@second.example", "ada@third.example"]
    last_of = {each.to[0]: each.subject for each in mail.outbox}
    assert "your e-mail address was changed" in last_of["ada@second.example"]


def test_the_old_address_is_told_even_of_somebody_who_leaves_at_once(ada: Person) -> None:
    move(ada, COMMAND, "ada@elsewhere.example")
    deactivate_person(actor=COMMAND, person_id=ada.pk)
    tell_credential_changes()
    send_mails()
    assert [each.to for each in mail.outbox] == [["ada@example.org"]]


def test_an_address_written_otherwise_is_no_other(ada: Person) -> None:
    move(ada, COMMAND, " ADA@example.org")
    assert not CredentialChange.objects.exists()


@pytest.mark.parametrize("email", ["", "  ", None, "ada", "ada@", "ada@example.org\nBcc: x@example.org"])
def test_an_address_that_is_none_is_refused(ada: Person, email: str) -> None:
    with pytest.raises(ValidationError) as refused:
        move(ada, COMMAND, email)
    assert "email" in refused.value.message_dict
    assert Person.objects.get(pk=ada.pk).email == "ada@example.org"
    assert not CredentialChange.objects.exists()


def test_the_lists_of_mails_say_that_it_was_an_earlier_address(ada: Person) -> None:
    browser = Client()
    browser.force_login(make_person(administrator=True))
    move(ada, COMMAND, "ada@elsewhere.example")
    tell_credential_changes()
    assert "at an earlier address" in browser.get("/admin/notices/message/").content.decode()


def test_nothing_is_told_of_what_was_not_done(ada: Person) -> None:
    with_app(ada)
    CredentialChange.objects.all().delete()
    with pytest.raises(Exception, match=r".+"):
        use_code(person=ada, code="wrong-wrong-wrong")
    assert tell_credential_changes() == 0


# --- lock-outs --------------------------------------------------------------------------------------------------------
def guess(email: str, times: int, address: str = "192.0.2.1") -> None:
    for _ in range(times):
        Client(REMOTE_ADDR=address).post("/admin/login/", {"username": email, "password": "wrong"})


def test_whoever_is_locked_out_is_told_once_a_day(ada: Person) -> None:
    with time_machine.travel("2026-11-21T10:00:00Z", tick=False) as clock:
        for number in range(4):
            guess("ada@example.org", 5, f"192.0.2.{number}")
            clock.shift(timedelta(minutes=20))
            tell_lock_outs()
    assert Message.objects.filter(kind="signin.locked_out").count() == 1
    send_mails()
    [told] = [each for each in mail.outbox if each.to == ["ada@example.org"]]
    assert "locked for a while" in told.subject
    assert "password was wrong too often" in told.body


def test_a_flood_of_failed_sign_ins_is_gathered() -> None:
    make_person(administrator=True, email="admin@example.org")
    people = [make_person(email=f"victim{number}@example.org") for number in range(STORM + 10)]
    with time_machine.travel(timezone.now() + timedelta(minutes=1), tick=False) as clock:
        for number, person in enumerate(people):
            guess(person.email or "", 5, f"198.51.100.{number}")
        clock.shift(timedelta(seconds=5))
        tell_lock_outs()
        tell_lock_outs()
    send_mails()
    assert Alert.objects.filter(kind="signin.locked").count() == STORM
    gathering = Alert.objects.get(fingerprint__startswith="gathered:signin.locked")
    assert gathering.occurrences == len(people) - (STORM - 1)
    assert 1 <= len([each for each in mail.outbox if each.to == ["admin@example.org"]]) <= SINGLE_MAILS


def test_a_lock_out_that_cannot_be_sealed_keeps_no_other_waiting(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    from ledger.errors import LogClosed
    from notices import lockouts

    def fail(told: object) -> None:
        raise LogClosed()

    monkeypatch.setattr(lockouts, "seal_lock_out", fail)
    other = make_person(email="grace@example.org")
    with time_machine.travel("2026-11-21T10:00:00Z", tick=False) as clock:
        guess("ada@example.org", 5, "192.0.2.1")
        guess("grace@example.org", 5, "192.0.2.2")
        clock.shift(timedelta(seconds=5))
        assert tell_lock_outs() == 0
    people = {alert.facts["person"] for alert in Alert.objects.filter(kind="signin.locked")}
    assert people == {str(ada.pk), str(other.pk)}
