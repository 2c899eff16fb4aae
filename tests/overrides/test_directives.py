"""What callers are told comes from memory: the strictest switch, else a rule; and one object for one thing to say."""

import uuid
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance import memory as register_memory
from governance.models import AISystem
from overrides import directives, memory
from overrides.conditions import compile_condition
from overrides.directives import Directive, directive_for
from overrides.memory import Controls
from overrides.review_rules import Rule
from overrides.standing import Control, Epoch, InFlight, Mode, Node, SwitchState
from tests.factories.register import make_system


@dataclass
class Facts:
    outcome: str = "approved"
    confidence: float | None = 0.5
    adverse: bool | None = None
    capability: str | None = None
    labels: dict[str, str] | None = None
    phase: str | None = "proposed"


SYSTEM = uuid.uuid4()


def switch(mode: Mode, number: int = 1, **node: str) -> SwitchState:
    return SwitchState(
        id=uuid.uuid4(),
        node=Node(system_id=SYSTEM, **node),
        mode=mode,
        epoch=Epoch(1, number),
        reason_code="drift",
        in_flight=InFlight.HOLD,
        changed_at=timezone.now(),
    )


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> dict[str, Controls]:
    """What memory holds, to be set by the test."""
    found = {"now": Controls()}
    monkeypatch.setattr(memory, "current", lambda: found["now"])
    return found


def of(*switches: SwitchState, rules: tuple[Rule, ...] = ()) -> Controls:
    control = Control(Epoch(1, 9), (), {SYSTEM: switches} if switches else {})
    return Controls(control, {SYSTEM: rules} if rules else {})


def ask(system_id: uuid.UUID = SYSTEM, version: str = "1", phase: str = "proposed", **facts: Any) -> Directive:
    given = Facts(phase=phase, **facts)
    return directive_for(system_id=system_id, environment="production", model_version=version, facts=given)


def test_where_nothing_is_said_everything_proceeds_by_one_object(held: dict[str, Controls]) -> None:
    held["now"] = of()
    assert ask() is ask(uuid.uuid4())
    assert (ask().action, ask().mode, ask().epoch) == ("proceed", "run", "1.9")


@pytest.mark.parametrize(("mode", "action"), [(Mode.REVIEW, "hold"), (Mode.FALLBACK, "fallback"), (Mode.STOP, "stop")])
def test_each_mode_says_what_to_do(held: dict[str, Controls], mode: Mode, action: str, db: None) -> None:
    held["now"] = of(switch(mode))
    found = ask()
    assert (found.action, found.mode, found.reason_code) == (action, mode, "drift")
    assert found is ask() and found.asks_for_review is (mode is Mode.REVIEW)


def test_another_system_is_not_concerned(held: dict[str, Controls]) -> None:
    held["now"] = of(switch(Mode.STOP))
    assert ask(uuid.uuid4()).action == "proceed"


def test_the_strictest_of_all_that_cover_it_counts(held: dict[str, Controls]) -> None:
    held["now"] = of(switch(Mode.REVIEW), switch(Mode.STOP, 2, capability="limits"))
    assert (ask().action, ask(capability="limits").action) == ("hold", "stop")


def test_a_rule_never_overrules_a_stop(held: dict[str, Controls]) -> None:
    held["now"] = of(switch(Mode.STOP), rules=(Rule(id=uuid.uuid4(), system_id=SYSTEM),))
    assert (ask().action, ask().asks_for_review) == ("stop", False)


def test_a_rule_holds_what_is_proposed_and_looks_at_what_took_effect_afterwards(held: dict[str, Controls]) -> None:
    rule = Rule(id=uuid.uuid4(), system_id=SYSTEM)
    held["now"] = of(rules=(rule,))
    proposed, effective = ask(), ask(phase="effective")
    assert (proposed.action, effective.action) == ("hold", "proceed")
    assert proposed.asks_for_review and effective.asks_for_review
    assert proposed is ask() and effective is ask(phase="effective")


def test_what_is_known_of_one_kind_of_decision_is_not_taken_for_another(held: dict[str, Controls]) -> None:
    """Rules are narrowed once for a kind: all that a kind is made of has to tell decisions apart."""
    conditions: list[tuple[dict[str, Any], str]] = [
        ({"outcome_in": ["refused"]}, ""),
        ({"capability_in": ["loans"]}, ""),
        ({"model_version_in": ["2"]}, ""),
        ({"adverse": True}, ""),
        ({"confidence_below": 0.3}, ""),
        ({"label": {"name": "branch", "value": "north"}}, ""),
        ({"outcome_in": ["approved"]}, "staging"),
    ]
    rules = tuple(
        Rule(id=uuid.uuid4(), system_id=SYSTEM, environment=environment, tests=compile_condition(condition))
        for condition, environment in conditions
    )
    held["now"] = of(rules=rules)
    asked: list[tuple[dict[str, Any], str, int | None]] = [
        ({}, "1", None),
        ({"outcome": "refused"}, "1", 0),
        ({"capability": "loans"}, "1", 1),
        ({}, "2", 2),
        ({"adverse": True}, "1", 3),
        ({"confidence": 0.2}, "1", 4),
        ({"labels": {"branch": "north"}}, "1", 5),
        ({"labels": {"branch": "south"}}, "1", None),
    ]
    for _ in range(2):
        for facts, version, place in asked:
            assert ask(version=version, **facts).rule is (None if place is None else rules[place])
    elsewhere = directive_for(system_id=SYSTEM, environment="staging", model_version="1", facts=Facts())
    assert elsewhere.rule is rules[6]


