"""Erasures and retention in a browser: by keys alone, small and large, light and dark, without an axe violation."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from audit.models import ErasureRequest, Payload, RetentionRule
from audit.services.holds import place_span_hold
from evidence.services.erasure_runs import run_erasures, search_for_finds
from evidence.services.purges import announce_purge, run_purges
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import ORGANISATION, Scope
from tests.browser.keyboard import Keyboard
from tests.browser.test_sign_in import give_password, look
from tests.factories.cases import make_led_case
from tests.factories.erasing import SECONDS, agreed, erased, long_ago, no_floor, prepared, put_in_force
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.factories.sign_in import with_password

pytestmark = [pytest.mark.browser, pytest.mark.committing]
SignIn = Callable[[str, str, str], Keyboard]
ERASURES, RETENTION = "/admin/erasures/", "/admin/retention/"


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


@pytest.fixture
def people(system: AISystem) -> dict[str, Person]:
    roles = {"owner": (Role.ACCOUNTABLE, Scope.system(system.pk)), "officer": (Role.DPO, ORGANISATION)}
    found = {}
    for name, (role, scope) in roles.items():
        found[name] = with_password(make_person(name=f"{name.title()} Varga", email=f"{name}@example.org"))
        give_role(found[name], role, scope)
    return found


@pytest.fixture
def sign_in(
    chromium: Browser,
    live_server: LiveServer,
    settings: Settings,
    people: dict[str, Person],
    request: pytest.FixtureRequest,
) -> SignIn:
    settings.BASE_URL = address = str(live_server.url).replace("127.0.0.1", "localhost")

    def enter(name: str, path: str, landmark: str) -> Keyboard:
        keyboard = Keyboard(chromium, address, request.getfixturevalue("width"))
        keyboard.sign_in(f"{name}@example.org", path, landmark)
        return keyboard

    return enter


@pytest.mark.parametrize("width", [390, 1440])
def test_from_the_wish_to_the_receipt_by_keys_alone(sign_in: SignIn, system: AISystem, width: int) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1907")
    make_led_case(system, title="Complaint of Ada Lovelace")
    officer = sign_in("officer", ERASURES, "Erase a subject")
    page = officer.page
    officer.press(page.get_by_role("link", name="Erase a subject"))
    officer.look("Subject, as callers name them")
    officer.write(page.get_by_label("Subject, as callers name them"), "c-1907")
    officer.write(page.get_by_label("What else names them"), "Ada Lovelace")
    officer.choose(page.get_by_label("Legal basis"), "objection")
    officer.write(page.get_by_label("Reason"), "They ask for it.")
    officer.press(page.get_by_role("button", name="Look for it"))
    officer.look("The server is looking for it")
    search_for_finds(seconds=SECONDS)
    request = ErasureRequest.objects.get()
    officer.go(f"{ERASURES}{request.pk}/", "Complaint of Ada Lovelace")
    with long_ago():
        officer.press(page.get_by_role("button", name="Ask for it", exact=True))
        officer.look("It is asked for. Whoever is accountable is told.")
    officer.leave()

    owner = sign_in("owner", "/admin/mine/", "credit-limits")
    owner.press(owner.page.get_by_role("link", name="Erase", exact=False).first)
    owner.look("Who agrees")
    for number, _ in enumerate(("of the AI system's decision", "of a case, which belongs to none"), start=1):
        owner.press(owner.page.locator("summary", has_text="Agree").first)
        with long_ago():
            owner.press(owner.page.get_by_role("button", name="Agree: it is performed in a day").first)
            owner.look("You agreed. Once everybody has answered, those who may stop it are told")
            expect(owner.page.locator(".a-pill", has_text="Approved")).to_have_count(number)
    owner.leave()

    run_erasures(seconds=SECONDS)
    assert Payload.objects.get(pk=decision.id).secret is None
    officer = sign_in("officer", f"{ERASURES}{request.pk}/", "Performed")
    expect(officer.page.get_by_text("Complaint of Ada Lovelace")).to_have_count(0)
    officer.press(officer.page.get_by_role("link", name="See and print it"))
    expect(officer.page.get_by_text("answerable/erasure-receipt/v1")).to_be_visible()
    officer.leave()


@pytest.mark.parametrize("width", [390, 1440])
def test_a_class_comes_into_force_by_keys_alone(sign_in: SignIn, width: int) -> None:
    officer = sign_in("officer", RETENTION, "What is past its time")
    page = officer.page
    officer.press(page.locator("summary", has_text="Write a class down"))
    officer.choose(page.get_by_label("Kind of data"), "payloads")
    officer.write(page.get_by_label("Name"), "Credit limits, one year")
    officer.write(page.get_by_label("The law that asks for the floor"), "Article 26(6).")
    officer.write(page.get_by_label("Ceiling, in days"), "365")
    officer.write(page.get_by_label("What it is kept for until the ceiling"), "Complaints.")
    officer.press(page.get_by_role("button", name="Write it down"))
    officer.look("The class is there to choose from.")
    officer.press(page.locator("summary", has_text="Ask that one hold somewhere"))
    officer.choose(page.get_by_label("Class", exact=True), "payloads")
    officer.choose(page.get_by_label("AI system"), "Credit")
    officer.write(page.get_by_label("Why", exact=True), "As agreed.")
    officer.press(page.get_by_role("button", name="Ask for it"))
    officer.look("It is asked for.")
    officer.leave()

    owner = sign_in("owner", RETENTION, "waits for a second person")
    owner.press(owner.page.locator("summary", has_text="Agree"))
    owner.press(owner.page.get_by_role("button", name="Agree: it holds at once"))
    owner.look("Done.")
    assert RetentionRule.objects.get().status == "in_force"
    owner.leave()


# --- every state of a page --------------------------------------------------------------------------------------------
@pytest.fixture
def officer(page: Page, live_server: LiveServer, settings: Settings, system: AISystem) -> Person:
    person = with_password(make_person(name="Ines Varga", email="ada@example.org", dpo=True))
    give_role(make_person(name="Grace Lindqvist"), Role.ACCOUNTABLE, Scope.system(system.pk))
    settings.BASE_URL = address = str(live_server.url).replace("127.0.0.1", "localhost")
    give_password(page, address)
    expect(page.get_by_role("link", name="Erasures").first).to_be_attached()
    page.wait_for_load_state("networkidle")  # the first page of a browser is loaded again, in its time zone
    return person


def go(page: Page, path: str, words: str) -> None:
    page.goto(page.url.split("/admin/")[0] + path)
    expect(page.get_by_text(words).filter(visible=True).first).to_be_visible()
    look(page)


def test_an_erasure_in_each_of_its_states(page: Page, officer: Person, system: AISystem) -> None:
    record_decision(system, subject="c-1907")
    make_led_case(system, title="Complaint of Ada Lovelace " + "x" * 60)
    prepared_one = prepared(kind="subject", subject="c-1907", identifiers=["Ada Lovelace"])
    go(page, f"{ERASURES}{prepared_one.pk}/", "Leave out what names somebody else")
    waiting = agreed(kind="subject", subject="c-1907", identifiers=["Ada Lovelace"])
    go(page, f"{ERASURES}{waiting.pk}/", "It is performed from")
    now = timezone.now()
    place_span_hold(
        actor=actor_of(officer), system_id=system.pk, since=now - timedelta(days=1), until=now + timedelta(days=1),
        reason="A claim.",
    )  # fmt: skip
    run_erasures(seconds=SECONDS)
    go(page, f"{ERASURES}{waiting.pk}/", "Kept by a legal hold")
    other = make_system(slug="hiring")
    give_role(make_person(), Role.ACCOUNTABLE, Scope.system(other.pk))
    restricted = record_decision(other, subject="c-1908")
    scheduled = erased(kind="subject", subject="c-1908")
    go(page, f"{ERASURES}{scheduled.pk}/", "inside a floor")
    go(page, f"/admin/decisions/{restricted.id}/", "estricted")
    no_floor(other)
    record_decision(other, subject="c-1909")
    performed = erased(kind="subject", subject="c-1909")
    go(page, f"{ERASURES}{performed.pk}/", "Download the signed receipt")
    go(page, ERASURES, "Erase a subject")
    for kind in ("subject", "decision", "person"):
        go(page, f"{ERASURES}begin/{kind}", "Legal basis")


def test_retention_and_a_purge_in_each_of_its_states(page: Page, officer: Person, system: AISystem) -> None:
    go(page, RETENTION, "Nothing that you may know of.")
    put_in_force("payloads", system, ceiling=30)
    kept = record_decision(system, at=timezone.now() - timedelta(days=60))
    gone = record_decision(system, at=timezone.now() - timedelta(days=50))
    go(page, f"/admin/decisions/{gone.id}/", "They go with the next purge")
    place_span_hold(
        actor=actor_of(officer), system_id=system.pk, since=kept.recorded_at,
        until=kept.recorded_at + timedelta(hours=1), reason="A claim.",
    )  # fmt: skip
    go(page, RETENTION, "hold of")
    announced = announce_purge()
    assert announced is not None
    go(page, f"/admin/decisions/{kept.id}/", "A legal hold keeps it")
    go(page, f"/admin/decisions/{gone.id}/", "Input and output go with")
    go(page, f"{RETENTION}purges/{announced.pk}/", "cannot be undone")
    page.locator("summary", has_text="Stop it").click()
    page.get_by_label("Why it is stopped").fill("A claim came in.")
    page.get_by_role("button", name="Stop it").click()
    go(page, f"{RETENTION}purges/{announced.pk}/", "A claim came in.")
    put_in_force("payloads", system, ceiling=40)
    type(announced).objects.filter(pk=announced.pk).update(held_at=timezone.now() - timedelta(days=40))
    with long_ago(days=20):
        second = announce_purge()
    assert second is not None
    run_purges(seconds=SECONDS)
    go(page, f"{RETENTION}purges/{second.pk}/", "Download the signed report")
    go(page, f"/admin/decisions/{gone.id}/", "Their time was over.")
