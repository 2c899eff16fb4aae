"""Reviewing in a browser: by keys alone, with what one types kept whatever happens, small and large, light and dark."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from governance.models import AISystem, Person, StaffSession
from ledger.entries import SERVER
from overrides.models import Override, Review, ReviewAssignment
from overrides.services.appeals import open_appeal
from overrides.services.claiming import end_lapsed_claims
from overrides.services.overriding import override_decision
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review
from tests.factories.sign_in import PASSWORD, with_password

pytestmark = [pytest.mark.browser, pytest.mark.committing]
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WIDTHS = [390, 1440]
PARTS = {
    "input": {"applicant": {"income": 41234, "employer": "A long name " * 12}, "months_late": [0, 0, 2]},
    "output": {"limit": 0},
    "explanation": {
        "summary": "Late payments weigh against it.",
        "method": "SHAP",
        "reasons": [{"text": "Late payments", "weight": -0.4}, {"text": "Income", "weight": 0.2}],
    },
    "context": {"channel": "branch"},
}


@pytest.fixture
def address(live_server: LiveServer, settings: Settings) -> str:
    settings.BASE_URL = url = str(live_server.url).replace("127.0.0.1", "localhost")
    return url


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits", intended_purpose="Decides on the credit limits of new customers.")


@pytest.fixture
def reviewer(system: AISystem) -> Person:
    return with_password(make_person(name="Rosa Lind", email="rosa@example.org", reviewer=system))


@pytest.fixture
def owner(system: AISystem) -> Person:
    return with_password(make_person(name="Grace Lindqvist", email="grace@example.org", accountable=system))


@pytest.fixture
def items(system: AISystem, owner: Person) -> list[Review]:
    rule = make_rule(system, make_queue(owner, slug="limits", capacity=10), name="refusals")
    return [open_review(system, rule=rule, parts=PARTS, adverse=True) for _ in range(3)]


@pytest.fixture
def rough(chromium: Browser) -> Iterator[Page]:
    """A page on which requests may be refused, which browsers write to the console."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def sign_in(page: Page, address: str, email: str = "rosa@example.org") -> None:
    page.goto(f"{address}/admin/reviews/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What waits")).to_be_visible()
    page.wait_for_load_state("networkidle")  # the first page of a browser is loaded again, in its time zone


def begin(page: Page, address: str) -> str:
    """Claim next by its key; the token."""
    sign_in(page, address)
    page.keyboard.press("n")
    expect(page.locator("[data-item]")).to_be_visible()
    return token(page)


def token(page: Page) -> str:
    return page.locator("[data-item]").get_attribute("data-token") or ""


def another(page: Page, before: str) -> None:
    expect(page.locator(f"[data-item]:not([data-token='{before}'])")).to_be_visible()


def violations(page: Page) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate(
        "async rules => (await axe.run({runOnly: rules})).violations.map(v => v.id + ' ' + v.nodes.map(n => n.target))",
        RULES,
    )
    return list(found)


def verdicts() -> list[str]:
    return sorted(Review.objects.exclude(verdict="").values_list("verdict", flat=True))


@pytest.mark.parametrize("width", WIDTHS)
def test_three_items_by_keys_alone(page: Page, address: str, items: list[Review], reviewer: Person, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    first = begin(page, address)
    page.keyboard.press("c")
    another(page, first)
    assert verdicts() == ["confirm"]
    second = token(page)
    page.keyboard.press("r")
    expect(page.locator("[data-reasons]")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("t")
    page.keyboard.type("crazy amounts, next time ask")
    assert token(page) == second, "letters did something while a note was being typed"
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    another(page, second)
    page.keyboard.press("m")
    expect(page.get_by_label("Corrected outcome")).to_be_focused()
    page.keyboard.type("approved")
    page.keyboard.press("Enter")
    expect(page.locator("[data-said]")).to_contain_text("Choose a reason")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="That was the last one for you")).to_be_visible()
    assert verdicts() == ["confirm", "modify", "reject"]
    assert Review.objects.get(verdict="modify").outcome == "approved"


def test_the_next_item_comes_in_one_answer_without_a_page_load(
    page: Page, address: str, items: list[Review], reviewer: Person
) -> None:
    before = begin(page, address)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    page.keyboard.press("c")
    another(page, before)
    assert [each for each in asked if "/static/" not in each] == [f"POST {address}/admin/reviews/work/{before}/hand-in"]
    assert page.url == f"{address}/admin/reviews/work/{token(page)}/"


