"""Where somebody is signed in: shown to themselves, ended by themselves, by a new password, by leaving."""

import json
import re
from datetime import timedelta
from typing import Any

import pyotp
import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from config.errors import Forbidden
from governance.models import Person, StaffSession, TotpFactor
from governance.services.people import change_own_password, deactivate_person
from governance.services.sessions import end_access_of, end_own_session
from governance.services.tokens import create_token
from governance.sessions import sessions_of, short_agent
from ledger.entries import COMMAND
from ledger.models import Entry
from tests.factories.register import actor_of, make_person, make_system
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


# --- what is sealed, and what an administrator may ------------------------------------------------------------------
def ended() -> list[dict[str, Any]]:
    entries = Entry.objects.filter(kind="session.ended").order_by("leaf_index")
    return [json.loads(bytes(entry.data)) for entry in entries]


def test_ending_a_session_is_sealed_once_however_often_it_is_clicked(person: Person) -> None:
    desk, phone = signed_in("192.0.2.1", FIREFOX), signed_in("192.0.2.2", SAFARI)
    handle = re.search(r"sessions/([0-9a-f]{24})/end/", desk.get(OWN).content.decode())
    assert handle is not None
    for _ in range(2):
        desk.post(f"{OWN}sessions/{handle[1]}/end/")
    assert not is_in(phone)
    (entry,) = ended()
    assert entry["actor"] == {"type": "person", "id": str(person.pk)}
    assert entry["body"] == {"about": str(person.pk), "person": str(person.pk), "number": 1, "session": handle[1]}


def test_signing_out_everywhere_else_says_how_many(person: Person) -> None:
    desk, *others = (signed_in(f"192.0.2.{number}", FIREFOX) for number in (1, 2, 3))
    desk.post(f"{OWN}sessions/others/end/")
    assert [is_in(each) for each in (desk, *others)] == [True, False, False]
    assert [entry["body"]["number"] for entry in ended()] == [2]


def test_an_administrator_ends_one_or_all_with_the_tokens(person: Person) -> None:
    desk, phone = signed_in("192.0.2.1", FIREFOX), signed_in("192.0.2.2", SAFARI)
    token = create_token(actor=actor_of(person), name="Laptop", proven_at=timezone.now())
    admin, page = Client(), f"/admin/governance/person/{person.pk}/sessions/"
    admin.force_login(make_person(administrator=True))
    text = admin.get(page).content.decode()
    assert "Firefox on Windows" in text
    assert "Safari on iPhone" in text
    handles = re.findall(r'name="handle" value="([0-9a-f]{24})"', text)
    admin.post(page, {"handle": handles[0]})
    assert sorted([is_in(desk), is_in(phone)]) == [False, True]
    admin.post(page, {})
    assert not is_in(desk)
    assert not is_in(phone)
    token.row.refresh_from_db()
    assert token.row.revoked_at is not None
    assert [entry["body"]["number"] for entry in ended()] == [1, 1]


def test_nobody_else_sees_or_ends_the_sessions_of_others(person: Person) -> None:
    desk = signed_in("192.0.2.1", FIREFOX)
    for other in (make_person(viewer=True), make_person(accountable=make_system()), make_person()):
        nosy = Client()
        nosy.force_login(other)
        page = f"/admin/governance/person/{person.pk}/sessions/"
        assert {nosy.get(page).status_code, nosy.post(page, {}).status_code} <= {403, 404}
        with pytest.raises(Forbidden):
            end_access_of(actor=actor_of(other), person_id=person.pk)
    assert is_in(desk)
    assert ended() == []


def test_one_does_not_end_anothers_session_by_its_name(person: Person) -> None:
    desk = signed_in("192.0.2.1", FIREFOX)
    handle = sessions_of(person)[0].handle
    assert end_own_session(actor=actor_of(make_person()), handle=handle) == 0
    assert is_in(desk)


def test_when_it_was_last_used_is_noted_at_most_once_a_minute(person: Person) -> None:
    desk = signed_in("192.0.2.1", FIREFOX)
    first = StaffSession.objects.get().last_seen_at
    assert first is not None
    assert is_in(desk)
    assert StaffSession.objects.get().last_seen_at == first
    with time_machine.travel(first + timedelta(minutes=5), tick=False):
        assert is_in(desk)
    assert StaffSession.objects.get().last_seen_at == first + timedelta(minutes=5)
