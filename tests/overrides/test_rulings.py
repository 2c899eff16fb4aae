"""Overriding without a queue, what callers did about it, and appeals until the remedy is seen."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from audit.selectors import SealedDecision
from config.errors import Forbidden, InvalidInput
from governance.errors import ApprovalForbidden, PersonNeeded, RequestVoid
from governance.models import AISystem, Person, ServiceAccount
from ledger.entries import SERVER, Actor
from ledger.models import Entry
from notices.models import Alert, Event
from overrides import memory
from overrides.effective import effective_of, unconfirmed_effects, versions_of
from overrides.memory import Controls
from overrides.models import Appeal, Effect, Override, ReportedOverride, Review
from overrides.review_errors import (
    AppealExists,
    AppealNotOpen,
    NotForReviewer,
    OverrideNotWaiting,
    RemedyNotSeen,
    UndoTooLate,
)
from overrides.services.appeals import confirm_remedy, decide_appeal, open_appeal
from overrides.services.claiming import claim
from overrides.services.deciding import Answer, submit, undo
from overrides.services.effects import confirm_effect
from overrides.services.overriding import (
    agree_to_override,
    expire_overrides,
    override_decision,
    refuse_override,
    report_override,
)
from overrides.standing import Control, Epoch, InFlight, Mode, Node, SwitchState
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_account, make_key, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system()


@pytest.fixture
def owner(system: AISystem) -> Person:
    return make_person(accountable=system)


@pytest.fixture
def decision(system: AISystem) -> SealedDecision:
    return record_decision(system, outcome="refused")


@pytest.fixture
def account(system: AISystem) -> ServiceAccount:
    account = make_account()
    make_key(system, scopes=["decisions:write", "feedback:write"], account=account)
    return account


def service(account: ServiceAccount) -> Actor:
    return Actor("service", account.pk)


def overrule(person: Person, decision_id: uuid.UUID, outcome: str = "approved") -> Override:
    return override_decision(
        actor=actor_of(person),
        decision_id=decision_id,
        outcome=outcome,
        reason_code="wrong-input",
        note="Unmistakable.",
    )


def test_who_answers_overrides_any_decision_and_the_original_stays(owner: Person, decision: SealedDecision) -> None:
    made = overrule(owner, decision.id)
    found = effective_of(decision.id)
    assert (found.original_outcome, found.effective_outcome, found.source) == ("refused", "approved", "override")
    assert found.override_id == made.pk
    assert Entry.objects.filter(about_id=made.pk, kind="decision.overridden").count() == 1
    assert Event.objects.filter(type="decision.overridden", about_id=decision.id).count() == 1
    entries = b"".join(bytes(data) for data in Entry.objects.values_list("data", flat=True))
    assert b"nmistakable" not in entries


def test_a_later_override_may_reverse_and_both_stay(owner: Person, decision: SealedDecision) -> None:
    overrule(owner, decision.id)
    before = versions_of([decision.id])
    overrule(owner, decision.id, "refused")
    assert effective_of(decision.id).effective_outcome == "refused"
    assert (Override.objects.count(), versions_of([decision.id]) == before) == (2, False)


def test_what_holds_already_is_no_override(owner: Person, decision: SealedDecision) -> None:
    with pytest.raises(InvalidInput):
        overrule(owner, decision.id, "refused")


def test_a_reviewer_overrides_what_they_claimed_and_nothing_else(system: AISystem) -> None:
    reviewer, mine, other = make_person(reviewer=system), open_review(system), open_review(system)
    claim(actor=actor_of(reviewer), review_id=mine.pk)
    overrule(reviewer, mine.decision_id)
    assert Review.objects.get(pk=mine.pk).status == "superseded"
    with pytest.raises(Forbidden):
        overrule(reviewer, other.decision_id)


def test_no_service_no_viewer_and_no_owner_of_another_system_overrides(
    decision: SealedDecision, account: ServiceAccount, system: AISystem
) -> None:
    for person in (make_person(viewer=system), make_person(accountable=make_system())):
        with pytest.raises(Forbidden):
            overrule(person, decision.id)
    with pytest.raises(PersonNeeded):
        override_decision(
            actor=service(account), decision_id=decision.id, outcome="approved", reason_code="wrong-input"
        )


def test_an_override_ends_the_open_review(owner: Person, system: AISystem) -> None:
    review, reviewer = open_review(system), make_person(reviewer=system)
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    overrule(owner, review.decision_id)
    work.refresh_from_db()
    assert (Review.objects.get().status, work.status) == ("superseded", "withdrawn")
    found = effective_of(review.decision_id)
    assert (found.status, found.action, found.source) == ("final", "proceed", "override")


def test_where_the_rule_asks_for_two_an_override_waits_for_a_second_one(system: AISystem, owner: Person) -> None:
    rule = make_rule(system, make_queue(owner), reviews_required=2)
    review, second = open_review(system, rule=rule), make_person(reviewer=system)
    made = overrule(owner, review.decision_id)
    assert (made.status, effective_of(review.decision_id).status) == ("requested", "pending")
    with pytest.raises(ApprovalForbidden):
        agree_to_override(actor=actor_of(owner), override_id=made.pk)
    with pytest.raises(OverrideNotWaiting):
        overrule(make_person(deputy=system), review.decision_id)
    agree_to_override(actor=actor_of(second), override_id=made.pk)
    assert effective_of(review.decision_id).effective_outcome == "approved"
    with pytest.raises(OverrideNotWaiting):
        refuse_override(actor=actor_of(second), override_id=made.pk)


def test_an_override_that_nobody_agreed_to_expires_after_a_week(system: AISystem, owner: Person) -> None:
    review = open_review(system, rule=make_rule(system, make_queue(owner), reviews_required=2))
    made, second = overrule(owner, review.decision_id), make_person(reviewer=system)
    assert expire_overrides(actor=SERVER, now=made.at + timedelta(days=7, seconds=-1)) == 0
    with time_machine.travel(made.at + timedelta(days=7)):
        with pytest.raises(OverrideNotWaiting):
            agree_to_override(actor=actor_of(second), override_id=made.pk)
        assert [expire_overrides(actor=SERVER), expire_overrides(actor=SERVER)] == [1, 0]
        assert overrule(owner, review.decision_id).status == "requested"
    made.refresh_from_db()
    assert made.status == "expired"
    assert Entry.objects.filter(about_id=made.pk, kind="override.expired").count() == 1


def test_one_that_expired_keeps_no_other_waiting_for_the_sweep(system: AISystem, owner: Person) -> None:
    review = open_review(system, rule=make_rule(system, make_queue(owner), reviews_required=2))
    made = overrule(owner, review.decision_id)
    with time_machine.travel(made.at + timedelta(days=7)):
        assert overrule(owner, review.decision_id).status == "requested"
    assert list(Entry.objects.filter(about_id=made.pk).order_by("id").values_list("kind", flat=True)) == [
        "override.requested",
        "override.expired",
    ]


def test_a_human_decision_of_another_tool_is_told_apart_and_changes_nothing(
    decision: SealedDecision, account: ServiceAccount
) -> None:
    at = timezone.now()
    for _ in range(2):
        report_override(actor=service(account), decision_id=decision.id, outcome="approved", occurred_at=at)
    assert (ReportedOverride.objects.count(), Override.objects.count()) == (1, 0)
    assert effective_of(decision.id).effective_outcome == "refused"


# --- effect -----------------------------------------------------------------------------------------------------------
def confirm(account: ServiceAccount, decision_id: uuid.UUID, outcome: str | None) -> Effect:
    return confirm_effect(actor=service(account), decision_id=decision_id, outcome=outcome, occurred_at=timezone.now())


def test_what_a_caller_did_is_a_second_fact(owner: Person, decision: SealedDecision, account: ServiceAccount) -> None:
    overrule(owner, decision.id)
    assert [each["decision_id"] for each in unconfirmed_effects(None)] == [decision.id]
    assert effective_of(decision.id).effect.status == "unconfirmed"
    confirm(account, decision.id, "approved")
    assert effective_of(decision.id).effect.status == "confirmed"
    assert unconfirmed_effects(None) == []


def test_a_caller_that_did_something_else_raises_an_alert(
    owner: Person, decision: SealedDecision, account: ServiceAccount
) -> None:
    overrule(owner, decision.id)
    confirm(account, decision.id, "refused")
    assert effective_of(decision.id).effect.status == "mismatch"
    alert = Alert.objects.get(kind="effect.mismatched")
    assert (alert.owner_id, "refused" in str(alert.facts)) == (owner.pk, False)
    assert Event.objects.filter(type="effect.mismatched").count() == 1


def test_what_could_not_be_carried_out_is_one_warning_and_no_mismatch(
    owner: Person, decision: SealedDecision, account: ServiceAccount
) -> None:
    overrule(owner, decision.id)
    now = timezone.now()
    for later in range(2):
        at = now + timedelta(seconds=later)
        confirm_effect(
            actor=service(account), decision_id=decision.id, outcome=None, occurred_at=at, detail="OSError", failed=True
        )
    assert effective_of(decision.id).effect.status == "failed"
    [row] = unconfirmed_effects(None)
    assert (row["said"], row["has_failed"]) == ("", True)
    alert = Alert.objects.get()
    assert (alert.kind, alert.severity, alert.occurrences) == ("effect.failed", Alert.Severity.WARNING, 2)
    confirm(account, decision.id, "approved")
    assert effective_of(decision.id).effect.status == "confirmed"


def test_what_failed_has_no_outcome(decision: SealedDecision, account: ServiceAccount) -> None:
    with pytest.raises(InvalidInput):
        confirm_effect(
            actor=service(account), decision_id=decision.id, outcome="refused", occurred_at=timezone.now(), failed=True
        )


def fell_back_to(account: ServiceAccount, decision_id: uuid.UUID, outcome: str) -> Effect:
    return confirm_effect(
        actor=service(account), decision_id=decision_id, outcome=outcome, occurred_at=timezone.now(), via="fallback"
    )


def test_the_outcome_of_a_fallback_is_no_mismatch_where_it_was_to_be_taken(
    owner: Person, system: AISystem, account: ServiceAccount
) -> None:
    about = record_decision(system, phase="proposed", directive="fallback").id
    assert confirm(account, about, "by-hand").status == "mismatch"
    assert fell_back_to(account, about, "by-hand").status == "confirmed"
    assert effective_of(about).effect.status == "confirmed"
    with time_machine.travel(timezone.now() + timedelta(seconds=5)):
        overrule(owner, about)
        assert effective_of(about).effect.status == "unconfirmed"
        assert fell_back_to(account, about, "by-hand").status == "mismatch"


def test_falling_back_unasked_is_a_mismatch(decision: SealedDecision, account: ServiceAccount) -> None:
    assert fell_back_to(account, decision.id, "by-hand").status == "mismatch"


def test_acting_on_a_held_decision_is_a_mismatch(system: AISystem, account: ServiceAccount) -> None:
    review = open_review(system, outcome="approved")
    assert confirm(account, review.decision_id, "approved").status == "mismatch"


def test_an_effect_before_an_override_is_not_held_against_the_caller(
    owner: Person, decision: SealedDecision, account: ServiceAccount
) -> None:
    confirm(account, decision.id, "refused")
    with time_machine.travel(timezone.now() + timedelta(seconds=5)):
        overrule(owner, decision.id)
        assert effective_of(decision.id).effect.status == "unconfirmed"


def test_the_same_effect_again_is_the_same_fact(decision: SealedDecision, account: ServiceAccount) -> None:
    at = timezone.now()
    for _ in range(2):
        confirm_effect(actor=service(account), decision_id=decision.id, outcome="refused", occurred_at=at)
    assert Effect.objects.count() == 1


def test_a_stop_freezes_what_was_approved(
    owner: Person, decision: SealedDecision, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrule(owner, decision.id)
    stop = SwitchState(
        id=uuid.uuid4(),
        node=Node(system_id=decision.system_id),
        mode=Mode.STOP,
        epoch=Epoch(1, 7),
        reason_code="harm-reported",
        in_flight=InFlight.HOLD,
        changed_at=timezone.now(),
    )
    before = effective_of(decision.id)
    control = Control(epoch=Epoch(1, 7), by_system={decision.system_id: (stop,)})
    monkeypatch.setattr(memory, "current", lambda: Controls(control=control))
    found = effective_of(decision.id)
    assert (found.status, found.action, found.mode, found.epoch) == ("frozen", "stop", "stop", "1.7")
    assert (found.reason_code, found.effective_outcome, found.version != before.version) == (
        "harm-reported",
        "approved",
        True,
    )


def stopped(decision: SealedDecision, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = SwitchState(
        id=uuid.uuid4(),
        node=Node(system_id=decision.system_id),
        mode=Mode.STOP,
        epoch=Epoch(1, 7),
        reason_code="harm-reported",
        in_flight=InFlight.HOLD,
        changed_at=timezone.now(),
    )
    control = Control(epoch=Epoch(1, 7), by_system={decision.system_id: (stop,)})
    monkeypatch.setattr(memory, "current", lambda: Controls(control=control))


def test_who_carries_out_what_a_stop_has_frozen_did_not_obey(
    owner: Person, decision: SealedDecision, account: ServiceAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrule(owner, decision.id)
    with monkeypatch.context() as patched:
        stopped(decision, patched)
        assert confirm(account, decision.id, None).status == "confirmed"
        assert confirm(account, decision.id, "approved").status == "confirmed"  # it had not heard of it yet
        with time_machine.travel(timezone.now() + timedelta(days=2)):
            assert confirm(account, decision.id, "approved").status == "mismatch"
    assert Alert.objects.filter(kind="effect.mismatched").count() == 1


def test_a_stop_holds_back_what_is_yet_to_be_done_and_nothing_that_is_done(
    owner: Person, decision: SealedDecision, account: ServiceAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        stopped(decision, patched)
        assert not effective_of(decision.id).is_held_back, "it took effect when it was sent"
        overrule(owner, decision.id)
        assert effective_of(decision.id).is_held_back
        confirm(account, decision.id, "approved")
        found = effective_of(decision.id)
        assert (found.status, found.is_held_back) == ("frozen", False)


def test_what_was_rightly_not_done_while_frozen_waits_to_be_done_afterwards(
    owner: Person, decision: SealedDecision, account: ServiceAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrule(owner, decision.id)
    with monkeypatch.context() as patched:
        stopped(decision, patched)
        confirm(account, decision.id, None)
    assert effective_of(decision.id).effect.status == "unconfirmed"


def test_a_corrected_output_is_not_confirmed_by_what_was_done_before(
    owner: Person, decision: SealedDecision, account: ServiceAccount
) -> None:
    confirm(account, decision.id, "refused")
    with time_machine.travel(timezone.now() + timedelta(seconds=5)):
        override_decision(
            actor=actor_of(owner),
            decision_id=decision.id,
            outcome="refused",
            output='{"limit": 9}',
            reason_code="wrong-input",
        )
        assert effective_of(decision.id).effect.status == "unconfirmed"
        assert len(unconfirmed_effects(None)) == 1
        confirm(account, decision.id, "refused")
        assert effective_of(decision.id).effect.status == "confirmed"
        assert unconfirmed_effects(None) == []


def test_a_reviewer_cannot_take_back_and_beat_a_later_override(system: AISystem, owner: Person) -> None:
    review, reviewer = open_review(system, outcome="refused"), make_person(reviewer=system)
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    submit(actor=actor_of(reviewer), token=work.token, version=1, answer=Answer(decision="confirm"))
    overrule(owner, review.decision_id)
    with pytest.raises(UndoTooLate):
        undo(actor=actor_of(reviewer), token=work.token)
    assert effective_of(review.decision_id).source == "override"


def test_the_version_only_rises(
    owner: Person, decision: SealedDecision, account: ServiceAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = [effective_of(decision.id).version]

    def note() -> None:
        seen.append(effective_of(decision.id).version)

    overrule(owner, decision.id)
    note()
    confirm(account, decision.id, "approved")
    note()
    start = memory.current().control.epoch
    for number, switches in ((1, {decision.system_id: (SWITCH,)}), (2, {})):
        control = Control(epoch=Epoch(start.generation, start.number + number), by_system=switches)
        monkeypatch.setattr(memory, "current", lambda control=control: Controls(control=control))
        note()
    assert seen == sorted(set(seen))


SWITCH = SwitchState(
    id=uuid.uuid4(),
    node=Node(),
    mode=Mode.STOP,
    epoch=Epoch(1, 1),
    reason_code="harm-reported",
    in_flight=InFlight.HOLD,
    changed_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def test_nobody_agrees_to_an_override_of_what_they_judged(system: AISystem, owner: Person) -> None:
    rule = make_rule(system, make_queue(owner), reviews_required=2)
    review, first = open_review(system, rule=rule), make_person(reviewer=system)
    work = claim(actor=actor_of(first), review_id=review.pk)
    submit(actor=actor_of(first), token=work.token, version=1, answer=Answer(decision="confirm"))
    asked = overrule(owner, review.decision_id)
    with pytest.raises(NotForReviewer):
        agree_to_override(actor=actor_of(first), override_id=asked.pk)
    Person.objects.filter(pk=owner.pk).update(is_active=False)
    with pytest.raises(RequestVoid):
        agree_to_override(actor=actor_of(make_person(reviewer=system)), override_id=asked.pk)


# --- appeals ----------------------------------------------------------------------------------------------------------
def contest(actor: Actor, decision_id: uuid.UUID, statement: str = "They misread my salary.") -> Appeal:
    return open_appeal(actor=actor, decision_id=decision_id, ground_code="wrong-data", statement=statement)


def overturn(person: Person, appeal: Appeal) -> Appeal:
    return decide_appeal(
        actor=actor_of(person),
        appeal_id=appeal.pk,
        verdict="overturned",
        outcome="approved",
        reason_code="wrong-input",
    )


def test_an_appeal_stays_open_until_the_caller_has_put_it_right(
    system: AISystem, decision: SealedDecision, account: ServiceAccount
) -> None:
    appeal = overturn(make_person(reviewer=system), contest(service(account), decision.id))
    assert appeal.status == "overturned"
    assert (effective_of(decision.id).effective_outcome, effective_of(decision.id).source) == ("approved", "appeal")
    confirm(account, decision.id, "refused")
    assert Appeal.objects.get().status == "overturned"
    confirm(account, decision.id, "approved")
    assert Appeal.objects.get().status == "remedied"


def test_an_appeal_is_not_put_right_by_what_somebody_decided_since(
    system: AISystem, owner: Person, decision: SealedDecision, account: ServiceAccount
) -> None:
    overturn(make_person(reviewer=system), contest(service(account), decision.id))
    overrule(owner, decision.id, "refused")
    assert confirm(account, decision.id, "refused").status == "confirmed"
    assert Appeal.objects.get().status == "overturned"


def test_overturning_to_what_holds_already_is_no_overturning(
    system: AISystem, owner: Person, decision: SealedDecision, account: ServiceAccount
) -> None:
    overrule(owner, decision.id, "approved")
    with pytest.raises(InvalidInput):
        overturn(make_person(reviewer=system), contest(service(account), decision.id))


def test_who_had_a_part_in_it_decides_no_appeal(system: AISystem, owner: Person, account: ServiceAccount) -> None:
    review, first = open_review(system), make_person(reviewer=system)
    work = claim(actor=actor_of(first), review_id=review.pk)
    submit(actor=actor_of(first), token=work.token, version=1, answer=Answer(decision="confirm"))
    filed_by = make_person(reviewer=system)
    appeal = contest(actor_of(filed_by), review.decision_id)
    for person in (first, filed_by, owner):
        with pytest.raises(Forbidden):
            overturn(person, appeal)
    with pytest.raises(PersonNeeded):
        decide_appeal(actor=service(account), appeal_id=appeal.pk, verdict="upheld", reason_code="outcome-stands")
    overturn(make_person(reviewer=system), appeal)


def test_an_upheld_decision_stands_and_is_decided_once(system: AISystem, decision: SealedDecision) -> None:
    appeal, reviewer = contest(actor_of(make_person(viewer=system)), decision.id), make_person(reviewer=system)
    decide_appeal(actor=actor_of(reviewer), appeal_id=appeal.pk, verdict="upheld", reason_code="outcome-stands")
    assert effective_of(decision.id).effective_outcome == "refused"
    with pytest.raises((AppealNotOpen, Forbidden)):
        overturn(make_person(reviewer=system), appeal)


@pytest.mark.parametrize("is_remedied", [False, True])
def test_the_same_verdict_again_is_the_same_and_another_comes_too_late(
    system: AISystem, decision: SealedDecision, account: ServiceAccount, is_remedied: bool
) -> None:
    """A double click, or a lost answer: not a refusal because they had a part in it, which is this very verdict."""
    appeal, reviewer = contest(service(account), decision.id), make_person(reviewer=system)
    overturn(reviewer, appeal)
    if is_remedied:
        confirm(account, decision.id, "approved")
    before = Entry.objects.count()
    assert overturn(reviewer, appeal).pk == appeal.pk
    assert (Entry.objects.count(), Override.objects.count()) == (before, 1)
    for other in (
        {"verdict": "upheld", "reason_code": "outcome-stands"},
        {"verdict": "overturned", "outcome": "halved", "reason_code": "wrong-input"},
        {"verdict": "overturned", "outcome": "approved", "output": "{}", "reason_code": "wrong-input"},
        {"verdict": "overturned", "outcome": "approved", "reason_code": "wrong-input", "finding": "On reflection."},
    ):
        with pytest.raises(AppealNotOpen):
            decide_appeal(actor=actor_of(reviewer), appeal_id=appeal.pk, **other)


def test_the_same_appeal_again_is_the_same_and_another_waits(decision: SealedDecision, account: ServiceAccount) -> None:
    assert contest(service(account), decision.id).pk == contest(service(account), decision.id).pk
    with pytest.raises(AppealExists):
        contest(service(account), decision.id, "Something else.")


def test_where_no_service_can_say_so_a_person_says_how_it_was_put_right(
    system: AISystem, owner: Person, decision: SealedDecision, account: ServiceAccount
) -> None:
    appeal = overturn(make_person(reviewer=system), contest(service(account), decision.id))
    with pytest.raises(RemedyNotSeen):
        confirm_remedy(actor=actor_of(owner), appeal_id=appeal.pk, note=" ")
    with pytest.raises(Forbidden):
        confirm_remedy(actor=actor_of(make_person(reviewer=system)), appeal_id=appeal.pk, note="Paid.")
    assert confirm_remedy(actor=actor_of(owner), appeal_id=appeal.pk, note="Paid by hand.").status == "remedied"
