"""What turned out to be true: by decision or by the caller's own key, alone or in batches, corrected by later ones."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from config.errors import Forbidden, InvalidInput
from governance.models import AISystem
from intake.digests import external_digest
from intake.models import ExternalId
from ledger.models import Entry
from monitoring.errors import OutcomeCorrected, OutcomeNotFound
from monitoring.models import Outcome
from monitoring.selectors import known_outcomes, outcomes_of
from monitoring.services.outcomes import NewOutcome, record_outcome
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_account, make_key, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system()


def note(system: AISystem, decision: Any, outcome: str = "approved", **rest: Any) -> Outcome:
    new = NewOutcome(decision=decision, outcome=outcome, observed_at=timezone.now(), **rest)
    return record_outcome(actor=actor_of(make_person(technical_owner=system)), new=new)


def test_an_outcome_is_sealed_without_its_note(system: AISystem) -> None:
    made = note(system, record_decision(system), note="Unmistakable.")
    (entry,) = Entry.objects.filter(about_id=made.pk)
    assert (entry.kind, b"nmistakable" in bytes(entry.data)) == ("outcome.recorded", False)


def test_a_correction_stands_beside_what_it_corrects_and_counts(system: AISystem) -> None:
    decision, other = record_decision(system), record_decision(system)
    first = note(system, decision)
    note(system, decision, "refused", corrects=first.pk)
    assert known_outcomes([decision.id, other.id]) == {decision.id: "refused"}
    assert outcomes_of(decision.id).count() == 2
    with pytest.raises(OutcomeCorrected):
        note(system, decision, "closed", corrects=first.pk)
    with pytest.raises(OutcomeNotFound):
        note(system, other, "closed", corrects=first.pk)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_is_a_number(system: AISystem, value: float) -> None:
    with pytest.raises(InvalidInput) as refused:
        note(system, record_decision(system), value=value)
    assert [problem.pointer for problem in refused.value.errors] == ["/value"]


def test_what_has_not_happened_yet_and_what_is_no_category_is_refused(system: AISystem) -> None:
    new = NewOutcome(
        decision=record_decision(system), outcome="not good", observed_at=timezone.now() + timedelta(hours=1)
    )
    with pytest.raises(InvalidInput) as refused:
        record_outcome(actor=actor_of(make_person(reviewer=system)), new=new)
    assert {problem.pointer for problem in refused.value.errors} == {"/outcome", "/observed_at"}
    with pytest.raises(Forbidden):
        record_outcome(actor=actor_of(make_person(viewer=system)), new=new)


def test_a_batch_records_each_for_itself_in_one_sealing(system: AISystem) -> None:
    account = make_account()
    key = make_key(system, scopes=["feedback:write"], account=account)
    client = APIClient(headers={"Authorization": f"Bearer {key.text}"})
    one, two, foreign = record_decision(system), record_decision(system), record_decision(make_system())
    ExternalId.objects.create(
        system_id=system.pk,
        digest=external_digest(system.pk, account.pk, "production", "order-7"),
        decision_id=two.id,
    )
    at = timezone.now().isoformat()
    batch = [
        {"decision_id": str(one.id), "outcome": "repaid", "observed_at": at, "value": 1.5},
        {"external_id": "order-7", "system": system.slug, "outcome": "defaulted", "observed_at": at},
        {"external_id": "order-8", "system": system.slug, "outcome": "repaid", "observed_at": at},
        {"decision_id": str(foreign.id), "outcome": "repaid", "observed_at": at},
        {"outcome": "repaid", "observed_at": at},
        {"decision_id": str(one.id), "outcome": "re paid", "observed_at": at},
        {"decision_id": str(one.id), "outcome": "repaid", "observed_at": at, "oops": 1},
        "nothing",
    ]
    for _ in range(2):
        results = client.post("/api/v1/outcomes", {"outcomes": batch}).json()["results"]
    assert [each["status"] for each in results] == ["recorded"] * 2 + ["refused"] * 6
    assert results[1]["outcome"]["decision_id"] == str(two.id)
    assert results[2]["problem"]["type"] == results[3]["problem"]["type"] == "/problems/decision-not-found"
    assert Outcome.objects.count() == 2


def test_outcomes_of_one_decision_over_the_api(system: AISystem) -> None:
    decision = record_decision(system)
    client = APIClient(headers={"Authorization": f"Bearer {make_key(system, scopes=['feedback:write']).text}"})
    address = f"/api/v1/decisions/{decision.id}/outcomes"
    body = {"outcome": "repaid", "observed_at": timezone.now().isoformat()}
    first, again = (client.post(address, body) for _ in range(2))
    assert (first.status_code, first.json()["id"] == again.json()["id"]) == (201, True)
    assert [each["outcome"] for each in client.get(address).json()] == ["repaid"]
