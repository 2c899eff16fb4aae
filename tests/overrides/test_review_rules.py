"""Review rules: read strictly, matched in microseconds; asking for less takes two people."""

import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from config.errors import Forbidden, InvalidInput
from governance.errors import ApprovalForbidden
from governance.models import AISystem, Person
from ledger.entries import SERVER
from ledger.models import Entry
from overrides.clock import current_epoch
from overrides.conditions import compile_condition, covers, draw_of, read_condition
from overrides.models import ReasonList, ReviewQueue, ReviewRule
from overrides.reasons import checked_reason, reasons_in_force
from overrides.review_errors import QueueInUse, QueueNotFound, RuleChangeNotFound, RuleChangeOver, RuleNotFound
from overrides.review_rules import Rule, first_of, probability_of, read_rules, rules_for
from overrides.services import queues
from overrides.services.queues import (
    approve_queue_change,
    archive_queue,
    publish_reasons,
    register_queue,
    update_queue,
)
from overrides.services.rule_requests import expire_rule_changes, refuse_rule_change
from overrides.services.rules import approve_rule_change, change_rule, register_rule
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.reviews import make_queue, make_rule
from tests.overrides.test_review_claims import at_once


@dataclass(frozen=True)
class Facts:
    outcome: str = "approved"
    confidence: float | None = 0.9
    adverse: bool | None = False
    capability: str | None = None
    labels: dict[str, str] | None = field(default_factory=dict)
    phase: str | None = "proposed"


def rule(condition: dict[str, Any], environment: str = "") -> Rule:
    tests = compile_condition(read_condition(condition))
    return Rule(id=uuid.uuid4(), system_id=uuid.uuid4(), environment=environment, tests=tests)


def first_match(
    rules: tuple[Rule, ...],
    environment: str,
    facts: Facts,
    *,
    model_version: str = "",
    decision_id: uuid.UUID | None = None,
) -> Rule | None:
    """As directives ask: narrowed by kind, then each."""
    draw = None if decision_id is None else partial(draw_of, decision_id)
    return first_of(rules_for(rules, environment, facts, model_version), facts, model_version, draw)


# --- pure -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("condition", "facts", "matches"),
    [
        ({"confidence_below": 0.7}, Facts(confidence=0.69), True),
        ({"confidence_below": 0.7}, Facts(confidence=0.7), False),
        ({"confidence_below": 0.7}, Facts(confidence=None), True),
        ({"outcome_in": ["refused", "closed"]}, Facts(outcome="closed"), True),
        ({"outcome_in": ["refused"]}, Facts(), False),
        ({"adverse": True}, Facts(adverse=True), True),
        ({"adverse": True}, Facts(adverse=None), False),
        ({"label": {"name": "branch", "value": "north"}}, Facts(labels={"branch": "north"}), True),
        ({"label": {"name": "branch", "value": "north"}}, Facts(labels=None), False),
        ({"capability_in": ["loans"]}, Facts(capability="loans"), True),
        ({"model_version_in": ["2.0"]}, Facts(), True),
        ({"model_version_in": ["2.1"]}, Facts(), False),
        ({"outcome_in": ["refused"], "adverse": True}, Facts(outcome="refused"), False),
    ],
)
def test_all_that_a_condition_names_must_hold(condition: dict[str, Any], facts: Facts, matches: bool) -> None:
    found = first_match((rule(condition),), "production", facts, model_version="2.0", decision_id=uuid.uuid4())
    assert (found is not None) is matches


def test_the_first_rule_of_the_environment_is_taken() -> None:
    rules = (rule({"adverse": False}, "staging"), rule({"adverse": False}), rule({"adverse": False}))
    assert first_match(rules, "production", Facts()) is rules[1]
    assert first_match(rules, "staging", Facts()) is rules[0]


def test_a_share_is_drawn_by_the_decisions_id_so_a_repeat_answers_alike() -> None:
    sampled, ids = (rule({"share": 0.1}),), [uuid.uuid4() for _ in range(4000)]
    drawn = [first_match(sampled, "production", Facts(), decision_id=each) is not None for each in ids]
    assert drawn == [first_match(sampled, "production", Facts(), decision_id=each) is not None for each in ids]
    assert 300 < sum(drawn) < 500
    assert all(0 <= draw_of(each) < 1 for each in ids)
    assert all(draw_of(str(each)) == draw_of(each) for each in ids)


