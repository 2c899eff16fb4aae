"""What was decided is carried out once, however many workers ask."""

import uuid
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from governance.models import AISystem, Person
from ledger.entries import Actor
from ledger.models import Entry
from overrides import memory
from overrides.effective import effective_of, unconfirmed_effects
from overrides.models import Execution, Review
from overrides.reading import read_control
from overrides.review_errors import (
    AlreadyExecuted,
    EffectiveChanged,
    ExecutionFrozen,
    ExecutionNotAllowed,
    ExecutionPending,
    NothingToExecute,
)
from overrides.services.effects import confirm_effect
from overrides.services.executing import claim_execution
from overrides.services.overriding import override_decision
from tests.factories.control import clear, stop
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_account, make_key, make_person, make_system
from tests.factories.reviews import open_review
from tests.overrides.test_review_claims import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system()


@pytest.fixture
def owner(system: AISystem) -> Person:
    return make_person(accountable=system)


@pytest.fixture
def caller(system: AISystem) -> Actor:
    return caller_of(system)


def caller_of(system: AISystem) -> Actor:
    account = make_account()
    make_key(system, scopes=["decisions:write"], account=account)
    return Actor("service", account.pk)


def overrule(owner: Person, decision_id: uuid.UUID, outcome: str = "approved") -> None:
    override_decision(actor=actor_of(owner), decision_id=decision_id, outcome=outcome, reason_code="wrong-input")


def approved(system: AISystem, owner: Person) -> uuid.UUID:
    """A held decision to which a person has said yes."""
    decision_id = open_review(system).decision_id
    overrule(owner, decision_id)
    return decision_id


def version_of(decision_id: uuid.UUID) -> int:
    return effective_of(decision_id, control=read_control()).version


def take(caller: Actor, decision_id: uuid.UUID, **asked: Any) -> tuple[Execution, bool]:
    said: dict[str, Any] = {
        "execution_id": uuid.uuid4(),
        "version": version_of(decision_id),
        "instance": "worker-1",
    } | asked
    return claim_execution(actor=caller, decision_id=decision_id, **said)


def test_one_worker_takes_it_and_the_next_one_is_told_by_whom(system: AISystem, owner: Person, caller: Actor) -> None:
    decision_id = approved(system, owner)
    before = version_of(decision_id)
    made, is_new = take(caller, decision_id)
    assert (made.outcome, made.version, is_new) == ("approved", before, True)
    with pytest.raises(AlreadyExecuted, match="by worker-1"):
        take(caller, decision_id, instance="worker-2")
    assert Entry.objects.filter(about_id=made.pk, kind="execution.claimed").count() == 1
    found = effective_of(decision_id)
    assert (found.execution, found.version > before) == (made, True)


@pytest.mark.committing
def test_two_workers_at_once_make_one_execution() -> None:
    system = make_system()
    caller, decision_id = caller_of(system), approved(system, make_person(accountable=system))
    asked: dict[str, Any] = {"actor": caller, "decision_id": decision_id, "version": version_of(decision_id)}
    found = at_once([partial(claim_execution, execution_id=uuid.uuid4(), **asked) for _ in range(4)])
    assert sum(isinstance(each, tuple) for each in found) == 1
    assert sum(isinstance(each, AlreadyExecuted) for each in found) == 3
    assert Execution.objects.filter(decision_id=decision_id).count() == 1


def test_a_worker_whose_answer_was_lost_asks_again_and_has_it(system: AISystem, owner: Person, caller: Actor) -> None:
    decision_id, mine = approved(system, owner), uuid.uuid4()
    version = version_of(decision_id)
    first = take(caller, decision_id, execution_id=mine, version=version)
    again = take(caller, decision_id, execution_id=mine, version=version)
    assert (first[0], first[1], again[1]) == (again[0], True, False)
    assert Entry.objects.filter(kind="execution.claimed").count() == 1


def test_of_a_worker_that_died_over_it_people_see_that_and_may_let_another_one(
    system: AISystem, owner: Person, caller: Actor
) -> None:
    decision_id = approved(system, owner)
    take(caller, decision_id)
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        [row] = unconfirmed_effects([system.pk])
    assert (row["decision_id"], row["outcome"]) == (decision_id, "approved")
    overrule(owner, decision_id)  # the same outcome again, which is no override as long as nobody took it
    assert effective_of(decision_id).execution is None
    _, is_new = take(caller, decision_id, instance="worker-2")
    assert is_new
    with pytest.raises(AlreadyExecuted, match="worker-2"):
        take(caller, decision_id)


