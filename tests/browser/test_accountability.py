"""Who answers for what, by keyboard alone: assign, accept, hand over, ask about a day, leave. On a phone, too."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from governance.acts import Role
from governance.models import AISystem, Assignment, Person
from governance.scopes import ORGANISATION, Scope
from governance.services.assignments import offer_assignment
from ledger.entries import COMMAND
from tests.browser.test_sign_in import look
from tests.factories.large import make_large_register
from tests.factories.live import make_live
from tests.factories.register import give_role, make_account, make_person, make_system
from tests.factories.sign_in import PASSWORD, with_password

pytestmark = [pytest.mark.browser, pytest.mark.committing]


@pytest.fixture
def address(live_server: LiveServer, settings: Settings) -> str:
    settings.BASE_URL = url = str(live_server.url).replace("127.0.0.1", "localhost")
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_NAME = "http://127.0.0.1:9", "x", "Example Accounts"
    return url


@pytest.fixture
def owner() -> Person:
    return with_password(make_person(name="Petra Holm", email="petra@example.org"))


@pytest.fixture
def system(owner: Person) -> AISystem:
    found = make_live(owner, slug="credit-limits", ends_at=timezone.now() + timedelta(days=9))
    give_role(make_person(name="Olga Operator"), Role.OPERATOR, Scope.system(found.pk))
    bare = make_system(slug="cv-triage")
    offer_assignment(actor=COMMAND, person=owner, role=Role.ACCOUNTABLE, scope=Scope.system(bare.pk))
    offer_assignment(actor=COMMAND, person=owner, role=Role.TECHNICAL_OWNER, scope=Scope.system(bare.pk))
    both = make_person(name="Both Hands", approver=True)
    give_role(both, Role.OPERATOR, Scope.system(bare.pk))
    return found


@pytest.fixture
def heir() -> Person:
    return with_password(make_person(name="Heike Ahmed", email="heike@example.org"))


def enter(page: Page, address: str, email: str) -> None:
    page.context.clear_cookies()
    page.goto(f"{address}/admin/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/admin/")
    page.wait_for_load_state("networkidle")  # the first page of a browser is loaded again, in its time zone


def press(page: Page, target: Locator, key: str = "Enter") -> None:
    """By keyboard: what has the focus is pressed."""
    target.focus()
    expect(target).to_be_focused()
    page.keyboard.press(key)


def test_a_responsibility_is_accepted_and_handed_over_by_keyboard(
    page: Page, address: str, owner: Person, heir: Person, system: AISystem
) -> None:
    enter(page, address, "petra@example.org")
    press(page, page.get_by_role("link", name="My work"))
    expect(page.get_by_role("heading", name="You are asked to take on 2 roles")).to_be_visible()
    look(page)
    for box in page.get_by_role("checkbox").all():
        press(page, box, "Space")
    press(page, page.get_by_role("button", name="Accept what is ticked"))
    expect(page.get_by_text("2 accepted. From now on they are yours.")).to_be_visible()

    press(page, page.get_by_role("link", name="Accountability", exact=True).first)
    expect(page.get_by_role("heading", name="Who answers for what")).to_be_visible()
    look(page)
    row = page.get_by_role("row").filter(has_text="Credit-Limits")
    press(page, row.locator("summary", has_text="Petra Holm").first)
    press(page, row.get_by_role("link", name="Hand over Accountable"))
    expect(page.get_by_role("heading", name="Hand over: Accountable, Credit-Limits")).to_be_visible()
    look(page)
    page.get_by_label("Who", exact=True).select_option(label="Heike Ahmed")
    page.get_by_label("Why").fill("New post from May.")
    press(page, page.get_by_role("button", name="Hand over"))
    expect(page.get_by_text("They are asked. It counts once they accept.")).to_be_visible()

    enter(page, address, "heike@example.org")
    page.goto(f"{address}/admin/mine/")
    press(page, page.get_by_role("checkbox"), "Space")
    press(page, page.get_by_role("button", name="Accept what is ticked"))
    expect(page.get_by_text("1 accepted.")).to_be_visible()
    look(page)
    assert Assignment.objects.get(person=owner, system=system, role=Role.ACCOUNTABLE).status == "ended"

    page.goto(f"{address}/admin/accountability/on-a-day?system=credit-limits")
    expect(page.get_by_text("Heike Ahmed was accountable")).to_be_visible()
    look(page)


def test_an_end_that_leaves_nobody_is_confirmed_by_name(
    page: Page, address: str, owner: Person, system: AISystem
) -> None:
    enter(page, address, "petra@example.org")
    held = system.assignments.get(role=Role.ACCOUNTABLE)
    page.goto(f"{address}/admin/accountability/{held.pk}/end")
    look(page)
    page.get_by_label("Why").fill("I leave today.")
    expect(page.get_by_text("I know that nobody answers for Credit-Limits from then on")).to_be_visible()
    press(page, page.get_by_role("checkbox"), "Space")
    press(page, page.get_by_role("button", name="End"))
    expect(page.get_by_text("It has ended.")).to_be_visible()


def test_an_administrator_assigns_sees_sessions_and_lets_somebody_leave(
    page: Page, address: str, owner: Person, heir: Person, system: AISystem
) -> None:
    admin = with_password(make_person(name="Ada Lindqvist", email="ada@example.org", administrator=True))
    make_account(slug="card-app", owner=owner)
    give_role(owner, Role.REVIEWER, ORGANISATION)
    page.goto(f"{address}/admin/login/")
    expect(page.get_by_role("link", name="Sign in with Example Accounts")).to_be_visible()
    look(page)
    enter(page, address, admin.email or "")
    page.goto(f"{address}/admin/accountability/")
    look(page)
    press(page, page.get_by_role("link", name="Assign deputy for Credit-Limits"))
    page.get_by_label("Who", exact=True).select_option(label="Heike Ahmed")
    expect(page.get_by_role("heading", name="Assign: Credit-Limits")).to_be_visible()
    look(page)
    press(page, page.get_by_role("button", name="Ask them"))
    expect(page.get_by_text("Heike Ahmed is asked.")).to_be_visible()

    page.goto(f"{address}/admin/governance/person/{admin.pk}/sessions/")
    look(page)
    page.goto(f"{address}/admin/people/{owner.pk}/leave")
    look(page)
    page.get_by_label("Takes over", exact=True).select_option(label="Heike Ahmed")
    page.get_by_label("Is asked to be accountable").select_option(label="Heike Ahmed")
    press(page, page.get_by_role("checkbox"), "Space")
    page.get_by_label("Why").fill("Pension.")
    press(page, page.get_by_role("button", name="Petra Holm leaves: end everything"))
    expect(page.get_by_text("Petra Holm has left.")).to_be_visible()


def test_the_matrix_of_a_large_organisation_is_paged_searched_and_read_on_a_phone(page: Page, address: str) -> None:
    make_large_register(systems=200, people=300)
    admin = with_password(make_person(name="Ada Lindqvist", email="ada@example.org", administrator=True))
    enter(page, address, admin.email or "")
    page.goto(f"{address}/admin/accountability/")
    expect(page.get_by_text("1 to 50 of 200")).to_be_visible()
    look(page)
    press(page, page.get_by_role("link", name="Next"))
    expect(page.get_by_text("51 to 100 of 200")).to_be_visible()
    page.get_by_label("Find an AI system").fill("system-077")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row")).to_have_count(2)
    look(page)


def test_among_many_people_a_typed_name_proposes_who_is_meant_and_stands_in_no_address(
    page: Page, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.people_field.FEW", 0)
    system = make_system()
    make_person(name="Grace Hopper", email="grace@example.org")
    admin = with_password(make_person(name="Ada Lindqvist", email="ada@example.org", administrator=True))
    enter(page, address, admin.email or "")
    page.goto(f"{address}/admin/accountability/assign?system={system.pk}")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("[data-people]").press_sequentially("hop")
    expect(page.locator("datalist option[value='grace@example.org']")).to_be_attached()
    assert any(each.endswith("/admin/people/suggested") for each in asked)
    assert not any("hop" in each for each in asked)
