"""Signing in with a browser: a passkey made and used, a code, a dangerous act that asks; small, dark, by keyboard."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from governance.models import Person, StaffSession
from governance.reauthentication import PROVEN_AT
from governance.sessions import SessionStore
from tests.factories.register import make_person
from tests.factories.sign_in import PASSWORD, with_password

pytestmark = [pytest.mark.browser, pytest.mark.committing]
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture
def address(live_server: LiveServer, settings: Settings) -> str:
    settings.BASE_URL = live_server.url.replace("127.0.0.1", "localhost")
    settings.SECOND_FACTOR_FORCED = True
    return settings.BASE_URL


@pytest.fixture
def admin(address: str) -> Person:
    return with_password(make_person(name="Ada Lindqvist", email="ada@example.org", administrator=True))


@pytest.fixture
def device(page: Page) -> Iterator[Any]:
    """A virtual authenticator that says yes to whatever it is asked."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    yield session


def violations(page: Page) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate(
        "async rules => (await axe.run({runOnly: rules})).violations.map(v => v.id + ' ' + v.nodes.map(n => n.target))",
        RULES,
    )
    return [str(each) for each in found]


def look(page: Page) -> None:
    """On a phone and on a desk, light and dark: nothing to find fault with, and nothing wider than the window."""
    for theme in ("light", "dark"):
        page.evaluate("dark => document.documentElement.classList.toggle('dark', dark)", theme == "dark")
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(250)  # the theme fades
            assert violations(page) == [], (page.url, width, theme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (page.url, width)
    page.evaluate("document.documentElement.classList.remove('dark')")


def give_password(page: Page, address: str) -> None:
    page.goto(f"{address}/admin/")
    page.get_by_label("E-mail").fill("ada@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")


def sign_out(page: Page) -> None:
    page.context.clear_cookies()


def forget_proof(person: Person) -> None:
    """As if ten minutes had passed."""
    for row in StaffSession.objects.filter(person_id=person.pk):
        store = SessionStore(row.session_key)
        store[PROVEN_AT] = 0.5
        store.save()


def test_a_passkey_from_its_making_to_a_dangerous_act(page: Page, address: str, admin: Person, device: Any) -> None:
    give_password(page, address)
    expect(page.get_by_text("Your roles ask for a second factor.")).to_be_visible()
    look(page)

    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_label("What do you call it?")).to_be_focused()
    page.keyboard.type("Work laptop")
    look(page)
    page.get_by_role("button", name="Ask my device").click()
    expect(page.get_by_text("These are shown once.")).to_be_visible()
    look(page)
    page.get_by_role("link", name="I have them").click()
    expect(page.get_by_text("Work laptop", exact=True)).to_be_visible()
    look(page)

    sign_out(page)
    page.goto(f"{address}/admin/login/?next=/admin/governance/person/add/")
    look(page)
    page.get_by_role("button", name="Sign in with a passkey").press("Enter")
    page.wait_for_url(f"{address}/admin/governance/person/add/")

    forget_proof(admin)
    page.locator("#id_name").fill("Zoë Tanaka")
    page.locator("#id_email").fill("zoe@example.org")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("This act asks whether it is really you.")).to_be_visible()
    look(page)
    page.get_by_role("button", name="Use a passkey and go on").click()
    expect(page.get_by_role("link", name="Zoë Tanaka").first).to_be_visible()
    assert Person.objects.get(email="zoe@example.org").name == "Zoë Tanaka"


def test_an_app_and_a_recovery_code(page: Page, address: str, admin: Person) -> None:
    give_password(page, address)
    page.get_by_role("button", name="Add an authenticator app").click()
    expect(page.locator("svg.a-qr")).to_be_visible()
    secret = page.locator("p.a-hash").inner_text().replace(" ", "")
    look(page)
    page.keyboard.type(pyotp.TOTP(secret).now())
    page.keyboard.press("Enter")
    codes = page.locator(".a-codes li")
    expect(codes).to_have_count(10)
    code = codes.first.inner_text()

    sign_out(page)
    give_password(page, address)
    expect(page.get_by_label("Code")).to_be_focused()
    look(page)
    page.keyboard.type("nothing")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not right")
    expect(page.get_by_label("Code")).to_be_focused()
    page.keyboard.type(code.upper())
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/admin/$"))


def test_the_first_administrator_gets_in_by_the_printed_link(page: Page, address: str) -> None:
    from governance.services.people import bootstrap_token

    page.goto(f"{address}/setup/{bootstrap_token()}")
    page.get_by_label("Your name").fill("Ada Lindqvist")
    page.get_by_label("Your e-mail address").fill("ada@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Become administrator").click()
    expect(page.get_by_text("That is done.")).to_be_visible()