def test_what_a_caller_says_is_done_is_not_taken_again(system: AISystem, owner: Person, caller: Actor) -> None:
    decision_id = approved(system, owner)
    confirm_effect(actor=caller, decision_id=decision_id, outcome="approved", occurred_at=timezone.now())
    with pytest.raises(AlreadyExecuted, match="it is done"):
        take(caller, decision_id)


def test_a_stop_between_approval_and_execution_freezes_it_at_once(
    system: AISystem, owner: Person, caller: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    decision_id, before = approved(system, owner), memory.current()
    done = stop(system)
    with monkeypatch.context() as deaf:
        deaf.setattr(memory, "current", lambda: before)
        assert effective_of(decision_id).status == "final"  # memory has not heard of it; the claim asks the database
        with pytest.raises(ExecutionFrozen):
            take(caller, decision_id)
    clear(done, system)
    assert take(caller, decision_id)[1]


def test_a_stop_after_a_lost_answer_freezes_it_too(system: AISystem, owner: Person, caller: Actor) -> None:
    decision_id, mine = approved(system, owner), uuid.uuid4()
    take(caller, decision_id, execution_id=mine)
    stop(system)
    with pytest.raises(ExecutionFrozen):
        take(caller, decision_id, execution_id=mine)


def test_an_old_version_takes_nothing(system: AISystem, owner: Person, caller: Actor) -> None:
    decision_id, mine = approved(system, owner), uuid.uuid4()
    version = version_of(decision_id)
    take(caller, decision_id, execution_id=mine, version=version)
    overrule(owner, decision_id, "approved-in-part")
    with pytest.raises(EffectiveChanged):
        take(caller, decision_id, execution_id=mine, version=version)
    assert take(caller, decision_id, execution_id=mine)[0].outcome == "approved-in-part"


def test_what_waits_and_what_was_refused_is_not_taken(system: AISystem, caller: Actor) -> None:
    waiting, refused = open_review(system), open_review(system)
    with pytest.raises(ExecutionPending):
        take(caller, waiting.decision_id)
    now = timezone.now()
    closed = {"status": "decided", "verdict": "reject", "closed_at": now, "visible_at": now}
    Review.objects.filter(pk=refused.pk).update(**closed)
    with pytest.raises(ExecutionNotAllowed):
        take(caller, refused.decision_id)


def test_what_was_in_effect_already_is_taken_only_after_a_correction(
    system: AISystem, owner: Person, caller: Actor
) -> None:
    decision = record_decision(system, outcome="refused")
    with pytest.raises(NothingToExecute):
        take(caller, decision.id)
    overrule(owner, decision.id)
    assert take(caller, decision.id)[1]


def test_what_was_never_held_can_be_taken_once_as_well(system: AISystem, caller: Actor) -> None:
    decision = record_decision(system, outcome="refused", phase="proposed")
    assert take(caller, decision.id)[0].outcome == "refused"
    with pytest.raises(AlreadyExecuted):
        take(caller, decision.id)


def test_over_http_as_a_worker_does_it(system: AISystem, owner: Person) -> None:
    decision_id = approved(system, owner)
    worker = APIClient(headers={"Authorization": f"Bearer {make_key(system, scopes=['decisions:write']).text}"})
    address = f"/api/v1/decisions/{decision_id}"
    held = worker.get(f"{address}/effective").json()
    assert held["execution"] is None
    body = {"execution_id": str(uuid.uuid4()), "version": held["version"], "instance": "worker-1"}
    first, again = worker.post(f"{address}/execution", body), worker.post(f"{address}/execution", body)
    assert (first.status_code, again.status_code, first.json() == again.json()) == (201, 200, True)
    assert worker.get(f"{address}/effective").json()["execution"] == {
        name: first.json()[name] for name in ("execution_id", "claimed_at", "instance")
    }
    other = worker.post(f"{address}/execution", body | {"execution_id": str(uuid.uuid4())})
    assert (other.status_code, other.json()["type"].rsplit("/", 1)[-1]) == (409, "already-executed")
    reader = APIClient(headers={"Authorization": f"Bearer {make_key(system, scopes=['decisions:read']).text}"})
    assert reader.post(f"{address}/execution", body).status_code == 403
    stranger = APIClient(
        headers={"Authorization": f"Bearer {make_key(make_system(), scopes=['decisions:write']).text}"}
    )
    assert stranger.post(f"{address}/execution", body).status_code == 404
