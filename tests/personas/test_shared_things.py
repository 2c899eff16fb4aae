"""What belongs to several AI systems tells each reader of their own alone."""

import pytest
from rest_framework.test import APIClient

from audit.models import SavedFilter
from governance.models import AISystem, Person
from tests.factories.cases import make_case
from tests.factories.control import stop
from tests.factories.register import make_key, make_person, make_system
from tests.factories.reviews import make_queue, make_rule
from tests.personas.crawling import Visitor
from tests.personas.people import PERSONAS, Persona, make_persona
from tests.personas.table import ACTS, EVERYWHERE, PAGE

pytestmark = pytest.mark.django_db
SECRET = "unmentionable"


def _visitor(person: Person) -> Visitor:
    return Visitor(Persona("somebody", True, person))


@pytest.fixture
def systems() -> tuple[AISystem, AISystem]:
    return make_system(slug="ours"), make_system(slug=SECRET)


def test_a_case_of_two_ai_systems_names_each_owner_their_own(systems: tuple[AISystem, AISystem]) -> None:
    ours, theirs = systems
    case = make_case(make_person(investigator=True), ours, theirs)
    one, both = make_persona("accountable", ours).person, make_person(auditor=True)
    for address in ("/admin/cases/", f"/admin/cases/{case.pk}/", "/api/v1/cases", f"/api/v1/cases/{case.pk}"):
        text = _visitor(one).get(address).text.lower()
        assert case.reference in text
        assert SECRET not in text and str(theirs.pk) not in text, address
        all_of_it = _visitor(both).get(address).text.lower()
        assert SECRET in all_of_it or str(theirs.pk) in all_of_it, address


def test_a_rule_is_not_offered_the_queues_of_other_ai_systems(systems: tuple[AISystem, AISystem]) -> None:
    ours, theirs = systems
    owner = make_person()
    rule = make_rule(ours, make_queue(owner, system=ours, slug="ours-queue"))
    make_queue(owner, system=theirs, slug=f"{SECRET}-queue")
    text = _visitor(make_person(operator=ours)).get(f"/admin/overrides/reviewrule/{rule.pk}/change-rule/").text
    assert "ours-queue" in text and SECRET not in text


def test_a_key_without_a_control_scope_cannot_tell_whether_a_switch_was_changed(
    systems: tuple[AISystem, AISystem],
) -> None:
    change = stop(systems[1]).change
    key = make_key(systems[0], scopes=["decisions:read"]).text
    client = APIClient(headers={"Authorization": f"Bearer {key}"})
    answers = [client.get(f"/api/v1/control/changes/{each}") for each in (change.pk, make_person().pk)]
    assert [each.status_code for each in answers] == [403, 403]
    assert len({each.json()["detail"] for each in answers}) == 1


@pytest.mark.parametrize("model", ["notices/delivery", "notices/message"])
def test_rows_without_a_history_have_no_address_for_one(model: str) -> None:
    visitor = _visitor(make_person(administrator=True))
    assert visitor.get(f"/admin/{model}/{make_person().pk}/history/").status == 404


def test_a_page_that_one_may_not_see_says_how_to_ask_whether_it_is_there_or_not() -> None:
    system, visitor = make_system(slug=SECRET), _visitor(make_person())
    there, nowhere = f"/admin/systems/{system.pk}/", f"/admin/systems/{make_person().pk}/"
    hidden, missing = visitor.get(there), visitor.get(nowhere)
    assert hidden.status == 404
    assert "ask an administrator for access" in hidden.text
    assert hidden.without(there) == missing.without(nowhere)
    assert "ask for access" in PAGE.read_text()


FILTERS = "/api/v1/saved-filters"


@pytest.mark.parametrize("name", PERSONAS)
def test_a_filter_is_kept_by_those_who_see_decisions_of_what_it_names(name: str) -> None:
    ours, theirs = make_system(slug="ours"), make_system(slug=SECRET)
    client = make_persona(name, ours).api()
    for system, is_seen in ((ours, True), (theirs, name in EVERYWHERE)):
        for shared in SavedFilter.Shared:
            body = {"name": f"{system.slug} {shared}", "conditions": {"system": system.slug}, "shared": shared}
            answer = client.post(FILTERS, body, format="json")
            is_kept = ACTS["decision.view"][name] == "a" and is_seen
            assert answer.status_code in ({201} if is_kept else {403, 404}), (system.slug, shared, answer.content)


@pytest.mark.parametrize("name", PERSONAS)
def test_a_filter_that_somebody_shared_is_changed_by_nobody_else(name: str) -> None:
    system = make_system()
    operator = make_person(operator=system)
    kept = (
        Persona("operator", True, operator)
        .api()
        .post(FILTERS, {"name": "late", "conditions": {"system": system.slug}, "shared": "system"}, format="json")
    )
    address, client = f"{FILTERS}/{kept.json()['id']}", make_persona(name, system).api()
    assert (client.get(address).status_code == 200) is (ACTS["decision.view"][name] == "a")
    assert client.put(address, {"name": "mine", "shared": "nobody"}, format="json").status_code == 404
    assert client.delete(address).status_code == 404
    assert SavedFilter.objects.get().name == "late"