def test_a_new_state_makes_new_directives(held: dict[str, Controls]) -> None:
    held["now"] = of(switch(Mode.REVIEW))
    before = ask()
    held["now"] = replace(held["now"], control=replace(held["now"].control, epoch=Epoch(1, 10)))
    assert (ask() is before, ask().epoch) == (False, "1.10")


@pytest.mark.django_db
def test_what_stands_in_proceeds_or_it_would_be_sent_to_itself(held: dict[str, Controls]) -> None:
    system = make_system()
    AISystem.objects.update(fallback_kind="model_version", fallback="1.9")
    register_memory.forget()
    state = switch(Mode.FALLBACK)
    held["now"] = Controls(Control(Epoch(1, 9), (), {system.pk: (state,)}))
    assert (ask(system.pk, "2.0").action, ask(system.pk, "1.9").action) == ("fallback", "proceed")
    assert ask(system.pk, "1.9").switch is None


@pytest.mark.django_db
def test_what_stands_in_is_still_under_every_other_switch_and_rule(held: dict[str, Controls]) -> None:
    system = make_system()
    AISystem.objects.update(fallback_kind="model_version", fallback="1.9")
    register_memory.forget()
    falls_back, review, rule = switch(Mode.FALLBACK), switch(Mode.REVIEW, 2), Rule(id=uuid.uuid4(), system_id=system.pk)
    held["now"] = Controls(Control(Epoch(1, 9), (review,), {system.pk: (falls_back,)}))
    found = ask(system.pk, "1.9")
    assert (found.action, found.mode, found.switch) == ("hold", "review", review)
    held["now"] = Controls(Control(Epoch(1, 9), (), {system.pk: (falls_back,)}), {system.pk: (rule,)})
    found = ask(system.pk, "1.9")
    assert (found.action, found.mode, found.rule) == ("hold", "fallback", rule)


@pytest.mark.django_db
def test_a_rule_that_is_named_like_a_version_lets_no_version_proceed(held: dict[str, Controls]) -> None:
    system = make_system()
    AISystem.objects.update(fallback_kind="rule", fallback="1.9")
    register_memory.forget()
    held["now"] = Controls(Control(Epoch(1, 9), (), {system.pk: (switch(Mode.FALLBACK),)}))
    assert ask(system.pk, "1.9").action == "fallback"


def test_what_must_not_be_breached_is_the_strictest_in_earnest(held: dict[str, Controls]) -> None:
    drilled = replace(switch(Mode.STOP), drill_id=uuid.uuid4())
    held["now"] = of(drilled)
    assert (ask().action, ask().switch, ask().earnest) == ("stop", drilled, None)
    review = switch(Mode.REVIEW, 2)
    held["now"] = of(drilled, review)
    assert (ask().action, ask().earnest) == ("stop", review)
    stopped = switch(Mode.STOP, 3)
    held["now"] = of(drilled, stopped)
    assert (ask().switch, ask().earnest) == (stopped, stopped)


@pytest.mark.django_db
def test_no_query_is_asked_for_a_directive(held: dict[str, Controls]) -> None:
    held["now"] = of(switch(Mode.STOP))
    with CaptureQueriesContext(connection) as queries:
        for _ in range(10):
            ask()
    assert len(queries) == 0


def test_a_quiet_state_makes_nothing(held: dict[str, Controls]) -> None:
    held["now"] = of()
    for _ in range(3):
        ask()
    assert directives._newest.made == {}


def test_where_a_switch_has_everything_looked_at_a_rule_says_how(held: dict[str, Controls]) -> None:
    rule = Rule(id=uuid.uuid4(), system_id=SYSTEM, tests=compile_condition({"outcome_in": ["refused"]}))
    review = switch(Mode.REVIEW)
    held["now"] = of(review, rules=(rule,))
    found, other = ask(outcome="refused"), ask()
    assert (found.action, found.mode, found.reason_code, found.rule, found.switch) == (
        "hold", "review", "drift", rule, review,
    )  # fmt: skip
    assert (other.action, other.rule) == ("hold", None)
    assert found is ask(outcome="refused")
