"""Passkeys: registered, used without a password, renamed, removed; nothing that was not verified opens anything."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from django.test import Client
from pytest_django import Settings

from governance.models import Passkey, Person
from governance.services.lockouts import admit_factor
from governance.services.people import deactivate_person
from ledger.entries import COMMAND
from ledger.models import Entry
from tests.factories.register import make_person
from tests.factories.sign_in import PASSWORD, UP, SoftKey, with_app, with_password

pytestmark = pytest.mark.django_db
LOGIN, OWN = "/admin/login/", "/admin/your-sign-in/"


@pytest.fixture
def person(settings: Settings) -> Person:
    settings.BASE_URL = "http://localhost:8000"
    return with_password(make_person(email="ada@example.org"))


def browser_of(person: Person) -> Client:
    browser = Client()
    browser.force_login(person)
    return browser


def options_on(page: bytes) -> dict[str, dict[str, str]]:
    from html import unescape

    text = page.decode()
    found: dict[str, dict[str, str]] = json.loads(unescape(text.split('data-options="')[1].split('"')[0]))
    return found


def registered(browser: Client, key: SoftKey, name: str = "Laptop") -> int:
    options = options_on(browser.post(f"{OWN}passkeys/").content)
    return browser.post(f"{OWN}passkeys/", {"credential": key.create(options), "name": name}).status_code


def options(browser: Client) -> dict[str, str]:
    found: dict[str, str] = browser.post(f"{LOGIN}passkey/options/").json()
    return found


def signs_in(key: SoftKey, browser: Client | None = None) -> bool:
    browser = browser or Client()
    answer = browser.post(f"{LOGIN}passkey/", {"credential": key.get(dict(options(browser)))})
    return answer.status_code == 302 and browser.get(OWN).status_code == 200


@pytest.fixture
def key(person: Person) -> SoftKey:
    made = SoftKey()
    registered(browser_of(person), made)
    assert Passkey.objects.get().name == "Laptop"
    return made


def test_a_passkey_signs_its_person_in_without_a_password(person: Person, key: SoftKey) -> None:
    browser = Client()
    answer = browser.post(
        f"{LOGIN}passkey/", {"credential": key.get(dict(options(browser))), "next": "/admin/governance/person/"}
    )
    assert answer.headers["Location"] == "/admin/governance/person/"
    assert "Ada" not in person.name and "by passkey" in browser.get(OWN).content.decode()
    assert Passkey.objects.get().sign_count == 1
    assert list(Entry.objects.filter(kind="factor.enrolled").values_list("about_id", flat=True)) == [
        Passkey.objects.get().pk
    ]


def test_it_signs_in_at_the_control_process_as_well(settings: Settings, key: SoftKey) -> None:
    settings.CONTROL_URL = "http://localhost:8001"
    assert signs_in(replace(key, origin=settings.CONTROL_URL))


def test_it_leads_to_no_other_site(key: SoftKey) -> None:
    browser = Client()
    sent = {"credential": key.get(dict(options(browser))), "next": "https://evil.example/"}
    assert browser.post(f"{LOGIN}passkey/", sent).headers["Location"] == "/admin/"


def test_a_password_alone_does_not_sign_in_who_has_a_passkey(person: Person, key: SoftKey) -> None:
    browser = Client()
    answer = browser.post(LOGIN, {"username": "ada@example.org", "password": PASSWORD})
    assert answer.headers["Location"] == f"{LOGIN}second/"
    assert browser.get(OWN).status_code == 302
    given = options(browser)
    assert len(given["allowCredentials"]) == 1
    assert browser.post(f"{LOGIN}second/", {"credential": key.get(given)}).status_code == 302
    assert browser.get(OWN).status_code == 200


WRONG: list[Callable[[SoftKey], SoftKey]] = [
    lambda key: replace(key, origin="http://localhost:8002"),
    lambda key: replace(key, origin="https://evil.example"),
    lambda key: replace(key, rp_id="evil.example"),
    lambda key: replace(key, flags=UP),  # nobody asked for a finger or a PIN
    lambda key: replace(key, flags=0),
    lambda key: replace(key, private=SoftKey().private),
    lambda key: replace(key, credential_id=b"unknown"),
    lambda key: replace(key, user_handle=bytes(16)),
]


@pytest.mark.parametrize("spoil", WRONG)
def test_what_cannot_be_verified_opens_nothing(key: SoftKey, spoil: Callable[[SoftKey], SoftKey]) -> None:
    assert not signs_in(spoil(key))
    assert signs_in(key)


def test_a_counter_that_went_back_is_a_copy_and_refused(key: SoftKey) -> None:
    assert signs_in(key) and signs_in(key)
    copied = replace(key, count=1)
    assert not signs_in(copied)
    assert Passkey.objects.get().sign_count == 2


def test_an_answer_is_good_for_its_own_challenge_and_once(key: SoftKey) -> None:
    browser = Client()
    given = options(browser)
    credential = key.get(given)
    options(browser)
    assert browser.post(f"{LOGIN}passkey/", {"credential": credential}).status_code == 200
    assert browser.post(f"{LOGIN}passkey/", {"credential": credential}).status_code == 200
    assert Client().post(f"{LOGIN}passkey/", {"credential": credential}).status_code == 200


def test_a_challenge_for_signing_in_registers_nothing(person: Person) -> None:
    browser, key = browser_of(person), SoftKey()
    given = options_on(browser.post(f"{OWN}passkeys/").content)
    given["challenge"] = options(browser)["challenge"]  # type: ignore[assignment]
    answer = browser.post(f"{OWN}passkeys/", {"credential": key.create(given), "name": "x"})
    assert "opens nothing here" in answer.content.decode() and not Passkey.objects.exists()


@pytest.mark.parametrize("sent", ["", "x", "[]", "{}", '{"id": 1}', "null", '"' + "x" * 30_000 + '"'])
def test_rubbish_is_refused_in_words(person: Person, sent: str) -> None:
    browser = Client()
    options(browser)
    answer = browser.post(f"{LOGIN}passkey/", {"credential": sent})
    assert answer.status_code == 200 and "opens nothing here" in answer.content.decode()
    mine = browser_of(person)
    mine.post(f"{OWN}passkeys/")
    assert mine.post(f"{OWN}passkeys/", {"credential": sent or "x"}).status_code == 200


def test_a_lock_out_does_not_stand_in_its_way(person: Person, key: SoftKey) -> None:
    for _ in range(6):
        Client().post(LOGIN, {"username": "ada@example.org", "password": "wrong"})
    for _ in range(5):
        admit_factor(person)
    assert signs_in(key)


def test_it_is_renamed_and_removed_by_its_person_alone(person: Person, key: SoftKey) -> None:
    passkey = Passkey.objects.get()
    other, mine = browser_of(make_person()), browser_of(person)
    for browser, name in ((other, "Theirs"), (mine, "Phone")):
        browser.post(f"{OWN}passkeys/{passkey.pk}/name/", {"name": name})
    assert Passkey.objects.get().name == "Phone"
    other.post(f"{OWN}factors/passkey/{passkey.pk}/remove/")
    assert signs_in(key)
    mine.post(f"{OWN}factors/passkey/{passkey.pk}/remove/")
    assert not signs_in(key)
    kinds = Entry.objects.filter(about_id=passkey.pk).order_by("leaf_index").values_list("kind", flat=True)
    assert list(kinds) == ["factor.enrolled", "factor.renamed", "factor.removed"]


def test_who_has_left_does_not_come_back_by_a_passkey(person: Person, key: SoftKey) -> None:
    make_person(administrator=True)
    deactivate_person(actor=COMMAND, person_id=person.pk)
    assert not signs_in(key)


def test_anothers_passkey_is_no_second_factor(person: Person, key: SoftKey) -> None:
    other = with_password(make_person(email="bob@example.org"))
    with_app(other)
    browser = Client()
    browser.post(LOGIN, {"username": "bob@example.org", "password": PASSWORD})
    assert browser.post(f"{LOGIN}second/", {"credential": key.get(options(browser))}).status_code == 200
    assert browser.get(OWN).status_code == 302
