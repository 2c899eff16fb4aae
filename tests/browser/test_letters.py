"""Explanation letters in a browser: by keys alone, small and large, light and dark, and on paper."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from audit.selectors import SealedDecision
from evidence.models import ExplanationLetter
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from tests.factories import cards, letters
from tests.factories.record import record_decision
from tests.factories.register import give_role, make_person, make_system
from tests.factories.sign_in import PASSWORD, with_password

pytestmark = [pytest.mark.browser, pytest.mark.committing]
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
A4 = (595, 842)


@pytest.fixture
def address(live_server: LiveServer, settings: Settings) -> str:
    settings.BASE_URL = url = str(live_server.url).replace("127.0.0.1", "localhost")
    return url


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


@pytest.fixture
def deputy(system: AISystem) -> Person:
    person = with_password(make_person(name="Dora Deputy", email="dora@example.org"))
    give_role(person, Role.DEPUTY, Scope.system(system.pk))
    return person


@pytest.fixture
def decision(system: AISystem) -> SealedDecision:
    cards.publish(system)
    letters.publish(system)
    return record_decision(system, outcome="refused", adverse=True, card=1)


def sign_in(page: Page, address: str, path: str) -> None:
    page.goto(f"{address}{path}")
    page.get_by_label("E-mail").fill("dora@example.org")
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


def press(page: Page, role: Any, name: str) -> None:
    page.get_by_role(role, name=name, exact=True).focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_a_letter_is_written_issued_and_printed_by_keys_alone(
    page: Page, address: str, decision: SealedDecision, deputy: Person
) -> None:
    sign_in(page, address, f"/admin/decisions/{decision.id}/")
    press(page, "link", "Write explanation letter")
    press(page, "button", "Compose it")
    page.get_by_label("To", exact=True).focus()
    page.keyboard.type("Ada Lovelace")
    press(page, "button", "Save and look at it")
    expect(page.get_by_role("article", name="The letter")).to_contain_text("Payments came late")
    press(page, "button", "Issue the letter")
    letter = ExplanationLetter.objects.get()
    expect(page.get_by_text(f"Letter {letter.reference} is issued and sealed.")).to_be_visible()
    press(page, "button", "Show the letter")
    expect(page.get_by_role("article", name="The letter")).to_contain_text(letter.check_key)
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Withdraw the letter")).to_be_hidden()
    printed = page.pdf(prefer_css_page_size=True)
    sizes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", printed)
    assert [(round(float(width)), round(float(height))) for width, height in sizes] == [A4]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_their_pages_pass_axe_and_fit_a_phone(
    page: Page, address: str, system: AISystem, decision: SealedDecision, deputy: Person, scheme: Any
) -> None:
    issued = letters.issue(decision, deputy, addressee="Ada Lovelace")
    letters.issue(decision, deputy, replaces_id=issued.pk)
    letters.save(system, deputy, text="It was {outcome}.")
    page.emulate_media(color_scheme=scheme)
    sign_in(page, address, f"/admin/decisions/{decision.id}/letter")
    press(page, "button", "Compose it")
    templates = f"/admin/systems/{system.pk}/letters"
    for path in (
        f"/admin/decisions/{decision.id}/letter",
        f"/admin/decisions/{decision.id}/letter?anew",
        f"/admin/decisions/{decision.id}/letter/look",
        f"/admin/letters/{issued.pk}/",
        f"{templates}/",
        f"{templates}/en/",
        f"{templates}/en/edit",
        f"{templates}/it/edit",
        "/admin/holds/",
        "/admin/mine/",
    ):
        page.goto(f"{address}{path}")
        _fits(page, path)
    page.goto(f"{address}/admin/letters/{issued.pk}/")
    press(page, "button", "Show the letter")
    _fits(page, "the letter")


def _fits(page: Page, path: str) -> None:
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(250)  # colours fade in
        assert violations(page) == [], (path, width)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
