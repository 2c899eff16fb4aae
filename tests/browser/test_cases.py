"""An investigation in a browser: by keys alone, small and large, light and dark, without an axe violation."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from audit.models import Case
from audit.services.incidents import record_report
from audit.services.investigating import add_note
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from tests.browser.test_sign_in import give_password, look
from tests.factories.cases import act, declare, find, have_lead, make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.factories.sign_in import with_password

pytestmark = [pytest.mark.browser, pytest.mark.committing]


@pytest.fixture
def system() -> AISystem:
    owner, made = make_person(name="Grace Lindqvist"), make_system(slug="credit-limits")
    give_role(owner, Role.ACCOUNTABLE, Scope.system(made.pk))
    for number in range(12):
        record_decision(made, outcome="refused" if number % 2 else "approved", adverse=bool(number % 2))
    return made


@pytest.fixture
def lead(page: Page, live_server: LiveServer, settings: Settings, system: AISystem) -> Person:
    person = with_password(make_person(name="Ines Varga", email="ada@example.org", investigator=True))
    settings.BASE_URL = address = str(live_server.url).replace("127.0.0.1", "localhost")
    give_password(page, address)
    expect(page.get_by_role("link", name="Cases").first).to_be_attached()
    page.wait_for_load_state("networkidle")  # the first page of a browser is loaded again, in its time zone
    return person


def go(page: Page, path: str) -> None:
    page.goto(page.url.split("/admin/")[0] + path)


def test_a_case_of_refusals_by_keys_alone(page: Page, lead: Person) -> None:
    make_person(name="Otto Lund", investigator=True)
    go(page, "/admin/decisions/?outcome=refused")
    press(page, "link", "Put what this finds into a case")
    expect(page.get_by_text("6 decisions.")).to_be_visible()
    look(page)
    page.get_by_label("What the new case is about").focus()
    page.keyboard.type("Refusals of Tuesday")
    press(page, "button", "Open the case")
    expect(page.get_by_role("heading", name="6 decisions", exact=True)).to_be_visible()
    page.get_by_label("Lead investigator").focus()
    page.keyboard.type("Otto")
    press(page, "button", "Have them lead it")
    expect(page.get_by_text("Otto Lund").first).to_be_visible()
    have_lead(Case.objects.get(), lead)
    page.reload()
    page.get_by_label("Note", exact=True).focus()
    page.keyboard.type("Rang the branch.")
    press(page, "button", "Add the note")
    expect(page.get_by_text("Rang the branch.", exact=True)).to_be_visible()
    case = Case.objects.get()
    assert (case.status, case.lead_id) == ("investigating", lead.pk)


def press(page: Page, role: str, name: str) -> None:
    """By the keyboard: focus, then Enter."""
    found = page.get_by_role(role, name=name, exact=True).first  # type: ignore[arg-type]
    found.focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_the_pages_of_a_case_that_has_everything(page: Page, lead: Person, system: AISystem) -> None:
    decisions = [record_decision(system, outcome="refused-for-a-very-long-reason") for _ in range(3)]
    case, _ = make_led_case(system, lead=lead, decisions=decisions)
    actor = actor_of(lead)
    add_note(actor=actor, case_id=case.pk, text="Rang the branch.\n\nNobody " + "x" * 90)
    find(case, lead, text="Income was read from the wrong column since the release of Monday.")
    act(case, lead, lead, what="Read the right column, and decide again about everybody concerned.")
    declare(case, lead, awareness_at=timezone.now() - timedelta(days=13), harm="Seven persons had no card for a week.")
    for path in (
        "/admin/cases/",
        f"/admin/cases/{case.pk}/",
        f"/admin/cases/{case.pk}/incident",
        f"/admin/cases/{case.pk}/report",
        "/admin/cases/attach?complaint=1",
        f"/admin/decisions/{decisions[0].id}/",
    ):
        go(page, path)
        look(page)
    record_report(actor=actor, case_id=case.pk, stage="initial", reported_at=timezone.now())
    go(page, f"/admin/cases/{case.pk}/report")
    page.emulate_media(media="print")
    assert not page.get_by_text("Print this page with your browser").is_visible()
