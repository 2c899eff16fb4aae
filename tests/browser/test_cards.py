"""System cards in a browser: written, submitted and published by keys alone, small and large, light and dark."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from governance.selectors import card_in_force, last_save, open_card
from tests.factories import cards
from tests.factories.cards import RANGE, content
from tests.factories.register import give_role, make_person, make_system
from tests.factories.sign_in import PASSWORD, with_password

pytestmark = [pytest.mark.browser, pytest.mark.committing]
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture
def address(live_server: LiveServer, settings: Settings) -> str:
    settings.BASE_URL = url = str(live_server.url).replace("127.0.0.1", "localhost")
    return url


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


@pytest.fixture
def writer(system: AISystem) -> Person:
    person = with_password(make_person(name="Wanda Writer", email="wanda@example.org"))
    give_role(person, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    return person


def sign_in(page: Page, address: str, path: str) -> None:
    page.goto(f"{address}{path}")
    page.get_by_label("E-mail").fill("wanda@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")  # the first page of a browser is loaded again, in its time zone


def violations(page: Page) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate(
        "async rules => (await axe.run({runOnly: rules})).violations.map(v => v.id + ' ' + v.nodes.map(n => n.target))",
        RULES,
    )
    return list(found)


def url(system: AISystem, path: str = "") -> str:
    return f"/admin/systems/{system.pk}/cards/{path}"


def test_a_card_is_written_and_submitted_by_keys_alone(
    page: Page, address: str, system: AISystem, writer: Person
) -> None:
    sign_in(page, address, url(system))
    page.get_by_role("button", name="Write the first one").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Capabilities").focus()
    page.keyboard.type("Scores applications.")
    expect(page.get_by_text("Not saved yet")).to_be_visible()
    page.get_by_role("button", name="Another contact").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#f-contacts-people-1-desk")).to_be_focused()
    page.keyboard.type("Credit desk")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved, ")).to_be_visible()
    card = open_card(system.pk)
    assert card is not None
    assert "Scores applications." in last_save(card).content and "Credit desk" in last_save(card).content
    cards.draft(system, writer)
    page.goto(f"{address}{url(system, 'draft/')}")
    page.get_by_label("What they should know").focus()
    page.keyboard.type("The first one.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("waits for a second person", exact=True)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_pages_pass_axe_and_fit_a_phone(
    page: Page, address: str, system: AISystem, writer: Person, scheme: Any
) -> None:
    cards.publish(system, content(RANGE), writer=writer)
    cards.publish(system, writer=writer)
    cards.draft(system, writer, content(RANGE))
    page.emulate_media(color_scheme=scheme)
    sign_in(page, address, url(system))
    for path in ("", "1/", "2/compared-with/1", "draft/", "draft/edit"):
        page.goto(f"{address}{url(system, path)}")
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(250)  # colours fade in
            assert violations(page) == [], (path, width)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)


def test_a_card_in_force_is_there_for_who_looks(page: Page, address: str, system: AISystem, writer: Person) -> None:
    cards.publish(system, writer=writer)
    sign_in(page, address, f"/admin/systems/{system.pk}/")
    page.get_by_role("link", name="Card 1").click()
    expect(page.get_by_role("heading", name="Card 1", exact=True).last).to_be_visible()
    assert card_in_force(system.pk) is not None
