"""The console in a browser: signing in, the list, one decision, and a verification that says so when it fails."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from audit.selectors import SealedDecision
from audit.services.tallying import tally_decisions
from governance.acts import Role
from governance.models import Person
from governance.scopes import Scope
from governance.services.versions import register_version
from ledger.entries import COMMAND, SERVER
from notices.models import Alert
from notices.services import open_alert
from tests.factories.record import record_decision
from tests.factories.register import give_role, make_person, make_system

pytestmark = [pytest.mark.browser, pytest.mark.committing]
PASSWORD = "a long password for tests"
PARTS = {"input": {"applicant": {"income": 41234, "note": "long " * 100}}, "output": {"limit": 5000}}


@pytest.fixture
def decision() -> SealedDecision:
    owner = make_person(name="Grace Lindqvist", email="grace@example.org")
    owner.set_password(PASSWORD)
    type(owner).objects.filter(pk=owner.pk).update(password=owner.password)
    system = make_system(slug="credit-limits", intended_purpose="Decides on credit limits.")
    give_role(owner, Role.ACCOUNTABLE, Scope.system(system.pk))
    for number in range(60):
        record_decision(system, outcome="approved" if number % 3 else "refused", adverse=number % 3 == 0)
    explanation = {"summary": "Too little income.", "reasons": [{"text": "Income", "weight": -0.5}]}
    return record_decision(system, outcome="refused", adverse=True, parts=PARTS | {"explanation": explanation})


@pytest.fixture
def signed_in(page: Page, live_server: LiveServer, decision: SealedDecision) -> Page:
    address = live_server.url.replace("127.0.0.1", "localhost")
    page.goto(f"{address}/admin/")
    page.get_by_label("E-mail").fill("grace@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Decisions by outcome")).to_be_visible()
    page.wait_for_load_state("networkidle")  # the first page of a browser is loaded again, in its time zone
    return page


def open_decision(page: Page, decision: SealedDecision) -> None:
    page.goto(re.sub(r"/admin/.*", f"/admin/decisions/{decision.id}/", page.url))


def verify(page: Page) -> str:
    page.get_by_role("button", name="Verify in this browser").click()
    result = page.locator("[data-result]")
    expect(result).to_be_visible()
    return result.inner_text()


def served_differently(page: Page, path: str, change: Callable[[dict[str, Any]], None]) -> None:
    """What the server answers to the page's script, changed on the way."""

    def answer(route: Route) -> None:
        body = route.fetch().json()
        change(body)
        route.fulfill(json=body)

    page.route(re.compile(rf"/{path}$"), answer)


def test_from_the_list_to_a_verified_decision(signed_in: Page, decision: SealedDecision) -> None:
    page = signed_in
    page.locator("#nav-sidebar").get_by_role("link", name="Decisions").click()
    page.get_by_role("link", name="Older", exact=True).click()
    page.get_by_role("link", name="Newer", exact=True).click()
    page.locator("tbody tr").first.get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="refused")).to_be_visible()

    page.get_by_role("button", name="Show input and output").click()
    expect(page.locator("#part-input")).to_be_visible()
    expect(page.get_by_text("41234")).to_be_visible()
    expect(page.locator(".a-bars li")).to_have_count(1)

    page.get_by_label("with input and output").check()
    assert verify(page).startswith("Verified")
    assert page.locator("[data-steps] [data-tone=bad]").count() == 0
    expect(page.get_by_text("Commitment to input")).to_be_visible()


def _another_outcome(body: dict[str, Any]) -> None:
    body["entry"] = b64encode(b64decode(body["entry"]).replace(b'"refused"', b'"allowed"')).decode()


def _another_leaf(body: dict[str, Any]) -> None:
    data = b64decode(body["entry"]).replace(b'"confidence":0.8', b'"confidence":0.8 ')
    body["entry"] = b64encode(data).decode()


def _another_place(body: dict[str, Any]) -> None:
    body["proof"] = re.sub(r"index \d+", "index 3", body["proof"])


def _another_signature(body: dict[str, Any]) -> None:
    note, line = body["proof"].rstrip("\n").rsplit("\n", 1)
    head, signature = line.rsplit(" ", 1)
    raw = bytearray(b64decode(signature))
    raw[-1] ^= 1
    body["proof"] = f"{note}\n{head} {b64encode(bytes(raw)).decode()}\n"


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (_another_outcome, "This page says what the entry says"),
        (_another_leaf, "Leaf hash"),
        (_another_place, "Inclusion in the log"),
        (_another_signature, "Signature of the checkpoint"),
    ],
)
def test_whatever_was_changed_fails_visibly_at_its_step(
    signed_in: Page, decision: SealedDecision, change: Callable[[dict[str, Any]], None], step: str
) -> None:
    open_decision(signed_in, decision)
    served_differently(signed_in, "proof", change)
    assert "does NOT verify" in verify(signed_in)
    failed = signed_in.locator("[data-steps] > li[data-tone=bad]")
    expect(failed).to_have_count(1)
    expect(failed).to_contain_text(step)


