"""The register in the web admin: writes go through services, secrets are shown once, strangers see nothing."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.utils import label_for_field
from django.test import Client

from config.errors import Forbidden
from config.ids import new_id
from governance import memory
from governance.acts import Role
from governance.api.authentication import authenticate_key
from governance.errors import KeyNotAccepted
from governance.models import AISystem, Assignment, ModelVersion, Person, ServiceAccount, ServiceKey
from governance.scopes import ORGANISATION, Scope
from governance.services.assignments import offer_assignment
from governance.services.systems import end_environment, gaps
from governance.services.versions import register_version
from ledger.entries import COMMAND
from ledger.models import Entry
from notices.models import Alert
from notices.services import open_alert
from tests.factories import cards
from tests.factories.cases import make_led_case
from tests.factories.register import actor_of, give_role, make_account, make_key, make_person, make_system
from tests.factories.versions import DIGEST

pytestmark = pytest.mark.django_db


def browser_of(person: Person) -> Client:
    browser = Client()
    browser.force_login(person)
    return browser


def hidden_of(page: str) -> dict[str, str]:
    """What a form sends that nobody types."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
    return {name: value for name, value in found if name != "csrfmiddlewaretoken"}


@pytest.fixture
def admin() -> Person:
    return make_person(administrator=True)


@pytest.fixture
def browser(admin: Person) -> Client:
    return browser_of(admin)


def act_url(row: Any, name: str) -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/{name}/"


def page_url(row: Any) -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/"


@pytest.mark.parametrize(
    "name",
    [
        "governance/aisystem",
        "governance/environment",
        "governance/modelversion",
        "governance/person",
        "governance/assignment",
        "governance/serviceaccount",
        "governance/servicekey",
        "notices/alert",
    ],
)
def test_lists_open_and_so_do_the_forms_to_add(browser: Client, name: str) -> None:
    make_key(make_system(accountable=make_person()))
    assert browser.get(f"/admin/{name}/").status_code == 200
    if name not in ("governance/servicekey", "notices/alert"):
        assert browser.get(f"/admin/{name}/add/").status_code == 200


def test_a_system_is_registered_with_who_is_to_answer_for_it(browser: Client) -> None:
    person = make_person()
    form = {"slug": "triage", "name": "Triage", "risk_class": "high", "accountable": person.pk}
    answer = browser.post("/admin/governance/aisystem/add/", form)
    system = AISystem.objects.get(slug="triage")
    assert answer.status_code == 302 and answer.headers["Location"].endswith("/admin/governance/aisystem/")
    assert Assignment.objects.get(system=system).person == person
    page = browser.get(page_url(system)).content.decode()
    assert "An accountable person must have accepted." in page and "has not accepted" in page


def test_what_a_service_refuses_stands_in_the_form(browser: Client) -> None:
    make_system(slug="taken")
    form = {"slug": "taken", "name": "Again", "risk_class": "high", "accountable": make_person().pk}
    answer = browser.post("/admin/governance/aisystem/add/", form)
    assert answer.status_code == 200
    assert "already" in answer.content.decode()
    make_person(email="known@example.org")
    answer = browser.post("/admin/governance/person/add/", {"name": "X", "email": "KNOWN@example.org"})
    assert "Somebody has this address already." in answer.content.decode()


def test_a_change_keeps_its_history_with_names_that_no_entry_holds(browser: Client) -> None:
    system = make_system(slug="ours")
    form = {"name": "New name", "risk_class": "high", "safe_state": "Paper forms."}
    assert browser.post(page_url(system), form).status_code == 302
    page = browser.get(act_url(system, "trail")).content.decode()
    assert "system.updated" in page and "Paper forms." in page and "system.registered" in page
    assert "Paper forms." not in str([bytes(data) for data in Entry.objects.values_list("data", flat=True)])
    assert browser.get(f"/admin/governance/aisystem/{system.pk}/history/").status_code == 302


