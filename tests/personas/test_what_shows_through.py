"""No page, filter, form or column names an AI system to somebody whom it does not concern."""

import re
import uuid
from collections.abc import Iterator

import pytest
from django.test import Client

from governance.acts import Role
from governance.models import AISystem, Assignment, Person
from governance.scopes import Scope
from governance.services.versions import register_version
from ledger.entries import COMMAND
from overrides.models import ReviewRule
from tests.factories.live import make_live
from tests.factories.parameters import make_crew
from tests.factories.record import record_decision
from tests.factories.register import give_role, make_person, make_system
from tests.factories.reviews import make_queue, make_rule
from tests.personas.people import PERSONAS, Persona, make_persona, make_personas

pytestmark = pytest.mark.django_db
SECRET = "unmentionable"
PAGES = [
    "/admin/",
    "/admin/mine/",
    "/admin/accountability/",
    "/admin/accountability/on-a-day",
    "/admin/decisions/",
    "/admin/logs/",
    "/admin/logs/witnesses/",
    "/admin/reviews/",
    "/admin/reviews/appeals/",
    "/admin/reviews/oversight/",
    "/admin/holds/",
    "/admin/switchboard/",
    "/admin/switchboard/clients/",
    "/admin/switchboard/tighten",
]
LISTS = [
    "governance/aisystem",
    "governance/modelversion",
    "governance/environment",
    "governance/assignment",
    "governance/person",
    "governance/failpolicyrequest",
    "governance/serviceaccount",
    "governance/servicekey",
    "overrides/parameter",
    "overrides/parameterversion",
    "overrides/reviewrule",
    "overrides/rulechange",
    "overrides/reviewqueue",
    "overrides/drill",
    "notices/alert",
    "notices/webhookendpoint",
    "notices/delivery",
    "intake/quarantinedrecord",
    "intake/source",
]
EVERYWHERE = [*PAGES, *(f"/admin/{each}/{page}" for each in LISTS for page in ("", "add/"))]


@pytest.fixture
def hidden() -> AISystem:
    """An AI system with something on every page."""
    owner, busy = make_person(name="Otto Owner"), make_person(name="Busy Bee")
    system = make_live(owner, slug=f"{SECRET}-1")
    for role in (Role.OPERATOR, Role.REVIEWER):
        give_role(busy, role, Scope.system(system.pk))
    make_rule(system, make_queue(busy, system=system, slug=f"{SECRET}-queue"))
    record_decision(system)
    return system


def named(browser: Client, address: str) -> bool:
    answer = browser.get(address, follow=True)
    assert answer.status_code in (200, 400, 403, 404, 409, 422), (address, answer.status_code)
    return SECRET in answer.content.decode().lower()


def out_of_scope(system: AISystem) -> Iterator[Persona]:
    return (each for each in make_personas(system) if not each.in_scope or each.name == "stranger")


def test_nobody_out_of_scope_reads_its_name_on_any_page(hidden: AISystem) -> None:
    told = [(str(each), page) for each in out_of_scope(hidden) for page in EVERYWHERE if named(each.browser(), page)]
    assert told == []


def test_its_own_people_do(hidden: AISystem) -> None:
    for name in ("accountable", "operator", "viewer"):
        browser = make_persona(name, hidden).browser()
        assert named(browser, "/admin/accountability/"), name
        assert named(browser, "/admin/governance/assignment/"), name


def test_its_own_pages_are_for_others_as_if_they_were_not_there(hidden: AISystem) -> None:
    pages = [f"/admin/systems/{hidden.pk}/", f"/admin/accountability/assign?system={hidden.pk}"]
    pages += [f"/admin/accountability/{each.pk}/end" for each in hidden.assignments.all()[:1]]
    for each in out_of_scope(hidden):
        assert {each.browser().get(page).status_code for page in pages} == {404}, str(each)


def test_a_form_does_not_count_decisions_of_a_system_out_of_sight(hidden: AISystem) -> None:
    """A new rule is told what it would have caught: of a system typed in by hand it must be told nothing."""
    queue = ReviewRule.objects.get().queue
    operator = make_persona("operator", hidden, in_scope=False)
    typed = {"system": hidden.pk, "name": "x", "queue": queue.pk, "deadline_minutes": 5, "outcome_in": "approved"}
    answer = operator.browser().post("/admin/overrides/reviewrule/add/", typed)
    text = answer.content.decode()
    assert "Select a valid choice" in text
    assert SECRET not in text
    assert not re.search(r"would have|caught", text)


def test_filters_offer_what_ones_own_list_holds(hidden: AISystem) -> None:
    crew = make_crew(slug="mine")
    other = make_system(slug="mine-too")
    for system in (crew.system, other):
        register_version(actor=COMMAND, system_id=system.pk, version="1.0")
    viewer = make_person(viewer=crew.system)
    give_role(viewer, Role.VIEWER, Scope.system(other.pk))
    client = Client()
    client.force_login(viewer)
    page = client.get("/admin/governance/modelversion/").content.decode()
    assert "Mine-Too" in page
    assert not named(client, "/admin/governance/modelversion/")


def test_a_persons_roles_are_shown_as_far_as_they_can_be_seen(hidden: AISystem) -> None:
    busy = Person.objects.get(name="Busy Bee")
    other = make_system(slug="seen")
    give_role(busy, Role.VIEWER, Scope.system(other.pk))
    near, far = make_person(viewer=other), make_person(viewer=True)
    texts = []
    for person in (near, far):
        client = Client()
        client.force_login(person)
        texts.append(client.get(f"/admin/governance/person/{busy.pk}/change/").content.decode())
    assert [("seen" in text, SECRET in text) for text in texts] == [(True, False), (True, True)]


def test_that_there_is_a_case_is_known_to_its_people_alone(hidden: AISystem) -> None:
    detective, case = make_person(name="Dora Detective"), uuid.uuid4()
    held = give_role(detective, Role.INVESTIGATOR, Scope.case(case))
    assert held.scope == Assignment.Scope.CASE
    for name, sees in (("viewer", False), ("operator", False), ("administrator", True)):
        person = make_person()
        give_role(person, Role(name))
        client = Client()
        client.force_login(person)
        assert (str(case) in client.get("/admin/governance/assignment/").content.decode()) is sees, name
        page = client.get(f"/admin/governance/assignment/{held.pk}/change/", follow=True)
        assert (str(case) in page.content.decode()) is sees, name


def test_every_persona_is_made_in_and_out_of_scope(hidden: AISystem) -> None:
    made = make_personas(hidden)
    assert {each.name for each in made} == set(PERSONAS)
    assert len(made) == 2 * len(PERSONAS) - 1
