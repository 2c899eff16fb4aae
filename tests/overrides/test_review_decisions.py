"""Handing in: exactly one decision, told after ten seconds; two reviewers, a third, time running out."""

import uuid
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.errors import InvalidInput
from governance.errors import PersonNeeded
from governance.models import AISystem, Person
from ledger.entries import SERVER, Actor
from ledger.models import Entry
from notices.models import Alert, Event, Message
from overrides import memory
from overrides.effective import effective_of, versions_of
from overrides.memory import Controls
from overrides.models import Review, ReviewAssignment
from overrides.review_errors import (
    AlreadySubmitted,
    ClaimLost,
    NotForReviewer,
    ReviewChanged,
    ReviewNotFound,
    ReviewNotOpen,
    UndoTooLate,
)
from overrides.services import deadlines
from overrides.services.claiming import claim, claim_next
from overrides.services.deadlines import (
    announce_decided,
    apply_capacity,
    apply_deadlines,
    tell_of_deadlines,
    withdraw_review,
    withdraw_stopped,
)
from overrides.services.deciding import Answer, submit, undo
from overrides.services.work import locked_review
from overrides.standing import Control, Epoch, InFlight, Mode, Node, SwitchState
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review
from tests.overrides.test_review_claims import at_once

pytestmark = pytest.mark.django_db

CONFIRM = Answer(decision="confirm")
REJECT = Answer(decision="reject", reason_code="not-lawful")
APPROVE = Answer(
    decision="modify", outcome="approved", output='{"limit": 4000}', reason_code="wrong-input", note="Salary misread."
)


@pytest.fixture
def system() -> AISystem:
    return make_system()


@pytest.fixture
def reviewer(system: AISystem) -> Person:
    return make_person(reviewer=system)


def hand_in(person: Person, review: Review, answer: Answer) -> ReviewAssignment:
    work = claim(actor=actor_of(person), review_id=review.pk)
    version = Review.objects.get(pk=review.pk).version
    return submit(actor=actor_of(person), token=work.token, version=version, answer=answer)


def draft_of(work: ReviewAssignment) -> dict[str, Any]:
    return dict(work.draft or {})


def later(seconds: float) -> Any:
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds))