@pytest.mark.parametrize(
    ("condition", "place"),
    [
        ({}, "/condition"),
        ([], "/condition"),
        ({"confidence_under": 0.5}, "/condition/confidence_under"),
        ({"confidence_below": "0.5"}, "/condition/confidence_below"),
        ({"confidence_below": True}, "/condition/confidence_below"),
        ({"share": 0}, "/condition/share"),
        ({"share": 1.5}, "/condition/share"),
        ({"outcome_in": []}, "/condition/outcome_in"),
        ({"outcome_in": ["a b"]}, "/condition/outcome_in"),
        ({"adverse": 1}, "/condition/adverse"),
        ({"label": {"name": "x"}}, "/condition/label"),
    ],
)
def test_a_wrong_condition_is_told_where_it_is_wrong(condition: Any, place: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_condition(condition)
    assert [problem.pointer for problem in refused.value.errors] == [place]


@pytest.mark.parametrize(
    ("wider", "narrower", "is_so"),
    [
        ({"adverse": True}, {"adverse": True, "share": 0.5}, True),
        ({"adverse": True, "share": 0.5}, {"adverse": True}, False),
        ({"confidence_below": 0.8}, {"confidence_below": 0.7}, True),
        ({"confidence_below": 0.6}, {"confidence_below": 0.7}, False),
        ({"outcome_in": ["a", "b"]}, {"outcome_in": ["a"]}, True),
        ({"outcome_in": ["a"]}, {"outcome_in": ["a", "b"]}, False),
        ({"adverse": True}, {"outcome_in": ["a"]}, False),
    ],
)
def test_whether_one_condition_covers_another(wider: Any, narrower: Any, is_so: bool) -> None:
    assert covers(wider, narrower) is is_so


def test_of_overlapping_shares_each_is_noted_with_the_part_that_is_left_to_it() -> None:
    conditions: list[dict[str, Any]] = [
        {"share": 0.1, "outcome_in": ["refused"]},
        {"share": 0.9, "outcome_in": ["closed"]},
        {"share": 0.4},
        {"adverse": True},
    ]
    rules = tuple(
        Rule(id=uuid.uuid4(), system_id=uuid.uuid4(), tests=compile_condition(each), share=each.get("share"))
        for each in conditions
    )
    facts = Facts(outcome="refused", adverse=True)
    found = [round(probability_of(each, rules, "production", facts), 6) for each in rules]
    assert (found[0], found[2], found[3]) == (0.1, 0.3, 0.6)
    ids = [uuid.uuid4() for _ in range(2000)]
    taken = [first_match(rules, "production", facts, decision_id=each) for each in ids]
    assert abs(taken.count(rules[2]) / 2000 - 0.3) < 0.06


def test_fifty_rules_that_do_not_match_cost_a_decision_microseconds() -> None:
    each = {"outcome_in": ["refused"], "confidence_below": 0.7, "capability_in": ["loans"]}
    rules, facts, decision_id = tuple(rule(each) for _ in range(50)), Facts(), uuid.uuid4()
    rounds = []
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(100):
            first_match(rules, "production", facts, model_version="2.0", decision_id=decision_id)
        rounds.append((time.perf_counter() - started) / 100)
    print(f"{min(rounds) * 1e6:.1f} microseconds")
    assert min(rounds) < 100e-6


# --- two people -------------------------------------------------------------------------------------------------------
@pytest.fixture
def system() -> AISystem:
    return make_system()


@pytest.fixture
def operator(system: AISystem) -> Person:
    return make_person(operator=system)


@pytest.mark.django_db
def test_a_rule_is_read_as_it_was_registered_in_its_order(system: AISystem, operator: Person) -> None:
    queue, before = make_queue(operator), current_epoch()
    first, second = (make_rule(system, queue, condition={"adverse": True}) for _ in range(2))
    assert [each.id for each in read_rules()[system.pk]] == [first.pk, second.pk]
    assert current_epoch() > before
    assert first_match(read_rules()[system.pk], "production", Facts(adverse=True)) is not None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes",
    [
        {"condition": {"outcome_in": ["refused", "closed"]}},
        {"deadline_s": 600},
        {"reviews_required": 2},
        {"is_blind": True},
        {"required_skill": "law"},
    ],
)
def test_asking_for_more_takes_one_person(system: AISystem, operator: Person, changes: dict[str, Any]) -> None:
    made, before = make_rule(system, make_queue(operator)), current_epoch()
    asked = change_rule(actor=actor_of(operator), rule_id=made.pk, changes=changes)
    assert asked.request is None
    assert current_epoch() > before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"condition": {"outcome_in": ["refused"], "adverse": True}}, "condition"),
        ({"condition": {"outcome_in": ["refused"], "share": 0.5}}, "condition"),
        ({"deadline_s": 7200}, "deadline_s"),
        ({"environment": "staging"}, "environment"),
        ({"on_timeout": "allow"}, "on_timeout"),
        ({"order": 5}, "order"),
        ({"queue_id": "another"}, "queue_id"),
        ({"archived": True}, "archived"),
    ],
)
def test_asking_for_less_waits_for_a_second_person(operator: Person, changes: dict[str, Any], name: str) -> None:
    system = make_system(risk_class="limited")
    person, approver = make_person(operator=system), make_person(approver=True)
    made = make_rule(system, make_queue(person))
    if "queue_id" in changes:
        changes = {"queue_id": make_queue(person).pk}
    asked = change_rule(actor=actor_of(person), rule_id=made.pk, changes=changes)
    assert asked.request is not None
    assert asked.request.loosens == [name]
    made.refresh_from_db()
    assert made.revision == 1
    with pytest.raises(ApprovalForbidden):
        approve_rule_change(actor=actor_of(person), change_id=asked.request.pk)
    changed = approve_rule_change(actor=actor_of(approver), change_id=asked.request.pk)
    assert changed.revision == 2
    assert Entry.objects.filter(about_id=asked.request.pk).count() == 2


