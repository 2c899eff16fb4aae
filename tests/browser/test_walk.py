"""The whole of human control in one walk, by keyboard alone: stopped, confirmed, asked to resume, approved by a second
person; a review claimed and decided; a decision overridden; an appeal opened. No page of it has an axe violation."""

import re

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from governance.acts import Role
from governance.models import AISystem
from governance.register import KeyGrant
from governance.scopes import Scope
from overrides.models import Appeal, Override, Review, Switch
from overrides.standing import Mode
from tests.browser.keyboard import Keyboard
from tests.factories.control import ack, reading
from tests.factories.record import record_decision
from tests.factories.register import give_role, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review
from tests.factories.sign_in import with_password

pytestmark = [pytest.mark.browser, pytest.mark.committing]
FOR_A_THUMB = 44


@pytest.fixture
def address(live_server: LiveServer) -> str:
    return str(live_server.url).replace("127.0.0.1", "localhost")


@pytest.fixture
def system() -> AISystem:
    system = make_system(slug="credit-limits", environments=["production"], safe_state="The desk decides.")
    olga = with_password(make_person(name="Olga Operator", email="olga@example.org"))
    give_role(olga, Role.OPERATOR, Scope.system(system.pk))
    give_role(with_password(make_person(name="Aron Approver", email="aron@example.org")), Role.APPROVER, Scope())
    with_password(make_person(name="Rosa Reviewer", email="rosa@example.org", reviewer=system))
    owner = with_password(make_person(name="Grace Lindqvist", email="grace@example.org", accountable=system))
    open_review(
        system, rule=make_rule(system, make_queue(owner)), parts={"input": {"income": 41234}}, outcome="refused"
    )
    return system


@pytest.mark.parametrize("width", [390, 1440])
def test_the_walk_by_keyboard_alone(chromium: Browser, address: str, system: AISystem, width: int) -> None:
    grant = reading(system)
    ack(grant, system, None)
    _stops(Keyboard(chromium, address, width), grant, system)
    _approves(Keyboard(chromium, address, width))
    _reviews(Keyboard(chromium, address, width))
    _overrides_and_contests(Keyboard(chromium, address, width), record_decision(system, outcome="refused").id)


def _stops(olga: Keyboard, grant: KeyGrant, system: AISystem) -> None:
    page = olga.page
    olga.sign_in("olga@example.org", "/admin/switchboard/", "1 client listening")
    button = page.get_by_role("link", name="Stop Credit-Limits", exact=True)
    assert button.evaluate("element => element.offsetHeight") >= FOR_A_THUMB
    olga.press(button)
    olga.look("Pressing a reason does it")
    olga.press(page.get_by_role("button", name="It decides wrongly"))
    expect(page.locator(".c-answer").get_by_text("0 of 1 client confirmed")).to_be_visible()
    ack(grant, system, Switch.objects.get().epoch, Mode.STOP, has_drained=True)
    expect(page.locator(".c-answer").get_by_text("1 of 1 client confirmed")).to_be_visible(timeout=6000)
    olga.look("Shutdown procedure")
    olga.press(page.locator("#content").get_by_role("link", name="Switchboard", exact=True))
    olga.press(page.get_by_role("link", name="Ask to resume Credit-Limits"))
    olga.look("Nothing changes until somebody else approves")
    olga.choose_first(page.get_by_label("Why it is safe now"))
    olga.write(page.get_by_label("Where the evidence is"), "https://example.org/incident/4")
    olga.press(page.get_by_role("button", name="Ask to resume"))
    olga.look("You asked, so somebody else approves")
    assert Switch.objects.get().mode == Mode.STOP
    page.context.close()


def _approves(aron: Keyboard) -> None:
    aron.sign_in("aron@example.org", "/admin/switchboard/", "Waits for you")
    aron.press(aron.page.get_by_role("link", name=re.compile("asked by Olga Operator")))
    aron.look("https://example.org/incident/4")
    aron.press(aron.page.get_by_role("button", name="Approve: people decide"))
    expect(aron.page.get_by_role("heading", name="Confirmation")).to_be_visible()
    aron.look("Shutdown procedure")
    assert Switch.objects.get().mode == Mode.REVIEW
    aron.page.context.close()


def _reviews(rosa: Keyboard) -> None:
    rosa.sign_in("rosa@example.org", "/admin/reviews/", "What waits")
    rosa.page.keyboard.press("n")
    expect(rosa.page.locator("[data-item]")).to_be_visible()
    rosa.look("41234")
    rosa.page.keyboard.press("c")
    rosa.look("That was the last one for you")
    assert Review.objects.get().verdict == "confirm"
    rosa.page.context.close()


def _overrides_and_contests(grace: Keyboard, decision_id: object) -> None:
    page = grace.page
    grace.sign_in("grace@example.org", f"/admin/decisions/{decision_id}/", "Override this decision")
    grace.press(page.locator("#override > summary"))
    grace.write(page.get_by_label("Outcome that takes its place"), "approved")
    grace.choose_first(page.locator("#o-reason"))
    grace.press(page.get_by_role("button", name="Override", exact=True))
    grace.look("the caller has not said that it did this")
    grace.press(page.locator("#contest > summary"))
    grace.write(page.get_by_label("Ground, as a short code"), "wrong-data")
    grace.write(page.get_by_label("What they say"), "My salary is higher than that.")
    grace.press(page.get_by_role("button", name="Open the appeal"))
    grace.look("You had a part in this decision")
    assert (Override.objects.get().outcome, Appeal.objects.get().status) == ("approved", "open")
    page.context.close()