def test_a_system_goes_live_when_nothing_is_missing_and_only_by_who_answers_for_it(browser: Client) -> None:
    owner, engineer = make_person(), make_person()
    system = make_system(intended_purpose="Sort applications.", risk_class="limited")
    give_role(owner, Role.ACCOUNTABLE, Scope.system(system.pk))
    give_role(engineer, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    assert browser.post(act_url(system, "live")).status_code == 403
    mine, theirs = browser_of(owner), browser_of(engineer)
    assert "Write down the safe state" in mine.post(act_url(system, "live")).content.decode()
    form = {"name": "S", "intended_purpose": "Sort.", "risk_class": "limited", "safe_state": "a", "shutdown_steps": "b"}
    mine.post(page_url(system), form | {"shutdown_contacts": "c"})
    version = {"system": system.pk, "version": "v1", "configuration": "{}"}
    assert theirs.post("/admin/governance/modelversion/add/", version).status_code == 302
    row = ModelVersion.objects.get()
    assert "Give the digest" in theirs.post(act_url(row, "propose"), {"reason": "Better."}).content.decode()
    theirs.post(page_url(row), {"version": "v1", "configuration": "{}", "model_digest": DIGEST})
    assert "This field is required" in theirs.post(act_url(row, "propose"), {}).content.decode()
    assert theirs.post(act_url(row, "propose"), {"reason": "Better on <late> payers."}).status_code == 302
    assert theirs.post(act_url(row, "approve")).status_code == 403
    assert "Better on &lt;late&gt; payers." in mine.get(page_url(row)).content.decode()
    assert "Better on &lt;late&gt; payers." in mine.get(act_url(row, "approve")).content.decode()
    seen = hidden_of(mine.get(act_url(row, "approve")).content.decode())
    assert seen.keys() == {"promotion_id", "revision"}
    stale = mine.post(act_url(row, "approve"), seen | {"revision": "1", "answer": "Seen."})
    assert "What waits now is not what you looked at." in stale.content.decode()
    assert mine.post(act_url(row, "approve"), seen | {"answer": "Seen."}).status_code == 302
    row.refresh_from_db()
    assert row.status == "approved"
    assert "A system card must be published." in mine.post(act_url(system, "live")).content.decode()
    cards.publish(system, writer=engineer, publisher=owner)
    assert gaps(AISystem.objects.get()) == []
    assert mine.post(act_url(system, "live")).status_code == 302
    assert AISystem.objects.get().status == "live"
    assert theirs.post(act_url(row, "release")).status_code == 302
    row.refresh_from_db()
    assert row.status == "live"


def test_a_set_up_link_is_shown_once(browser: Client) -> None:
    person = make_person()
    assert "/setup/" not in browser.get(act_url(person, "setup-link")).content.decode()
    shown = browser.post(act_url(person, "setup-link"))
    assert "http://localhost" in shown.content.decode() and "no-store" in shown.headers["Cache-Control"]
    assert "/setup/" not in browser.get(page_url(person)).content.decode()


def test_leaving_has_a_page_that_looks_across_floors(browser: Client) -> None:
    person = make_person()
    assert browser.get(act_url(person, "leave")).url == f"/admin/people/{person.pk}/leave"  # type: ignore[attr-defined]


def test_a_key_is_made_rotated_and_revoked(browser: Client) -> None:
    account, system = make_account(), make_system(slug="ours")
    form = {"systems": [system.pk], "scopes": ["decisions:write"], "environment": "production", "days": 30}
    shown = browser.post(act_url(account, "key"), form).content.decode()
    text = shown.split("readonly>")[1].split("<")[0]
    assert authenticate_key(f"Bearer {text}").system("ours").id == system.pk
    key = ServiceKey.objects.get()
    assert "readonly>ans_" in browser.post(act_url(key, "rotate"), {"days": 1}).content.decode()
    assert browser.post(act_url(key, "revoke"), {"reason": "Leaked."}).status_code == 302
    with pytest.raises(KeyNotAccepted):
        authenticate_key(f"Bearer {text}")
    assert "Leaked." in browser.get(act_url(key, "trail")).content.decode()


def test_offers_are_made_and_several_are_accepted_at_once(browser: Client) -> None:
    person, systems = make_person(), [make_system(), make_system()]
    for system in systems:
        form = {"person": person.pk, "role": "operator", "scope": "system", "system": system.pk}
        assert browser.post("/admin/governance/assignment/add/", form).status_code == 302
    mine = browser_of(person)
    page = mine.get("/admin/governance/assignment/?whose=waiting")
    assert page.status_code == 200
    chosen = list(Assignment.objects.filter(person=person).values_list("pk", flat=True))
    mine.post("/admin/governance/assignment/", {"action": "accept_selected", "_selected_action": chosen})
    assert set(Assignment.objects.filter(person=person).values_list("status", flat=True)) == {"accepted"}


def test_an_investigator_is_proposed_for_one_case(browser: Client) -> None:
    person, case_id = make_person(), make_led_case(make_system())[0].pk
    form: dict[str, Any] = {"person": person.pk, "role": "investigator", "scope": "case"}
    assert "Give the id" in browser.post("/admin/governance/assignment/add/", form).content.decode()
    nowhere = browser.post("/admin/governance/assignment/add/", form | {"case_id": new_id()})
    assert "There is no case of this id" in nowhere.content.decode()
    assert browser.post("/admin/governance/assignment/add/", form | {"case_id": case_id}).status_code == 302
    proposed = Assignment.objects.get(person=person)
    assert (proposed.scope, proposed.case_id, proposed.status) == ("case", case_id, "proposed")


def test_an_offer_says_what_is_missing(browser: Client) -> None:
    form = {"person": make_person().pk, "role": "operator", "scope": "system"}
    answer = browser.post("/admin/governance/assignment/add/", form)
    assert answer.status_code == 200 and "Say for which one." in answer.content.decode()


@pytest.mark.parametrize("name", ["accept", "decline"])
def test_the_answers_to_an_offer_have_pages(name: str) -> None:
    person = make_person()
    offer = offer_assignment(actor=COMMAND, person=person, role=Role.OPERATOR, scope=ORGANISATION)
    mine = browser_of(person)
    assert mine.get(act_url(offer, name)).status_code == 200
    assert mine.post(act_url(offer, name), {"revision": offer.revision}).status_code == 302
    assert browser_of(make_person()).get(act_url(offer, name)).status_code == 403


@pytest.mark.parametrize("name", ["delegate", "hand-over", "end"])
def test_what_changes_who_answers_is_done_on_the_pages_of_accountability(name: str) -> None:
    person = make_person(operator=True)
    held = person.assignments.get()
    mine = browser_of(person)
    assert act_url(held, name) in mine.get(page_url(held)).content.decode()
    assert mine.get(act_url(held, name)).url == f"/admin/accountability/{held.pk}/{name}"  # type: ignore[attr-defined]


def test_a_second_administrator_agrees_to_a_privileged_role(admin: Person, browser: Client) -> None:
    second = browser_of(make_person(administrator=True))
    offer = offer_assignment(actor=actor_of(admin), person=make_person(), role=Role.AUDITOR, scope=ORGANISATION)
    assert browser.post(act_url(offer, "agree")).status_code == 403
    assert second.post(act_url(offer, "agree"), {"revision": offer.revision}).status_code == 302
    assert Assignment.objects.get(pk=offer.pk).status == "offered"


PAGES: list[Callable[[], str]] = [
    lambda: page_url(make_system()),
    lambda: act_url(make_system(), "trail"),
    lambda: page_url(make_system().environments.get()),
    lambda: act_url(make_system().environments.get(), "end"),
    lambda: page_url(make_person()),
    lambda: page_url(make_account()),
    lambda: act_url(make_key(make_system()).row, "revoke"),
    lambda: "/admin/governance/aisystem/00000000-0000-7000-8000-000000000000/change/",
    lambda: "/admin/governance/aisystem/add/",
    lambda: "/admin/governance/serviceaccount/",
]


@pytest.mark.parametrize("page", PAGES)
def test_somebody_without_roles_opens_nothing(page: Callable[[], str]) -> None:
    answer = browser_of(make_person()).get(page())
    assert answer.status_code in (302, 403, 404)
    if answer.status_code == 302:
        assert answer.headers["Location"] == "/admin/"


def test_people_are_listed_with_their_roles_many_systems_as_a_number(browser: Client) -> None:
    busy = make_person(name="Busy", dpo=True)
    systems = [make_system(slug=f"s{number}") for number in range(3)]
    for system in systems:
        give_role(busy, Role.REVIEWER, Scope.system(system.pk))
    give_role(busy, Role.OPERATOR, Scope.system(systems[0].pk))
    listed = browser.get("/admin/governance/person/").content.decode()
    for said in ("Data protection officer", "Operator (s0)", "Reviewer (3 AI systems)"):
        assert f"<li>{said}</li>" in listed
    assert "<li>Reviewer (s0, s1, s2)</li>" in browser.get(page_url(busy)).content.decode()


def test_a_form_has_one_button_and_a_page_to_read_leads_back_to_its_list(browser: Client) -> None:
    system = make_system()
    version = register_version(actor=COMMAND, system_id=system.pk, version="v1")
    form = browser.get("/admin/governance/person/add/").content.decode()
    assert re.findall(r'name="(_save|_continue|_addanother)"', form) == ["_save"]
    page = browser_of(make_person(viewer=system)).get(page_url(version)).content.decode()
    assert "Back to the list" in page and 'name="_save"' not in page
    assert "Registered" in page


def test_nobody_deletes_anything(browser: Client) -> None:
    for row in (make_system(), make_person(), make_account()):
        assert browser.post(page_url(row).replace("change", "delete"), {"post": "yes"}).status_code == 403
    assert (AISystem.objects.count(), ServiceAccount.objects.count()) == (1, 1)


def test_an_alert_is_acknowledged_and_closed_with_a_note() -> None:
    system = make_system()
    mine = browser_of(make_person(operator=system))
    alert = open_alert(
        actor=COMMAND, kind="decision.breach", severity=Alert.Severity.CRITICAL, fingerprint="x", system_id=system.pk
    )
    assert mine.get("/admin/notices/alert/").status_code == 200
    assert mine.get(page_url(alert)).status_code == 200
    assert mine.post(act_url(alert, "acknowledge")).status_code == 302
    assert "This field is required" in mine.post(act_url(alert, "close")).content.decode()
    assert mine.post(act_url(alert, "close"), {"note": "A drill."}).status_code == 302
    assert Alert.objects.get().status == "closed"
    assert browser_of(make_person()).get(page_url(alert)).status_code == 302


def test_an_offer_is_announced_on_every_page_and_stands_first_in_the_list(admin: Person) -> None:
    system, person = make_system(slug="credit-limits"), make_person(name="Ada")
    mine = offer_assignment(actor=actor_of(admin), person=person, role=Role.DEPUTY, scope=Scope.system(system.pk))
    give_role(person, Role.VIEWER)
    give_role(make_person(), Role.OPERATOR, Scope.system(system.pk))
    browser = browser_of(person)
    for path in ("/admin/", "/admin/governance/assignment/", "/admin/logs/", page_url(mine)):
        page = browser.get(path).content.decode()
        assert "Offered to you: Deputy of Credit-Limits" in page
        assert f'<a href="{page_url(mine)}">accept or decline</a>' in page
    rows = browser.get("/admin/governance/assignment/").context["cl"].result_list
    assert [row.person == person for row in rows] == [True, True] + [False] * (len(rows) - 2)
    assert (rows[0], len(rows) > 2) == (mine, True)
    assert "Offered to you" not in browser_of(admin).get("/admin/").content.decode()
    browser.post(act_url(mine, "accept"), {"revision": mine.revision})
    assert "Offered to you" not in browser.get("/admin/").content.decode()


def test_lists_are_named_for_what_they_hold_and_say_so_when_empty(browser: Client) -> None:
    systems = browser.get("/admin/governance/aisystem/")
    assert systems.context["title"] == "AI systems"
    alerts = browser.get("/admin/notices/alert/")
    assert alerts.context["title"] == "Alerts"
    assert "They open by themselves" in alerts.content.decode()


def test_slugs_in_titles_are_written_as_they_are(browser: Client) -> None:
    account = make_account(slug="lower-case")
    page = browser.get(page_url(make_key(make_system(), account=account).row)).content.decode()
    assert "Ans_" not in page


def test_moments_are_written_one_way_and_with_their_zone(admin: Person, browser: Client) -> None:
    give_role(admin, Role.VIEWER)
    assert re.search(r"\d{1,2} [A-Z][a-z]{2} \d{4}, \d\d:\d\d:\d\d UTC", listed(browser))
    browser.cookies["zone"] = "Europe/Berlin"
    assert re.search(r"\d{4}, \d\d:\d\d:\d\d CES?T", listed(browser))


def listed(browser: Client) -> str:
    return browser.get("/admin/governance/assignment/").content.decode()


def kinds_of(row: Any) -> list[str]:
    return list(Entry.objects.filter(about_id=row.pk).order_by("id").values_list("kind", flat=True))


def test_an_environment_is_added_ended_and_taken_up_again_on_the_systems_pages(browser: Client) -> None:
    system = make_system(slug="credit")
    assert browser.post(act_url(system, "environment"), {"slug": "staging"}).status_code == 302
    place = system.environments.get(slug="staging")
    for page in (page_url(system), f"/admin/systems/{system.pk}/"):
        assert f'<a href="{page_url(place)}">staging</a>' in browser.get(page).content.decode()

    assert browser.post(act_url(place, "end"), {"reason": "Moved away."}).status_code == 302
    assert "staging</a> (ended)" in browser.get(page_url(system)).content.decode()
    assert "ended" in browser.get(page_url(place)).content.decode()
    trail = browser.get(act_url(place, "trail")).content.decode()
    assert "environment.ended" in trail and "Moved away." in trail
    assert browser.post(act_url(place, "end"), {}).status_code == 403

    assert browser.post(act_url(place, "reopen"), {}).status_code == 302
    place.refresh_from_db()
    assert place.ended_at is None
    assert kinds_of(place) == ["environment.registered", "environment.ended", "environment.registered"]
    assert {entry.log.system_id for entry in Entry.objects.filter(about_id=place.pk)} == {system.pk}


def test_an_ended_environment_is_neither_listed_nor_remembered_until_a_new_key_takes_it_up(browser: Client) -> None:
    system = make_system(slug="credit")
    place, key = system.environments.get(), make_key(system, scopes=["register:write"])
    memory.refresh()
    assert memory.fresh().systems["credit"].environments == {"production"}
    browser.post(act_url(place, "end"), {"reason": ""})
    memory.refresh()
    assert memory.fresh().systems["credit"].environments == frozenset()
    listed = Client().get("/api/v1/systems", headers={"Authorization": f"Bearer {key.text}"}).json()
    assert [each["environments"] for each in listed["items"]] == [[]]

    make_key(system)
    place.refresh_from_db()
    assert place.ended_at is None


ENVIRONMENT_ROLES: list[tuple[Role, bool, bool]] = [
    (Role.TECHNICAL_OWNER, True, True),
    (Role.ACCOUNTABLE, False, True),
    (Role.REVIEWER, False, False),
    (Role.VIEWER, False, False),
]


@pytest.mark.parametrize(("role", "may_add", "may_end"), ENVIRONMENT_ROLES)
def test_environments_are_kept_by_who_keeps_the_register(role: Role, may_add: bool, may_end: bool) -> None:
    system, other, person = make_system(), make_system(), make_person()
    give_role(person, role, Scope.system(system.pk))
    mine, place = browser_of(person), system.environments.get()
    assert mine.get(page_url(place)).status_code == 200
    assert "(ended)" not in mine.get(page_url(system)).content.decode()
    added = mine.post("/admin/governance/environment/add/", {"system": system.pk, "slug": "staging"})
    assert (added.status_code == 302) == may_add == system.environments.filter(slug="staging").exists()
    assert mine.post(act_url(place, "end"), {}).status_code == (302 if may_end else 403)
    elsewhere = other.environments.get()
    mine.post("/admin/governance/environment/add/", {"system": other.pk, "slug": "staging"})
    assert mine.post(act_url(elsewhere, "end"), {}).status_code in (302, 403)
    assert other.environments.get().ended_at is None
    with pytest.raises(Forbidden):
        end_environment(actor=actor_of(person), environment_id=elsewhere.pk)


def test_the_same_environment_twice_is_said(browser: Client) -> None:
    system = make_system()
    answer = browser.post("/admin/governance/environment/add/", {"system": system.pk, "slug": "production"})
    assert (answer.status_code, system.environments.count()) == (200, 1)
    assert "This AI system has an environment of that name." in answer.content.decode()


def test_a_system_is_an_ai_system_in_every_head_and_no_migration_says_so() -> None:
    fields = [field for model in apps.get_models() for field in model._meta.local_fields if field.name == "system"]
    ours = [field for field in fields if field.related_model is AISystem]
    assert {str(label_for_field("system", field.model)) for field in ours} == {"AI system"}
    assert all("verbose_name" not in field.deconstruct()[3] for field in ours)
