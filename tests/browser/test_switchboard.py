"""The switchboard in a browser: touched, without scripts, live, without contact. By keyboard: `test_walk`."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from overrides.models import LooseningRequest, Switch, SwitchChange
from overrides.standing import Mode
from tests.factories.control import ack, reading, stop
from tests.factories.register import give_role, make_person, make_system

pytestmark = [pytest.mark.browser, pytest.mark.committing]
PASSWORD = "a long password for tests"
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
FIND = """async () => {
  const found = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] });
  return found.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.target).join(" | ")}`);
}"""
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1440, "height": 900}


def _person(name: str, email: str, role: Any, scope: Scope) -> Person:
    person = make_person(name=name, email=email)
    person.set_password(PASSWORD)
    Person.objects.filter(pk=person.pk).update(password=person.password)
    give_role(person, role, scope)
    return person


@pytest.fixture
def system() -> AISystem:
    system = make_system(slug="credit-limits", environments=["production", "staging"], safe_state="The desk decides.")
    _person("Olga Operator", "olga@example.org", Role.OPERATOR, Scope.system(system.pk))
    _person("Aron Approver", "aron@example.org", Role.APPROVER, Scope())
    return system


def sign_in(page: Page, live_server: LiveServer, email: str) -> str:
    base = live_server.url.replace("127.0.0.1", "localhost") + "/admin/"
    page.goto(base + "switchboard/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Find an AI system")).to_be_visible()
    page.wait_for_load_state("networkidle")  # the first page of a browser is loaded again, in its time zone
    return base


def fits(page: Page, where: str) -> None:
    page.evaluate("document.querySelectorAll('#content details').forEach((each) => { each.open = true; })")
    width = page.evaluate("innerWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, where
    page.evaluate(AXE)
    assert page.evaluate(FIND) == [], where


def test_two_touches_stop_on_a_phone_and_a_double_one_is_one(
    page: Page, live_server: LiveServer, system: AISystem
) -> None:
    page.set_viewport_size(PHONE)
    sign_in(page, live_server, "olga@example.org")
    page.get_by_role("link", name="Stop Credit-Limits", exact=True).click()
    page.get_by_role("button", name="People may come to harm").dblclick()
    expect(page.get_by_role("heading", name="Confirmation")).to_be_visible()
    assert SwitchChange.objects.count() == 1


def test_it_works_without_scripts(chromium: Browser, live_server: LiveServer, system: AISystem) -> None:
    page = chromium.new_context(java_script_enabled=False).new_page()
    sign_in(page, live_server, "olga@example.org")
    expect(page.get_by_text("As it was at")).to_be_visible()
    page.get_by_label("Find an AI system").fill("credit")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="Stop Credit-Limits", exact=True).click()
    page.get_by_role("button", name="Planned work").click()
    expect(page.get_by_text("Nobody is listening").first).to_be_visible()
    assert Switch.objects.get().mode == Mode.STOP
    page.context.close()


def test_a_change_appears_without_a_reload_and_what_is_unfolded_and_focused_stays(
    page: Page, live_server: LiveServer, system: AISystem
) -> None:
    sign_in(page, live_server, "olga@example.org")
    card = page.locator(".c-card").first
    summary = card.locator("summary")
    summary.click()
    expect(card.locator("details")).to_have_attribute("open", "")
    stop(system, mode=Mode.REVIEW)
    expect(card.get_by_text("People decide").first).to_be_visible(timeout=4000)
    expect(page.locator(".c-card details").first).to_have_attribute("open", "")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    expect(page.locator("[data-live-said]")).to_contain_text("People decide", timeout=8000)


def test_typing_narrows_at_once(page: Page, live_server: LiveServer, system: AISystem) -> None:
    other = make_system(slug="cv-triage")
    give_role(Person.objects.get(email="olga@example.org"), Role.OPERATOR, Scope.system(other.pk))
    sign_in(page, live_server, "olga@example.org")
    page.get_by_label("Find an AI system").press_sequentially("triage")
    expect(page.locator(".c-card:visible")).to_have_count(1)
    page.get_by_label("Find an AI system").fill("nothing like it")
    expect(page.get_by_text("None of that name")).to_be_visible()


def test_lost_contact_is_said_loudly_and_so_is_its_return(
    page: Page, live_server: LiveServer, system: AISystem
) -> None:
    sign_in(page, live_server, "olga@example.org")
    expect(page.get_by_text("looked at every second")).to_be_visible()

    page.route(re.compile("/switchboard/live"), lambda route: None)  # hangs
    expect(page.get_by_role("alert")).to_contain_text("No contact with the server", timeout=9000)
    page.unroute(re.compile("/switchboard/live"))
    expect(page.get_by_text("looked at every second")).to_be_visible(timeout=9000)


def test_signed_out_meanwhile_is_said(page: Page, live_server: LiveServer, system: AISystem) -> None:
    sign_in(page, live_server, "olga@example.org")
    expect(page.get_by_text("looked at every second")).to_be_visible()
    page.context.clear_cookies()
    expect(page.get_by_role("alert")).to_contain_text("You are signed out", timeout=6000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_pass_axe_with_everything_on_them(
    page: Page, live_server: LiveServer, system: AISystem, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme)
    grant = reading(system)
    ack(grant, system, None, instance="one")
    ack(grant, system, None, instance="two")
    done = stop(system, mode=Mode.REVIEW)
    stop(system, environment="staging")
    ack(grant, system, done.epoch, Mode.REVIEW, instance="one")
    give_role(Person.objects.get(email="olga@example.org"), Role.EMERGENCY_OPERATOR, Scope())
    base = sign_in(page, live_server, "olga@example.org")
    switch = Switch.objects.get(environment="staging")
    for path in (
        "",
        f"tighten?system={system.pk}",
        f"tighten?system={system.pk}&mode=review",
        f"changes/{done.change.pk}/",
        f"systems/{system.pk}/",
        f"switches/{switch.pk}/",
        f"switches/{switch.pk}/resume",
        f"switches/{switch.pk}/emergency",
    ):
        for size in (PHONE, DESK):
            page.set_viewport_size(size)
            page.goto(f"{base}switchboard/{path}")
            fits(page, path)
    assert not LooseningRequest.objects.exists()
