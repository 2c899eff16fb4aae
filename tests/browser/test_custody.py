"""Custody of the logs in a browser: by keys alone, small and large, light and dark, without an axe violation."""

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from evidence.models import CustodyRequest
from evidence.services.custody_requests import approve_custody, ask_custody, carry_out
from governance.models import Person
from ledger.entries import COMMAND
from ledger.heads import head_store
from ledger.models import Contradiction, Log
from ledger.selectors import open_log
from tests.browser.keyboard import Keyboard
from tests.browser.test_sign_in import give_password, look
from tests.factories.record import record_many
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.sign_in import with_password

pytestmark = [pytest.mark.browser, pytest.mark.committing]
CUSTODY, WHY = "/admin/logs/custody/", "The disk failed; no replica has the rest."
What = CustodyRequest.What


@pytest.fixture
def troubled() -> list[Log]:
    """Two logs: of one the tail is gone, of the other this host has no head."""
    logs = []
    for slug in ("credit-limits", "claims-triage"):
        system = make_system(slug=slug)
        record_many(system, 20)
        logs.append(open_log(system.pk))
    head = head_store().head(logs[0].id)
    assert head is not None
    head_store().advance(logs[0].id, head.tree_size + 1_240, bytes(32))
    with head_store()._connection() as db:
        db.execute("DELETE FROM heads WHERE log_id = ?", (logs[1].id.bytes,))
    return logs


@pytest.fixture
def people() -> dict[str, Person]:
    return {
        name: with_password(make_person(name=f"{name.title()} Varga", email=f"{name}@example.org", administrator=True))
        for name in ("anna", "ben")
    }


@pytest.mark.parametrize("width", [390, 1440])
def test_asked_for_and_agreed_to_by_keys_alone(
    chromium: Browser,
    live_server: LiveServer,
    settings: Settings,
    people: dict[str, Person],
    troubled: list[Log],
    width: int,
) -> None:
    settings.BASE_URL = address = str(live_server.url).replace("127.0.0.1", "localhost")
    anna = Keyboard(chromium, address, width)
    anna.sign_in("anna@example.org", CUSTODY, "1,240 entries")
    anna.press(anna.page.get_by_role("link", name="Close logs that lost their tail"))
    anna.look("Nothing is done until somebody else agrees: Ben Varga")
    anna.press(anna.page.get_by_role("button", name="Ask for it"))
    assert not CustodyRequest.objects.exists(), "the browser asks for the reason first"
    anna.write(anna.page.get_by_label("What happened, and what was tried"), WHY)
    anna.press(anna.page.get_by_role("button", name="Ask for it"))
    anna.look("You asked, so somebody else agrees: Ben Varga.")
    request = CustodyRequest.objects.get()
    anna.leave()

    ben = Keyboard(chromium, address, width)
    ben.sign_in("ben@example.org", "/admin/mine/", "close the logs that lost their tail")
    ben.press(ben.page.get_by_role("link", name="close the logs that lost their tail", exact=False).first)
    ben.look(WHY)
    ben.press(ben.page.get_by_role("button", name="Agree"))
    ben.look("manage.py close_log --approved")
    ben.leave()
    carry_out(actor=COMMAND, request_id=request.pk)
    assert hasattr(Log.objects.get(pk=troubled[0].pk), "closure")


# --- every state of a page --------------------------------------------------------------------------------------------
def test_every_state_of_the_pages(page: Page, live_server: LiveServer, settings: Settings, troubled: list[Log]) -> None:
    admin = with_password(make_person(name="Ines Varga", email="ada@example.org", administrator=True))
    other = make_person(name="Grace Lindqvist", administrator=True)
    settings.BASE_URL = address = str(live_server.url).replace("127.0.0.1", "localhost")
    give_password(page, address)
    expect(page.get_by_role("link", name="Custody").first).to_be_attached()
    page.wait_for_load_state("networkidle")  # the first page of a browser is loaded again, in its time zone

    def go(path: str, words: str) -> None:
        page.goto(address + path)
        expect(page.get_by_text(words).filter(visible=True).first).to_be_visible()
        look(page)

    go(CUSTODY, "AI system's log (Credit-Limits)")
    for what in (What.CLOSE, What.CLOSE_UNKNOWN, What.ADOPT):
        go(f"{CUSTODY}ask/{what}", "Nothing is done until somebody else agrees: Grace Lindqvist")
    asked = ask_custody(actor=actor_of(other), what=What.ADOPT, reason=WHY)
    go(f"{CUSTODY}{asked.pk}/", "Ask Grace Lindqvist by another way")
    Contradiction.objects.create(
        log=troubled[0], tree_size=9_999, root_hash=bytes(32), note="", witness="witness.example.org", found_size=20
    )
    mine = ask_custody(actor=actor_of(admin), what=What.CLOSE, reason=WHY)
    go(f"{CUSTODY}{mine.pk}/", "holds a tree of 9,999 entries")
    approve_custody(actor=actor_of(other), request_id=mine.pk)
    go(f"{CUSTODY}{mine.pk}/", "Now, at the host")
    carry_out(actor=COMMAND, request_id=mine.pk)
    go(f"{CUSTODY}{mine.pk}/", "Carried out")
    page.goto(f"{address}{CUSTODY}ask/{What.FINISH_ROTATION}")
    look(page)
