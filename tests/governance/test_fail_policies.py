"""Fail policies and fallbacks: stricter by one, milder by two while the system is live."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from config.errors import Forbidden, InvalidInput
from governance import memory
from governance.acts import Role
from governance.errors import (
    ApprovalForbidden,
    FailPolicyNeedsTwo,
    FailPolicyNotMilder,
    FailPolicyRequestNotFound,
    FailPolicyRequestNotOpen,
    FallbackInUse,
    PersonNeeded,
    RequestVoid,
)
from governance.fail_policies import FailPolicy
from governance.models import AISystem, FailPolicyRequest, ModelVersion, Person
from governance.scopes import Scope
from governance.services.assignments import end_assignment
from governance.services.fail_policies import (
    approve_milder_policy,
    ask_for_milder_policy,
    refuse_milder_policy,
    withdraw_milder_policy,
)
from governance.services.promotions import retire_version
from governance.services.systems import register_system, update_system
from governance.services.tokens import create_token
from governance.services.versions import register_version
from ledger.entries import COMMAND
from ledger.models import Entry
from tests.factories.register import actor_of, give_role, make_key, make_person, make_system

pytestmark = pytest.mark.django_db
Status = FailPolicyRequest.Status


@pytest.fixture
def live() -> AISystem:
    system = make_system(slug="triage", risk_class="high", safe_state="a", shutdown_steps="b", shutdown_contacts="c")
    AISystem.objects.filter(pk=system.pk).update(status=AISystem.Status.LIVE)
    return AISystem.objects.get(pk=system.pk)


@pytest.fixture
def engineer(live: AISystem) -> Person:
    person = make_person()
    give_role(person, Role.TECHNICAL_OWNER, Scope.system(live.pk))
    return person


@pytest.fixture
def approver() -> Person:
    return make_person(approver=True)


def set_by(person: Person, system: AISystem, **changes: Any) -> AISystem:
    return update_system(actor=actor_of(person), system_id=system.pk, changes=changes)


def ask(person: Person, system: AISystem, staleness: int = 600, mode: str = "review") -> FailPolicyRequest:
    return ask_for_milder_policy(
        actor=actor_of(person), system_id=system.pk, max_staleness_s=staleness, safe_mode=mode, note="Flaky line."
    )


def known(system: AISystem) -> FailPolicy:
    """What clients are told."""
    memory.forget()
    found = memory.current().system_by_id(system.pk)
    assert found is not None
    return found.fail_policy


def test_a_stricter_policy_is_set_by_one_person_and_reaches_memory(live: AISystem, engineer: Person) -> None:
    assert known(live) == FailPolicy(60, "stop")
    set_by(engineer, live, max_staleness_s=30)
    assert known(live) == FailPolicy(30, "stop")


@pytest.mark.parametrize(
    "changes",
    [
        {"max_staleness_s": 61},
        {"safe_mode": "review"},
        {"max_staleness_s": 30, "safe_mode": "run"},
        {"risk_class": "minimal"},
        {"name": "New", "risk_class": "limited", "safe_mode": "stop"},
    ],
)
def test_a_milder_policy_of_a_live_system_takes_two_by_whichever_column(
    live: AISystem, engineer: Person, changes: dict[str, Any]
) -> None:
    with pytest.raises(FailPolicyNeedsTwo):
        set_by(engineer, live, **changes)
    assert known(live) == FailPolicy(60, "stop") and AISystem.objects.get().name != "New"


def test_what_clears_a_stricter_policy_is_milder_too(live: AISystem, engineer: Person) -> None:
    set_by(engineer, live, max_staleness_s=30)
    with pytest.raises(FailPolicyNeedsTwo):
        set_by(engineer, live, max_staleness_s=None)


def test_a_risk_class_changes_once_the_policy_is_said(live: AISystem, engineer: Person) -> None:
    set_by(engineer, live, max_staleness_s=60, safe_mode="stop")
    assert set_by(engineer, live, risk_class="limited").risk_class == "limited"
    assert known(live) == FailPolicy(60, "stop")


def test_before_it_is_live_one_person_sets_any() -> None:
    system = make_system(risk_class="high")
    update_system(actor=COMMAND, system_id=system.pk, changes={"max_staleness_s": 86400, "safe_mode": "run"})
    assert known(system) == FailPolicy(86400, "run")


def test_two_people_make_it_milder(live: AISystem, engineer: Person, approver: Person) -> None:
    request = ask(engineer, live)
    assert known(live) == FailPolicy(60, "stop")
    approve_milder_policy(actor=actor_of(approver), request_id=request.pk)
    assert known(live) == FailPolicy(600, "review")
    kinds = Entry.objects.filter(about_id=request.pk).order_by("leaf_index").values_list("kind", flat=True)
    assert list(kinds) == ["fail_policy.proposed", "fail_policy.loosened"]
    with pytest.raises(FailPolicyRequestNotOpen):
        approve_milder_policy(actor=actor_of(approver), request_id=request.pk)


def test_the_requester_approves_nothing_and_nor_does_the_command_line(live: AISystem, engineer: Person) -> None:
    give_role(engineer, Role.APPROVER)
    request = ask(engineer, live)
    for actor in (actor_of(engineer), COMMAND):
        with pytest.raises(ApprovalForbidden):
            approve_milder_policy(actor=actor, request_id=request.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        columns = {"status": "approved", "decided_by_id": engineer.pk}
        FailPolicyRequest.objects.filter(pk=request.pk).update(**columns)


def test_only_who_answers_for_the_technology_asks(live: AISystem, approver: Person) -> None:
    for person in (approver, make_person(), make_person(administrator=True)):
        with pytest.raises(Forbidden):
            ask(person, live)
    with pytest.raises((Forbidden, PersonNeeded)):
        ask_for_milder_policy(actor=COMMAND, system_id=live.pk, max_staleness_s=600, safe_mode="run")


def test_a_stricter_policy_meanwhile_voids_the_request(live: AISystem, engineer: Person, approver: Person) -> None:
    request = ask(engineer, live)
    set_by(engineer, live, max_staleness_s=20)
    with pytest.raises(RequestVoid):
        approve_milder_policy(actor=actor_of(approver), request_id=request.pk)
    request.refresh_from_db()
    assert request.status == Status.VOID and known(live) == FailPolicy(20, "stop")


def test_an_asker_who_lost_the_right_or_a_late_answer_voids_it(
    live: AISystem, engineer: Person, approver: Person
) -> None:
    late = ask(engineer, live)
    with time_machine.travel(timezone.now() + timedelta(days=3)), pytest.raises(RequestVoid):
        approve_milder_policy(actor=actor_of(approver), request_id=late.pk)
    request = ask(engineer, live)
    end_assignment(actor=actor_of(engineer), assignment_id=engineer.assignments.get(role=Role.TECHNICAL_OWNER).pk)
    with pytest.raises(RequestVoid):
        approve_milder_policy(actor=actor_of(approver), request_id=request.pk)
    assert known(live) == FailPolicy(60, "stop")


def test_a_request_is_refused_withdrawn_or_replaced(live: AISystem, engineer: Person, approver: Person) -> None:
    first = ask(engineer, live)
    second = ask(engineer, live, 900)
    first.refresh_from_db()
    assert first.status == Status.VOID
    assert refuse_milder_policy(actor=actor_of(approver), request_id=second.pk, reason="No.").status == Status.REFUSED
    third = ask(engineer, live)
    with pytest.raises(FailPolicyRequestNotFound):
        withdraw_milder_policy(actor=actor_of(approver), request_id=third.pk)
    assert withdraw_milder_policy(actor=actor_of(engineer), request_id=third.pk).status == Status.WITHDRAWN


def test_what_is_no_milder_or_no_policy_is_told(live: AISystem, engineer: Person) -> None:
    with pytest.raises(FailPolicyNotMilder):
        ask(engineer, live, 60, "stop")
    for staleness, mode, pointer in ((4, "review", "/max_staleness_s"), (600, "fallback", "/safe_mode")):
        with pytest.raises(InvalidInput) as refused:
            ask(engineer, live, staleness, mode)
        assert [each.pointer for each in refused.value.errors] == [pointer]


# --- what stands in --------------------------------------------------------------------------------------------------
def test_a_fallback_is_something_that_is_there(live: AISystem, engineer: Person) -> None:
    for changes, pointer in (
        ({"fallback": "manual"}, "/fallback_kind"),
        ({"fallback_kind": "process"}, "/fallback"),
        ({"fallback_kind": "model_version", "fallback": "1.9"}, "/fallback"),
        ({"safe_mode": "fallback", "risk_class": "high", "max_staleness_s": 4}, "/safe_mode"),
    ):
        with pytest.raises(InvalidInput) as refused:
            set_by(engineer, live, **changes)
        assert pointer in [each.pointer for each in refused.value.errors]
    with pytest.raises(InvalidInput):
        register_system(actor=COMMAND, slug="x", name="X", fallback_kind="model_version", fallback="1")
    version = register_version(actor=COMMAND, system_id=live.pk, version="1.9")
    set_by(engineer, live, fallback_kind="model_version", fallback="1.9")
    found = memory.current().system_by_id(live.pk)
    assert found is not None and (found.fallback_kind, found.fallback) == ("model_version", "1.9")
    with pytest.raises(FallbackInUse):
        retire_version(actor=actor_of(engineer), version_id=version.pk)
    set_by(engineer, live, fallback_kind="process", fallback="desk-4")
    assert retire_version(actor=actor_of(engineer), version_id=version.pk).status == ModelVersion.Status.RETIRED
    with pytest.raises(InvalidInput):
        set_by(engineer, live, fallback_kind="model_version", fallback="1.9")


def test_the_database_refuses_half_a_fallback_and_endless_trust(live: AISystem) -> None:
    for columns in ({"fallback": "x"}, {"max_staleness_s": 604_801}, {"max_staleness_s": 0}):
        with pytest.raises(IntegrityError), transaction.atomic():
            AISystem.objects.filter(pk=live.pk).update(**columns)


# --- pages and API ---------------------------------------------------------------------------------------------------
def browser(person: Person) -> Client:
    found = Client()
    found.force_login(person)
    return found


def test_the_pages_lead_from_the_refusal_to_the_approval(live: AISystem, engineer: Person, approver: Person) -> None:
    page = f"/admin/governance/aisystem/{live.pk}"
    form = {"name": "T", "risk_class": "high", "safe_state": "a", "shutdown_steps": "b", "shutdown_contacts": "c"}
    mine = browser(engineer)
    refused = mine.post(f"{page}/change/", form | {"max_staleness_s": "600"})
    assert refused.status_code == 200 and "takes two people" in refused.content.decode()
    assert mine.post(f"{page}/change/", form | {"max_staleness_s": "45"}).status_code == 302
    assert mine.post(f"{page}/milder-policy/", {"max_staleness_s": "300", "safe_mode": "stop"}).status_code == 302
    request = FailPolicyRequest.objects.get()
    assert "A milder one waits" in mine.get(f"{page}/change/").content.decode()
    asked = f"/admin/governance/failpolicyrequest/{request.pk}"
    assert mine.post(f"{asked}/approve/").status_code == 403
    theirs = browser(approver)
    assert "45 s, then stop" in theirs.get(f"{asked}/change/").content.decode()
    assert theirs.get("/admin/governance/failpolicyrequest/").status_code == 200
    assert theirs.post(f"{asked}/approve/").status_code == 302
    assert known(live) == FailPolicy(300, "stop")


def client(person: Person) -> APIClient:
    token = create_token(actor=actor_of(person), name="test", proven_at=timezone.now())
    return APIClient(headers={"Authorization": f"Bearer {token.text}"})


def test_the_same_over_the_api(live: AISystem, engineer: Person, approver: Person) -> None:
    mine, theirs, url = client(engineer), client(approver), "/api/v1/systems/triage/fail-policy"
    assert mine.patch(url, {"max_staleness_s": 45, "fallback_kind": "process", "fallback": "desk"}).status_code == 200
    assert mine.get(url).json()["in_force"] == {"max_staleness_s": 45, "safe_mode": "stop"}
    assert mine.patch(url, {"max_staleness_s": 600}).json()["type"].endswith("/fail-policy-needs-two")
    assert mine.patch(url, {"max_staleness_s": 1}).status_code == 422
    asked = mine.post(f"{url}/milder", {"max_staleness_s": 600, "safe_mode": "fallback"})
    assert asked.status_code == 202, asked.content
    answers = f"/api/v1/fail-policy-requests/{asked.json()['id']}"
    assert mine.post(f"{answers}/approve").status_code == 403
    assert theirs.post(f"{answers}/approve").json()["status"] == "approved"
    assert known(live) == FailPolicy(600, "fallback")
    key = make_key(live, scopes=["register:write", "control:tighten"])
    service = APIClient(headers={"Authorization": f"Bearer {key.text}"})
    assert service.patch(url, {"max_staleness_s": 5}).json()["type"].endswith("/person-needed")
    assert client(make_person(operator=make_system())).get(url).status_code == 404