def test_the_last_decision_is_undone_by_one_key(
    page: Page, address: str, items: list[Review], reviewer: Person
) -> None:
    first = begin(page, address)
    page.keyboard.press("c")
    another(page, first)
    expect(page.locator("[data-undo]")).to_contain_text("You confirmed the last one")
    page.keyboard.press("u")
    expect(page.locator(f"[data-item][data-token='{first}']")).to_be_visible()
    assert verdicts() == []
    expect(page.get_by_label("Confirm")).to_be_checked()


def test_after_ten_seconds_there_is_nothing_to_undo(
    page: Page, address: str, items: list[Review], reviewer: Person
) -> None:
    first = begin(page, address)
    page.keyboard.press("c")
    another(page, first)
    expect(page.locator("[data-undo]")).to_have_count(0, timeout=12_000)
    assert verdicts() == ["confirm"]


def test_declining_handing_over_and_the_list_of_keys(
    page: Page, address: str, items: list[Review], reviewer: Person, system: AISystem
) -> None:
    colleague = make_person(name="Carl Colleague", reviewer=system)
    begin(page, address)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Undo the last one")
    assert violations(page) == []
    page.keyboard.press("c")  # not while the list is open
    page.keyboard.press("Escape")
    assert verdicts() == []
    page.keyboard.press("h")
    page.get_by_label("To whom").select_option("Carl Colleague")
    page.get_by_role("button", name="Hand over").click()
    expect(page.get_by_role("heading", name="It is with them for 24 hours")).to_be_visible()
    page.keyboard.press("n")
    expect(page.locator("[data-item]")).to_be_visible()
    page.keyboard.press("d")
    page.get_by_role("button", name="Decline").click()
    expect(page.get_by_role("heading", name="You will not be asked about that one again")).to_be_visible()
    assert ReviewAssignment.objects.filter(person=colleague, status="offered").count() == 1
    assert ReviewAssignment.objects.filter(person=reviewer, status="declined").count() == 1


def test_a_blind_item_is_judged_first_by_keys(
    page: Page, address: str, system: AISystem, owner: Person, reviewer: Person
) -> None:
    open_review(system, rule=make_rule(system, make_queue(owner), is_blind=True), parts=PARTS, outcome="declined")
    begin(page, address)
    assert "declined" not in page.content()
    page.get_by_label("Outcome, as a category").fill("approved")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="declined")).to_be_visible()
    expect(page.get_by_text("You said approved; the model decided declined.")).to_be_visible()
    page.keyboard.press("m")
    expect(page.get_by_label("Corrected outcome")).to_have_value("approved")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator("[data-nothing]")).to_be_visible()
    assert Review.objects.get().outcome == "approved"


def test_a_draft_is_kept_as_one_types_and_stands_again(
    page: Page, address: str, items: list[Review], reviewer: Person
) -> None:
    mine = begin(page, address)
    page.keyboard.press("r")
    page.keyboard.press("3")
    page.get_by_role("textbox", name="Note").fill("Half a thought")
    expect(page.locator("[data-kept]")).to_contain_text("Draft kept", timeout=8_000)
    page.wait_for_timeout(5_000)  # that one may have been sent before the note was typed
    assert (ReviewAssignment.objects.get(token=mine).draft or {})["note"] == "Half a thought"
    page.reload()
    expect(page.get_by_role("textbox", name="Note")).to_have_value("Half a thought")
    expect(page.get_by_label("Reject")).to_be_checked()


def test_who_is_signed_out_while_typing_loses_nothing(
    rough: Page, address: str, items: list[Review], reviewer: Person
) -> None:
    page = rough
    begin(page, address)
    page.keyboard.press("r")
    page.keyboard.press("1")
    page.get_by_role("textbox", name="Note").fill("Written as the session ended")
    StaffSession.objects.all().delete()
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-said]")).to_contain_text("You were signed out")
    page.locator("[data-said]").get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail").fill("rosa@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Note")).to_have_value("Written as the session ended")
    expect(page.get_by_label("Reject")).to_be_checked()
    assert verdicts() == []