def test_a_changed_payload_does_not_open_its_commitment(signed_in: Page, decision: SealedDecision) -> None:
    def change(body: dict[str, Any]) -> None:
        other = json.dumps({"applicant": {"income": 99999}}).encode()
        body["parts"][0]["data"] = b64encode(other).decode()

    open_decision(signed_in, decision)
    served_differently(signed_in, "disclosure", change)
    signed_in.get_by_label("with input and output").check()
    assert "does NOT verify" in verify(signed_in)
    expect(signed_in.locator("[data-steps] > li[data-tone=bad]")).to_contain_text("Commitment to input")


def test_a_key_from_elsewhere_that_is_another_one_does_not_verify(signed_in: Page, decision: SealedDecision) -> None:
    open_decision(signed_in, decision)
    signed_in.get_by_text("Use a verifier key from elsewhere").click()
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    signed_in.get_by_label("Verifier key of this log").fill(vkey)
    assert "does NOT verify" in verify(signed_in)


def test_without_cryptography_it_says_why_and_points_elsewhere(signed_in: Page, decision: SealedDecision) -> None:
    signed_in.add_init_script("Object.defineProperty(globalThis.crypto, 'subtle', {value: undefined})")
    open_decision(signed_in, decision)
    told = verify(signed_in)
    assert "https or on localhost" in told
    assert "offline" in told
    assert signed_in.locator("[data-steps] > li").count() == 0


def test_a_decision_is_reached_and_verified_by_keyboard_alone(signed_in: Page, decision: SealedDecision) -> None:
    open_decision(signed_in, decision)
    button = signed_in.get_by_role("button", name="Verify in this browser")
    for _ in range(80):
        signed_in.keyboard.press("Tab")
        if button.evaluate("element => element === document.activeElement"):
            break
    signed_in.keyboard.press("Enter")
    expect(signed_in.locator("[data-result]")).to_contain_text("Verified")


LISTS = (
    "governance/aisystem/",
    "governance/modelversion/",
    "governance/assignment/",
    "governance/person/",
    "intake/quarantinedrecord/",
    "intake/source/",
    "notices/alert/",
)
# what stands in a box that cuts it off, and in none that scrolls
CLIPPED = """() => [...document.querySelectorAll("#content :is(td, th, dd, p, .c-hour, .c-line b)")].filter((each) => {
  const box = each.getBoundingClientRect();
  if (!box.width || each.closest(".a-scroll, .a-tree, pre, .a-visually-hidden, thead")) return false;
  const clips = each.scrollHeight > each.clientHeight + 1 && getComputedStyle(each).overflowY === "hidden";
  return clips || box.right > innerWidth || box.left < 0;
}).map((each) => each.textContent.trim().slice(0, 60))"""


@pytest.fixture
def registered(signed_in: Page, decision: SealedDecision) -> Page:
    """Grace sees every list, and there is something on each."""
    grace = Person.objects.get(email="grace@example.org")
    give_role(grace, Role.ADMINISTRATOR)
    register_version(actor=COMMAND, system_id=decision.system_id, version="limits-gbm-4.2", name="Boosting")
    open_alert(
        actor=SERVER,
        kind="decision.conflicted",
        fingerprint="one",
        severity=Alert.Severity.CRITICAL,
        system_id=decision.system_id,
        facts={"decision": str(decision.id)},
    )
    return signed_in


def test_pages_fit_a_phone_and_the_list_becomes_cards(registered: Page, decision: SealedDecision) -> None:
    signed_in = registered
    tally_decisions(actor=SERVER)
    signed_in.set_viewport_size({"width": 390, "height": 844})
    base = re.sub(r"/admin/.*", "/admin/", signed_in.url)
    for path in (
        "",
        "decisions/",
        f"decisions/{decision.id}/",
        f"systems/{decision.system_id}/",
        "accountability/",
        "logs/",
        *LISTS,
    ):
        signed_in.goto(base + path)
        assert signed_in.evaluate("document.documentElement.scrollWidth") <= 390, path
        assert signed_in.evaluate(CLIPPED) == [], path
    signed_in.goto(base + "accountability/")
    first = signed_in.locator("tbody tr").first
    expect(first.get_by_text("Grace Lindqvist").first).to_be_in_viewport()
    assert first.evaluate("row => getComputedStyle(row).display") == "grid"
    signed_in.goto(base + "decisions/")
    assert signed_in.locator("tbody tr").first.evaluate("row => getComputedStyle(row).display") == "grid"
    expect(signed_in.locator("#f-outcome")).to_be_hidden()


