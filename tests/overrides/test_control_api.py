"""Switches over the API, by people with tokens and by keys: whoever comes by this way is asked the same."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from governance.acts import Role
from governance.models import AISystem, Person, PersonToken
from governance.scopes import Scope
from governance.services.tokens import create_token
from overrides.models import Switch, SwitchChange
from overrides.standing import Mode
from tests.factories.control import ack, approver_of, decided, operator_of, reading, stop
from tests.factories.register import actor_of, give_role, make_key, make_person, make_system

pytestmark = pytest.mark.django_db
ROOT = "/api/v1/control"


def signed_in(person: Person) -> APIClient:
    token = create_token(actor=actor_of(person), name="phone", proven_at=timezone.now())
    return APIClient(headers={"Authorization": f"Bearer {token.text}"})


def by_key(*systems: AISystem, scopes: tuple[str, ...] = ("control:read",), **rest: Any) -> APIClient:
    return APIClient(headers={"Authorization": f"Bearer {make_key(*systems, scopes=scopes, **rest).text}"})


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rsplit("/")[-1]


def ask(client: APIClient, switch: dict[str, Any], **rest: Any) -> Any:
    body = {"switch_id": switch["id"], "epoch": switch["epoch"], "mode": "run", "reason_code": "mended"}
    body |= {"evidence_url": "https://example.org/report"} | rest
    return client.post(f"{ROOT}/loosen", body, format="json")


def test_one_stops_two_start_again() -> None:
    system = make_system()
    asker, approver = signed_in(operator_of(system)), signed_in(approver_of())
    body = {"system": system.slug, "mode": "stop", "reason_code": "harm-reported", "note": "Smoke."}
    stopped = asker.post(f"{ROOT}/tighten", body, format="json").json()
    assert stopped["switch"]["scope"] == {
        "system": system.slug,
        "environment": None,
        "model_version": None,
        "capability": None,
    }
    assert (stopped["sealed"], stopped["change"]["expected"]) == (True, 0)
    assert ask(asker, stopped["switch"], evidence_url="").json()["errors"][0]["pointer"] == "/evidence_url"
    asked = ask(asker, stopped["switch"])
    assert asked.status_code == 201
    address = f"{ROOT}/loosen/{asked.json()['id']}/approve"
    assert problem(asker.post(address)) == (403, "approval-forbidden")
    assert approver.post(address).status_code == 200
    assert Switch.objects.get().mode == "run"
    assert problem(approver.post(address)) == (409, "loosening-not-open")


def test_an_old_epoch_is_409() -> None:
    system = make_system()
    asker = signed_in(operator_of(system))
    stop(system, mode=Mode.REVIEW)
    seen = asker.get(f"{ROOT}/switches").json()["items"][0]
    stop(system)
    assert problem(ask(asker, seen)) == (409, "epoch-passed")


def test_a_token_whose_factor_is_an_hour_old_stops_and_loosens_nothing() -> None:
    system = make_system()
    client = signed_in(operator_of(system))
    PersonToken.objects.update(proven_at=timezone.now() - timedelta(hours=1))
    body = {"system": system.slug, "mode": "stop", "reason_code": "x"}
    stopped = client.post(f"{ROOT}/tighten", body, format="json")
    assert stopped.status_code == 200
    refused = ask(client, stopped.json()["switch"])
    assert refused.status_code == 403 and "factor" in problem(refused)[1]


@pytest.mark.parametrize("act", ["approve", "refuse", "withdraw"])
def test_a_key_never_has_a_part_in_loosening(act: str) -> None:
    system = make_system()
    asked = ask(signed_in(operator_of(system)), _of(stop(system).switch)).json()
    key = by_key(system, scopes=("control:tighten", "control:read"))
    assert problem(key.post(f"{ROOT}/loosen/{asked['id']}/{act}")) == (403, "person-needed")


def _of(switch: Switch) -> dict[str, Any]:
    return {"id": str(switch.pk), "epoch": str(switch.epoch)}


def test_refused_and_withdrawn() -> None:
    system, asker = make_system(), operator_of()
    done = stop(system)
    asked = ask(signed_in(asker), _of(done.switch)).json()
    refused = signed_in(approver_of()).post(f"{ROOT}/loosen/{asked['id']}/refuse", {"note": "No."}, format="json")
    assert refused.json()["status"] == "refused"
    again = ask(signed_in(asker), _of(done.switch)).json()
    withdrawn = signed_in(asker).post(f"{ROOT}/loosen/{again['id']}/withdraw")
    assert withdrawn.json()["status"] == "withdrawn"


def test_a_change_tells_who_confirmed() -> None:
    system = make_system()
    grant = reading(system)
    ack(grant, system, None, None)
    done = stop(system)
    client = by_key(system)
    found = client.get(f"{ROOT}/changes/{done.change.pk}").json()
    assert (found["status"], [each["instance"] for each in found["silent"]]) == ("requested", ["host-1"])
    ack(grant, system, done.epoch, Mode.STOP)
    found = client.get(f"{ROOT}/changes/{done.change.pk}").json()
    assert (found["status"], found["confirmed"], found["silent"]) == ("confirmed", 1, [])


def test_a_change_for_everybody_tells_nobody_of_clients_beyond_their_reach() -> None:
    system, other = make_system(), make_system()
    ack(reading(system), system, None, None, instance="mine")
    ack(reading(system, environment="staging"), system, None, None, instance="in-staging")
    ack(reading(other), other, None, None, instance="theirs")
    writing = make_key(other, scopes=("decisions:write",)).row
    decided(writing)
    done = stop(None)
    person = make_person()
    give_role(person, Role.VIEWER, Scope.system(system.pk))

    def seen(client: APIClient) -> tuple[list[str], int]:
        found = client.get(f"{ROOT}/changes/{done.change.pk}").json()
        return sorted(each["instance"] for each in found["silent"]), len(found["ungoverned"])

    assert seen(by_key(system)) == (["mine"], 0)
    assert seen(signed_in(person)) == (["in-staging", "mine"], 0)
    assert seen(signed_in(operator_of())) == (["in-staging", "mine", "theirs"], 1)


def test_nobody_sees_switches_of_systems_beyond_their_reach() -> None:
    system, other = make_system(), make_system()
    done = stop(system)
    stop(None, mode=Mode.REVIEW)
    person = make_person()
    give_role(person, Role.VIEWER, Scope.system(other.pk))
    for client in (signed_in(person), by_key(other)):
        items = client.get(f"{ROOT}/switches").json()["items"]
        assert [each["scope"]["system"] for each in items] == [None]
        assert problem(client.get(f"{ROOT}/changes/{done.change.pk}")) == (404, "switch-change-not-found")
    assert problem(by_key(system, scopes=("decisions:write",)).get(f"{ROOT}/switches"))[0] == 403


def test_many_switches_are_listed_by_as_many_queries_as_one() -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            client.get(f"{ROOT}/switches")
        return len(asked)

    client = signed_in(operator_of())
    stop(make_system())
    one = queries()
    for _ in range(3):
        stop(make_system())
    assert queries() <= one


def test_an_emergency_clear_over_the_api() -> None:
    system = make_system()
    done = stop(system)
    body = _of(done.switch) | {"switch_id": str(done.switch.pk), "reason_code": "ward-waits", "note": "No other way."}
    body.pop("id")
    assert problem(signed_in(operator_of(system)).post(f"{ROOT}/emergency-clear", body, format="json"))[0] == 403
    holder = operator_of(None, Role.EMERGENCY_OPERATOR)
    assert signed_in(holder).post(f"{ROOT}/emergency-clear", body, format="json").status_code == 201
    assert SwitchChange.objects.latest("id").to_mode == "review"
