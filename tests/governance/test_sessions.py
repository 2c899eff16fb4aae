"""Where somebody is signed in: shown to themselves, ended by themselves, by a new password, by leaving."""

import re

import pyotp
import pytest
from django.test import Client

from governance.models import Person, StaffSession, TotpFactor
from governance.services.people import change_own_password, deactivate_person
from governance.sessions import short_agent
from ledger.entries import COMMAND
from tests.factories.register import actor_of, make_person
from tests.factories.sign_in import PASSWORD, with_password

pytestmark = pytest.mark.django_db
OWN = "/admin/your-sign-in/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile Safari/604.1"


@pytest.fixture
def person() -> Person:
    return with_password(make_person(email="ada@example.org"))


def signed_in(address: str, agent: str) -> Client:
    browser = Client(REMOTE_ADDR=address, headers={"User-Agent": agent})
    assert browser.post("/admin/login/", {"username": "ada@example.org", "password": PASSWORD}).status_code == 302
    return browser


def is_in(browser: Client) -> bool:
    return browser.get(OWN).status_code == 200


def test_sessions_are_listed_and_one_is_ended(person: Person) -> None:
    desk, phone = signed_in("192.0.2.1", FIREFOX), signed_in("2001:db8::7", SAFARI)
    page = desk.get(OWN).content.decode()
    for text in ("Firefox on Windows", "192.0.2.1", "Safari on iPhone", "2001:db8::7", "by password"):
        assert text in page
    assert all(each.session_key not in page for each in StaffSession.objects.all())
    [handle] = re.findall(r"sessions/([0-9a-f]{24})/end", page)
    assert desk.post(f"{OWN}sessions/{handle}/end/").status_code == 302
    assert is_in(desk) and not is_in(phone)


def test_all_others_are_ended(person: Person) -> None:
    browsers = [signed_in("192.0.2.1", FIREFOX) for _ in range(3)]
    browsers[1].post(f"{OWN}sessions/others/end/")
    assert [is_in(each) for each in browsers] == [False, True, False]


def test_a_first_factor_ends_what_a_password_alone_began(person: Person) -> None:
    other, mine = signed_in("192.0.2.1", "Firefox/1 Windows"), signed_in("192.0.2.2", "Chrome/1 Android")
    page = mine.post("/admin/your-sign-in/app/").content.decode()
    secret = re.search(r'<p class="a-hash[^"]*">([A-Z2-7 ]+)</p>', page)
    assert secret
    mine.post("/admin/your-sign-in/app/", {"code": pyotp.TOTP(secret[1].replace(" ", "")).now()})
    assert TotpFactor.objects.filter(person=person).exists()
    assert (is_in(mine), is_in(other)) == (True, False)


def test_nobody_ends_anothers_session(person: Person) -> None:
    mine = signed_in("192.0.2.1", FIREFOX)
    signed_in("192.0.2.2", SAFARI)
    [handle] = re.findall(r"sessions/([0-9a-f]{24})/end", mine.get(OWN).content.decode())
    stranger = Client()
    stranger.force_login(make_person())
    stranger.post(f"{OWN}sessions/{handle}/end/")
    assert StaffSession.objects.filter(person_id=person.pk).count() == 2


def test_a_new_password_ends_all_and_so_does_leaving(person: Person) -> None:
    browser = signed_in("192.0.2.1", FIREFOX)
    change_own_password(actor=actor_of(person), password="another one that is long")
    assert not is_in(browser) and not StaffSession.objects.filter(person_id=person.pk).exists()
    with_password(person)
    browser = signed_in("192.0.2.1", FIREFOX)
    make_person(administrator=True)
    deactivate_person(actor=COMMAND, person_id=person.pk)
    assert not is_in(browser) and not StaffSession.objects.filter(person_id=person.pk).exists()


def test_changing_ones_password_keeps_the_session_one_does_it_in(person: Person) -> None:
    here, elsewhere = (signed_in("192.0.2.1", FIREFOX) for _ in range(2))
    new = "another one that is long"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert here.post("/admin/password_change/", form).status_code == 302
    assert is_in(here) and not is_in(elsewhere)


def test_looking_at_the_sign_in_page_or_mistyping_makes_no_session(person: Person) -> None:
    browser = Client()
    browser.get("/admin/login/")
    browser.post("/admin/login/", {"username": "ada@example.org", "password": "wrong"})
    assert not StaffSession.objects.exists()


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (FIREFOX, "Firefox on Windows"),
        (SAFARI, "Safari on iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Linux"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "unknown"),
        ("\x00\n<script>" + "x" * 100, "<script>" + "x" * 32),
    ],
)
def test_browsers_are_said_in_short(header: str, words: str) -> None:
    assert short_agent(header) == words
