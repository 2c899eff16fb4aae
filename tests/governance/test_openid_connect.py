"""Signing in with the organisation's provider: who comes in, as what, and everything a liar could send."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from config.errors import Forbidden
from governance import rights
from governance.acts import Act
from governance.credentials import self_made_pairs
from governance.errors import CredentialsGuarded
from governance.models import Assignment, CredentialChange, ExternalIdentity, Person, StaffSession
from governance.services.factors import reset_factors
from governance.services.identities import unlink_identities
from governance.services.people import deactivate_person, issue_setup_link, register_person, update_person
from governance.sign_in.oidc import provider as known
from ledger.entries import COMMAND
from ledger.models import Entry
from tests.factories.provider import CLIENT, Provider, running_provider
from tests.factories.register import actor_of, give_role, make_person
from tests.factories.sign_in import with_app, with_password

pytestmark = pytest.mark.django_db
OUT, BACK, LOGIN = "/admin/login/provider/", "/admin/login/provider/back/", "/admin/login/"
SECOND, ACCEPT = "/admin/login/second/", "/admin/accountability/accept"
ASKS = "This act asks whether it is really you"
Change = Callable[[Provider], None]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with running_provider() as found:
        monkeypatch.setattr(settings, "OIDC_ISSUER", found.address)
        monkeypatch.setattr(settings, "OIDC_CLIENT_ID", CLIENT)
        monkeypatch.setattr(settings, "OIDC_NAME", "Example Accounts")
        known.forget()
        yield found
        known.forget()


@pytest.fixture
def ada() -> Person:
    return make_person(name="Ada", email="ada@example.org")


def there_and_back(provider: Provider, **changed: str) -> tuple[Client, Any]:
    browser = Client()
    address = browser.get(OUT, {"next": "/admin/logs/"}).url  # type: ignore[attr-defined]
    return browser, browser.get(BACK, provider.authorize(address) | changed)


def signed_in(browser: Client) -> Person | None:
    found = browser.session.get("_auth_user_id")
    return Person.objects.get(pk=found) if found else None


def refusal(answer: Any) -> str:
    text = " ".join(answer.content.decode().split())
    assert 'id="login-form"' in text, "one may still sign in here"
    return text.split('role="alert"><p>')[1].split("</p>")[0]


def bodies(kind: str) -> list[dict[str, Any]]:
    return [json.loads(bytes(entry.data))["body"] for entry in Entry.objects.filter(kind=kind).order_by("id")]


def proven_by(browser: Client, provider: Provider) -> Any:
    """The proof that a dangerous act asks for: at the provider, in another tab."""
    address = browser.get(OUT, {"proof": "1"}).url  # type: ignore[attr-defined]
    return browser.get(BACK, provider.authorize(address))


# --- who comes in ----------------------------------------------------------------------------------------------------
def test_a_registered_person_is_linked_by_a_verified_address_and_goes_on(provider: Provider, ada: Person) -> None:
    browser, answer = there_and_back(provider)
    assert (answer.status_code, answer.url) == (302, "/admin/logs/")
    assert signed_in(browser) == ada
    assert ExternalIdentity.objects.get().person == ada
    (entry,) = Entry.objects.filter(kind="person.linked")
    said = json.loads(bytes(entry.data))
    assert said["actor"] == {"type": "person", "id": str(ada.pk)}
    assert "subject-1" not in json.dumps(said)


def test_the_second_time_the_account_counts_and_not_the_address(provider: Provider, ada: Person) -> None:
    there_and_back(provider)
    provider.claims = {"email": "new@example.org", "email_verified": False}
    browser, _ = there_and_back(provider)
    assert signed_in(browser) == ada
    assert ExternalIdentity.objects.count() == 1


def test_the_request_asks_for_a_code_with_pkce_state_and_nonce(provider: Provider) -> None:
    asked = parse_qs(urlsplit(Client().get(OUT).url).query)  # type: ignore[attr-defined]
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"{settings.BASE_URL.rstrip('/')}{BACK}"]
    assert all(len(asked[name][0]) >= 43 for name in ("state", "nonce", "code_challenge"))


def test_somebody_unknown_comes_in_by_a_group_and_is_offered_viewer_at_most(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "OIDC_GROUPS", ["staff"])
    monkeypatch.setattr(settings, "OIDC_VIEWER_GROUPS", ["risk"])
    provider.claims = {"groups": ["staff", "risk", "administrators"]}
    browser, _ = there_and_back(provider)
    person = signed_in(browser)
    assert person is not None
    assert (person.email, person.has_usable_password()) == ("ada@example.org", False)
    offer = Assignment.objects.get(person=person)
    assert (offer.role, offer.status) == ("viewer", "offered")
    assert not rights.can_anywhere(person, Act.SYSTEM_VIEW)


def test_who_came_by_a_group_is_out_when_they_left_it_and_who_was_registered_is_not(
    provider: Provider, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "OIDC_GROUPS", ["staff"])
    provider.claims = {"groups": "staff", "sub": "eve", "email": "eve@example.org"}
    assert there_and_back(provider)[1].status_code == 302
    provider.claims |= {"groups": ["others"]}
    assert "in no group any more" in refusal(there_and_back(provider)[1])
    provider.claims = {}
    assert there_and_back(provider)[1].status_code == 302


def test_who_is_in_no_group_that_is_let_in_is_not_registered(provider: Provider) -> None:
    provider.claims = {"groups": ["staff"]}
    assert "You are not registered here" in refusal(there_and_back(provider)[1])
    assert not Person.objects.filter(email="ada@example.org").exists()


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"email_verified": False}, "does not vouch"),
        ({"email_verified": "true"}, "does not vouch"),
        ({"email": ""}, "does not tell us"),
        ({"email": ["ada@example.org"]}, "does not tell us"),
    ],
)
def test_no_account_is_linked_by_an_address_that_was_not_verified(
    provider: Provider, ada: Person, claims: dict[str, Any], words: str
) -> None:
    provider.claims = claims
    browser, answer = there_and_back(provider)
    assert words in refusal(answer)
    assert signed_in(browser) is None
    assert not ExternalIdentity.objects.exists()


def test_an_address_that_another_account_took_is_refused_until_it_is_unlinked(provider: Provider, ada: Person) -> None:
    first, _ = there_and_back(provider)
    provider.claims = {"sub": "subject-2"}
    browser, answer = there_and_back(provider)
    assert "Another account of the provider is linked" in refusal(answer)
    assert signed_in(browser) is None
    with pytest.raises(Forbidden):
        unlink_identities(actor=actor_of(ada), person_id=ada.pk)
    assert unlink_identities(actor=COMMAND, person_id=ada.pk) == 1
    assert first.get("/admin/your-sign-in/").status_code == 302
    assert signed_in(there_and_back(provider)[0]) == ada


def test_whoever_left_does_not_come_back_this_way(provider: Provider, ada: Person) -> None:
    there_and_back(provider)
    deactivate_person(actor=COMMAND, person_id=ada.pk)
    for subject in ("subject-1", "subject-2"):
        provider.claims = {"sub": subject}
        browser, answer = there_and_back(provider)
        assert "has ended" in refusal(answer)
        assert signed_in(browser) is None


# --- as what ---------------------------------------------------------------------------------------------------------
def test_the_provider_is_one_factor_and_ours_is_asked_for_next(provider: Provider, ada: Person) -> None:
    app = with_app(ada)
    browser, answer = there_and_back(provider)
    assert answer.url == "/admin/login/second/"
    assert signed_in(browser) is None
    answer = browser.post("/admin/login/second/", {"code": app.now()})
    assert answer.url == "/admin/logs/"  # type: ignore[attr-defined]
    assert browser.session["signed_in_by"] == "sign-in provider and code"


def test_an_account_is_linked_only_after_the_second_factor(provider: Provider, ada: Person) -> None:
    app = with_app(ada)
    browser, _ = there_and_back(provider)
    assert not ExternalIdentity.objects.exists(), "who holds the address alone has changed nothing"
    browser.post(SECOND, {"code": "000000"})
    assert not ExternalIdentity.objects.exists()
    browser.post(SECOND, {"code": app.now()})
    assert ExternalIdentity.objects.get().person == signed_in(browser) == ada
    assert "credentials_by" not in bodies("person.linked")[0], "a factor of theirs says that it was they"


def test_what_changed_between_the_two_steps_is_not_linked(provider: Provider, ada: Person) -> None:
    app = with_app(ada)
    browser, _ = there_and_back(provider)
    update_person(actor=COMMAND, person_id=ada.pk, changes={"email": "ada.new@example.org"})
    assert "cannot be used" in browser.post(SECOND, {"code": app.now()}).content.decode()
    assert (signed_in(browser), ExternalIdentity.objects.exists()) == (None, False)


def test_two_factors_of_the_provider_do_not_stand_for_ours_the_first_time(
    provider: Provider, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "OIDC_TWO_FACTORS", ["mfa"])
    app = with_app(ada)
    provider.claims = {"amr": ["mfa"]}
    browser, answer = there_and_back(provider)
    assert (answer.url, signed_in(browser)) == (SECOND, None)
    browser.post(SECOND, {"code": app.now()})
    assert signed_in(there_and_back(provider)[0]) == ada, "from then on they do"


@pytest.mark.parametrize(
    ("said", "counts_as_two"),
    [({"amr": ["pwd", "mfa"]}, True), ({"acr": "mfa"}, True), ({"amr": ["pwd"]}, False), ({"amr": {"mfa": 1}}, False)],
)
def test_unless_the_provider_says_that_it_asked_for_two(
    provider: Provider, ada: Person, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any], counts_as_two: bool
) -> None:
    there_and_back(provider)
    with_app(ada)
    provider.claims = said
    assert signed_in(there_and_back(provider)[0]) is None, "nobody has said that this value is to be believed"
    monkeypatch.setattr(settings, "OIDC_TWO_FACTORS", ["mfa"])
    assert (signed_in(there_and_back(provider)[0]) == ada) is counts_as_two


def test_two_factors_of_the_provider_are_no_proof_before_a_dangerous_act(
    provider: Provider, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "OIDC_TWO_FACTORS", ["mfa"])
    there_and_back(provider)
    with_app(ada)
    provider.claims = {"amr": ["mfa"], "auth_time": int(time.time())}
    browser, _ = there_and_back(provider)
    asked = browser.post("/admin/accountability/accept", {})
    assert "This act asks whether it is really you" in asked.content.decode()


def test_a_role_that_asks_for_a_second_factor_asks_whoever_comes_this_way(
    provider: Provider, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SECOND_FACTOR_FORCED", True)
    give_role(ada, Assignment.Role.ADMINISTRATOR)
    browser, _ = there_and_back(provider)
    assert browser.get("/admin/").url == "/admin/your-sign-in/"  # type: ignore[attr-defined]


def test_the_session_says_how_they_came_and_is_a_new_one(provider: Provider, ada: Person) -> None:
    browser = Client()
    address = browser.get(OUT).url  # type: ignore[attr-defined]
    before = browser.session.session_key
    browser.get(BACK, provider.authorize(address))
    assert browser.session.session_key != before
    assert "by sign-in provider" in browser.get("/admin/your-sign-in/").content.decode()
    assert StaffSession.objects.get(session_key=browser.session.session_key).person_id == ada.pk


# --- whose doing it was -----------------------------------------------------------------------------------------------
def test_who_put_the_address_is_no_second_one_for_a_week_after_it_was_linked(provider: Provider) -> None:
    admin = make_person(administrator=True)
    grace = register_person(actor=actor_of(admin), name="Grace", email="ada@example.org")
    pair = frozenset({admin.pk, grace.pk})
    with time_machine.travel(timezone.now() + timedelta(days=8), tick=True):
        assert pair not in self_made_pairs([grace.pk])
        there_and_back(provider)
        assert bodies("person.linked")[0]["credentials_by"] == str(admin.pk)
        assert pair in self_made_pairs([grace.pk])


def test_of_several_moves_the_last_one_counts(provider: Provider) -> None:
    one, other = make_person(administrator=True), make_person(administrator=True)
    grace = register_person(actor=actor_of(one), name="Grace", email="grace@example.org")
    update_person(actor=actor_of(one), person_id=grace.pk, changes={"email": "g@example.org"})
    update_person(actor=actor_of(other), person_id=grace.pk, changes={"email": "ada@example.org"})
    update_person(actor=actor_of(one), person_id=grace.pk, changes={"name": "Grace H."})
    there_and_back(provider)
    assert bodies("person.linked")[0]["credentials_by"] == str(other.pk)


def test_an_address_that_one_administrator_moved_opens_no_account_with_a_role_that_takes_two(
    provider: Provider,
) -> None:
    admin, grace = make_person(administrator=True), with_password(make_person(email="grace@example.org"))
    update_person(actor=actor_of(admin), person_id=grace.pk, changes={"email": "ada@example.org"})
    give_role(grace, Assignment.Role.APPROVER)
    browser, answer = there_and_back(provider)
    assert "An administrator changed your e-mail address" in refusal(answer)
    app = with_app(grace)
    browser, _ = there_and_back(provider)
    browser.post(SECOND, {"code": app.now()})
    assert signed_in(browser) == grace, "their own factor says that it is they"


def test_unlinking_tells_the_person_and_makes_the_two_no_pair(provider: Provider, ada: Person) -> None:
    admin = make_person(administrator=True)
    there_and_back(provider)
    unlink_identities(actor=actor_of(admin), person_id=ada.pk)
    assert bodies("person.unlinked")[0]["credentials_by"] == str(admin.pk)
    assert frozenset({admin.pk, ada.pk}) in self_made_pairs([ada.pk])
    told = CredentialChange.objects.filter(person_id=ada.pk).order_by("id")
    assert list(told.values_list("what", "actor_id")) == [("linked", ada.pk), ("unlinked", admin.pk)]


def test_whoever_signs_in_by_the_provider_alone_is_not_taken_over_by_one_administrator(
    provider: Provider, ada: Person
) -> None:
    admin = actor_of(make_person(administrator=True))
    there_and_back(provider)
    give_role(ada, Assignment.Role.APPROVER)
    with pytest.raises(CredentialsGuarded, match="setup_link --for"):
        issue_setup_link(actor=admin, person_id=ada.pk)
    with pytest.raises(CredentialsGuarded, match="reset_factors --for"):
        reset_factors(actor=admin, person_id=ada.pk)
    with pytest.raises(CredentialsGuarded, match="change_address --for"):
        update_person(actor=admin, person_id=ada.pk, changes={"email": "mine@example.org"})
    with pytest.raises(CredentialsGuarded, match="unlink_identities --for"):
        unlink_identities(actor=admin, person_id=ada.pk)
    update_person(actor=admin, person_id=ada.pk, changes={"name": "Ada L."})
    call_command("unlink_identities", "--for", "ada@example.org")
    with pytest.raises(CredentialsGuarded):
        issue_setup_link(actor=admin, person_id=ada.pk)
    call_command("change_address", "--for", "ada@example.org", "--to", "Ada.L@example.org")
    assert Person.objects.get(pk=ada.pk).email == "ada.l@example.org"


@pytest.mark.parametrize(("old", "new", "words"), [("x@x.org", "y@x.org", "Nobody"), ("ada@example.org", "?", "valid")])
def test_an_address_that_is_none_is_refused_at_the_host(ada: Person, old: str, new: str, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("change_address", "--for", old, "--to", new)


# --- proving it again -------------------------------------------------------------------------------------------------
def test_a_silent_sign_in_is_no_proof_and_one_asked_for_anew_is(provider: Provider, ada: Person) -> None:
    browser, _ = there_and_back(provider)
    page = browser.post(ACCEPT, {"offer": "1"}).content.decode()
    assert ASKS in page and "Sign in again with Example Accounts" in page
    asked = parse_qs(urlsplit(browser.get(OUT, {"proof": "1"}).url).query)  # type: ignore[attr-defined]
    assert (asked["max_age"], asked["prompt"]) == (["0"], ["login"])
    for claims in ({}, {"auth_time": int(time.time()) - 3600}, {"auth_time": "now"}, {"auth_time": True}):
        provider.claims = claims
        assert "did not ask you again" in proven_by(browser, provider).content.decode()
        assert "by the link above" in browser.post(ACCEPT, {"proof": "1"}).content.decode()
    provider.claims = {"auth_time": int(time.time())}
    assert "It is you" in proven_by(browser, provider).content.decode()
    assert ASKS not in browser.post(ACCEPT, {"proof": "1"}).content.decode()


def test_a_fresh_sign_in_is_a_proof_for_who_has_no_factor_here(provider: Provider, ada: Person) -> None:
    provider.claims = {"auth_time": int(time.time())}
    browser, _ = there_and_back(provider)
    assert ASKS not in browser.post(ACCEPT, {}).content.decode()


def test_nobody_proves_it_by_another_account_nor_instead_of_a_factor_of_theirs(provider: Provider, ada: Person) -> None:
    browser, _ = there_and_back(provider)
    provider.claims = {"auth_time": int(time.time()), "sub": "subject-2", "email": "eve@example.org"}
    make_person(email="eve@example.org")
    assert "not the account" in proven_by(browser, provider).content.decode()
    provider.claims = {"auth_time": int(time.time())}
    with_app(ada)
    assert "not the account" in proven_by(browser, provider).content.decode()
    assert ASKS in browser.post(ACCEPT, {}).content.decode()


# --- what a liar could send ------------------------------------------------------------------------------------------
def claim(**said: Any) -> Change:
    return lambda provider: provider.claims.update(said)


def without(*names: str) -> Change:
    return lambda provider: setattr(provider, "without", names)


def put(**said: Any) -> Change:
    def change(provider: Provider) -> None:
        for name, value in said.items():
            setattr(provider, name, value)

    return change


TOMORROW = 86_400
"""These are made when the tests are collected: a run of everything may take longer than a few minutes."""
FORGERIES: dict[str, Change] = {
    "for somebody else": claim(aud="another-client"),
    "for nobody": claim(aud=[]),
    "for several, through another": claim(aud=[CLIENT, "another"], azp="another"),
    "for several, through nobody named": claim(aud=[CLIENT, "another"]),
    "by another issuer": claim(iss="https://evil.example.org"),
    "of another request": claim(nonce="another"),
    "a nonce of another sort": claim(nonce=None),
    "expired": claim(exp=int(time.time()) - 120),
    "not yet": claim(nbf=int(time.time()) + TOMORROW),
    "made in the future": claim(iat=int(time.time()) + TOMORROW),
    "times that are none": claim(exp="tomorrow"),
    "no subject": claim(sub=""),
    "a subject of another sort": claim(sub=7),
    "an endless subject": claim(sub="s" * 256),
    "without a nonce": without("nonce"),
    "without an end": without("exp"),
    "without an issuer": without("iss"),
    "without a subject": without("sub"),
    "unsigned": put(algorithm="none"),
    "signed with the public key as a secret": put(algorithm="HS256"),
    "signed with another key": put(signs_with=rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "signed with a key nobody has": put(header={"kid": "made-up"}),
    "an algorithm the provider does not offer": put(supported=("ES256",)),
    "too long": claim(padding="x" * 40_000),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_token_that_is_not_what_was_asked_for_opens_nothing(provider: Provider, ada: Person, forgery: str) -> None:
    FORGERIES[forgery](provider)
    browser, answer = there_and_back(provider)
    assert answer.status_code == 403
    assert "cannot be used. Start again" in refusal(answer)
    assert signed_in(browser) is None
    assert not ExternalIdentity.objects.exists()


def test_an_answer_counts_once_in_the_browser_and_the_time_it_was_asked_for(provider: Provider, ada: Person) -> None:
    browser = Client()
    answer = provider.authorize(browser.get(OUT).url)  # type: ignore[attr-defined]
    assert "was not started in this browser" in refusal(Client().get(BACK, answer))
    assert "was not started in this browser" in refusal(browser.get(BACK, answer | {"state": "another"}))
    assert "was not started in this browser" in refusal(browser.get(BACK, answer)), "it was spent by the attempt"
    late = provider.authorize(browser.get(OUT).url)  # type: ignore[attr-defined]
    with time_machine.travel(timezone.now() + timedelta(minutes=11), tick=False):
        assert "took too long" in refusal(browser.get(BACK, late))


def test_a_code_is_not_used_twice_nor_by_who_stole_it(provider: Provider, ada: Person) -> None:
    browser, thief = Client(), Client()
    stolen = provider.authorize(browser.get(OUT).url)  # type: ignore[attr-defined]
    own = provider.authorize(thief.get(OUT).url)  # type: ignore[attr-defined]
    assert thief.get(BACK, own | {"code": stolen["code"]}).status_code == 403, "the verifier is another"
    assert signed_in(thief) is None
    assert browser.get(BACK, stolen).status_code == 403, "the provider took it from the thief and ended it"


@pytest.mark.parametrize(
    "changed",
    [
        {"error": "access_denied"},
        {"code": ""},
        {"code": "x" * 5000},
        {"iss": "https://evil.example.org"},
        {"state": ""},
    ],
)
def test_a_way_back_that_is_bent_leads_to_the_sign_in_page(
    provider: Provider, ada: Person, changed: dict[str, str]
) -> None:
    browser, answer = there_and_back(provider, **changed)
    assert (answer.status_code, bool(refusal(answer))) == (403, True)
    assert signed_in(browser) is None


def test_nobody_is_led_to_another_site(provider: Provider, ada: Person) -> None:
    browser = Client()
    address = browser.get(OUT, {"next": "https://evil.example.org/"}).url  # type: ignore[attr-defined]
    assert browser.get(BACK, provider.authorize(address)).url == "/admin/"  # type: ignore[attr-defined]


# --- the provider itself ---------------------------------------------------------------------------------------------
def test_a_key_that_was_rotated_is_found(provider: Provider, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    assert signed_in(there_and_back(provider)[0]) == ada
    provider.rotate()
    assert there_and_back(provider)[1].status_code == 403, "keys were read a moment ago"
    monkeypatch.setattr(known, "KEYS_ANEW_SECONDS", 0.0)
    assert signed_in(there_and_back(provider)[0]) == ada


def test_made_up_key_ids_do_not_make_us_flood_the_provider(provider: Provider, ada: Person) -> None:
    for number in range(5):
        provider.header = {"kid": f"made-up-{number}"}
        there_and_back(provider)
    assert provider.asked.count("/keys") == 1


@pytest.mark.parametrize("broken", ["down", "another issuer", "gone"])
def test_a_provider_that_is_down_is_said_and_a_password_still_opens(
    provider: Provider, ada: Person, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_password(ada, "correct horse battery staple")
    if broken == "gone":
        monkeypatch.setattr(settings, "OIDC_ISSUER", "http://127.0.0.1:9")
    provider.answers, provider.issuer_said = broken != "down", "https://evil.example.org"
    answer = Client().get(OUT)
    assert answer.status_code == 503
    assert "sign in with your password or passkey" in refusal(answer)
    browser = Client()
    given = {"username": "ada@example.org", "password": "correct horse battery staple"}
    assert browser.post(LOGIN, given).status_code == 302


def test_one_that_does_not_answer_is_left_alone_for_a_moment(provider: Provider) -> None:
    provider.answers = False
    for _ in range(4):
        assert Client().get(OUT).status_code == 503
    assert len(provider.asked) == 1


def test_without_a_provider_there_is_no_button_and_no_page(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Sign in with Example Accounts" in Client().get(LOGIN).content.decode()
    monkeypatch.setattr(settings, "OIDC_ISSUER", "")
    assert OUT not in Client().get(LOGIN).content.decode()
    assert {Client().get(page).status_code for page in (OUT, BACK)} == {404}


def test_an_administrator_unlinks_on_the_persons_page(provider: Provider, ada: Person) -> None:
    there_and_back(provider)
    admin = Client()
    admin.force_login(make_person(administrator=True))
    page = f"/admin/governance/person/{ada.pk}/unlink/"
    assert page in admin.get(f"/admin/governance/person/{ada.pk}/change/").content.decode()
    assert admin.post(page).status_code == 302
    assert not ExternalIdentity.objects.filter(ended_at=None).exists()
    assert Entry.objects.filter(kind="person.unlinked").count() == 1


def test_a_new_address_in_the_register_does_not_move_an_account(provider: Provider, ada: Person) -> None:
    there_and_back(provider)
    update_person(actor=COMMAND, person_id=ada.pk, changes={"email": "ada.new@example.org"})
    other = make_person(email="ada@example.org")
    browser, _ = there_and_back(provider)
    assert signed_in(browser) == ada != other
