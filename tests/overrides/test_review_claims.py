"""Taking reviews: one person a place, given back by itself, and nobody judges what they had a part in."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connections
from django.utils import timezone

from governance.acts import Role
from governance.errors import PersonNeeded
from governance.models import AISystem, Person
from governance.scopes import Scope
from governance.services.people import deactivate_person
from ledger.entries import COMMAND, SERVER, Actor
from ledger.models import Entry
from overrides.models import Review, ReviewAssignment
from overrides.review_errors import (
    ClaimLost,
    NotForReviewer,
    ReviewNotFound,
    ReviewNotOpen,
    ReviewTaken,
    TooManyClaims,
)
from overrides.selectors import takeable_by
from overrides.services import claiming
from overrides.services.claiming import (
    claim,
    claim_next,
    decline,
    end_lapsed_claims,
    hand_over,
    hold_review,
    release,
    save_draft,
    show_item,
)
from overrides.services.deciding import Answer, submit
from overrides.services.queues import give_skill
from overrides.services.work import locked_review
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system()


@pytest.fixture
def reviewer(system: AISystem) -> Person:
    return make_person(reviewer=system)


def test_a_claim_is_sealed_and_the_review_is_in_review(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    review.refresh_from_db()
    assert (work.status, work.seat, review.status) == ("claimed", 1, "in_review")
    assert Entry.objects.filter(about_id=work.pk, kind="review.claimed").count() == 1


def test_who_claims_twice_has_one_claim(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    first, second = (claim(actor=actor_of(reviewer), review_id=review.pk) for _ in range(2))
    assert first.token == second.token


def test_a_taken_review_is_refused_to_others_and_passed_over(system: AISystem, reviewer: Person) -> None:
    review, other = open_review(system), make_person(reviewer=system)
    claim(actor=actor_of(reviewer), review_id=review.pk)
    with pytest.raises(ReviewTaken):
        claim(actor=actor_of(other), review_id=review.pk)
    assert claim_next(actor=actor_of(other)) is None


def test_the_next_one_is_the_one_due_first(system: AISystem, reviewer: Person) -> None:
    queue = make_queue(reviewer)
    slow = make_rule(system, queue, name="slow", deadline_s=7200)
    fast = make_rule(system, queue, name="fast", deadline_s=600)
    open_review(system, rule=slow)
    due = open_review(system, rule=fast)
    work = claim_next(actor=actor_of(reviewer))
    assert work and work.review_id == due.pk


def test_somebody_of_another_system_finds_nothing(system: AISystem) -> None:
    review, stranger = open_review(system), make_person(reviewer=make_system())
    assert claim_next(actor=actor_of(stranger)) is None
    with pytest.raises(ReviewNotFound):
        claim(actor=actor_of(stranger), review_id=review.pk)
    with pytest.raises(ReviewNotFound):
        claim(actor=actor_of(stranger), review_id=uuid.uuid4())


def test_a_service_account_never_claims(system: AISystem) -> None:
    review = open_review(system)
    service = Actor("service", uuid.uuid4())
    with pytest.raises(PersonNeeded):
        claim(actor=service, review_id=review.pk)
    with pytest.raises(PersonNeeded):
        claim_next(actor=service)
    assert not ReviewAssignment.objects.exists()


def test_a_reviewer_of_one_capability_gets_only_that_one(system: AISystem) -> None:
    person = make_person()
    give_role(person, Role.REVIEWER, Scope.of_capability(system.pk, "loans"))
    other, mine = open_review(system, capability="cards"), open_review(system, capability="loans")
    work = claim_next(actor=actor_of(person))
    assert work and work.review_id == mine.pk
    with pytest.raises(ReviewNotFound):
        claim(actor=actor_of(person), review_id=other.pk)


def test_a_queue_bounds_the_claims_of_a_person(system: AISystem, reviewer: Person) -> None:
    rule = make_rule(system, make_queue(reviewer, claims_per_person=2))
    reviews = [open_review(system, rule=rule) for _ in range(3)]
    for review in reviews[:2]:
        claim(actor=actor_of(reviewer), review_id=review.pk)
    with pytest.raises(TooManyClaims):
        claim(actor=actor_of(reviewer), review_id=reviews[2].pk)


def test_a_required_skill_is_asked_for(system: AISystem, reviewer: Person) -> None:
    rule = make_rule(system, make_queue(reviewer), required_skill="mortgage-law")
    review = open_review(system, rule=rule)
    with pytest.raises(NotForReviewer):
        claim(actor=actor_of(reviewer), review_id=review.pk)
    assert claim_next(actor=actor_of(reviewer)) is None
    give_skill(actor=COMMAND, person_id=reviewer.pk, skill="mortgage-law")
    assert claim_next(actor=actor_of(reviewer)) is not None


def test_what_one_lacks_the_skill_for_starves_nobody(
    system: AISystem, reviewer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "LOOKED_AT", 1)
    queue = make_queue(reviewer)
    skilled, left = make_rule(system, queue, required_skill="law"), make_rule(system, queue, deadline_s=600)
    open_review(system, rule=skilled)
    escalated = open_review(system, rule=left)
    Review.objects.filter(pk=escalated.pk).update(escalated_at=timezone.now())
    wanted = open_review(system, rule=make_rule(system, queue, deadline_s=7200))
    assert takeable_by(actor_of(reviewer)).claimable == 1
    work = claim_next(actor=actor_of(reviewer))
    assert work and work.review_id == wanted.pk


def test_nobody_is_handed_what_they_work_on_already(system: AISystem, reviewer: Person) -> None:
    review = open_review(system, rule=make_rule(system, make_queue(reviewer), reviews_required=2))
    other = make_person(reviewer=system)
    mine = claim(actor=actor_of(reviewer), review_id=review.pk)
    claim(actor=actor_of(other), review_id=review.pk)
    with pytest.raises(NotForReviewer):
        hand_over(actor=actor_of(reviewer), token=mine.token, to_person_id=other.pk)


def test_a_decline_outlives_the_claim_and_any_offer(system: AISystem, reviewer: Person) -> None:
    review, other = open_review(system), make_person(reviewer=system)
    claim(actor=actor_of(reviewer), review_id=review.pk)
    decline(actor=actor_of(reviewer), review_id=review.pk, reason_code="conflict-of-interest")
    with pytest.raises(NotForReviewer):
        claim(actor=actor_of(reviewer), review_id=review.pk)
    theirs = claim(actor=actor_of(other), review_id=review.pk)
    with pytest.raises(NotForReviewer):
        hand_over(actor=actor_of(other), token=theirs.token, to_person_id=reviewer.pk)


def test_a_released_review_waits_again(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    for _ in range(2):
        release(actor=actor_of(reviewer), token=work.token)
    review.refresh_from_db()
    assert review.status == "open"
    assert Entry.objects.filter(about_id=work.pk, kind="review.released").count() == 1


def test_a_claim_lapses_with_its_lease_and_the_draft_is_there_when_it_is_claimed_again(
    system: AISystem, reviewer: Person
) -> None:
    review = open_review(system)
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    save_draft(actor=actor_of(reviewer), token=work.token, draft={"note": "half a thou"})
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert end_lapsed_claims(actor=SERVER) == 1
        with pytest.raises(ClaimLost):
            save_draft(actor=actor_of(reviewer), token=work.token, draft={"note": "half a thought"})
        again = claim(actor=actor_of(reviewer), review_id=review.pk)
    assert again.draft == {"note": "half a thought"}
    assert again.token != work.token


def test_who_leaves_holds_nothing_any_more(system: AISystem, reviewer: Person) -> None:
    review, other = open_review(system), make_person(reviewer=system)
    claim(actor=actor_of(reviewer), review_id=review.pk)
    deactivate_person(actor=COMMAND, person_id=reviewer.pk)
    assert claim(actor=actor_of(other), review_id=review.pk).seat == 1
    assert ReviewAssignment.objects.get(person=reviewer).status == "expired"


def test_activity_renews_a_lease_up_to_a_cap(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    started = timezone.now()
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    for minutes in range(9, 120, 9):
        with time_machine.travel(started + timedelta(minutes=minutes)):
            save_draft(actor=actor_of(reviewer), token=work.token, draft={})
    with time_machine.travel(started + timedelta(minutes=121)), pytest.raises(ClaimLost):
        save_draft(actor=actor_of(reviewer), token=work.token, draft={})


def test_a_claim_in_trouble_keeps_no_other_one_from_ending(
    system: AISystem, reviewer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (claim(actor=actor_of(reviewer), review_id=open_review(system).pk) for _ in range(2))

    def in_trouble(review_id: uuid.UUID) -> Review:
        if review_id == first.review_id:
            raise OperationalError("canceling statement due to lock timeout")
        return locked_review(review_id)

    monkeypatch.setattr(claiming, "locked_review", in_trouble)
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert end_lapsed_claims(actor=SERVER) == 1
    for work in (first, second):
        work.refresh_from_db()
    assert (first.status, second.status) == ("claimed", "expired")


def test_a_hold_keeps_it_over_lunch_and_not_for_ever(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    later = timezone.now() + timedelta(hours=4)
    hold_review(actor=actor_of(reviewer), token=work.token, until=later)
    with time_machine.travel(later - timedelta(minutes=1)):
        assert end_lapsed_claims(actor=SERVER) == 0
    with time_machine.travel(later + timedelta(minutes=1)):
        assert end_lapsed_claims(actor=SERVER) == 1


def test_a_handed_over_review_is_first_for_the_one_named_and_for_nobody_else(
    system: AISystem, reviewer: Person
) -> None:
    other, third = make_person(reviewer=system), make_person(reviewer=system)
    review = open_review(system)
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    hand_over(actor=actor_of(reviewer), token=work.token, to_person_id=other.pk)
    open_review(system, at=timezone.now() - timedelta(hours=1))
    with pytest.raises(ReviewTaken):
        claim(actor=actor_of(third), review_id=review.pk)
    taken = claim_next(actor=actor_of(other))
    assert taken and taken.review_id == review.pk


def test_what_ran_out_of_time_is_not_claimed_even_before_the_sweep(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    with time_machine.travel(review.deadline_at + timedelta(seconds=1)), pytest.raises(ReviewNotOpen):
        claim(actor=actor_of(reviewer), review_id=review.pk)


def test_nobody_reviews_what_they_have_judged_before(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    submit(actor=actor_of(reviewer), token=work.token, version=review.version, answer=Answer(decision="confirm"))
    again = Review.objects.get(pk=review.pk)
    again.pk, again.status, again.closed_at, again.verdict = uuid.uuid4(), "open", None, ""
    again.decisive_id, again.revision = None, 0
    Review.objects.bulk_create([again])
    with pytest.raises(NotForReviewer):
        claim(actor=actor_of(reviewer), review_id=again.pk)


def test_a_reviewer_is_shown_the_payload_of_what_they_claimed_and_of_nothing_else(
    system: AISystem, reviewer: Person
) -> None:
    review = open_review(system)
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    _, shown, _, parts = show_item(actor=actor_of(reviewer), token=work.token)
    assert shown.shown_at is not None
    assert {part.name for part in parts} == {"input", "output", "explanation", "refs"}
    with pytest.raises(ReviewNotFound):
        show_item(actor=actor_of(make_person(reviewer=system)), token=work.token)


# --- at once ----------------------------------------------------------------------------------------------------------
def at_once(acts: list[Callable[[], Any]]) -> list[Any]:
    """Each in a thread with a connection of its own; what it returned or raised."""
    found: list[Any] = [None] * len(acts)
    ready = threading.Barrier(len(acts))

    def run(place: int) -> None:
        ready.wait(10)
        try:
            found[place] = acts[place]()
        except Exception as error:  # noqa: BLE001 - what it raised is what is looked at
            found[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


@pytest.mark.committing
def test_six_that_claim_one_review_at_once_make_one_claim() -> None:
    system = make_system()
    people, review = [make_person(reviewer=system) for _ in range(6)], open_review(system)
    found = at_once([partial(claim, actor=actor_of(person), review_id=review.pk) for person in people])
    assert sum(isinstance(each, ReviewAssignment) for each in found) == 1
    assert sum(isinstance(each, ReviewTaken) for each in found) == 5


@pytest.mark.committing
def test_four_that_ask_for_the_next_one_at_once_get_four_different_ones() -> None:
    system = make_system()
    people = [make_person(reviewer=system) for _ in range(4)]
    reviews = {open_review(system).pk for _ in range(4)}
    found = at_once([partial(claim_next, actor=actor_of(person)) for person in people])
    assert {each.review_id for each in found} == reviews


@pytest.mark.committing
def test_one_person_in_two_tabs_cannot_claim_beyond_the_bound() -> None:
    system = make_system()
    person = make_person(reviewer=system)
    rule = make_rule(system, make_queue(person, claims_per_person=1))
    reviews = [open_review(system, rule=rule) for _ in range(3)]
    found = at_once([partial(claim, actor=actor_of(person), review_id=review.pk) for review in reviews])
    assert sum(isinstance(each, TooManyClaims) for each in found) == 2
