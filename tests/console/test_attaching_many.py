"""Many chosen decisions on their way into a case: a fixed number of queries, and none that may not be known of."""

import uuid

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit.reach import Reach
from audit.services.disclosure import visible_among
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from tests.factories.cases import make_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db
ATTACH = "/admin/cases/attach"


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


def record(system: AISystem, count: int) -> list[uuid.UUID]:
    return [record_decision(system).id for _ in range(count)]


def queries_for(client: Client, ids: list[uuid.UUID]) -> int:
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(ATTACH, {"decision": [str(each) for each in ids]})
    assert answer.status_code == 200, answer.content[-500:]
    return len(asked)


def test_the_page_asks_as_much_for_many_as_for_few(system: AISystem) -> None:
    client = Client()
    client.force_login(make_person(accountable=system))
    few, many = record(system, 2), record(system, 12)
    queries_for(client, few)
    assert queries_for(client, many) == queries_for(client, few)
    assert client.get(ATTACH, {"decision": [*map(str, many), str(uuid.uuid4())]}).status_code == 404
    foreign = record(make_system(), 1)
    assert client.get(ATTACH, {"decision": [*map(str, few), str(foreign[0])]}).status_code == 404
    assert client.get(ATTACH, {"decision": [str(few[0]), "nonsense"]}).status_code == 404


def test_what_is_known_of_by_ones_case_is_looked_up_once_for_all(system: AISystem) -> None:
    decisions = [record_decision(system) for _ in range(12)]
    case = make_case(make_person(investigator=True), decisions=decisions)
    person = make_person()
    give_role(person, Role.INVESTIGATOR, Scope.case(case.pk))
    ids = [each.id for each in decisions]

    def asked_for(person: Person, some: list[uuid.UUID]) -> int:
        # as of a reach that says nothing of cases, where each would be looked up by itself
        with CaptureQueriesContext(connection) as asked:
            found = visible_among(actor_of(person), Reach(system_ids=frozenset()), some)
        assert [each.id for each in found] == some
        return len(asked)

    assert asked_for(person, ids) == asked_for(person, ids[:1])
