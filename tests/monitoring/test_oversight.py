"""Oversight measures: what they count, what they leave out, and when they say nothing."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from config.ids import new_id
from governance.models import AISystem, Person
from governance.services.tokens import create_token
from monitoring.models import Outcome
from monitoring.oversight import Measures, Share, cell, measures, share
from overrides.models import Drill, Review, ReviewAssignment, ReviewQueue
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.reviews import make_queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system()


@pytest.fixture
def owner(system: AISystem) -> Person:
    return make_person(reviewer=system)


@pytest.fixture
def queue(owner: Person) -> ReviewQueue:
    return make_queue(owner)


def ended(
    system: AISystem,
    queue: ReviewQueue,
    verdict: str,
    *,
    truth: str = "",
    status: str = "decided",
    said: tuple[str, ...] = (),
    first: str = "",
    dwell: float = 30,
    shown: bool = True,
    at: datetime | None = None,
) -> None:
    """A review that ended, as rows: the services that make such are tested beside them."""
    decision, now = record_decision(system, outcome="refused"), timezone.now()
    review = Review(
        decision_id=decision.id,
        system_id=system.pk,
        environment="production",
        queue=queue,
        mode_epoch="1.1",
        phase="proposed",
        opened_at=at or now,
        deadline_at=now,
        closed_at=now,
        on_timeout="block",
        reviews_required=len(said) or 1,
        is_blind=bool(first),
        probability=1,
        status=status,
        verdict=verdict,
        outcome="approved" if verdict == "modify" else "",
    )
    Review.objects.bulk_create([review])
    if verdict:
        rows = [
            ReviewAssignment(
                review=review,
                person=make_person(),
                seat=seat,
                status="submitted",
                decision=each,
                outcome="approved" if each == "modify" else "",
                is_blind=bool(first),
                first_outcome=first,
                first_at=(now - timedelta(seconds=1) if shown else now) if first else None,
                shown_at=now - timedelta(seconds=dwell),
                ended_at=now,
            )
            for seat, each in enumerate(said or (verdict,), 1)
        ]
        ReviewAssignment.objects.bulk_create(rows)
    if truth:
        Outcome.objects.bulk_create(
            [
                Outcome(
                    decision_id=decision.id,
                    system_id=system.pk,
                    account_id=new_id(),
                    outcome=truth,
                    observed_at=now,
                    received_at=now,
                )
            ]
        )


def measured(queue: ReviewQueue) -> Measures:
    now = timezone.now()
    return measures(queue, now - timedelta(hours=1), now + timedelta(hours=1))


def test_overriding_is_split_by_whether_the_model_was_right(system: AISystem, queue: ReviewQueue) -> None:
    for number in range(10):
        ended(system, queue, "modify" if number < 2 else "confirm", truth="refused")
        ended(system, queue, "modify" if number < 7 else "confirm", truth="approved")
    found = measured(queue)
    assert found.overridden == Share(share=0.45, n=20)
    assert found.overridden_when_right == Share(share=0.2, n=10)
    assert found.overridden_when_wrong == Share(share=0.7, n=10)


def test_small_numbers_are_not_told(system: AISystem, queue: ReviewQueue) -> None:
    for _ in range(3):
        ended(system, queue, "confirm")
    found = measured(queue)
    assert (found.ended, found.decided, found.dwell_median_s) == (None, None, None)
    assert found.overridden == Share(share=None, n=None)
    assert [cell(count) for count in (0, 1, 4, 5)] == [0, None, None, 5]


def test_agreement_of_fewer_than_thirty_pairs_is_not_told() -> None:
    assert share([True] * 29, fewest=30) == Share(share=None, n=29)
    assert share([True] * 30, fewest=30) == Share(share=1.0, n=30)


def test_pairs_dwell_time_outs_and_blind_switches(system: AISystem, queue: ReviewQueue) -> None:
    for number in range(10):
        ended(system, queue, "confirm", said=("confirm", "confirm" if number else "modify"), dwell=2)
        ended(system, queue, "", status="timed_out" if number else "overflowed")
        ended(system, queue, "confirm" if number < 4 else "modify", first="approved")
    found = measured(queue)
    assert (found.agreement, found.timed_out) == (Share(share=None, n=10), Share(share=0.3, n=30))
    assert found.overflowed == Share(share=0.0333, n=30)
    assert found.dwell_under_floor == Share(share=0.6667, n=30)
    assert found.dwell_median_s == 2.0
    assert found.blind_switched == Share(share=0.4, n=10)


def test_who_never_was_shown_the_models_outcome_did_not_refuse_to_follow(system: AISystem, queue: ReviewQueue) -> None:
    for number in range(10):
        ended(system, queue, "confirm" if number < 5 else "modify", first="approved")
        ended(system, queue, "modify", first="approved", shown=False)
    assert measured(queue).blind_switched == Share(share=0.5, n=10)


def test_what_a_drill_held_withdrawn_reviews_and_other_queues_are_not_counted(
    system: AISystem, queue: ReviewQueue, owner: Person
) -> None:
    now = timezone.now()
    for _ in range(6):
        ended(system, queue, "confirm", at=now - timedelta(minutes=5))
    assert measured(queue).ended == 6
    Drill.objects.bulk_create(
        [
            Drill(
                system=system,
                type="live_test",
                status="ended",
                mode="review",
                starts_at=now - timedelta(minutes=9),
                window_ends_at=now,
                expectation="",
                planned_by_id=new_id(),
                approved_by_id=new_id(),
                started_at=now - timedelta(minutes=8),
                ended_at=now - timedelta(minutes=2),
            )
        ]
    )
    ended(system, queue, "", status="withdrawn")
    ended(system, make_queue(owner), "confirm")
    for _ in range(5):
        ended(system, queue, "confirm")
    assert measured(queue).ended == 5


def test_measures_are_for_the_queues_owner_and_those_who_oversee(
    system: AISystem, queue: ReviewQueue, owner: Person
) -> None:
    answers = []
    for person in (owner, make_person(auditor=True), make_person(reviewer=system)):
        token = create_token(actor=actor_of(person), name="test", proven_at=timezone.now())
        client = APIClient(headers={"Authorization": f"Bearer {token.text}"})
        answers.append(client.get(f"/api/v1/review-queues/{queue.slug}/oversight").status_code)
    assert answers == [200, 200, 404]
