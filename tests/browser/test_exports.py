"""Exports in a browser: asked for, watched, agreed to and fetched by keys alone; small and large, light and dark."""

import json
import re
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from evidence.exports.models import Export, ExportWork
from evidence.exports.pace import Pace
from evidence.exports.running import run_exports
from governance.models import AISystem, Person
from tests.browser.keyboard import Keyboard
from tests.browser.opening import DESK, open_browser, signed_in
from tests.browser.test_sign_in import violations
from tests.factories.cases import make_led_case
from tests.factories.exports import ALONE, agree, ask, export_of, folder_storage
from tests.factories.record import record_decision, record_many
from tests.factories.register import make_person, make_system
from tests.factories.sign_in import with_password

pytestmark = [pytest.mark.browser, pytest.mark.committing]
WIDTHS = (390, 1440)
EXPORTS = "/admin/exports/"
MOST_PIECES, PIECES_SEEN = 200, 3
"""Of work: before a test gives up on a worker; and after which it shows another number."""


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


@dataclass
class HeldUp(Pace):
    """The pace of a worker that has to give way as long as somebody says: after each piece of work it rests until it
    is let go, and looks as often as any other that rests whether it was given up."""

    let_go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    rests: int = 0

    def rest_after(self, worked: float, between: Callable[[], None] = lambda: None) -> None:
        self.rests += 1
        while not self.let_go.acquire(timeout=0.1):
            between()


@contextmanager
def at_work(pace: HeldUp) -> Iterator[Future[int]]:
    """A worker as the task runs one, beside this test, with a connection of its own. It is let go in the end."""

    def work() -> int:
        try:
            return run_exports(seconds=300, pace=pace)
        finally:
            connection.close()

    with ThreadPoolExecutor(1, "exports") as pool:
        working = pool.submit(work)
        try:
            yield working
        finally:
            pace.let_go.release(10_000)
        assert working.result(timeout=60) == 1


def read_so_far(page: Page) -> tuple[int, int]:
    """What the page says: so many entries, of so many."""
    bar = page.get_by_role("progressbar", name="Entries read")
    return int(bar.get_attribute("value") or 0), int(bar.get_attribute("max") or 0)


def test_a_workers_progress_is_shown_as_it_goes_until_the_file_is_fetched_by_keys(
    chromium: Browser, address: str, system: AISystem, auditor: Person
) -> None:
    record_many(system, 6_000)
    export = ask(auditor, system)
    keys = Keyboard(chromium, address, DESK)
    keys.sign_in("ada@example.org", f"{EXPORTS}{export.pk}/", "Waits for its turn. It gives way")
    page, shown, pace = keys.page, list[int](), HeldUp()
    with at_work(pace):
        for _ in range(MOST_PIECES):
            if len(shown) == PIECES_SEEN:
                break
            done = next_piece(pace)
            if done > (shown[-1] if shown else 0):
                # without touching anything; the worker says so once a second, and the page asks every few
                words = re.compile(f"Reading entries: {done:,} of [0-9,]+ entries")
                expect(page.get_by_text(words)).to_be_visible(timeout=20_000)
                value, of = read_so_far(page)
                assert value == done < of == ExportWork.objects.get(export=export).total
                shown.append(done)
        assert len(shown) == PIECES_SEEN and shown == sorted(set(shown)), shown
        keys.look("Reading entries")
        pace.let_go.release(10_000)
        download = page.get_by_role("link", name="Download")
        expect(download).to_be_visible(timeout=60_000)
        expect(page.get_by_role("progressbar", name="Entries read")).to_have_count(0)
    keys.look("It is whole")
    keys.reach(download)
    with page.expect_download() as begun:
        page.keyboard.press("Enter")
    made = Export.objects.get()
    assert (made.status, made.decisions) == (Export.Status.FINISHED, 6_030)
    with zipfile.ZipFile(begun.value.path()) as found:
        assert json.loads(found.read("manifest.json"))["id"] == str(made.pk)


def test_what_a_worker_is_at_is_given_up_by_keys(
    chromium: Browser, address: str, system: AISystem, auditor: Person, settings: Settings
) -> None:
    record_many(system, 1_000)
    export = ask(auditor, system)
    keys = Keyboard(chromium, address, DESK)
    keys.sign_in("ada@example.org", f"{EXPORTS}{export.pk}/", "Waits for its turn. It gives way")
    pace = HeldUp()
    with at_work(pace) as working:
        for _ in range(MOST_PIECES):
            if next_piece(pace):
                break
        expect(keys.page.get_by_text("Reading entries: ")).to_be_visible(timeout=20_000)
        keys.reach(keys.page.get_by_role("button", name="Give it up"))
        with keys.page.expect_navigation():
            keys.page.keyboard.press("Enter")
        expect(keys.page.get_by_text("Nothing of it is kept.").first).to_be_visible()
        assert working.result(timeout=30) == 1  # it was at rest, and noticed
    assert Export.objects.get().status == Export.Status.CANCELLED
    assert [each for each in Path(settings.EXPORT_WORK_DIR).rglob("*") if str(export.pk) in each.name] == []


def next_piece(pace: HeldUp) -> int:
    """Let the worker do one piece of work, and wait until it rests and has said how far it is: so many entries."""
    before = pace.rests
    pace.let_go.release()
    wait_until(lambda: pace.rests > before)
    rests_since = timezone.now()
    wait_until(lambda: ExportWork.objects.filter(worked_at__gt=rests_since).exists())
    return ExportWork.objects.get().done


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends, "it never came about"
        time.sleep(0.05)


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