@pytest.mark.django_db
def test_a_request_is_bound_to_the_rule_as_it_stood_and_expires(system: AISystem, operator: Person) -> None:
    approver, made = make_person(approver=True), make_rule(system, make_queue(operator))
    asked = change_rule(actor=actor_of(operator), rule_id=made.pk, changes={"deadline_s": 7200})
    assert asked.request
    change_rule(actor=actor_of(operator), rule_id=made.pk, changes={"is_blind": True})
    with pytest.raises(RuleChangeOver):
        approve_rule_change(actor=actor_of(approver), change_id=asked.request.pk)
    asked = change_rule(actor=actor_of(operator), rule_id=made.pk, changes={"deadline_s": 7200})
    assert asked.request
    with time_machine.travel(timezone.now() + timedelta(hours=25)), pytest.raises(RuleChangeOver):
        approve_rule_change(actor=actor_of(approver), change_id=asked.request.pk)
    assert refuse_rule_change(actor=actor_of(operator), change_id=asked.request.pk).status == "withdrawn"


@pytest.mark.django_db
def test_a_weaker_rule_put_before_others_waits_too(system: AISystem, operator: Person) -> None:
    queue = make_queue(operator)
    make_rule(system, queue, reviews_required=2, order=10)
    values = {"name": "shadow", "condition": {"adverse": True}, "queue_id": queue.pk, "deadline_s": 60, "order": 5}
    asked = register_rule(actor=actor_of(operator), system_id=system.pk, values=values)
    assert (asked.rule, ReviewRule.objects.count()) == (None, 1)
    assert asked.request
    approve_rule_change(actor=actor_of(make_person(approver=True)), change_id=asked.request.pk)
    assert ReviewRule.objects.count() == 2


@pytest.mark.django_db
def test_a_weak_rule_that_is_widened_takes_nothing_from_a_stricter_one_unseen(
    system: AISystem, operator: Person
) -> None:
    queue = make_queue(operator)
    weak = make_rule(system, queue, condition={"capability_in": ["small"]})
    make_rule(system, queue, reviews_required=2)
    asked = change_rule(
        actor=actor_of(operator), rule_id=weak.pk, changes={"condition": {"capability_in": ["small", "large"]}}
    )
    assert asked.request is not None
    assert asked.request.loosens == ["order"]


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["register", "widen", "move"])
def test_a_request_about_what_other_rules_catch_is_over_once_one_was_added(
    system: AISystem, operator: Person, what: str
) -> None:
    queue, by = make_queue(operator), actor_of(operator)
    weak = make_rule(system, queue, condition={"capability_in": ["small"]}, order=10)
    make_rule(system, queue, reviews_required=2, order=20)
    if what == "register":
        values = {"name": "new", "condition": {"adverse": True}, "queue_id": queue.pk, "deadline_s": 60, "order": 5}
        asked = register_rule(actor=by, system_id=system.pk, values=values)
    else:
        changes: dict[str, Any] = {"condition": {"adverse": True}} if what == "widen" else {"order": 30}
        asked = change_rule(actor=by, rule_id=weak.pk, changes=changes)
    assert asked.request and "order" in asked.request.loosens
    make_rule(system, queue, reviews_required=2, is_blind=True, order=40)
    with pytest.raises(RuleChangeOver, match="Other rules"):
        approve_rule_change(actor=actor_of(make_person(approver=True)), change_id=asked.request.pk)


