"""The pages that people look at all day, with something of everything on them: small and large, light and dark."""

import pytest
from playwright.sync_api import Browser, Page
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from governance.models import Person
from overrides.models import ReviewAssignment
from tests.browser.opening import open_browser, signed_in
from tests.browser.test_sign_in import look
from tests.personas.world import World, make_world

pytestmark = [pytest.mark.browser, pytest.mark.committing]


def _pages(world: World) -> dict[Person, dict[str, str]]:
    """The address of each, and words that say that it shows what it should, by who looks at it."""
    staff, decision = world.staff, world.decision.id
    work = ReviewAssignment.objects.get(person_id=staff.reviewer.pk).token
    return {
        staff.owner: {
            "/admin/": str(world.system),
            "/admin/mine/": "Your agreement is asked for",
            "/admin/decisions/": world.named("dec", "outcome"),
            f"/admin/decisions/{decision}/": "Under whose responsibility",
            f"/admin/decisions/compare?decision={decision}&decision={world.untouched.id}": "What was decided",
            f"/admin/systems/{world.system.pk}/": "Shutdown procedure",
            "/admin/accountability/": world.named("people", "accountable"),
        },
        staff.lead: {f"/admin/cases/{world.case.pk}/": world.named("case", "finding")},
        staff.reviewer: {f"/admin/reviews/work/{work}/": world.named("pay", "text")},
        staff.operator: {"/admin/switchboard/": str(world.system)},
    }


def test_the_ten_main_pages(chromium: Browser, live_server: LiveServer, settings: Settings) -> None:
    settings.BASE_URL = address = str(live_server.url).replace("127.0.0.1", "localhost")
    seen = 0
    for person, pages in _pages(make_world("zqnear")).items():
        window = open_browser(chromium, address, signed_in(person))
        for path, words in pages.items():
            _look_at(window, f"{address}{path}", words)
            seen += 1
        window.context.close()
    assert seen == 10


def _look_at(window: Page, address: str, words: str) -> None:
    window.goto(address)
    assert words in window.locator("#content").inner_text(), address
    shown = window.get_by_role("button", name="Show input and output")
    if shown.count():
        shown.click()
        window.wait_for_load_state("networkidle")
    look(window)
