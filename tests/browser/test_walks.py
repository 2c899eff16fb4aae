"""Each persona's whole job by keyboard alone, on a phone and on a desk; no page on the way has an axe violation."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from audit.models import Case, LegalHold, PayloadGrant
from evidence.models import ExplanationLetter
from governance.acts import Role
from governance.models import AISystem, Assignment, ModelVersion, Person
from governance.scopes import ORGANISATION, Scope
from governance.selectors import accountable_of, card_in_force
from ledger.models import Entry
from overrides.models import Override
from tests.browser.keyboard import Keyboard
from tests.factories import cards, letters
from tests.factories.cases import make_led_case
from tests.factories.record import record_decision, record_many
from tests.factories.register import give_role, make_person, make_system
from tests.factories.sign_in import with_password

pytestmark = [pytest.mark.browser, pytest.mark.committing, pytest.mark.parametrize("width", [390, 1440])]
SignIn = Callable[[str, str, str], Keyboard]
MANY = 5_000


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits", environments=["production"])


@pytest.fixture
def people(system: AISystem) -> dict[str, Person]:
    """One for each role, by first name of the address."""
    roles = {
        "owner": (Role.ACCOUNTABLE, Scope.system(system.pk)),
        "deputy": (Role.DEPUTY, Scope.system(system.pk)),
        "engineer": (Role.TECHNICAL_OWNER, Scope.system(system.pk)),
        "viewer": (Role.VIEWER, Scope.system(system.pk)),
        "auditor": (Role.AUDITOR, ORGANISATION),
        "investigator": (Role.INVESTIGATOR, ORGANISATION),
        "officer": (Role.DPO, ORGANISATION),
        "administrator": (Role.ADMINISTRATOR, ORGANISATION),
        "second": (Role.ADMINISTRATOR, ORGANISATION),
    }
    found = {name: _person(name) for name in (*roles, "stranger")}
    for name, (role, scope) in roles.items():
        give_role(found[name], role, scope)
    return found


def _person(name: str) -> Person:
    return with_password(make_person(name=f"{name.title()} Varga", email=f"{name}@example.org"))


@pytest.fixture
def sign_in(
    chromium: Browser, live_server: LiveServer, settings: Settings, people: dict[str, Person], width: int
) -> SignIn:
    settings.BASE_URL = address = str(live_server.url).replace("127.0.0.1", "localhost")

    def enter(name: str, path: str, landmark: str) -> Keyboard:
        keyboard = Keyboard(chromium, address, width)
        keyboard.sign_in(f"{name}@example.org", path, landmark)
        return keyboard

    return enter


def test_an_administrator_offers_a_role_that_takes_two_and_its_holder_accepts(
    sign_in: SignIn, people: dict[str, Person], system: AISystem
) -> None:
    ada = sign_in("administrator", "/admin/accountability/", "Who answers for what")
    ada.go("/admin/governance/assignment/add/", "Model version")
    ada.choose(ada.page.get_by_label("Person"), "Stranger Varga")
    ada.choose(ada.page.get_by_label("Role"), "Auditor")
    ada.choose(ada.page.get_by_label("Scope"), "Organisation")
    ada.press(ada.page.get_by_role("button", name="Save"))
    ada.look("was added successfully")
    ada.leave()
    ben = sign_in("second", "/admin/mine/", "Your agreement is asked for")
    ben.press(ben.page.get_by_role("link", name=re.compile("make Stranger Varga auditor")))
    ben.press(ben.page.get_by_role("link", name="Agree").last)
    ben.press(ben.page.get_by_role("button", name="Agree"))
    ben.look("Auditor")
    ben.leave()
    sid = sign_in("stranger", "/admin/mine/", "Auditor")
    sid.reach(sid.page.get_by_role("checkbox").first)
    sid.page.keyboard.press("Space")
    sid.press(sid.page.get_by_role("button", name=re.compile("^Accept")))
    expect(sid.page.get_by_role("button", name=re.compile("^Accept"))).to_have_count(0)
    sid.look("Auditor, the organisation")
    held = Assignment.objects.get(person=people["stranger"])
    assert (held.role, held.status) == ("auditor", "accepted")
    sid.leave()


def test_an_engineer_has_a_card_published_and_a_version_brought_into_use(
    sign_in: SignIn, people: dict[str, Person], system: AISystem
) -> None:
    eva = sign_in("engineer", f"/admin/systems/{system.pk}/cards/", "Write the first one")
    eva.press(eva.page.get_by_role("button", name="Write the first one"))
    eva.write(eva.page.get_by_label("Capabilities"), "Scores applications.")
    eva.page.keyboard.press("Control+s")
    expect(eva.page.get_by_text("Saved, ")).to_be_visible()
    cards.draft(system, people["engineer"])  # the fields that are left, of which there are a hundred
    eva.go(f"/admin/systems/{system.pk}/cards/draft/", "Submit it")
    eva.write(eva.page.get_by_label("What they should know"), "The first one.")
    eva.press(eva.page.get_by_role("button", name="Submit", exact=True))
    eva.look("waits for a second person")
    otto = sign_in("owner", "/admin/mine/", "Your agreement is asked for")
    otto.press(otto.page.get_by_role("link", name="Engineer Varga asks to publish a system card"))
    otto.look("The first one.")
    otto.press(otto.page.get_by_role("button", name="Publish what stands here"))
    otto.look("Card 1")
    assert card_in_force(system.pk) is not None

    eva.go("/admin/governance/modelversion/add/", "Version")
    eva.choose(eva.page.locator("#id_system"), "Credit-Limits")
    eva.write(eva.page.locator("#id_version"), "2.0")
    eva.write(eva.page.locator("#id_model_digest"), "sha256:" + "ab" * 32)
    eva.press(eva.page.get_by_role("button", name="Save"))
    eva.look("was added successfully")
    eva.press(eva.page.locator("#result_list").get_by_role("link", name="2.0"))
    eva.look("Gates")
    eva.press(eva.page.get_by_role("link", name="Propose").last)
    eva.write(eva.page.locator("#id_reason"), "Two in a hundred fewer mistakes.")
    eva.press(eva.page.get_by_role("button", name="Propose"))
    eva.look("Two in a hundred fewer mistakes.")
    otto.go("/admin/mine/", "Your agreement is asked for")
    otto.press(otto.page.get_by_role("link", name=re.compile("bring the model version 2.0 into use")))
    otto.look("Two in a hundred fewer mistakes.")
    otto.press(otto.page.get_by_role("link", name="Approve").last)
    otto.press(otto.page.get_by_role("button", name="Approve"))
    otto.look("approved")
    eva.page.reload()
    eva.press(eva.page.get_by_role("link", name="Go live").last)
    eva.press(eva.page.get_by_role("button", name="Go live"))
    eva.look("live")
    assert ModelVersion.objects.get().status == "live"
    eva.leave()
    otto.leave()


def test_an_auditor_asks_to_read_and_a_data_protection_officer_agrees(
    sign_in: SignIn, people: dict[str, Person], system: AISystem
) -> None:
    decision = record_decision(system, parts={"input": {"income": 41234}, "output": {"limit": 1}})
    uma = sign_in("auditor", f"/admin/decisions/{decision.id}/", "Ask to read them")
    uma.press(uma.page.get_by_role("link", name="Ask to read them"))
    uma.look("Recorded from")
    uma.write(uma.page.locator("#id_ends_at_0"), f"{timezone.now() + timedelta(days=5):%Y-%m-%d}")
    uma.write(uma.page.locator("#id_ends_at_1"), "12:00:00")
    uma.write(uma.page.get_by_label("Reason"), "The yearly audit.")
    uma.press(uma.page.get_by_role("button", name="Ask", exact=True))
    uma.look("waits for a data protection officer")
    dora = sign_in("officer", "/admin/mine/", "Your agreement is asked for")
    dora.press(dora.page.get_by_role("link", name="Auditor Varga asks to read payloads"))
    dora.look("The yearly audit.")
    dora.press(dora.page.get_by_role("link", name="Approve").last)
    dora.press(dora.page.get_by_role("button", name="Approve"))
    dora.look("granted")
    uma.go(f"/admin/decisions/{decision.id}/", "Show input and output")
    uma.press(uma.page.get_by_role("button", name="Show input and output"))
    expect(uma.page.get_by_text("41234")).to_be_visible()
    assert PayloadGrant.objects.get().status == "granted"
    assert Entry.objects.filter(kind="payload.viewed", about_id=decision.id).count() == 1
    uma.leave()
    dora.leave()


def test_an_investigator_from_five_thousand_refusals_to_a_closed_case(
    sign_in: SignIn, people: dict[str, Person], system: AISystem
) -> None:
    record_many(system, MANY, outcome="refused")
    ina = sign_in("investigator", "/admin/decisions/?outcome=refused", "Put what this finds into a case")
    ina.press(ina.page.get_by_role("link", name="Put what this finds into a case"))
    ina.look("5,000 decisions")
    ina.write(ina.page.get_by_label("What the new case is about"), "Refused at noon")
    ina.press(ina.page.get_by_role("button", name="Open the case"))
    ina.look("5,000 decisions")
    _name_lead(sign_in)
    ina.page.reload()
    ina.look("investigating")
    ina.write(ina.page.get_by_label("Note", exact=True), "Rang the branch.")
    ina.press(ina.page.get_by_role("button", name="Add the note"))
    ina.look("Rang the branch.")
    case = Case.objects.get()
    assert (case.status, case.lead_id) == ("investigating", people["investigator"].pk)
    ina.leave()


def _name_lead(sign_in: SignIn) -> None:
    """The data protection officer does: nobody names themself."""
    dora = sign_in("officer", "/admin/mine/", "Cases that wait for a lead investigator")
    dora.press(dora.page.get_by_role("link", name=Case.objects.get().reference))
    dora.choose(dora.page.get_by_label("Lead investigator"), "Investigator Varga")
    dora.press(dora.page.get_by_role("button", name="Have them lead it"))
    dora.look("investigating")
    dora.leave()


def test_an_investigator_finds_a_decision_by_a_complaint(
    sign_in: SignIn, people: dict[str, Person], system: AISystem
) -> None:
    for number in range(4):
        parts = {"input": {"income": 1_000 + number}, "output": {"limit": 1}}
        record_decision(system, outcome="refused", subject=f"c-2039{number}", parts=parts)
    ina = sign_in("investigator", "/admin/decisions/", "Exact:")
    ina.page.keyboard.press("/")
    ina.page.keyboard.type("c-20392")
    ina.page.keyboard.press("Enter")
    ina.look("That is all there is: 1 found.")
    ina.page.keyboard.press("j")
    ina.page.keyboard.press("Enter")
    ina.look("Under whose responsibility")
    ina.press(_beside(ina.page, "The one before"))
    ina.look("Beside it")
    ina.press(_beside(ina.page, "The next of this AI system"))
    ina.press(ina.page.get_by_role("link", name="Put it into a case"))
    ina.look("One decision:")
    ina.write(ina.page.get_by_label("What the new case is about"), "A customer complains")
    ina.press(ina.page.get_by_role("button", name="Open the case"))
    ina.look("1 decision")
    _name_lead(sign_in)
    ina.go("/admin/decisions/", "Exact:")
    ina.page.keyboard.press("/")
    ina.write(ina.page.get_by_label("Text in input or output"), "1002")
    ina.page.keyboard.press("Enter")
    ina.look("That is all there is: 1 found.")
    expect(ina.page.get_by_text("3 of them you may not read.")).to_be_visible()
    found = ina.page.locator("tr[data-decision]").get_attribute("data-decision")
    assert str(Case.objects.get().attachments.get().decisions.get().decision_id) == found
    assert Entry.objects.filter(kind="decisions.searched").count() >= 2
    ina.leave()


def _beside(page: Page, words: str) -> Locator:
    return page.locator(".d-neighbours li", has_text=words).get_by_role("link").first


def test_a_deputy_compares_two_decisions_of_the_list(
    sign_in: SignIn, people: dict[str, Person], system: AISystem
) -> None:
    for income in (1_000, 41_234):
        record_decision(system, parts={"input": {"income": income}, "output": {"limit": 1}})
    dan = sign_in("deputy", "/admin/decisions/", "Exact:")
    for key in ("j", "x", "j", "x"):
        dan.page.keyboard.press(key)
    dan.look("2 chosen")
    dan.page.keyboard.press("c")
    dan.look("what their entries and the register say")
    dan.press(dan.page.get_by_role("button", name="Show what differs inside"))
    dan.look("/income")
    expect(dan.page.get_by_text("41234")).to_be_visible()
    assert Entry.objects.filter(kind="payload.viewed").count() == 2
    dan.leave()


def test_an_accountable_person_explains_a_decision_in_a_letter(
    sign_in: SignIn, people: dict[str, Person], system: AISystem
) -> None:
    cards.publish(system, writer=people["engineer"], publisher=people["owner"])
    letters.publish(system, writer=people["engineer"], by=people["owner"])
    decision = record_decision(system, outcome="refused", adverse=True, card=1)
    otto = sign_in("owner", f"/admin/decisions/{decision.id}/", "Nobody has explained it in writing.")
    otto.press(otto.page.get_by_role("link", name="Write explanation letter"))
    otto.look("For whoever the decision is about")
    otto.press(otto.page.get_by_role("button", name="Compose it"))
    otto.look("Facts, and where they are from")
    otto.write(otto.page.get_by_label("To", exact=True), "Ada Lovelace")
    otto.press(otto.page.get_by_role("button", name="Save and look at it"))
    otto.look("As it will be printed")
    otto.press(otto.page.get_by_role("button", name="Issue the letter"))
    otto.look("is issued and sealed")
    otto.press(otto.page.get_by_role("button", name="Show the letter"))
    otto.look("Payments came late")
    issued = ExplanationLetter.objects.get()
    expect(otto.page.get_by_role("article", name="The letter")).to_contain_text(issued.check_key)
    otto.page.emulate_media(media="print")
    expect(otto.page.get_by_role("article", name="The letter")).to_be_visible()
    expect(otto.page.get_by_role("button", name="Withdraw the letter")).to_be_hidden()
    otto.leave()


def test_a_data_protection_officer_lifts_a_hold_that_an_investigator_asks_to_lift(
    sign_in: SignIn, people: dict[str, Person], system: AISystem
) -> None:
    case, _ = make_led_case(system, lead=people["investigator"], decisions=[record_decision(system)])
    ina = sign_in("investigator", f"/admin/cases/{case.pk}/", "Legal hold")
    ina.press(ina.page.get_by_text("Place a legal hold"))
    ina.write(_form(ina.page, "hold").get_by_role("textbox").first, "A court asked for it.")
    ina.press(ina.page.get_by_role("button", name="Place the legal hold"))
    ina.look("A court asked for it.")
    ina.press(ina.page.locator("summary", has_text="Ask to lift it"))
    ina.write(_form(ina.page, "lift").get_by_role("textbox").first, "It was settled.")
    ina.press(ina.page.get_by_role("button", name="Ask to lift it"))
    ina.look("To lift it: It was settled.")
    assert LegalHold.objects.get().is_in_force
    dora = sign_in("officer", "/admin/mine/", "Your agreement is asked for")
    dora.press(dora.page.get_by_role("link", name=re.compile("asks to lift the legal hold")))
    dora.look("It was settled.")
    dora.press(dora.page.get_by_role("button", name="Agree: it is lifted"))
    dora.look("lifted")
    assert LegalHold.objects.get().status == "lifted"
    ina.leave()
    dora.leave()


def _form(page: Page, act: str) -> Locator:
    return page.locator(f"form[action$='/act/{act}']")


def test_a_deputy_acts_while_the_accountable_person_is_away(
    sign_in: SignIn, people: dict[str, Person], system: AISystem
) -> None:
    decision = record_decision(system, outcome="refused")
    otto = sign_in("owner", "/admin/mine/", "What you answer for")
    otto.press(otto.page.get_by_role("link", name=re.compile("^Delegate")))
    otto.choose(otto.page.get_by_label("Who"), "Stranger Varga")
    otto.write(otto.page.get_by_label("Why"), "Two weeks of holidays.")
    otto.press(otto.page.get_by_role("button", name="Delegate"))
    otto.look("Stranger Varga stands beside you, once they accept")
    otto.leave()
    sid = sign_in("stranger", "/admin/mine/", "delegated by Owner Varga")
    sid.reach(sid.page.get_by_role("checkbox").first)
    sid.page.keyboard.press("Space")
    sid.press(sid.page.get_by_role("button", name="Accept what is ticked"))
    sid.look("Deputy")
    sid.go(f"/admin/decisions/{decision.id}/", "Override this decision")
    sid.press(sid.page.locator("#override > summary"))
    sid.write(sid.page.get_by_label("Outcome that takes its place"), "approved")
    sid.choose_first(sid.page.locator("#o-reason"))
    sid.press(sid.page.get_by_role("button", name="Override", exact=True))
    sid.look("the caller has not said that it did this")
    assert Override.objects.get().person_id == people["stranger"].pk
    held = accountable_of(system.pk)
    assert held is not None and held.person == people["owner"], "who delegates stays accountable"
    sid.leave()


def test_who_reads_along_and_who_may_not(sign_in: SignIn, people: dict[str, Person], system: AISystem) -> None:
    decision = record_decision(system)
    vic = sign_in("viewer", "/admin/", "Credit-Limits")
    vic.press(vic.page.locator("#content a.a-stat[href*='/decisions/']").first)
    vic.look("approved")
    vic.press(vic.page.locator(f"a[href$='/admin/decisions/{decision.id}/']").first)
    vic.look("Under whose responsibility")
    assert not vic.page.get_by_role("button", name="Show input and output").is_visible()
    sid = sign_in("stranger", "/admin/", "You hold no role yet")
    sid.go(f"/admin/decisions/{decision.id}/", "There is no decision of this id that you may see.")
    assert not LegalHold.objects.exists()
    vic.leave()
    sid.leave()
