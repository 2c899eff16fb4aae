"""The matrix of a large organisation, and its people: as many queries as those of a small one."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.models import Person
from tests.factories.large import make_large_register
from tests.factories.register import make_person

pytestmark = pytest.mark.django_db
MATRIX, SYSTEMS, PEOPLE, MOST = "/admin/accountability/", 200, 300, 30
LIST = "/admin/governance/person/"


def queries_of(person: Person, address: str) -> int:
    client = Client()
    client.force_login(person)
    client.get(address)  # what a process reads once
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


@pytest.mark.parametrize("role", ["administrator", "viewer"])
@pytest.mark.parametrize(
    "address", [MATRIX, f"{MATRIX}?show=gaps", f"{MATRIX}?q=ai-system-1", f"{MATRIX}on-a-day", LIST]
)
def test_the_number_of_queries_does_not_grow_with_the_register(role: str, address: str) -> None:
    make_large_register(systems=2, people=9, named="small")
    person = make_person(**{role: True})  # type: ignore[arg-type]
    few = queries_of(person, address)
    make_large_register(systems=SYSTEMS, people=PEOPLE)
    assert queries_of(person, address) <= few <= MOST
