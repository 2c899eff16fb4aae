"""Lock-out: growing, for accounts and addresses alike, whether there is such an account or not."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.hashers import get_hasher
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from governance.models import Person, SignInThrottle
from governance.services.lockouts import client_address, forget_old_attempts, network_of
from governance.tasks import forget_old_attempts_task
from ledger.models import Entry
from notices.lockouts import tell_lock_outs
from notices.models import Alert
from notices.tasks import tell_lock_outs_task
from tests.factories.register import make_person
from tests.factories.sign_in import PASSWORD, with_app, with_password

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"


@pytest.fixture
def person() -> Person:
    return with_password(make_person(email="ada@example.org"))


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


def said(username: str, password: str, address: str = "192.0.2.1") -> str:
    """What the page says; empty where it let them in."""
    answer = Client(REMOTE_ADDR=address).post(LOGIN, {"username": username, "password": password})
    if answer.status_code == 302:
        return ""
    return " ".join(re.findall(r"(That e-mail address[^<]*|Too many attempts[^<]*)", answer.content.decode())).strip()


def test_after_five_failures_even_the_right_password_waits(person: Person, clock: time_machine.Traveller) -> None:
    for _ in range(5):
        assert said("ada@example.org", "wrong").startswith("That e-mail address")
    assert said("ADA@example.org", PASSWORD) == "Too many attempts. Try again in a minute, or sign in with a passkey."
    clock.shift(timedelta(seconds=61))
    assert said("ada@example.org", PASSWORD) == ""


def test_each_lock_out_is_longer_and_none_longer_than_an_hour(person: Person, clock: time_machine.Traveller) -> None:
    spans = []
    for number in range(9):
        for _ in range(5):
            said("ada@example.org", "wrong", f"192.0.2.{number}")
        row = SignInThrottle.objects.get(kind="account")
        assert row.locked_until
        spans.append(round((row.locked_until - timezone.now()).total_seconds() / 60))
        clock.move_to(row.locked_until + timedelta(seconds=1))
    assert spans == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_an_account_that_does_not_exist_is_locked_in_the_same_words(person: Person) -> None:
    known = [said("ada@example.org", "wrong", "192.0.2.1") for _ in range(7)]
    unknown = [said("nobody@example.org", "wrong", "192.0.2.2") for _ in range(7)]
    assert known == unknown
    assert known[4].startswith("That e-mail") and known[5].startswith("Too many")


def test_a_success_starts_the_account_anew(person: Person) -> None:
    for _ in range(3):
        for _ in range(4):
            said("ada@example.org", "wrong")
        assert said("ada@example.org", PASSWORD) == ""


@pytest.mark.parametrize("given", [{"password": ""}, {}, {"username": "", "password": "wrong"}])
def test_an_attempt_without_a_password_takes_nothing_back(person: Person, given: dict[str, str]) -> None:
    for _ in range(4):
        said("ada@example.org", "wrong")
        Client(REMOTE_ADDR="192.0.2.1").post(LOGIN, {"username": "ada@example.org"} | given)
    said("ada@example.org", "wrong")
    assert said("ada@example.org", PASSWORD).startswith("Too many")


def test_an_address_is_locked_whatever_account_it_tries_and_no_other_address_is(person: Person) -> None:
    for number in range(30):
        said(f"guess{number}@example.org", "wrong", "2001:db8::1")
    assert said("ada@example.org", PASSWORD, "2001:db8::ffff").startswith("Too many")
    assert said("ada@example.org", PASSWORD, "2001:db8:0:1::1") == ""


def test_an_account_of_ones_own_does_not_start_the_address_anew(person: Person) -> None:
    for number in range(29):
        said(f"guess{number}@example.org", "wrong")
        if number % 7 == 0:
            assert said("ada@example.org", PASSWORD) == ""
    said("one-more@example.org", "wrong")
    assert said("ada@example.org", PASSWORD).startswith("Too many")


def test_the_success_that_filled_the_measure_locks_nobody(person: Person) -> None:
    for _ in range(4):
        said("ada@example.org", "wrong")
    assert said("ada@example.org", PASSWORD) == ""
    assert said("ada@example.org", PASSWORD) == ""


def test_guesses_from_elsewhere_do_not_lock_the_browser_of_their_victim(person: Person) -> None:
    mine = Client(REMOTE_ADDR="192.0.2.9")
    given = {"username": "ada@example.org", "password": PASSWORD}
    assert mine.post(LOGIN, given).status_code == 302
    mine.cookies.pop("session")
    for _ in range(6):
        said("ada@example.org", "wrong")
    assert said("ada@example.org", PASSWORD, "192.0.2.7").startswith("Too many")
    assert mine.post(LOGIN, {**given, "username": " ADA@example.org"}).status_code == 302


def test_a_known_browser_guesses_no_longer_than_others_and_is_known_for_its_own_people(person: Person) -> None:
    with_password(make_person(email="zoe@example.org"))
    browser = Client(REMOTE_ADDR="192.0.2.9")
    browser.post(LOGIN, {"username": "zoe@example.org", "password": PASSWORD})
    browser.cookies.pop("session")
    for name in ("zoe", "ada"):
        for _ in range(5):
            browser.post(LOGIN, {"username": f"{name}@example.org", "password": "wrong"})
    for name in ("zoe", "ada"):
        answer = browser.post(LOGIN, {"username": f"{name}@example.org", "password": PASSWORD})
        assert "Too many attempts" in answer.content.decode(), name
    assert said("zoe@example.org", PASSWORD) == ""  # it was counted for that browser alone
    assert said("ada@example.org", PASSWORD).startswith("Too many")


@pytest.mark.parametrize("cookie", ["", "x", "W10:1vX:abc", "x" * 9000])
def test_a_forged_browser_is_nobodys(person: Person, cookie: str) -> None:
    for _ in range(5):
        said("ada@example.org", "wrong")
    browser = Client()
    browser.cookies["browser"] = cookie
    assert "Too many" in browser.post(LOGIN, {"username": "ada@example.org", "password": PASSWORD}).content.decode()


def test_guessing_the_old_password_in_an_open_session_is_locked_out(person: Person) -> None:
    browser = Client()
    browser.force_login(person)
    new = {"new_password1": "another horse battery", "new_password2": "another horse battery"}
    for _ in range(5):
        browser.post("/admin/password_change/", {"old_password": "wrong", **new})
    answer = browser.post("/admin/password_change/", {"old_password": PASSWORD, **new})
    assert "Too many attempts" in answer.content.decode()


def test_codes_cannot_be_guessed_either(person: Person) -> None:
    app = with_app(person)
    browser = Client()
    browser.post(LOGIN, {"username": "ada@example.org", "password": PASSWORD})
    for _ in range(5):
        browser.post(f"{LOGIN}second/", {"code": "000000"})
    answer = browser.post(f"{LOGIN}second/", {"code": app.now()})
    assert "Too many attempts" in answer.content.decode()


def test_a_lock_out_is_sealed_once_and_administrators_are_told(person: Person, clock: time_machine.Traveller) -> None:
    for _ in range(9):
        said("ada@example.org", "wrong")
    assert tell_lock_outs() == 0  # it may still be taken back
    clock.shift(timedelta(seconds=3))
    assert tell_lock_outs_task() == 1
    assert tell_lock_outs() == 0
    entry = Entry.objects.get(kind="signin.locked")
    assert entry.about_id == person.pk and b"192.0.2" not in bytes(entry.data) and b"ada@" not in bytes(entry.data)
    alert = Alert.objects.get(kind="signin.locked")
    assert alert.facts == {"by": "account", "person": str(person.pk)} and alert.owner_id is None
    clock.shift(timedelta(minutes=1))
    for _ in range(5):
        said("ada@example.org", "wrong")
    clock.shift(timedelta(seconds=3))
    assert tell_lock_outs() == 1
    assert Entry.objects.filter(kind="signin.locked").count() == 2
    assert Alert.objects.get(kind="signin.locked").occurrences == 2


def test_of_accounts_that_do_not_exist_only_the_address_is_told(clock: time_machine.Traveller) -> None:
    for number in range(30):
        said(f"guess{number % 6}@example.org", "wrong")
    clock.shift(timedelta(seconds=3))
    tell_lock_outs()
    assert [alert.facts for alert in Alert.objects.all()] == [{"by": "address"}]
    assert Entry.objects.filter(kind="signin.locked").count() == 1
    assert not SignInThrottle.objects.filter(is_told=False).exists()


def test_attempts_are_forgotten_after_a_day(clock: time_machine.Traveller) -> None:
    said("ada@example.org", "wrong")
    assert forget_old_attempts() == 0
    clock.shift(timedelta(days=1, seconds=1))
    assert forget_old_attempts_task() == 2


@pytest.mark.parametrize(
    ("trusted", "sent", "found"),
    [
        (False, {"HTTP_X_FORWARDED_FOR": "198.51.100.7"}, "192.0.2.1"),
        (True, {"HTTP_X_FORWARDED_FOR": "198.51.100.7"}, "198.51.100.7"),
        (True, {"HTTP_X_FORWARDED_FOR": "203.0.113.5, 198.51.100.7"}, "198.51.100.7"),
        (True, {}, "192.0.2.1"),
    ],
)
def test_only_a_trusted_proxy_says_where_a_request_comes_from(
    settings: Settings, trusted: bool, sent: dict[str, Any], found: str
) -> None:
    settings.TRUST_PROXY = trusted
    assert client_address(RequestFactory(REMOTE_ADDR="192.0.2.1", **sent).get("/")) == found


def test_what_counts_as_one_place() -> None:
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2::9") != network_of("2001:db8:1:3::9")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("192.0.2.1:5678") == "192.0.2.1"  # some proxies write the port beside it
    assert network_of("[2001:db8::1]:5678") == network_of("2001:db8::1")
    assert network_of("") == network_of("rubbish") == network_of("1:2") == ""


@pytest.mark.parametrize("is_locked", [False, True])
def test_as_much_work_is_done_for_an_account_that_does_not_exist(
    person: Person, monkeypatch: pytest.MonkeyPatch, is_locked: bool
) -> None:
    """Hashing a password takes far longer than all else: how often that is done would say whether there is one."""
    hasher = type(get_hasher())
    counts: list[object] = []
    encode = hasher.encode

    def counted(self: Any, *given: Any, **named: Any) -> str:
        counts.append(self)
        return encode(self, *given, **named)

    monkeypatch.setattr(hasher, "encode", counted)
    found = {}
    for name, address in (("ada@example.org", "192.0.2.1"), ("nobody@example.org", "192.0.2.2")):
        for _ in range(5 if is_locked else 0):
            said(name, "wrong", address)
        counts.clear()
        with CaptureQueriesContext(connection) as queries:
            said(name, "wrong", address)
        found[name] = (len(counts), len(queries))
    assert found["ada@example.org"] == found["nobody@example.org"]
    assert found["ada@example.org"][0] == (0 if is_locked else 1)
