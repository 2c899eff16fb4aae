"""Dangerous acts ask again who it is; what was typed is not lost."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from governance.acts import Role
from governance.models import Assignment, Person, PersonToken, ServiceKey
from governance.reauthentication import PROVEN_AT
from governance.scopes import Scope
from governance.services.assignments import offer_assignment
from ledger.entries import COMMAND
from tests.factories.register import actor_of, give_role, make_account, make_key, make_person, make_system
from tests.factories.sign_in import PASSWORD, with_app, with_password

pytestmark = pytest.mark.django_db
ASKS = "This act asks whether it is really you"


@pytest.fixture
def admin() -> Person:
    return with_password(make_person(administrator=True))


def stale_browser(person: Person, minutes: int = 11) -> Client:
    """Signed in; the last factor was proven some minutes ago."""
    browser = Client()
    browser.force_login(person)
    session = browser.session
    session[PROVEN_AT] = (timezone.now() - timedelta(minutes=minutes)).timestamp()
    session.save()
    return browser


def carried(page: str) -> dict[str, list[str]]:
    """What the page that asks would send again."""
    form = page.split('name="proof_password"', maxsplit=1)[0].rsplit("<form", 1)[1]
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', form):
        found.setdefault(unescape(name), []).append(unescape(value))
    return found


def test_an_act_is_interrupted_and_goes_on_with_what_was_typed(admin: Person) -> None:
    browser, form = stale_browser(admin), {"name": "Zoë <b>&", "email": "zoe@example.org", "staff_number": "7"}
    page = browser.post("/admin/governance/person/add/", form)
    assert ASKS in page.content.decode() and "no-store" in page.headers["Cache-Control"]
    assert not Person.objects.filter(email="zoe@example.org").exists()
    again: dict[str, Any] = carried(page.content.decode())
    assert {name: again[name] for name in form} == {name: [value] for name, value in form.items()}
    wrong = browser.post("/admin/governance/person/add/", again | {"proof_password": "wrong"}).content.decode()
    assert "That password is not right." in wrong
    right = browser.post("/admin/governance/person/add/", carried(wrong) | {"proof_password": [PASSWORD]})
    assert right.status_code == 302
    assert Person.objects.get(email="zoe@example.org").name == "Zoë <b>&"


def test_a_proof_counts_for_ten_minutes(admin: Person) -> None:
    form = {"name": "X", "email": "x@example.org"}
    assert stale_browser(admin, 9).post("/admin/governance/person/add/", form).status_code == 302
    assert ASKS in stale_browser(admin, 10).post("/admin/governance/person/add/", form).content.decode()


def test_who_has_a_factor_is_asked_for_it_and_not_for_the_password(admin: Person) -> None:
    app, browser = with_app(admin), stale_browser(admin)
    form = {"name": "X", "email": "x@example.org", "proof": "1"}
    address = "/admin/governance/person/add/"
    assert 'name="proof_password"' not in browser.post(address, form).content.decode()
    assert ASKS in browser.post(address, form | {"proof_password": PASSWORD}).content.decode()
    assert browser.post(address, form | {"proof_code": app.now()}).status_code == 302


def test_a_proof_in_the_future_proves_nothing(admin: Person) -> None:
    browser = stale_browser(admin, -60)
    answer = browser.post("/admin/governance/person/add/", {"name": "X", "email": "x@example.org"})
    assert ASKS in answer.content.decode()


def test_guessing_at_the_question_is_locked_out(admin: Person) -> None:
    browser = stale_browser(admin)
    form = {"name": "X", "email": "x@example.org", "proof": "1"}
    for _ in range(5):
        browser.post("/admin/governance/person/add/", form | {"proof_password": "wrong"})
    answer = browser.post("/admin/governance/person/add/", form | {"proof_password": PASSWORD})
    assert "Too many attempts" in answer.content.decode()


def offer_to(person: Person) -> Assignment:
    system = make_system()
    return offer_assignment(actor=COMMAND, person=person, role=Role.OPERATOR, scope=Scope.system(system.pk))


def test_accepting_asks_one_by_one_and_several_at_once() -> None:
    person = with_password(make_person())
    offers = [offer_to(person), offer_to(person)]
    browser = stale_browser(person)
    assert ASKS in browser.post(f"/admin/governance/assignment/{offers[0].pk}/accept/").content.decode()
    chosen = {"action": "accept_selected", "_selected_action": [str(each.pk) for each in offers]}
    page = browser.post("/admin/governance/assignment/", chosen).content.decode()
    assert ASKS in page and not Assignment.objects.filter(status="accepted", person=person).exists()
    browser.post("/admin/governance/assignment/", carried(page) | {"proof_password": [PASSWORD]})
    assert Assignment.objects.filter(status="accepted", person=person).count() == 2


def test_declining_does_not_ask() -> None:
    person = make_person()
    offer = offer_to(person)
    assert stale_browser(person).post(f"/admin/governance/assignment/{offer.pk}/decline/").status_code == 302


def test_managing_people_and_keys_and_agreeing_to_privileged_roles_ask(admin: Person) -> None:
    second, person, key = make_person(administrator=True), make_person(), make_key(make_system()).row
    proposal = offer_assignment(actor=actor_of(second), person=person, role=Role.APPROVER, scope=Scope())
    account, held = make_account(), give_role(person, Role.VIEWER)
    browser = stale_browser(admin)
    key_form = {"scopes": ["ledger:read"], "environment": "production", "days": 30}
    for address, form in (
        (f"/admin/governance/person/{person.pk}/change/", {"name": "Y", "email": "y@example.org"}),
        (f"/admin/governance/person/{person.pk}/setup-link/", {}),
        (f"/admin/people/{person.pk}/leave", {}),
        (f"/admin/governance/assignment/{proposal.pk}/agree/", {}),
        (f"/admin/governance/serviceaccount/{account.pk}/key/", key_form),
        (f"/admin/governance/servicekey/{key.pk}/rotate/", {"days": 1}),
        (
            "/admin/governance/assignment/add/",
            {"person": str(person.pk), "role": "auditor", "scope": "organisation"},
        ),
        ("/admin/governance/assignment/add/", {"person": str(person.pk), "role": "operator", "scope": "organisation"}),
        (f"/admin/accountability/{held.pk}/end", {"reason": ""}),
    ):
        assert ASKS in browser.post(address, form).content.decode(), address
    assert ServiceKey.objects.count() == 1
    assert Assignment.objects.get(pk=proposal.pk).status == "proposed"
    assert Person.objects.get(pk=person.pk).is_active


def test_who_may_not_is_told_so_and_asked_nothing() -> None:
    browser = stale_browser(make_person(viewer=True))
    answer = browser.post("/admin/governance/person/add/", {"name": "X", "email": "x@example.org"})
    assert answer.status_code == 403 and ASKS not in answer.content.decode()


def test_factors_codes_and_tokens_of_ones_own_ask_too() -> None:
    person = with_password(make_person())
    browser = stale_browser(person)
    for address in ("app/", "passkeys/", "codes/"):
        assert ASKS in browser.post(f"/admin/your-sign-in/{address}").content.decode()
    page = browser.post("/admin/your-sign-in/tokens/", {"name": "laptop", "hours": "24"}).content.decode()
    assert ASKS in page and not PersonToken.objects.exists()
    shown = browser.post("/admin/your-sign-in/tokens/", carried(page) | {"proof_password": [PASSWORD]})
    assert re.search(r"anp_[a-z0-9]{12}_[0-9a-f]{64}", shown.content.decode())
    token = PersonToken.objects.get()
    assert (token.name, token.expires_at - token.created_at) == ("laptop", timedelta(days=1))
    assert timezone.now() - token.proven_at < timedelta(minutes=1)
    browser.post(f"/admin/your-sign-in/tokens/{token.pk}/revoke/")
    assert PersonToken.objects.get().revoked_at
