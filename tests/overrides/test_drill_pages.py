"""Drills over the API and in the web admin."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from governance.models import AISystem, Person
from governance.services.tokens import create_token
from overrides.clock import current_epoch
from overrides.models import Drill, DrillFinding
from overrides.standing import Mode
from tests.factories.control import ack, reading
from tests.factories.parameters import Crew, make_crew
from tests.factories.register import actor_of, make_key, make_person, make_system

pytestmark = pytest.mark.django_db
URL = "/api/v1/drills"


@pytest.fixture
def crew() -> Crew:
    return make_crew(slug="credit-limit")


def person(who: Person) -> APIClient:
    token = create_token(actor=actor_of(who), name="test", proven_at=timezone.now())
    return APIClient(headers={"Authorization": f"Bearer {token.text}"})


def browser(who: Person) -> Client:
    found = Client()
    found.force_login(who)
    return found


def wanted(**rest: Any) -> dict[str, Any]:
    at = timezone.now().isoformat()
    return {
        "system": "credit-limit",
        "type": "table_top",
        "starts_at": at,
        "expectation": "All know what to do.",
    } | rest


def test_a_live_drill_over_the_api(crew: Crew) -> None:
    client = reading(crew.system)
    ack(client, crew.system, current_epoch(), instance="a")
    operator, approver = person(crew.operator), person(crew.approver)
    made = operator.post(URL, wanted(type="live_production", environment="production", window_s=600, mode="stop"))
    assert made.status_code == 201, made.content
    address = f"{URL}/{made.json()['id']}"
    assert operator.post(f"{address}/start").status_code == 409
    assert operator.post(f"{address}/approve").status_code == 403
    assert approver.post(f"{address}/approve").json()["status"] == "approved"
    assert operator.post(f"{address}/start").json()["status"] == "running"
    drill = Drill.objects.get()
    ack(client, crew.system, drill.epoch, Mode.STOP, instance="a")
    assert operator.get(address).json()["measures"]["applied"] == 1
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert operator.post(f"{address}/end").json()["type"].endswith("/factor-not-fresh")
    assert operator.post(f"{address}/end").json()["measures"]["silent"] == []
    finding = {"text": "Slow.", "owner": str(crew.engineer.pk), "due_on": timezone.localdate().isoformat()}
    added = operator.post(f"{address}/findings", finding)
    assert added.status_code == 201, added.content
    assert operator.post(f"{address}/findings", finding | {"owner": str(crew.system.pk)}).status_code == 422
    closed = person(crew.engineer).post(f"/api/v1/drill-findings/{added.json()['id']}/close", {"resolution": "Faster."})
    assert closed.json()["resolution"] == "Faster."
    done = operator.post(f"{address}/conclude", {"conclusion": "passed", "note": "As expected."})
    assert (done.json()["status"], done.json()["conclusion"]) == ("concluded", "passed")
    assert operator.get(URL).json()["items"][0]["findings"][0]["text"] == "Slow."
    assert operator.post(f"{address}/explode").status_code == 404


def test_strangers_and_keys_hold_no_drills(crew: Crew) -> None:
    made = person(crew.operator).post(URL, wanted()).json()["id"]
    stranger = person(make_person(operator=make_system()))
    assert stranger.get(URL).json()["items"] == [] and stranger.get(f"{URL}/{made}").status_code == 404
    assert stranger.post(URL, wanted()).status_code == 404
    assert stranger.post(f"{URL}/{made}/start").status_code == 403
    key = make_key(crew.system, scopes=["control:tighten", "control:read"])
    service = APIClient(headers={"Authorization": f"Bearer {key.text}"})
    assert service.post(URL, wanted()).json()["type"].endswith("/person-needed")
    ack(reading(crew.system), crew.system, current_epoch(), instance="a")
    armed = service.get("/api/v1/control/armed?system=credit-limit").json()
    assert [(each["instance"], each["state"]) for each in armed] == [("a", "armed")]
    for system in ("none", make_system().slug):
        assert service.get(f"/api/v1/control/armed?system={system}").status_code == 404


def test_a_table_top_in_the_admin(crew: Crew) -> None:
    mine, now = browser(crew.operator), timezone.localtime()
    form = {"system": crew.system.pk, "type": "table_top", "mode": "stop", "in_flight": "hold", "window": "60"}
    when = {"starts_at_0": f"{now:%Y-%m-%d}", "starts_at_1": f"{now:%H:%M:%S}", "participants": [crew.engineer.pk]}
    refused = mine.post("/admin/overrides/drill/add/", form | when | {"expectation": ""})
    assert refused.status_code == 200
    answer = mine.post("/admin/overrides/drill/add/", form | when | {"expectation": "All know."})
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    drill = Drill.objects.get()
    page = f"/admin/overrides/drill/{drill.pk}"
    assert (
        drill.participants == [crew.engineer.pk] and crew.engineer.name in mine.get(f"{page}/change/").content.decode()
    )
    assert mine.post(f"{page}/start/").status_code == 302
    assert "Drill running." in mine.get(f"{page}/change/").content.decode()
    finding = {"text": "No number.", "owner": crew.engineer.pk, "due_on": f"{now:%Y-%m-%d}"}
    assert mine.post(f"{page}/finding/", finding).status_code == 302
    assert mine.post(f"{page}/end/").status_code == 302
    assert mine.post(f"{page}/conclude/", {"conclusion": "partly", "note": "Slow."}).status_code == 302
    seen = mine.get(f"{page}/change/").content.decode()
    assert "No number." in seen and "Slow." in seen
    found = DrillFinding.objects.get()
    theirs = browser(crew.engineer)
    assert theirs.post(f"/admin/overrides/drillfinding/{found.pk}/close/", {"resolution": "Done."}).status_code == 302
    assert mine.get("/admin/overrides/drillfinding/").status_code == 200


def test_a_live_drill_in_the_admin_is_approved_by_somebody_else(crew: Crew) -> None:
    operator = person(crew.operator)
    made = operator.post(URL, wanted(type="live_production", environment="production")).json()["id"]
    page = f"/admin/overrides/drill/{made}"
    assert browser(crew.operator).post(f"{page}/approve/").status_code == 403
    assert browser(crew.approver).post(f"{page}/approve/").status_code == 302
    asked = browser(crew.operator).get(f"{page}/start/").content.decode()
    assert "Throws the real switch" in asked
    assert browser(crew.operator).post(f"{page}/start/").status_code == 302
    assert "nobody was listening" in browser(crew.operator).get(f"{page}/change/").content.decode()


def test_the_list_shows_what_is_overdue(crew: Crew) -> None:
    AISystem.objects.filter(pk=crew.system.pk).update(status="live", risk_class="high")
    mine = browser(crew.operator)
    assert "a drill was due" not in mine.get("/admin/overrides/drill/").content.decode()
    with time_machine.travel(timezone.now() + timedelta(days=93)):
        assert "a drill was due" in browser(crew.operator).get("/admin/overrides/drill/").content.decode()