def test_a_lost_lease_says_so_while_typing_and_is_claimed_again(
    rough: Page, address: str, items: list[Review], reviewer: Person
) -> None:
    page = rough
    mine = begin(page, address)
    page.keyboard.press("r")
    page.get_by_role("textbox", name="Note").fill("Before it was lost")
    ReviewAssignment.objects.filter(token=mine).update(lease_until=timezone.now() - timedelta(seconds=1))
    end_lapsed_claims(actor=SERVER)
    page.get_by_role("textbox", name="Note").press("x")
    said = page.locator("[data-said]")
    expect(said).to_contain_text("The time to work on it ran out", timeout=8_000)
    expect(page.get_by_role("button", name="Hand in and next")).to_be_disabled()
    said.get_by_role("button", name="Claim it again").click()
    another(page, mine)
    expect(page.get_by_role("textbox", name="Note")).to_have_value(re.compile("Before it was lost"))


def test_an_item_that_ended_elsewhere_says_so_when_it_is_handed_in(
    rough: Page, address: str, items: list[Review], reviewer: Person, owner: Person
) -> None:
    page = rough
    mine = begin(page, address)
    review = Review.objects.get(assignments__token=mine)
    override_decision(
        actor=actor_of(owner), decision_id=review.decision_id, outcome="approved", reason_code="wrong-input"
    )
    page.keyboard.press("c")
    expect(page.locator("[data-said]")).to_contain_text("has overridden the decision meanwhile")


def test_two_tabs_and_the_back_button(rough: Page, address: str, items: list[Review], reviewer: Person) -> None:
    page = rough
    first = begin(page, address)
    tab = page.context.new_page()
    tab.goto(page.url)
    page.keyboard.press("c")
    another(page, first)
    tab.keyboard.press("r")
    tab.keyboard.press("1")
    tab.keyboard.press("Enter")
    expect(tab.locator("[data-said]")).to_contain_text("You confirmed it")
    page.go_back()
    expect(page.get_by_role("heading", name="You have handed this in")).to_be_visible()
    assert verdicts() == ["confirm"]


@pytest.mark.parametrize("width", WIDTHS)
def test_an_override_and_an_appeal(
    page: Page, address: str, system: AISystem, owner: Person, reviewer: Person, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    decision = record_decision(system, outcome="refused")
    sign_in(page, address, "grace@example.org")
    page.goto(f"{address}/admin/decisions/{decision.id}/")
    page.get_by_text("Override this decision").click()
    page.get_by_label("Outcome that takes its place").fill("approved")
    page.get_by_label("Reason", exact=True).select_option("wrong-input")
    page.get_by_role("button", name="Override", exact=True).click()
    expect(page.get_by_text("the caller has not said that it did this")).to_be_visible()
    assert Override.objects.get().outcome == "approved"
    page.get_by_text("Open an appeal").click()
    page.get_by_label("Ground, as a short code").fill("wrong-data")
    page.get_by_label("What they say").fill("My salary is higher than that.")
    page.get_by_role("button", name="Open the appeal").click()
    expect(page.get_by_text("You had a part in this decision")).to_be_visible()
    page.context.clear_cookies()
    sign_in(page, address)
    page.get_by_role("link", name="Appeals 1 to decide").click()
    page.get_by_role("rowheader").get_by_role("link").click()
    page.get_by_label("Uphold").check()
    page.get_by_label("Reason", exact=True).select_option("outcome-stands")
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_text("upheld")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_and_passes_axe(
    page: Page,
    address: str,
    items: list[Review],
    system: AISystem,
    owner: Person,
    reviewer: Person,
    width: int,
    scheme: Any,
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    decision = record_decision(system, outcome="refused")
    override_decision(actor=actor_of(owner), decision_id=decision.id, outcome="approved", reason_code="wrong-input")
    appeal = open_appeal(actor=actor_of(owner), decision_id=decision.id, ground_code="wrong-data", statement="No.")
    rule = Review.objects.filter(rule_id__isnull=False).values_list("rule_id", flat=True)[0]
    begin(page, address)
    own = page.url.removeprefix(address)
    for path in (
        "/admin/reviews/",
        own,
        "/admin/reviews/appeals/",
        f"/admin/reviews/appeals/{appeal.pk}/",
        "/admin/reviews/effects/",
        "/admin/reviews/oversight/",
        f"/admin/decisions/{decision.id}/",
        "/admin/overrides/reviewrule/",
        f"/admin/overrides/reviewrule/{rule}/change/",
        "/admin/overrides/rulechange/",
        "/admin/overrides/reviewqueue/",
        "/admin/overrides/reviewerskill/",
    ):
        page.goto(address + path)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert violations(page) == [], path