@pytest.mark.django_db
def test_a_request_about_a_rule_alone_outlives_other_rules(system: AISystem, operator: Person) -> None:
    queue = make_queue(operator)
    made = make_rule(system, queue)
    asked = change_rule(actor=actor_of(operator), rule_id=made.pk, changes={"deadline_s": 7200})
    assert asked.request
    make_rule(system, queue, reviews_required=2)
    approve_rule_change(actor=actor_of(make_person(approver=True)), change_id=asked.request.pk)
    made.refresh_from_db()
    assert made.deadline_s == 7200


# --- queues -----------------------------------------------------------------------------------------------------------
FULL: dict[str, Any] = {"when_full": "block", "capacity": 50, "blind_share": 0.5, "deadline_s": 3600}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "loosens"),
    [
        ({"capacity": 49}, ["capacity"]),
        ({"when_full": "fallback"}, ["when_full"]),
        ({"deadline_s": 7200}, ["deadline_s"]),
        ({"blind_share": 0.1, "claims_per_person": 9}, ["blind_share"]),
    ],
)
def test_a_queue_that_would_look_at_less_waits_for_a_second_person(
    operator: Person, changes: dict[str, Any], loosens: list[str]
) -> None:
    queue, admin, approver = make_queue(operator, **FULL), make_person(administrator=True), make_person(approver=True)
    request = update_queue(actor=actor_of(admin), queue_id=queue.pk, changes=changes).request
    assert request is not None
    assert request.loosens == loosens
    queue.refresh_from_db()
    assert queue.revision == 1
    with pytest.raises(ApprovalForbidden):
        approve_queue_change(actor=actor_of(admin), change_id=request.pk)
    with pytest.raises(RuleChangeNotFound):
        approve_rule_change(actor=actor_of(approver), change_id=request.pk)
    changed = approve_queue_change(actor=actor_of(approver), change_id=request.pk)
    assert {name: getattr(changed, name) for name in changes} == changes
    assert Entry.objects.filter(about_id=request.pk).count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes",
    [{"capacity": 51}, {"when_full": "accept"}, {"deadline_s": 60}, {"blind_share": 1.0}, {"lease_s": 60}],
)
def test_a_queue_that_looks_at_no_less_is_changed_by_one_person(operator: Person, changes: dict[str, Any]) -> None:
    queue, admin = make_queue(operator, **FULL), make_person(administrator=True)
    asked = update_queue(actor=actor_of(admin), queue_id=queue.pk, changes=changes)
    assert (asked.request, asked.queue.revision) == (None, 2)


@pytest.mark.django_db
def test_a_request_about_a_queue_is_bound_to_it_as_it_stood(operator: Person) -> None:
    queue, admin = make_queue(operator, **FULL), actor_of(make_person(administrator=True))
    request = update_queue(actor=admin, queue_id=queue.pk, changes={"capacity": 10}).request
    assert request
    update_queue(actor=admin, queue_id=queue.pk, changes={"owner_id": make_person().pk})
    with pytest.raises(RuleChangeOver):
        approve_queue_change(actor=actor_of(make_person(approver=True)), change_id=request.pk)
    assert refuse_rule_change(actor=admin, change_id=request.pk).status == "withdrawn"


@pytest.mark.django_db
def test_a_request_nobody_answers_ends_as_expired_and_is_sealed_once(operator: Person) -> None:
    queue, admin = make_queue(operator, **FULL), actor_of(make_person(administrator=True))
    request = update_queue(actor=admin, queue_id=queue.pk, changes={"capacity": 10}).request
    assert request and expire_rule_changes(actor=SERVER) == 0
    with time_machine.travel(request.expires_at + timedelta(seconds=1)):
        assert [expire_rule_changes(actor=SERVER), expire_rule_changes(actor=SERVER)] == [1, 0]
    request.refresh_from_db()
    assert (request.status, request.decided_by_id) == ("expired", None)
    assert Entry.objects.filter(about_id=request.pk, kind="rule_change.expired").count() == 1


