"""The page of witnesses when all is well and when nothing is: large and small, light and dark; axe finds nothing."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from console.views.witnesses import PAGE_SIZE
from evidence.models import Anchor, AnchorKind, Outcome
from evidence.witnessing.configured import configured
from ledger.models import Log
from ledger.selectors import open_log
from tests.browser.opening import open_browser, signed_in
from tests.browser.test_sign_in import look
from tests.factories.anchors import WITNESS, make_contradiction, make_cosigned
from tests.factories.record import record_decision
from tests.factories.register import make_person, make_system

pytestmark = [pytest.mark.browser, pytest.mark.committing]
PAGE = "/admin/logs/witnesses/"


@pytest.fixture
def address(live_server: LiveServer, settings: Settings, tmp_path: Path) -> str:
    policy = tmp_path / "policy"
    policy.write_text(f"witness made-up {WITNESS.verifier.vkey} https://witness.example.org\nquorum made-up\n")
    settings.WITNESS_POLICY_FILE = str(policy)
    settings.BASE_URL = url = str(live_server.url).replace("127.0.0.1", "localhost")
    return url


def failing(log: Log) -> None:
    """A witness that was asked again and again, and says no."""
    Anchor.objects.create(
        log=log,
        kind=AnchorKind.WITNESS,
        name="made-up",
        identity=_identity(),
        outcome=Outcome.CONTRADICTS,
        detail="HTTP 422",
        failures=5,
        attempted_at=timezone.now(),
        next_attempt_at=timezone.now() + timedelta(minutes=30),
        seen_size=40,
        looked_at=timezone.now(),
    )


def _identity() -> str:
    return configured().witnesses[0].identity


def test_well_exposed_and_contradicted(address: str, chromium: Browser) -> None:
    well, exposed, broken = (make_system(slug=slug) for slug in ("well", "exposed", "broken"))
    for system in (well, exposed, broken):
        record_decision(system)
    make_cosigned(open_log(well.pk))
    Anchor.objects.update(identity=_identity())
    failing(open_log(exposed.pk))
    make_contradiction(open_log(broken.pk))
    page = open_browser(chromium, address, signed_in(make_person(auditor=True)))
    page.goto(f"{address}{PAGE}")
    for said in ("all seen outside", "exposed", "contradicted", "the quorum is met", "never by the quorum"):
        expect(page.get_by_text(said, exact=False).first).to_be_visible()
    expect(page.get_by_text("It has cosigned a tree that this one does not continue (422)")).to_be_visible()
    look(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").first.click()
    text = Path(download.value.path()).read_text()
    assert text.startswith(open_log(well.pk).origin) and "witness.example/made-up" in text


def test_from_the_menu_and_without_anybody_outside(address: str, chromium: Browser, settings: Settings) -> None:
    settings.WITNESS_POLICY_FILE = ""
    page = open_browser(chromium, address, signed_in(make_person(auditor=True)))
    page.goto(f"{address}/admin/")
    page.get_by_role("link", name="Witnesses").click()
    expect(page.get_by_text("No witness and no time-stamp authority is configured")).to_be_visible()
    look(page)


def test_many_logs_take_several_pages(address: str, chromium: Browser) -> None:
    for number in range(PAGE_SIZE):
        make_system(slug=f"system-{number}")
    page = open_browser(chromium, address, signed_in(make_person(auditor=True)))
    page.goto(f"{address}{PAGE}")
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text(f"Logs {PAGE_SIZE + 1} to {PAGE_SIZE + 1} of {PAGE_SIZE + 1}")).to_be_visible()
    look(page)
