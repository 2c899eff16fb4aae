"""Pages as somebody who has signed in already, without walking there."""

from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page

from console.zones import COOKIE
from governance.models import Person

DESK = 1440


def open_browser(chromium: Browser, address: str, client: Client) -> Page:
    """A window of somebody: with the session of a test client, and the time zone that is asked for once."""
    context = chromium.new_context(viewport={"width": DESK, "height": 900}, timezone_id="UTC")
    cookies = {name: each.value for name, each in client.cookies.items()} | {COOKIE: "UTC"}
    context.add_cookies([{"name": name, "value": value, "url": address} for name, value in cookies.items()])
    return context.new_page()


def signed_in(person: Person | None) -> Client:
    """A test client of theirs; None is somebody who has not signed in."""
    client = Client(headers={"host": "localhost"})
    client.raise_request_exception = False
    if person is not None:
        client.force_login(person)
    assert settings.SESSION_COOKIE_NAME in client.cookies or person is None
    return client