def test_a_search_is_posted_and_its_terms_never_stand_in_the_address(signed_in: Page, decision: SealedDecision) -> None:
    signed_in.goto(re.sub(r"/admin/.*", "/admin/decisions/", signed_in.url))
    signed_in.get_by_text("Search by subject, label or text").click()
    signed_in.get_by_label("Text in input or output").fill("41234")
    signed_in.get_by_role("button", name="Search", exact=True).click()
    expect(signed_in.locator("[data-rows] tr")).to_have_count(1)
    assert "41234" not in signed_in.url


def test_words_of_the_chart_keep_their_size_on_a_phone_and_beside_a_column(
    signed_in: Page, decision: SealedDecision
) -> None:
    tally_decisions(actor=SERVER)
    base = re.sub(r"/admin/.*", "/admin/", signed_in.url)
    for width in (390, 1440):
        signed_in.set_viewport_size({"width": width, "height": 844})
        for path in ("", f"systems/{decision.system_id}/"):
            signed_in.goto(base + path)
            box = signed_in.locator(".c-plot svg").bounding_box()
            assert box, path
            assert box["height"] >= 120, path
            assert signed_in.locator(".c-plot rect").count() > 0
            sizes = signed_in.locator(".c-hour:visible, .c-line b").evaluate_all(
                "all => all.map((each) => parseFloat(getComputedStyle(each).fontSize))"
            )
            assert len(sizes) > 4, path
            assert min(sizes) >= 12, path


def test_the_first_tab_offers_to_skip_to_the_content(signed_in: Page) -> None:
    for path in ("decisions/", "governance/aisystem/"):
        signed_in.goto(re.sub(r"/admin/.*", f"/admin/{path}", signed_in.url))
        signed_in.keyboard.press("Tab")
        skip = signed_in.get_by_role("link", name="Skip to the content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        signed_in.keyboard.press("Enter")
        expect(signed_in.locator("#content")).to_be_focused()
        signed_in.keyboard.press("Tab")
        assert signed_in.evaluate("document.querySelector('#content').contains(document.activeElement)"), path


def test_headings_stand_in_order_and_tables_say_what_they_list(registered: Page, decision: SealedDecision) -> None:
    tally_decisions(actor=SERVER)
    base = re.sub(r"/admin/.*", "/admin/", registered.url)
    own = (f"decisions/{decision.id}/", f"systems/{decision.system_id}/")
    for path in ("", "decisions/", *own, "accountability/", "logs/", *LISTS):
        registered.goto(base + path)
        levels = registered.locator("#main :is(h1, h2, h3, h4):visible").evaluate_all(
            "all => all.map((each) => Number(each.tagName[1]))"
        )
        assert levels[0] == 1, path
        assert levels.count(1) == 1, path
        assert all(after <= before + 1 for before, after in pairwise(levels)), (path, levels)
        tables = registered.locator("#content table")
        said = tables.evaluate_all(
            "all => all.map((each) => [each.caption?.textContent.trim(), each.tHead?.rows.length])"
        )
        assert all(caption and heads for caption, heads in said), (path, said)


def test_no_page_breaks_the_content_security_policy_or_logs_an_error(
    registered: Page, decision: SealedDecision
) -> None:
    said: list[str] = []
    registered.on("console", lambda each: said.append(each.text) if each.type in ("error", "warning") else None)
    registered.on("pageerror", lambda each: said.append(str(each)))
    base = re.sub(r"/admin/.*", "/admin/", registered.url)
    own = (f"decisions/{decision.id}/", f"systems/{decision.system_id}/")
    register = (f"governance/aisystem/{decision.system_id}/change/", "governance/assignment/add/")
    for path in ("", "decisions/", *own, "accountability/", "logs/", *LISTS, *register):
        registered.goto(base + path)
        registered.wait_for_load_state("networkidle")
        assert said == [], path


AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
FIND = """async () => {
  const found = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] });
  return found.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.target).join(" | ")}`);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_pass_axe_at_wcag_2_2_aa(registered: Page, decision: SealedDecision, scheme: Any) -> None:
    signed_in = registered
    tally_decisions(actor=SERVER)
    signed_in.emulate_media(color_scheme=scheme)
    base = re.sub(r"/admin/.*", "/admin/", signed_in.url)
    own = (f"decisions/{decision.id}/", f"systems/{decision.system_id}/")
    for path in ("", "decisions/", *own, "accountability/", "logs/", *LISTS):
        signed_in.goto(base + path)
        signed_in.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        signed_in.evaluate(AXE)
        assert signed_in.evaluate(FIND) == [], path
