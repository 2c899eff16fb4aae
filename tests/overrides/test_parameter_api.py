"""Parameters over the API: what people and keys may ask for, and how they are told no."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from governance.models import Person
from governance.services.keys import NewKey
from governance.services.systems import register_environment
from governance.services.tokens import create_token
from ledger.entries import COMMAND
from overrides.models import Parameter
from tests.factories.parameters import Crew, make_crew
from tests.factories.register import actor_of, make_key, make_person, make_system

pytestmark = pytest.mark.django_db
URL = "/api/v1/parameters"


@pytest.fixture
def crew() -> Crew:
    return make_crew(slug="credit-limit")


def person(who: Person) -> APIClient:
    token = create_token(actor=actor_of(who), name="test", proven_at=timezone.now())
    return APIClient(headers={"Authorization": f"Bearer {token.text}"})


def service(key: NewKey) -> APIClient:
    return APIClient(headers={"Authorization": f"Bearer {key.text}"})


def settle(client: APIClient, version: str, how: str) -> Any:
    return client.post(f"/api/v1/parameter-changes/{version}/{how}", {})


def test_from_definition_to_a_change_by_two(crew: Crew) -> None:
    wanted = {"system": "credit-limit", "name": "max-amount", "type": "number", "default": 1000, "minimum": 0}
    engineer, operator, approver = person(crew.engineer), person(crew.operator), person(crew.approver)
    made = engineer.post(URL, wanted | {"safe_direction": "lower", "unit": "EUR"})
    assert made.status_code == 201, made.content
    address = f"{URL}/{made.json()['id']}"
    down = operator.post(f"{address}/changes", {"value": 500.5, "reason_code": "complaints"})
    assert (down.status_code, down.json()["status"], down.json()["value"]) == (200, "in_force", 500.5)
    up = operator.post(f"{address}/changes", {"value": 2000, "reason_code": "back-to-normal", "on_top_of": 2})
    assert (up.status_code, up.json()["status"]) == (202, "proposed")
    seen = approver.get(address).json()
    assert seen["in_force"]["value"] == 500.5 and [each["number"] for each in seen["proposed"]] == [3]
    assert settle(operator, up.json()["id"], "approve").status_code == 403
    assert settle(approver, up.json()["id"], "approve").json()["status"] == "in_force"
    assert settle(approver, up.json()["id"], "approve").status_code == 409
    assert operator.get(f"{URL}?system=credit-limit").json()["items"][0]["in_force"]["value"] == 2000
    assert [each["number"] for each in operator.get(f"{address}/changes").json()["items"]] == [3, 2, 1]


def test_a_request_is_refused_withdrawn_and_a_parameter_retired(crew: Crew) -> None:
    parameter = crew.parameter()
    operator, approver = person(crew.operator), person(crew.approver)
    for client, how, status in ((approver, "refuse", "refused"), (operator, "withdraw", "withdrawn")):
        asked = operator.post(f"{URL}/{parameter.pk}/changes", {"value": 2000, "reason_code": "more"}).json()
        assert settle(client, asked["id"], how).json()["status"] == status
    ending = person(crew.engineer).post(f"{URL}/{parameter.pk}/retire", {"reason_code": "unused"})
    assert ending.status_code == 202 and ending.json()["retires"]
    assert settle(approver, ending.json()["id"], "approve").status_code == 200
    assert operator.get(f"{URL}/{parameter.pk}").json()["in_force"] is None
    gone = operator.post(f"{URL}/{parameter.pk}/changes", {"value": 5, "reason_code": "less"})
    assert (gone.status_code, gone.json()["type"].rsplit("/", 1)[1]) == (409, "parameter-retired")


def test_towards_safety_no_second_factor_is_asked_away_from_it_one_is(crew: Crew) -> None:
    parameter, operator, approver = crew.parameter(), person(crew.operator), person(crew.approver)
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        up = {"value": 2000, "reason_code": "more"}
        refused = operator.post(f"{URL}/{parameter.pk}/changes", up)
        assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[1]) == (403, "factor-not-fresh")
        assert operator.post(f"{URL}/{parameter.pk}/changes", up | {"value": 10}).status_code == 200
        waiting = person(crew.operator).post(f"{URL}/{parameter.pk}/changes", up).json()["id"]
        assert settle(approver, waiting, "approve").json()["type"].endswith("/factor-not-fresh")
        assert settle(person(crew.approver), waiting, "approve").status_code == 200


def test_a_key_reads_and_tightens_in_its_environment_and_no_more(crew: Crew) -> None:
    register_environment(actor=COMMAND, system_id=crew.system.pk, slug="staging")
    wide, here, there = (
        crew.parameter("wide"),
        crew.parameter("p", environment="production"),
        crew.parameter("p", environment="staging"),
    )
    monitor = service(make_key(crew.system, scopes=["control:tighten"]))
    reader = service(make_key(crew.system, scopes=["control:read"]))
    assert {each["id"] for each in reader.get(URL).json()["items"]} == {str(wide.pk), str(here.pk)}
    down, up = {"value": 10, "reason_code": "drift"}, {"value": 20, "reason_code": "drift"}

    def tried(client: APIClient, parameter: Parameter, body: dict[str, Any]) -> int:
        return int(client.post(f"{URL}/{parameter.pk}/changes", body).status_code)

    assert [tried(monitor, each, down) for each in (wide, here, there)] == [403, 200, 404]
    assert tried(monitor, here, up) == 403 and tried(reader, here, down) == 403
    for path in (URL, f"{URL}/{here.pk}/retire", f"/api/v1/parameter-changes/{uuid.uuid4()}/approve"):
        assert monitor.post(path, {}).status_code == 403


def test_strangers_find_nothing(crew: Crew) -> None:
    parameter, stranger = crew.parameter(), person(make_person(operator=make_system()))
    assert stranger.get(URL).json()["items"] == []
    for path in (f"{URL}/{parameter.pk}", f"{URL}/{parameter.pk}/changes", f"{URL}/{uuid.uuid4()}"):
        assert stranger.get(path).status_code == 404
    wanted = {"name": "x", "type": "boolean", "default": True, "safe_direction": "false"}
    for system in ("credit-limit", "none"):
        assert stranger.post(URL, wanted | {"system": system}).json()["type"].endswith("/system-not-found")
    assert APIClient().get(URL).status_code == 401


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"value": "many", "reason_code": "x"}, ["/value"]),
        ({"value": 10001, "reason_code": "x"}, ["/value"]),
        ({"value": 0.1 + 0.2, "reason_code": "x"}, ["/value"]),
        ({"value": None, "reason_code": "x"}, ["/value"]),
        ({"value": {"a": 1}, "reason_code": "x"}, ["/value"]),
        ({"reason_code": "Not a code"}, ["/reason_code", "/value"]),
        ({"value": 1, "reason_code": "x", "expires": "x"}, ["/expires"]),
        ({"value": 1, "reason_code": "x", "expires_at": "2020-01-01T00:00:00Z"}, ["/expires_at"]),
        ([1], [""]),
    ],
)
def test_bad_input_is_told_where(crew: Crew, body: Any, pointers: list[str]) -> None:
    answer = person(crew.operator).post(f"{URL}/{crew.parameter().pk}/changes", body)
    assert answer.status_code == 422, answer.content
    assert sorted(each["pointer"] for each in answer.json()["errors"]) == pointers
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_definition_that_is_wrong_is_told_where(crew: Crew) -> None:
    wanted = {"system": "credit-limit", "name": "x", "type": "boolean", "default": 1, "safe_direction": "lower"}
    answer = person(crew.engineer).post(URL, wanted)
    assert answer.status_code == 422
    assert {each["pointer"] for each in answer.json()["errors"]} == {"/default", "/safe_direction"}


def test_the_list_takes_no_query_for_each(crew: Crew, django_assert_max_num_queries: Any) -> None:
    for number in range(6):
        crew.parameter(f"p{number}")
    client = person(crew.operator)
    with django_assert_max_num_queries(7):
        assert len(client.get(URL).json()["items"]) == 6
