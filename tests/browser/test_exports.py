"""Exports in a browser: asked for, watched, agreed to and fetched by keys alone; small and large, light and dark."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from evidence.exports.models import Export, ExportWork
from evidence.exports.running import run_exports
from governance.models import AISystem, Person
from tests.browser.keyboard import Keyboard
from tests.browser.opening import open_browser, signed_in
from tests.browser.test_sign_in import violations
from tests.factories.cases import make_led_case
from tests.factories.exports import ALONE, agree, ask, export_of, folder_storage
from tests.factories.record import record_decision, record_many
from tests.factories.register import make_person, make_system
from tests.factories.sign_in import with_password

pytestmark = [pytest.mark.browser, pytest.mark.committing]
WIDTHS = (390, 1440)
EXPORTS = "/admin/exports/"


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, settings: Settings) -> None:
    settings.EXPORT_WORK_DIR = tmp_path / "work"
    settings.STORAGES = settings.STORAGES | {"exports": folder_storage(tmp_path / "files")}


@pytest.fixture
def address(live_server: LiveServer, settings: Settings) -> str:
    settings.BASE_URL = url = str(live_server.url).replace("127.0.0.1", "localhost")
    return url


@pytest.fixture
def system() -> AISystem:
    found = make_system(slug="credit-limits")
    record_many(found, 30)
    return found


@pytest.fixture
def auditor() -> Person:
    return with_password(make_person(name="Ada Auditor", email="ada@example.org", auditor=True))


def press(page: Page, role: Any, name: str) -> None:
    page.get_by_role(role, name=name, exact=True).first.focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")


@pytest.mark.parametrize("width", WIDTHS)
def test_asked_for_watched_and_fetched_by_keys_alone(
    chromium: Browser, address: str, system: AISystem, auditor: Person, tmp_path: Path, width: int
) -> None:
    keys = Keyboard(chromium, address, width)
    keys.sign_in("ada@example.org", EXPORTS, "What leaves the record as a file")
    page = keys.page
    press(page, "link", "Ask for an export")
    keys.look("An AI system within times")
    page.get_by_label("AI system", exact=True).focus()
    page.keyboard.type("Credit")
    page.get_by_label("What it is for").focus()
    page.keyboard.type("Question 4 of the authority.")
    press(page, "button", "Ask for it")
    expect(page.get_by_text("Waits for its turn. It gives way")).to_be_visible()
    keys.look("Waits for its turn. It gives way")
    run_exports(seconds=60, pace=ALONE)
    download = page.get_by_role("link", name="Download")
    expect(download).to_be_visible(timeout=20_000)  # without touching anything
    keys.look("It is whole")
    download.focus()
    with page.expect_download() as begun:
        page.keyboard.press("Enter")
    made = Export.objects.get()
    assert begun.value.suggested_filename == made.file_name
    with zipfile.ZipFile(begun.value.path()) as found:
        assert json.loads(found.read("manifest.json"))["id"] == str(made.pk)


def test_progress_is_shown_as_it_goes_and_it_is_given_up(
    chromium: Browser, address: str, system: AISystem, auditor: Person
) -> None:
    export = ask(auditor, system)
    page = open_browser(chromium, address, signed_in(auditor))
    page.goto(f"{address}{EXPORTS}{export.pk}/")
    expect(page.get_by_text("Waits for its turn. It gives way")).to_be_visible()
    said = {"worker": export.pk, "worked_at": timezone.now(), "phase": "entries", "total": 1_000, "done": 420}
    ExportWork.objects.update(**said)
    expect(page.get_by_text("Reading entries: 420 of 1,000 entries")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("progressbar", name="Entries read")).to_have_attribute("value", "420")
    press(page, "button", "Give it up")
    expect(page.get_by_text("Nothing of it is kept.").first).to_be_visible()


def test_without_script_a_page_tells_the_same(
    chromium: Browser, address: str, system: AISystem, auditor: Person
) -> None:
    export = ask(auditor, system, form="csv")
    client = signed_in(auditor)
    context = chromium.new_context(java_script_enabled=False)
    cookies = [{"name": name, "value": each.value, "url": address} for name, each in client.cookies.items()]
    context.add_cookies(cookies)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{address}{EXPORTS}{export.pk}/")
    expect(page.get_by_text("Waits for its turn. It gives way")).to_be_visible()
    run_exports(seconds=60, pace=ALONE)
    page.reload()
    expect(page.get_by_role("link", name="Download")).to_be_visible()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_second_person_agrees_by_keys(
    chromium: Browser, address: str, system: AISystem, auditor: Person, width: int
) -> None:
    export = ask(auditor, system, parts=["input", "refs"], reason="Question 4.")
    with_password(make_person(name="Dora Officer", email="dora@example.org", dpo=True))
    keys = Keyboard(chromium, address, width)
    keys.sign_in("dora@example.org", f"{EXPORTS}{export.pk}/", "Question 4.")
    keys.page.get_by_label("Why (optional)").focus()
    keys.page.keyboard.type("Once.")
    press(keys.page, "button", "Agree")
    expect(keys.page.get_by_text("It is made as soon as there is room.")).to_be_visible()
    keys.look("Agreed to")
    assert Export.objects.get().status == Export.Status.QUEUED


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_their_pages_pass_axe_and_fit_a_phone(
    chromium: Browser, address: str, system: AISystem, auditor: Person, scheme: Any
) -> None:
    decision = record_decision(system, subject="ada")
    case, _ = make_led_case(system, decisions=[decision])
    finished = export_of(auditor, system, parts=["input"])
    incomplete = export_of(auditor, system, form="csv")
    Export.objects.filter(pk=incomplete.pk).update(is_whole=False, left_out=["judged_blind"])
    failed = ask(auditor, system)
    Export.objects.filter(pk=failed.pk).update(status="failed", failure="storage_full", ended_at=timezone.now())
    ExportWork.objects.filter(export=failed).delete()
    waits = agree(ask(auditor, question="subject", subject="ada", parts=["refs"]))
    ExportWork.objects.filter(export=waits).update(trouble="storage_full", phase="keeping", total=100, done=100)
    asked = ask(auditor, question="decision", decision_id=decision.id, parts=["input"])
    page = open_browser(chromium, address, signed_in(auditor))
    page.emulate_media(color_scheme=scheme)
    ones = [f"{EXPORTS}{each.pk}/" for each in (finished, incomplete, failed, waits, asked)]
    questions = [f"{EXPORTS}new?question={each}" for each in ("range", "decision", "subject")]
    for path in (EXPORTS, *ones, *questions, f"{EXPORTS}new?decision={decision.id}", f"{EXPORTS}new?case={case.pk}"):
        page.goto(f"{address}{path}")
        page.evaluate("document.querySelectorAll('#content details').forEach(each => { each.open = true; })")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(250)  # colours fade in
            assert violations(page) == [], (path, width)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