def test_the_caller_is_told_ten_seconds_later(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    hand_in(reviewer, review, APPROVE)
    before = effective_of(review.decision_id)
    assert (before.status, before.action, before.source) == ("pending", "hold", "model")
    with later(11):
        after = effective_of(review.decision_id)
    assert (after.status, after.action, after.effective_outcome, after.source) == (
        "final",
        "proceed",
        "approved",
        "review",
    )
    assert (after.original_outcome, after.output, after.reason_code) == ("refused", '{"limit": 4000}', "wrong-input")
    assert before.version != after.version


def test_or_when_the_reviewer_hands_in_the_next_one_but_not_by_taking_it(system: AISystem, reviewer: Person) -> None:
    review, following = open_review(system), open_review(system)
    hand_in(reviewer, review, CONFIRM)
    claim(actor=actor_of(reviewer), review_id=following.pk)
    assert effective_of(review.decision_id).status == "pending"
    hand_in(reviewer, following, CONFIRM)
    assert effective_of(review.decision_id).status == "final"


def test_a_confirmation_takes_no_reason_and_keeps_the_outcome(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    work = hand_in(reviewer, review, CONFIRM)
    with later(11):
        found = effective_of(review.decision_id)
    assert (work.reason_code, found.effective_outcome, found.action) == ("as-proposed", "refused", "proceed")


def test_a_rejected_proposal_may_not_be_carried_out(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    hand_in(reviewer, review, REJECT)
    with later(11):
        found = effective_of(review.decision_id)
    assert (found.action, found.effective_outcome, found.source) == ("stop", None, "review")


def test_what_was_handed_in_can_be_taken_back_until_it_is_told(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    work = hand_in(reviewer, review, APPROVE)
    again = undo(actor=actor_of(reviewer), token=work.token)
    review.refresh_from_db()
    assert (review.status, review.verdict, draft_of(again)["note"]) == ("in_review", "", "Salary misread.")
    submit(actor=actor_of(reviewer), token=work.token, version=review.version, answer=REJECT)
    with later(11):
        with pytest.raises(UndoTooLate):
            undo(actor=actor_of(reviewer), token=work.token)
        assert effective_of(review.decision_id).action == "stop"


def test_the_same_again_is_the_same_answer_and_another_is_refused(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    work = hand_in(reviewer, review, APPROVE)
    again = submit(actor=actor_of(reviewer), token=work.token, version=1, answer=APPROVE)
    assert again.pk == work.pk
    with pytest.raises(AlreadySubmitted):
        submit(actor=actor_of(reviewer), token=work.token, version=1, answer=REJECT)
    assert Entry.objects.filter(about_id=work.pk, kind="review.submitted").count() == 1


def test_a_lapsed_claim_decides_nothing_and_keeps_the_answer(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    with later(601), pytest.raises(ClaimLost):
        submit(actor=actor_of(reviewer), token=work.token, version=1, answer=APPROVE)
    work.refresh_from_db()
    assert (draft_of(work)["note"], Review.objects.get().verdict) == ("Salary misread.", "")


def test_a_withdrawn_review_decides_nothing_and_keeps_the_answer(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    assert withdraw_review(actor=Actor("service", uuid.uuid4()), decision_id=review.decision_id)
    with pytest.raises(ReviewNotOpen):
        submit(actor=actor_of(reviewer), token=work.token, version=1, answer=APPROVE)
    work.refresh_from_db()
    assert (work.status, draft_of(work)["outcome"]) == ("withdrawn", "approved")
    assert effective_of(review.decision_id).action == "stop"


def test_an_old_version_decides_nothing(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    with pytest.raises(ReviewChanged):
        submit(actor=actor_of(reviewer), token=work.token, version=2, answer=CONFIRM)


def test_nobody_hands_in_with_anothers_token_nor_a_service(system: AISystem, reviewer: Person) -> None:
    work = claim(actor=actor_of(reviewer), review_id=open_review(system).pk)
    for actor in (actor_of(make_person(accountable=system)), Actor("service", uuid.uuid4())):
        with pytest.raises((ReviewNotFound, PersonNeeded)):
            submit(actor=actor, token=work.token, version=1, answer=CONFIRM)
    assert Review.objects.get().is_open


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        (Answer(decision="approve"), "/decision"),
        (Answer(decision="modify", reason_code="wrong-input"), "/outcome"),
        (Answer(decision="modify", outcome="refused", reason_code="wrong-input"), "/outcome"),
        (Answer(decision="modify", outcome="approved", reason_code="unheard-of"), "/reason_code"),
        (Answer(decision="reject"), "/reason_code"),
        (Answer(decision="reject", outcome="approved", reason_code="not-lawful"), "/outcome"),
        (Answer(decision="modify", outcome="approved", reason_code="wrong-input", output="{"), "/output"),
        (Answer(decision="confirm", note="x" * 10_001), "/note"),
    ],
)
def test_a_wrong_answer_is_told_where_it_is_wrong(
    system: AISystem, reviewer: Person, answer: Answer, place: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        hand_in(reviewer, open_review(system), answer)
    assert [problem.pointer for problem in refused.value.errors] == [place]


def test_what_people_wrote_is_in_no_entry(system: AISystem, reviewer: Person) -> None:
    hand_in(reviewer, open_review(system), APPROVE)
    entries = b"".join(bytes(data) for data in Entry.objects.values_list("data", flat=True))
    assert b"Salary" not in entries
    assert b"4000" not in entries


# --- two reviewers ----------------------------------------------------------------------------------------------------
def pair(system: AISystem, **values: Any) -> tuple[Review, list[Person]]:
    people = [make_person(reviewer=system) for _ in range(3)]
    rule = make_rule(system, make_queue(make_person()), reviews_required=2, **values)
    return open_review(system, rule=rule), people


def test_two_that_agree_decide(system: AISystem) -> None:
    review, people = pair(system)
    hand_in(people[0], review, APPROVE)
    assert Review.objects.get().is_open
    hand_in(
        people[1], review, Answer(decision="modify", outcome="approved", output='{"limit":4000}', reason_code="other")
    )
    assert Review.objects.get().status == "decided"


def test_two_that_disagree_are_judged_by_a_third(system: AISystem) -> None:
    review, people = pair(system)
    hand_in(people[0], review, APPROVE)
    hand_in(people[1], review, CONFIRM)
    assert Review.objects.get().status == "conflict"
    assert Message.objects.filter(kind="review.conflicted").count() == 1
    with pytest.raises(NotForReviewer):
        claim(actor=actor_of(people[0]), review_id=review.pk)
    work = claim_next(actor=actor_of(people[2]))
    assert work and work.seat == 3
    submit(actor=actor_of(people[2]), token=work.token, version=Review.objects.get().version, answer=REJECT)
    review.refresh_from_db()
    assert (review.status, review.verdict) == ("adjudicated", "reject")


def test_once_two_disagree_neither_may_join_the_other(system: AISystem) -> None:
    review, people = pair(system)
    works = [hand_in(people[0], review, APPROVE), hand_in(people[1], review, CONFIRM)]
    for person, work in zip(people, works, strict=False):
        with pytest.raises(UndoTooLate):
            undo(actor=actor_of(person), token=work.token)


def test_one_person_never_is_both(system: AISystem) -> None:
    review, people = pair(system)
    hand_in(people[0], review, CONFIRM)
    with pytest.raises(NotForReviewer):
        claim(actor=actor_of(people[0]), review_id=review.pk)
    assert claim_next(actor=actor_of(people[0])) is None


def test_an_abstention_leaves_the_place_to_somebody_else(system: AISystem) -> None:
    review, people = pair(system)
    hand_in(people[0], review, Answer(decision="abstain", reason_code="unsure"))
    hand_in(people[1], review, CONFIRM)
    hand_in(people[2], review, CONFIRM)
    assert Review.objects.get().status == "decided"


def test_an_escalated_review_is_for_who_answers_for_the_system(system: AISystem, reviewer: Person) -> None:
    owner, review = make_person(accountable=system), open_review(system)
    hand_in(reviewer, review, Answer(decision="escalate", reason_code="unsure"))
    with pytest.raises(NotForReviewer):
        claim(actor=actor_of(make_person(reviewer=system)), review_id=review.pk)
    hand_in(owner, review, CONFIRM)
    assert Review.objects.get().status == "decided"
    assert Message.objects.filter(kind="review.escalated", person_id=owner.pk).count() == 1


# --- time -------------------------------------------------------------------------------------------------------------
def test_running_out_of_time_is_an_outcome_of_its_own(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    with time_machine.travel(review.deadline_at + timedelta(seconds=1)):
        assert [apply_deadlines(actor=SERVER), apply_deadlines(actor=SERVER)] == [1, 0]
        found = effective_of(review.decision_id)
    review.refresh_from_db()
    work.refresh_from_db()
    assert (review.status, review.verdict, review.action, review.closing) == ("timed_out", "", "block", "deadline")
    assert (found.status, found.action, found.source) == ("final", "stop", "timeout")
    assert work.status == "withdrawn"
    assert Alert.objects.filter(kind="review.deadline_missed").count() == 1


def test_many_missed_deadlines_are_one_alert_that_counts(system: AISystem) -> None:
    reviews = [open_review(system) for _ in range(5)]
    with time_machine.travel(reviews[-1].deadline_at + timedelta(seconds=1)):
        assert apply_deadlines(actor=SERVER) == 5
    assert [alert.occurrences for alert in Alert.objects.all()] == [5]


def test_a_broken_review_keeps_no_other_one_waiting(system: AISystem, monkeypatch: pytest.MonkeyPatch) -> None:
    reviews = [open_review(system) for _ in range(4)]
    broken = {review.pk for review in reviews[:2]}

    def locked(review_id: uuid.UUID) -> Review:
        if review_id in broken:
            raise ValueError("an outcome that nobody can read")
        return locked_review(review_id)

    monkeypatch.setattr(deadlines, "locked_review", locked)
    monkeypatch.setattr(deadlines, "AT_ONCE", 1)  # less than are broken
    late = reviews[-1].deadline_at + timedelta(seconds=1)
    assert [apply_deadlines(actor=SERVER, now=late) for _ in range(3)] == [1, 1, 0]
    assert set(Review.objects.filter(status="open").values_list("pk", flat=True)) == broken
    assert [alert.occurrences for alert in Alert.objects.all()] == [2]


def test_a_stop_that_cancels_ends_what_waits_and_asks_no_query_a_review(
    system: AISystem, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    for version in ("1.0", "1.0", "1.0", "2.0", "2.0"):
        open_review(system, model_version=version)
    broken, ended = Review.objects.filter(system_id=system.pk).order_by("id")[3:5]
    Review.objects.filter(pk=broken.pk).update(decision_id=uuid.uuid4())
    switch = SwitchState(
        id=uuid.uuid4(),
        node=Node(system_id=system.pk, model_version="2.0"),
        mode=Mode.STOP,
        epoch=Epoch(1, 7),
        reason_code="harm-reported",
        in_flight=InFlight.CANCEL,
        changed_at=timezone.now(),
    )
    controls = Controls(control=Control(epoch=Epoch(1, 7), by_system={system.pk: (switch,)}))
    monkeypatch.setattr(memory, "current", lambda: controls)
    assert withdraw_stopped(actor=SERVER) == 1
    ended.refresh_from_db()
    assert (ended.status, ended.closing) == ("withdrawn", "stopped")
    with django_assert_num_queries(2):
        assert withdraw_stopped(actor=SERVER) == 0


@pytest.mark.parametrize(("risk", "action"), [("minimal", "proceed"), ("high", "stop")])
def test_what_was_allowed_unseen_is_blocked_where_the_risk_has_risen(reviewer: Person, risk: str, action: str) -> None:
    system = make_system(risk_class="minimal")
    rule = make_rule(system, make_queue(reviewer), on_timeout="allow")
    review = open_review(system, rule=rule)
    AISystem.objects.filter(pk=system.pk).update(risk_class=risk)
    with time_machine.travel(review.deadline_at + timedelta(seconds=1)):
        apply_deadlines(actor=SERVER)
        assert effective_of(review.decision_id).action == action


@pytest.mark.parametrize(("mode", "action"), [("run", "allow"), ("review", "block"), ("stop", "block")])
def test_nothing_is_allowed_unseen_while_a_person_has_to_decide(
    mode: str, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = make_system(risk_class="limited")
    review = open_review(system, rule=make_rule(system, make_queue(make_person()), on_timeout="allow"))
    switch = SwitchState(
        id=uuid.uuid4(),
        node=Node(system_id=system.pk),
        mode=Mode(mode),
        epoch=Epoch(1, 7),
        reason_code="harm-reported",
        in_flight=InFlight.HOLD,
        changed_at=timezone.now(),
    )
    controls = Controls(control=Control(epoch=Epoch(1, 7), by_system={system.pk: (switch,)}))
    monkeypatch.setattr(memory, "current", lambda: controls)
    assert apply_deadlines(actor=SERVER, now=timezone.now() + timedelta(hours=2)) == 1
    review.refresh_from_db()
    assert review.action == action


def test_a_review_after_the_fact_blocks_nothing_when_its_time_runs_out(system: AISystem) -> None:
    review = open_review(system, phase="effective")
    with time_machine.travel(review.deadline_at + timedelta(seconds=1)):
        apply_deadlines(actor=SERVER)
        found = effective_of(review.decision_id)
    assert (found.status, found.action, found.source) == ("final", "proceed", "model")


def test_who_answers_is_told_at_half_and_at_four_fifths_once_a_queue(system: AISystem, reviewer: Person) -> None:
    rule = make_rule(system, make_queue(reviewer), deadline_s=1000)
    now = timezone.now().replace(minute=5)
    for _ in range(3):
        open_review(system, rule=rule, at=now)
    due = []
    for seconds in (499, 501, 502, 801, 802):
        with time_machine.travel(now + timedelta(seconds=seconds)):
            due.append(tell_of_deadlines(actor=SERVER))
    assert due == [0, 3, 0, 3, 0]
    assert Message.objects.filter(person_id=reviewer.pk, kind="reviews.due").count() == 2


def test_after_four_fifths_whoever_holds_a_review_is_told_too_once(system: AISystem, reviewer: Person) -> None:
    held, _ = (
        open_review(system, rule=make_rule(system, make_queue(make_person()), deadline_s=1000)) for _ in range(2)
    )
    claim(actor=actor_of(reviewer), review_id=held.pk)
    due, mine = [], Message.objects.filter(person_id=reviewer.pk, kind="review.due")
    for seconds in (501, 590, 801, 900):
        with time_machine.travel(held.opened_at + timedelta(seconds=seconds)):
            ReviewAssignment.objects.filter(review=held).update(lease_until=timezone.now() + timedelta(minutes=1))
            tell_of_deadlines(actor=SERVER)
            due.append(mine.count())
    assert due == [0, 0, 1, 1]


def test_beyond_its_capacity_a_queue_does_as_it_says(system: AISystem, reviewer: Person) -> None:
    queue = make_queue(reviewer, when_full="block", capacity=2)
    rule = make_rule(system, queue)
    reviews = [open_review(system, rule=rule) for _ in range(4)]
    claim(actor=actor_of(reviewer), review_id=reviews[3].pk)
    assert [apply_capacity(actor=SERVER), apply_capacity(actor=SERVER)] == [2, 0]
    states = [Review.objects.get(pk=review.pk) for review in reviews]
    assert [review.closing for review in states] == ["", "queue_full", "queue_full", ""]
    assert [review.status for review in states[:3]] == ["open", "overflowed", "overflowed"]
    found = effective_of(states[1].decision_id)
    assert (found.status, found.action, found.source) == ("final", "stop", "timeout")


def test_webhooks_hear_of_a_decision_once_and_only_when_it_counts(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    hand_in(reviewer, review, CONFIRM)
    assert announce_decided(actor=SERVER) == 0
    with later(11):
        assert [announce_decided(actor=SERVER), announce_decided(actor=SERVER)] == [1, 0]
    assert Event.objects.filter(type="review.decided", about_id=review.decision_id).count() == 1


def test_versions_of_many_are_one_query(system: AISystem) -> None:
    ids = [open_review(system).decision_id for _ in range(5)]
    versions_of(ids)  # the first look of the memory reads everything
    with CaptureQueriesContext(connection) as of_one:
        versions_of(ids[:1])
    with CaptureQueriesContext(connection) as of_all:
        assert versions_of(ids).keys() == set(ids)
    # in a test that rolls back, the memory of the controls looks for itself each time
    assert len(of_all) == len(of_one)


# --- at once ----------------------------------------------------------------------------------------------------------
@pytest.mark.committing
def test_a_double_click_in_four_tabs_is_one_decision() -> None:
    system = make_system()
    person, review = make_person(reviewer=system), open_review(system)
    work = claim(actor=actor_of(person), review_id=review.pk)
    answers = [APPROVE, APPROVE, REJECT, REJECT]
    found = at_once(
        [partial(submit, actor=actor_of(person), token=work.token, version=1, answer=each) for each in answers]
    )
    assert sum(isinstance(each, ReviewAssignment) for each in found) == 2
    assert sum(isinstance(each, AlreadySubmitted) for each in found) == 2
    assert Entry.objects.filter(about_id=review.pk, kind="review.decided").count() == 1


@pytest.mark.committing
def test_the_sweep_and_the_reviewer_at_once_make_one_end() -> None:
    system = make_system()
    person, review = make_person(reviewer=system), open_review(system)
    work = claim(actor=actor_of(person), review_id=review.pk)
    Review.objects.filter(pk=review.pk).update(deadline_at=timezone.now())
    found = at_once(
        [
            lambda: submit(actor=actor_of(person), token=work.token, version=1, answer=REJECT),
            lambda: apply_deadlines(actor=SERVER),
        ]
    )
    review.refresh_from_db()
    ends = Entry.objects.filter(about_id=review.pk, kind__in=["review.decided", "review.timed_out"])
    assert ends.count() == 1
    assert (review.status == "decided") == isinstance(found[0], ReviewAssignment)