@pytest.mark.committing
def test_what_a_change_of_queues_takes_away_is_judged_of_one_at_a_time(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, owner = make_system(), make_person()
    admin = actor_of(make_person(administrator=True))
    pair = [make_queue(owner, is_default=True, deadline_s=600, system=each) for each in (None, system)]
    both, judge = threading.Barrier(2), queues.loosened

    def judged_together(before: ReviewQueue, after: ReviewQueue) -> list[str]:
        found = judge(before, after)
        with suppress(threading.BrokenBarrierError):
            both.wait(2)
        return found

    monkeypatch.setattr(queues, "loosened", judged_together)
    asked = at_once(
        [partial(update_queue, actor=admin, queue_id=each.pk, changes={"is_default": False}) for each in pair]
    )
    assert both.broken, "two were judged at once, each beside what the other was about to change"
    assert [each.request is None for each in asked] == [False, True]


@pytest.mark.django_db
def test_what_is_held_without_a_rule_goes_to_a_laxer_queue_by_two_people_only(
    system: AISystem, operator: Person
) -> None:
    admin = actor_of(make_person(administrator=True))
    strict = make_queue(operator, is_default=True, deadline_s=600)
    lax: dict[str, Any] = {"owner_id": operator.pk, "system_id": system.pk, "deadline_s": 1200}
    with pytest.raises(InvalidInput) as refused:
        register_queue(actor=admin, slug="lax", is_default=True, **lax)
    assert [problem.pointer for problem in refused.value.errors] == ["/is_default"]
    made = register_queue(actor=admin, slug="lax", **lax)
    for queue, is_default in ((made, True), (strict, False)):
        request = update_queue(actor=admin, queue_id=queue.pk, changes={"is_default": is_default}).request
        assert request is not None
        assert request.loosens == ["is_default"]
    with pytest.raises(QueueInUse):
        archive_queue(actor=admin, queue_id=strict.pk)


@pytest.mark.django_db
def test_nothing_of_high_risk_is_ever_carried_out_unseen(operator: Person) -> None:
    system = make_system(risk_class="high")
    with pytest.raises(InvalidInput) as refused:
        make_rule(system, make_queue(operator), on_timeout="allow")
    assert [problem.pointer for problem in refused.value.errors] == ["/on_timeout"]


@pytest.mark.django_db
def test_a_stranger_learns_nothing_of_a_rule(system: AISystem, operator: Person) -> None:
    made, stranger = make_rule(system, make_queue(operator)), make_person(operator=make_system())
    for rule_id in (made.pk, uuid.uuid4()):
        with pytest.raises(RuleNotFound):
            change_rule(actor=actor_of(stranger), rule_id=rule_id, changes={"archived": True})
    with pytest.raises(Forbidden):
        change_rule(actor=actor_of(make_person(viewer=system)), rule_id=made.pk, changes={"is_blind": True})


@pytest.mark.django_db
def test_a_queue_of_another_system_and_one_in_use(system: AISystem, operator: Person) -> None:
    admin, queue = make_person(administrator=True), make_queue(operator)
    with pytest.raises(QueueNotFound):
        make_rule(system, make_queue(operator, system=make_system()))
    make_rule(system, queue)
    with pytest.raises(QueueInUse):
        archive_queue(actor=actor_of(admin), queue_id=queue.pk)


@pytest.mark.django_db
def test_a_new_list_of_reasons_is_in_force_and_the_old_one_stays(operator: Person) -> None:
    admin, queue = make_person(administrator=True), make_queue(operator)
    for word in ("first", "second"):
        codes = [{"code": f"{word}-reason", "words": word, "for": ["modify"]}]
        publish_reasons(actor=actor_of(admin), queue_id=queue.pk, codes=codes)
    assert [each["code"] for each in reasons_in_force(queue.pk)] == ["second-reason"]
    assert ReasonList.objects.filter(queue=queue).count() == 2
    with pytest.raises(InvalidInput):
        checked_reason("first-reason", "modify", queue.pk)
    assert checked_reason("wrong-input", "modify", None) == "wrong-input"


@pytest.mark.django_db
@pytest.mark.parametrize("codes", [None, [], [{"code": "X", "words": "x", "for": ["modify"]}], [{"code": "x"}]])
def test_a_wrong_list_of_reasons_is_refused(operator: Person, codes: Any) -> None:
    with pytest.raises(InvalidInput):
        publish_reasons(actor=actor_of(make_person(administrator=True)), queue_id=None, codes=codes)
