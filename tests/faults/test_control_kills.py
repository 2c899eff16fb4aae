"""The control process killed in the middle of an act of control: whoever tries again finds it done once, or does it."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from django.db import connections
from django.utils import timezone

from config.standalone.processes import wait_until
from governance.acts import Role
from governance.models import Person
from governance.scopes import Scope
from governance.services.tokens import create_token
from ledger.models import Entry
from notices.models import Alert, Message
from overrides.models import Appeal, Drill, Effect, LooseningRequest, Override, Review, Switch
from overrides.services.drills import approve_drill, plan_drill
from tests.factories.control import approver_of, ask_for, operator_of, stop
from tests.factories.parameters import Crew, make_crew
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_key, make_person, make_system
from tests.factories.reviews import open_review
from tests.factories.sign_in import with_app
from tests.faults import claims
from tests.faults.faultpoints import COMMIT_UNANSWERED, THREADS, Action
from tests.faults.installation import Installation, Web

pytestmark = pytest.mark.e2e

STEPS = ("lock", COMMIT_UNANSWERED, "head_store")
PATIENCE = 60.0


@pytest.fixture(scope="module")
def control(installation: Installation) -> Iterator[Web]:
    """A control process with faults in it, started again whenever it ended."""
    over = threading.Event()
    with installation.control("tests.faults.asgi:application", extra={THREADS: "control_"}) as server:

        def look_after() -> None:
            while not over.wait(0.02):
                if server.ended():  # its workers are started again by itself
                    server.start()

        thread = threading.Thread(target=look_after)
        thread.start()
        yield server
        over.set()
        thread.join()


@dataclass
class Caller:
    """Tries again where nobody answers."""

    control: Web
    token: str

    @classmethod
    def of(cls, control: Web, person: Person) -> "Caller":
        """A person with a token and the second factor that roles of control ask for."""
        with_app(person)
        return cls(control, create_token(actor=actor_of(person), name="test", proven_at=timezone.now()).text)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response | None:
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            return httpx.request(
                method, self.control.url + path, json=body, headers=headers, timeout=40, trust_env=False
            )
        except httpx.TransportError:
            return None

    def insist(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        found: list[httpx.Response] = []

        def is_answered() -> bool:
            answer = self.ask(method, path, body)
            if answer is not None and answer.status_code != 503:
                found.append(answer)
            return bool(found)

        assert wait_until(is_answered, patience=PATIENCE, pause=0.1)
        return found[0]


def post_through_a_kill(
    installation: Installation, caller: Caller, step: str, path: str, body: dict[str, Any]
) -> httpx.Response:
    """The answer to the second time: the first one was cut off at a step."""
    connections.close_all()
    assert wait_until(caller.control.is_alive, patience=PATIENCE)
    installation.faults.arm(step, Action.KILL_WEB)
    try:
        assert caller.ask("POST", path, body) is None
        assert installation.faults.fired() is not None
    finally:
        installation.faults.disarm()
    answer = caller.insist("POST", path, body)
    assert answer.status_code < 500, answer.text
    return answer


def entries(kind: str, about: Any) -> int:
    return Entry.objects.filter(kind=kind, about_id=about).count()


@pytest.mark.parametrize("step", STEPS)
def test_a_stop(installation: Installation, control: Web, step: str) -> None:
    system = make_system(accountable=make_person())
    body = {"system": system.slug, "mode": "stop", "reason_code": "harm-reported"}
    caller = Caller.of(control, operator_of(system))
    answer = post_through_a_kill(installation, caller, step, "/api/v1/control/tighten", body)
    assert (answer.status_code, answer.json()["sealed"]) == (200, True)
    switch = Switch.objects.get(system_id=system.pk)
    assert (switch.mode, switch.revision, switch.changes.count()) == ("stop", 1, 1)
    assert entries("switch.stopped", switch.pk) == 1


@pytest.mark.parametrize("step", STEPS)
def test_the_approval_of_a_loosening(installation: Installation, control: Web, step: str) -> None:
    system = make_system(accountable=make_person())
    asked = ask_for(stop(system), operator_of(system))
    caller = Caller.of(control, approver_of())
    answer = post_through_a_kill(installation, caller, step, f"/api/v1/control/loosen/{asked.pk}/approve", {})
    assert answer.status_code in (200, 409), answer.text
    switch = Switch.objects.get(system_id=system.pk)
    assert (switch.mode, switch.revision, switch.changes.count()) == ("run", 2, 2)
    assert LooseningRequest.objects.get(pk=asked.pk).status == "approved"
    assert (entries("switch.loosened", switch.pk), entries("loosening.approved", asked.pk)) == (1, 1)


@pytest.mark.parametrize("step", STEPS)
def test_an_emergency_clear(installation: Installation, control: Web, step: str) -> None:
    system = make_system(accountable=make_person())
    done = stop(system)
    body = {"switch_id": str(done.switch.pk), "epoch": str(done.epoch), "reason_code": "ward-waits", "note": "Now."}
    caller = Caller.of(control, operator_of(None, Role.EMERGENCY_OPERATOR))
    answer = post_through_a_kill(installation, caller, step, "/api/v1/control/emergency-clear", body)
    assert answer.status_code in (201, 409), answer.text
    switch = Switch.objects.get(system_id=system.pk)
    assert (switch.mode, switch.revision, switch.changes.count()) == ("review", 2, 2)
    assert entries("switch.emergency_cleared", switch.pk) == 1
    assert Alert.objects.filter(kind="switch.emergency_cleared", about_id=switch.pk).count() == 1


@pytest.mark.parametrize("step", STEPS)
def test_the_approval_of_a_parameter(installation: Installation, control: Web, step: str) -> None:
    crew = make_crew(accountable=make_person())
    parameter = crew.parameter()
    asked = crew.set(parameter, 5000)
    assert asked.status == "proposed"
    caller = Caller.of(control, crew.approver)
    answer = post_through_a_kill(installation, caller, step, f"/api/v1/parameter-changes/{asked.pk}/approve", {})
    assert answer.status_code in (200, 409), answer.text
    in_force = parameter.versions.get(status="in_force")
    assert (in_force.pk, in_force.value) == (asked.pk, 5000)
    assert entries("parameter.changed", asked.pk) == 1


def planned(crew: Crew) -> Drill:
    drill = plan_drill(
        actor=actor_of(crew.operator),
        system_id=crew.system.pk,
        drill_type="live_production",
        environment="production",
        starts_at=timezone.now(),
        expectation="All stop.",
    )
    return approve_drill(actor=actor_of(crew.approver), drill_id=drill.pk)


@pytest.mark.parametrize("step", STEPS)
def test_the_start_and_the_end_of_a_drill(installation: Installation, control: Web, step: str) -> None:
    crew = make_crew(accountable=make_person())
    drill = planned(crew)
    caller = Caller.of(control, crew.operator)
    answer = post_through_a_kill(installation, caller, step, f"/api/v1/drills/{drill.pk}/start", {})
    assert answer.status_code in (200, 409), answer.text
    switch = Switch.objects.get(system_id=crew.system.pk)
    assert (switch.mode, switch.drill_id, switch.changes.count()) == ("stop", drill.pk, 1)
    answer = post_through_a_kill(installation, caller, step, f"/api/v1/drills/{drill.pk}/end", {})
    assert answer.status_code in (200, 409), answer.text
    switch.refresh_from_db()
    assert (switch.mode, switch.changes.count(), entries("switch.restored", switch.pk)) == ("run", 2, 1)
    assert (Drill.objects.get(pk=drill.pk).status, entries("drill.ended", drill.pk)) == ("ended", 1)


@pytest.mark.parametrize("step", STEPS)
def test_a_review(installation: Installation, control: Web, step: str) -> None:
    system = make_system(accountable=make_person())
    review = open_review(system)
    caller = Caller.of(control, make_person(reviewer=system))
    work = caller.insist("POST", f"/api/v1/reviews/{review.pk}/claim").json()
    assert caller.insist("GET", f"/api/v1/reviews/work/{work['token']}").status_code == 200
    body = {"version": 1, "decision": "modify", "outcome": "approved", "reason_code": "wrong-input"}
    answer = post_through_a_kill(installation, caller, step, f"/api/v1/reviews/work/{work['token']}/submit", body)
    assert answer.status_code == 200, answer.text
    found = Review.objects.get(pk=review.pk)
    assert (found.status, found.outcome) == ("decided", "approved")
    assert (entries("review.decided", review.pk), found.assignments.filter(status="submitted").count()) == (1, 1)


@pytest.mark.parametrize("step", STEPS)
def test_an_override(installation: Installation, control: Web, step: str) -> None:
    system = make_system(accountable=make_person())
    review = open_review(system)
    person = make_person()
    give_role(person, Role.ACCOUNTABLE, Scope.system(system.pk))
    caller = Caller.of(control, person)
    body = {"outcome": "approved", "reason_code": "wrong-input", "note": ""}
    path = f"/api/v1/decisions/{review.decision_id}/override"
    answer = post_through_a_kill(installation, caller, step, path, body)
    assert answer.status_code in (201, 400, 409, 422), answer.text
    assert Override.objects.filter(decision_id=review.decision_id).count() == 1
    assert caller.insist("GET", f"/api/v1/decisions/{review.decision_id}/effective").json()["effective_outcome"] == (
        "approved"
    )


@pytest.mark.parametrize("step", STEPS)
def test_a_claim_and_its_hand_over(installation: Installation, control: Web, step: str) -> None:
    system = make_system(accountable=make_person())
    review, other = open_review(system), make_person(reviewer=system)
    caller = Caller.of(control, make_person(reviewer=system))
    answer = post_through_a_kill(installation, caller, step, f"/api/v1/reviews/{review.pk}/claim", {})
    assert answer.status_code == 201, answer.text
    work = review.assignments.get()
    assert (str(work.token), entries("review.claimed", work.pk)) == (answer.json()["token"], 1)
    path = f"/api/v1/reviews/work/{work.token}/hand-over"
    answer = post_through_a_kill(installation, caller, step, path, {"person_id": str(other.pk)})
    assert answer.status_code in (204, 409), answer.text
    offered = review.assignments.exclude(pk=work.pk).get()
    assert (offered.person_id, offered.status, entries("review.offered", offered.pk)) == (other.pk, "offered", 1)
    assert (entries("review.released", work.pk), Message.objects.filter(person_id=other.pk).count()) == (1, 1)


@pytest.mark.parametrize("step", STEPS)
def test_an_appeal(installation: Installation, control: Web, step: str) -> None:
    system = make_system(accountable=make_person())
    decision = record_decision(system, outcome="refused")
    service = Caller(control, make_key(system, scopes=["feedback:write"]).text)
    body = {"ground_code": "wrong-data", "statement": "That is not my income."}
    answer = post_through_a_kill(installation, service, step, f"/api/v1/decisions/{decision.id}/appeals", body)
    assert answer.status_code == 201, answer.text
    appeal = Appeal.objects.get(decision_id=decision.id)
    assert (str(appeal.pk), entries("appeal.opened", appeal.pk)) == (answer.json()["id"], 1)
    caller = Caller.of(control, make_person(reviewer=system))
    body = {"verdict": "overturned", "outcome": "approved", "reason_code": "wrong-input"}
    answer = post_through_a_kill(installation, caller, step, f"/api/v1/appeals/{appeal.pk}/decide", body)
    assert answer.status_code in (200, 409), answer.text
    appeal.refresh_from_db()
    assert (appeal.status, entries("appeal.overturned", appeal.pk)) == ("overturned", 1)
    assert Override.objects.filter(decision_id=decision.id).count() == 1


@pytest.mark.parametrize("step", STEPS)
def test_an_effect(installation: Installation, control: Web, step: str) -> None:
    system = make_system(accountable=make_person())
    decision = record_decision(system, outcome="refused")
    service = Caller(control, make_key(system, scopes=["decisions:write"]).text)
    body = {"outcome": "approved", "occurred_at": timezone.now().isoformat()}
    answer = post_through_a_kill(installation, service, step, f"/api/v1/decisions/{decision.id}/effect", body)
    assert (answer.status_code, answer.json()["status"]) == (200, "mismatch"), answer.text
    assert entries("effect.mismatched", Effect.objects.get(decision_id=decision.id).pk) == 1
    assert Alert.objects.filter(kind="effect.mismatched", system_id=system.pk).count() == 1


def test_after_all_of_them_every_log_verifies(installation: Installation, control: Web) -> None:
    claims.assert_verifies()
    claims.assert_contiguous(installation)
