"""Every page there is, found from the addresses of the service, as somebody who may see it: axe finds nothing."""

import re
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from django.http.response import HttpResponseBase
from django.test import Client
from playwright.sync_api import Browser
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from config.problems import is_api_path
from config.rate_limits import REQUESTS
from governance.models import Person
from tests.browser.opening import DESK, open_browser, signed_in
from tests.browser.states import STATES
from tests.browser.test_sign_in import violations
from tests.personas.people import make_persona
from tests.personas.routes import routes
from tests.personas.world import World, make_world

pytestmark = [pytest.mark.browser, pytest.mark.committing]
NO_PAGE = {HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.FOUND, HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.SEE_OTHER}
"""What is only sent to, and what leads on to another page."""
NEVER = re.compile(
    r"admin/(r/.*|autocomplete/|demonstration/|login/provider/(back/)?|.*/delete/"
    r"|exports/.*/file|erasures/.*/receipt|retention/purges/.*/report)"
)
"""What is no page of this service: rows are never deleted, no provider is set up, it is no demonstration, files."""
NOBODYS = {
    f"admin/{row}/{act}/"
    for row, act in [
        ("governance/failpolicyrequest", "add"),
        ("governance/servicekey", "add"),
        ("intake/quarantinedrecord", "add"),
        ("intake/source", "add"),
        ("notices/alert", "add"),
        ("notices/delivery", "add"),
        ("notices/message", "add"),
        ("overrides/drillfinding", "add"),
        ("overrides/parameterversion", "add"),
        ("overrides/rulechange", "add"),
        ("notices/delivery/<path:object_id>", "history"),
        ("notices/message/<path:object_id>", "history"),
        ("governance/datadependency/<path:object_id>", "remove"),
        ("notices/delivery/<path:object_id>", "again"),
        ("notices/message/<path:object_id>", "again"),
        ("overrides/drill/<path:object_id>", "end"),
    ]
}
"""Pages of the admin that nobody opens here: made elsewhere, without a history, or asked for in a state like none
here, by the page of one question and one button that all acts share."""
FEWEST = 120
"""Pages there are at least: were fewer found, the search would be at fault."""


def test_every_page(
    chromium: Browser, live_server: LiveServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(REQUESTS, "per_second", 0)
    settings.BASE_URL = address = str(live_server.url).replace("127.0.0.1", "localhost")
    world = make_world("zqnear")
    clients = [signed_in(person) for person in _people(world)]
    found, unseen = _found(world, clients)
    assert {each for each in unseen if not NEVER.fullmatch(each)} == NOBODYS | set(STATES)
    assert sum(map(len, found.values())) >= FEWEST
    wrong = [each for number, paths in found.items() for each in _faults(chromium, address, clients[number], paths)]
    assert wrong == [], "\n".join(wrong)


def test_pages_of_a_state(chromium: Browser, live_server: LiveServer, settings: Settings) -> None:
    settings.BASE_URL = address = str(live_server.url).replace("127.0.0.1", "localhost")
    world = make_world("zqnear")
    wrong = [f"{pattern}: {each}" for pattern in STATES for each in _wrong_with(pattern, world, chromium, address)]
    assert wrong == [], "\n".join(wrong)


def _wrong_with(pattern: str, world: World, chromium: Browser, address: str) -> Iterator[str]:
    person, path = STATES[pattern](world)
    client = signed_in(person)
    answer = client.get(path)
    if _is_page(answer, HTTPStatus.UNPROCESSABLE_ENTITY):  # what was asked for wrongly is a page too
        yield from _faults(chromium, address, client, [path])
    else:
        yield f"{path} answers {answer.status_code}"


def _people(world: World) -> Iterator[Person | None]:
    """Those of the world, and one for each role that it has not; at last somebody who has not signed in."""
    staff = world.staff
    yield from (staff.owner, staff.engineer, staff.operator, staff.reviewer, staff.lead, staff.approver)
    yield from (make_persona(name, world.system).person for name in ("administrator", "dpo", "auditor"))
    yield None


def _found(world: World, clients: list[Client]) -> tuple[dict[int, list[str]], set[str]]:
    """The pages of each, every page once; and the patterns of those that nobody was shown."""
    found: dict[int, list[str]] = {number: [] for number in range(len(clients))}
    unseen = set()
    for route in routes():
        if is_api_path(f"/{route.pattern}"):
            continue
        path, leads_on = route.at(world), False
        for number, client in enumerate(clients):
            answer = client.get(path)
            if _is_page(answer):
                found[number].append(path)
                break
            leads_on |= number < len(clients) - 1 and _is_no_page(answer)  # the last is led to the sign-in
        else:
            unseen |= set() if leads_on else {route.pattern}
    return found, unseen


def _is_page(answer: HttpResponseBase, *also: HTTPStatus) -> bool:
    """A whole one: parts of pages are looked at on theirs."""
    return answer.status_code in {HTTPStatus.OK, *also} and b"<html" in getattr(answer, "content", b"")


def _is_no_page(answer: HttpResponseBase) -> bool:
    return answer.status_code in NO_PAGE or (answer.status_code == HTTPStatus.OK and not _is_page(answer))


def _faults(chromium: Browser, address: str, client: Client, paths: list[str]) -> Iterator[str]:
    window = open_browser(chromium, address, client)
    for path in paths:
        window.goto(f"{address}{path}")
        yield from (f"{path}: {each}" for each in violations(window))
        if window.evaluate("document.documentElement.scrollWidth") > DESK:
            yield f"{path}: wider than the window"
    window.context.close()
