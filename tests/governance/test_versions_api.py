"""Model versions, data sources and configurations over the API: by people and programs, within reach alone."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from governance.acts import Role
from governance.models import AISystem, ModelVersion, Person
from governance.scopes import Scope
from governance.services.tokens import create_token
from tests.factories.cards import publish
from tests.factories.register import actor_of, give_role, make_account, make_key, make_person, make_system
from tests.factories.versions import (
    DIGEST,
    engineer_of,
    make_approved,
    make_promotable,
    make_proposed,
    make_source,
    make_version,
    owner_of,
)

pytestmark = pytest.mark.django_db
VERSIONS, SOURCES = "/api/v1/model-versions", "/api/v1/data-sources"


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", risk_class=AISystem.RiskClass.LIMITED)


def client(text: str) -> APIClient:
    return APIClient(headers={"Authorization": f"Bearer {text}"})


def person(who: Person) -> APIClient:
    return client(create_token(actor=actor_of(who), name="t", proven_at=timezone.now()).text)


def program(*systems: AISystem) -> APIClient:
    return client(make_key(*systems, scopes=["register:write"], account=make_account()).text)


def store(caller: APIClient, content: bytes, query: str = "") -> Any:
    address = f"/api/v1/systems/credit/configurations{query}"
    return caller.post(address, content, content_type="application/json")


def test_the_whole_way_by_two_people(system: AISystem) -> None:
    engineer, owner = person(engineer_of(system)), person(owner_of(system))
    made = engineer.post("/api/v1/systems/credit/versions", {"version": "2.0", "model_digest": DIGEST}, format="json")
    assert made.status_code == 201
    page = f"{VERSIONS}/{made.json()['id']}"
    assert engineer.post(f"{page}/propose", {}, format="json").status_code == 422
    proposed = engineer.post(f"{page}/propose", {"reason": "Better."}, format="json").json()
    assert (proposed["status"], proposed["promotions"][0]["reason"]) == ("proposed", "Better.")
    looked_at = {"promotion_id": proposed["promotions"][0]["id"], "revision": proposed["revision"]}
    assert engineer.post(f"{page}/approve", looked_at, format="json").json()["type"].endswith("/approval-forbidden")
    assert owner.post(f"{page}/approve", {}, format="json").status_code == 422
    stale = owner.post(f"{page}/approve", looked_at | {"revision": 1}, format="json")
    assert (stale.status_code, stale.json()["type"].rsplit("/")[-1]) == (409, "promotion-anew")
    assert owner.post(f"{page}/approve", looked_at | {"answer": "Seen."}, format="json").json()["status"] == "approved"
    assert engineer.post(f"{page}/release", {}, format="json").json()["status"] == "live"
    stood = {each["code"]: each["met"] for each in engineer.get(page).json()["promotions"][0]["gates"]}
    assert stood["identity"] and not stood["way-back"]
    assert owner.post(f"{page}/retire", {"reason": "Old."}, format="json").json()["status"] == "retired"


def test_what_keeps_it_from_being_proposed_is_named(system: AISystem) -> None:
    version = make_version(system, model_digest="")
    answer = person(engineer_of(system)).post(f"{VERSIONS}/{version.pk}/propose", {"reason": "x"}, format="json")
    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (409, "promotion-blocked")
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/model_digest"]


def test_approving_takes_a_factor_of_the_last_minutes(system: AISystem) -> None:
    version = make_proposed(system)
    with time_machine.travel(timezone.now() - timedelta(minutes=11)):
        late = person(owner_of(system))
    assert late.post(f"{VERSIONS}/{version.pk}/approve", {}, format="json").status_code == 403
    assert ModelVersion.objects.get().status == "proposed"


@pytest.mark.parametrize("act", ["propose", "approve", "refuse", "withdraw", "release", "retire"])
def test_no_program_takes_a_step_that_a_person_answers_for(system: AISystem, act: str) -> None:
    version = make_proposed(system)
    answer = program(system).post(f"{VERSIONS}/{version.pk}/{act}", {"reason": "x"}, format="json")
    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (403, "person-needed")


def test_a_program_registers_describes_and_declares(system: AISystem) -> None:
    pipeline, owner = program(system), make_person()
    body = {"slug": "applications", "name": "Applications", "owner_id": str(owner.pk), "kind": "database"}
    assert pipeline.post(SOURCES, body, format="json").status_code == 201
    assert pipeline.post(SOURCES, body, format="json").status_code == 200
    assert pipeline.post(SOURCES, body | {"name": "Other"}, format="json").status_code == 409
    content = b'{"threshold":   0.52}'
    stored = store(pipeline, content)
    assert (stored.status_code, stored.json()["digest"]) == (201, f"sha256:{hashlib.sha256(content).hexdigest()}")
    assert store(pipeline, content).status_code == 200
    read = pipeline.get(f"/api/v1/systems/credit/configurations/{stored.json()['digest']}")
    assert read.content == content
    made = pipeline.post(
        "/api/v1/systems/credit/versions",
        {"version": "2.0", "model_digest": DIGEST, "config_digest": stored.json()["digest"]},
        format="json",
    ).json()
    declared = {"data_source": "applications", "use": "training", "snapshot": "2026-09"}
    shown = pipeline.post(f"{VERSIONS}/{made['id']}/dependencies", declared, format="json").json()
    assert [(each["data_source"], each["snapshot"]) for each in shown["dependencies"]] == [("applications", "2026-09")]
    held = pipeline.get(f"{SOURCES}/applications/dependents").json()["items"]
    assert [(each["system"], each["model_version"], each["use"]) for each in held] == [("credit", "2.0", "training")]
    assert pipeline.delete(f"/api/v1/data-dependencies/{shown['dependencies'][0]['id']}").status_code == 204
    assert pipeline.get(f"{SOURCES}/applications/dependents").json()["items"] == []


@pytest.mark.parametrize(
    ("content", "query"),
    [(b"[1]", ""), (b"", ""), (b'{"a": "' + b"x" * 262_200 + b'"}', ""), (b"{}", "?algorithm=md5")],
)
def test_what_is_no_configuration_is_refused(system: AISystem, content: bytes, query: str) -> None:
    assert store(program(system), content, query).status_code == 422


def test_what_is_out_of_reach_is_as_if_it_were_not_there(system: AISystem) -> None:
    other, engineer = make_system(slug="other"), engineer_of(system)
    hidden = make_promotable(other, by=engineer_of(other))
    dependency = hidden.dependencies.all()[0]
    for caller in (person(engineer), program(system)):
        for answer in (
            caller.get(f"{VERSIONS}/{hidden.pk}"),
            caller.post(f"{VERSIONS}/{hidden.pk}/dependencies", {"data_source": "x", "use": "training"}, format="json"),
            caller.delete(f"/api/v1/data-dependencies/{dependency.pk}"),
            caller.get("/api/v1/systems/other/configurations"),
            caller.get(f"/api/v1/systems/other/configurations/{hidden.config_digest}"),
        ):
            assert answer.status_code == 404, answer.content
        assert caller.get(f"{SOURCES}/applications/dependents").json()["items"] == []
    assert person(engineer).post(f"{VERSIONS}/{hidden.pk}/propose", {"reason": "x"}, format="json").status_code == 404
    assert person(engineer).get("/api/v1/systems/other/versions").status_code == 404
    assert program(system).get("/api/v1/systems/other/versions").status_code == 403
    stranger = person(make_person())
    assert stranger.get(SOURCES).status_code == stranger.get(f"{SOURCES}/applications").status_code == 404


def test_a_source_is_changed_by_who_may_and_archived_when_nothing_uses_it(system: AISystem) -> None:
    source = make_source()
    give_role(source.owner, Role.VIEWER, Scope.system(system.pk))
    for other in (person(engineer_of(system)), program(system)):
        assert other.patch(f"{SOURCES}/{source.slug}", {"name": "Mine"}, format="json").status_code == 403
    keeper = person(source.owner)
    assert keeper.patch(f"{SOURCES}/{source.slug}", {"name": "New"}, format="json").json()["name"] == "New"
    nobody = {"owner_id": "01900000-0000-7000-8000-000000000000"}
    refused: Any = keeper.patch(f"{SOURCES}/{source.slug}", nobody, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/owner_id")
    assert keeper.post(f"{SOURCES}/{source.slug}/archive", {}, format="json").json()["archived_at"]


def test_the_accountable_person_takes_an_ai_system_live_and_retires_it() -> None:
    system = make_system(slug="loans", **READY)
    owner = owner_of(system)
    address, theirs = "/api/v1/systems/loans", person(owner)
    missing = theirs.post(f"{address}/live", {}, format="json")
    assert (missing.status_code, missing.json()["type"].rsplit("/")[-1]) == (409, "system-not-ready")
    assert {"/card", "/model_versions"} <= {each["pointer"] for each in missing.json()["errors"]}
    publish(system, publisher=owner)
    make_approved(system)
    for act in ("live", "retire"):
        assert person(engineer_of(system)).post(f"{address}/{act}", {}, format="json").status_code == 403
        assert program(system).post(f"{address}/{act}", {}, format="json").status_code == 403
        assert person(make_person()).post(f"{address}/{act}", {}, format="json").status_code == 404
    assert theirs.post(f"{address}/live", {}, format="json").json()["status"] == "live"
    retired = theirs.post(f"{address}/retire", {"reason": "Over."}, format="json")
    assert (retired.status_code, retired.json()["status"]) == (200, "retired")


READY: dict[str, Any] = {
    "intended_purpose": "Decides on loans.",
    "risk_class": "limited",
    "safe_state": "People decide.",
    "shutdown_steps": "Switch it off.",
    "shutdown_contacts": "The desk.",
}
