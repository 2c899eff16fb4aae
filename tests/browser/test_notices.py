"""Alerts, webhook endpoints, their deliveries and e-mails in a browser: on a phone and on a desk, light and dark."""

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from governance.models import Person
from ledger.entries import SERVER
from notices.models import Alert, Delivery
from notices.outbox import announce
from notices.services import open_alert
from notices.services.fan_out import fan_out
from tests.browser.test_sign_in import give_password, look
from tests.factories.register import make_person, make_system
from tests.factories.sign_in import with_password

pytestmark = [pytest.mark.browser, pytest.mark.committing]


@pytest.fixture
def admin(page: Page, live_server: LiveServer) -> Person:
    person = with_password(make_person(name="Ada Lindqvist", email="ada@example.org", administrator=True))
    give_password(page, str(live_server.url).replace("127.0.0.1", "localhost"))
    expect(page.get_by_role("link", name="Alerts").first).to_be_attached()
    page.wait_for_load_state("networkidle")  # the first page of a browser is loaded again, in its time zone
    return person


def go(page: Page, path: str) -> None:
    page.goto(page.url.split("/admin/")[0] + path)


def test_an_endpoint_from_its_registration_to_a_delivery(page: Page, admin: Person) -> None:
    make_system(slug="credit-limit")
    go(page, "/admin/notices/webhookendpoint/add/")
    look(page)
    page.get_by_label("Name").fill("Ticketing of the service desk")
    page.get_by_label("Address").fill("https://hooks.example.org/answerable/" + "x" * 120)
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("whsec_")).to_be_visible()
    look(page)
    announce(event="switch.stopped", system_id=None, facts={"switch": "x" * 40})
    fan_out()
    sent = Delivery.objects.get()
    for path in (
        "/admin/notices/webhookendpoint/",
        f"/admin/notices/webhookendpoint/{sent.endpoint_id}/change/",
        f"/admin/notices/webhookendpoint/{sent.endpoint_id}/rotate/",
        "/admin/notices/delivery/",
        f"/admin/notices/delivery/{sent.pk}/change/",
    ):
        go(page, path)
        look(page)


def test_an_alert_and_its_email(page: Page, admin: Person) -> None:
    opened = open_alert(
        actor=SERVER, kind="signin.locked", severity=Alert.Severity.WARNING, fingerprint="x", facts={"by": "address"}
    )
    for path in (
        "/admin/notices/alert/",
        f"/admin/notices/alert/{opened.pk}/change/",
        f"/admin/notices/alert/{opened.pk}/close/",
        "/admin/notices/message/",
    ):
        go(page, path)
        look(page)
