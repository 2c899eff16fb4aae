"""Finding a decision in a browser: by keys alone, small and large, light and dark, without an axe violation."""

import re

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from audit.filters import DecisionFilter
from audit.models import SearchRun
from audit.reach import Reach
from audit.search_terms import Terms
from audit.services import searching
from governance.models import AISystem, Person
from ledger.models import Entry
from tests.browser.test_sign_in import give_password, look
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.sign_in import with_password

pytestmark = [pytest.mark.browser, pytest.mark.committing]


@pytest.fixture
def system() -> AISystem:
    made = make_system(slug="credit-limits")
    for number in range(6):
        parts = {"input": {"income": 1_000 + number}, "output": {"limit": 5_000}}
        record_decision(made, outcome="refused" if number % 2 else "approved", subject="c-20391", parts=parts)
    return made


@pytest.fixture
def owner(page: Page, live_server: LiveServer, settings: Settings, system: AISystem) -> Person:
    person = with_password(make_person(name="Grace Lindqvist", email="ada@example.org", accountable=system))
    settings.BASE_URL = address = str(live_server.url).replace("127.0.0.1", "localhost")
    give_password(page, address)
    expect(page.get_by_role("link", name="Decisions").first).to_be_attached()
    page.wait_for_load_state("networkidle")  # the first page of a browser is loaded again, in its time zone
    return person


def go(page: Page, path: str) -> None:
    page.goto(page.url.split("/admin/")[0] + path)


def test_a_decision_is_found_compared_and_looked_into_by_keys_alone(page: Page, owner: Person) -> None:
    go(page, "/admin/decisions/?outcome=refused")
    expect(page.get_by_text("Exact:")).to_be_visible()
    look(page)
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    expect(page.get_by_text("2 chosen")).to_be_visible()
    page.keyboard.press("c")
    page.wait_for_url(re.compile("compare"))
    look(page)
    page.get_by_role("button", name="Show what differs inside").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("/income")).to_be_visible()
    look(page)
    assert Entry.objects.filter(kind="payload.viewed").count() == 2


def test_keys_lead_from_the_list_to_a_decision_and_on_and_can_be_turned_off(page: Page, owner: Person) -> None:
    go(page, "/admin/decisions/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"decisions/[0-9a-f-]{36}/"))
    first = page.url
    expect(page.get_by_role("link", name="Back to the list")).to_be_visible()
    page.keyboard.press("j")
    page.wait_for_url(lambda url: url != first and "decisions/" in url)
    page.keyboard.press("?")
    page.get_by_label("Turn single keys off").check()
    page.keyboard.press("Escape")
    here = page.url
    page.keyboard.press("k")
    page.wait_for_timeout(300)
    assert page.url == here


def test_a_search_says_what_it_looked_into_and_is_kept(page: Page, owner: Person) -> None:
    go(page, "/admin/decisions/")
    page.keyboard.press("/")
    expect(page.get_by_role("textbox", name="Subject")).to_be_focused()
    page.get_by_label("Text in input or output").fill("INCOME")
    page.keyboard.press("Enter")
    expect(page.get_by_text("That is all there is: 6 found.")).to_be_visible()
    look(page)
    page.get_by_text("Save this search").click()
    page.get_by_label("Name", exact=True).fill("Incomes")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Yours")).to_be_visible()
    look(page)


def test_a_search_that_paused_goes_on_for_who_began_it_and_waits_for_who_comes_back(
    page: Page, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATIENCE_SECONDS", "TEXT_PATIENCE_SECONDS"):
        monkeypatch.setattr(searching, name, 0)
    monkeypatch.setattr(searching, "FIRST_WINDOW", 2)
    go(page, "/admin/decisions/")
    page.keyboard.press("/")
    page.get_by_label("Text in input or output").fill("INCOME")
    page.keyboard.press("Enter")
    expect(page.get_by_text("That is all there is: 6 found.")).to_be_visible()
    assert SearchRun.objects.get().is_whole and "#" not in page.url
    paused = searching.search_decisions(
        actor=actor_of(owner), reach=Reach.of_person(owner), terms=Terms(text="income"), within=DecisionFilter()
    ).run
    go(page, f"/admin/decisions/searches/{paused.pk}/")
    expect(page.get_by_text("2 found so far.")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert SearchRun.objects.get(pk=paused.pk).hits == 2, "coming back searches nothing"
    page.get_by_role("button", name="Search to the end").click()
    expect(page.get_by_text("That is all there is: 6 found.")).to_be_visible()
    assert SearchRun.objects.get(pk=paused.pk).is_whole
