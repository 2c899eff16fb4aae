"""One person may take a stopped system to review, where somebody was appointed to: for four hours, seen by others."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from config.errors import Forbidden, InvalidInput
from governance.acts import Role
from governance.models import AISystem, Assignment, Person
from governance.rights import impossible_acts
from ledger.models import Entry
from notices.errors import AlertNeedsAnother
from notices.models import Alert, Event, Message
from notices.services import close_alert
from overrides import memory
from overrides.errors import ClearUnreviewed, EpochPassed, NotClearable
from overrides.models import Switch, SwitchChange
from overrides.services import switches
from overrides.services.loosening import approve_loosening, emergency_clear
from overrides.services.switches import Tightened, lapse_emergency_clears
from overrides.standing import Epoch, Mode
from tests.factories.control import approver_of, ask_for, operator_of, stop
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db


def clear_alone(done: Tightened, person: Person, epoch: Epoch | None = None) -> SwitchChange:
    return emergency_clear(
        actor=actor_of(person),
        switch_id=done.switch.pk,
        epoch=epoch or done.epoch,
        reason_code="patients-wait",
        note="The manual way is overrun.",
    )


def holder() -> Person:
    return operator_of(None, Role.EMERGENCY_OPERATOR)


def mode_of(system: AISystem) -> Mode:
    return memory.current().control.mode(system.pk, "production")


def test_nobody_holds_the_right_unless_appointed_and_that_is_no_gap() -> None:
    done = stop(make_system())
    for role in (Role.OPERATOR, Role.APPROVER, Role.ADMINISTRATOR):
        with pytest.raises(Forbidden):
            clear_alone(done, operator_of(None, role))
    assert "switch.emergency_clear" not in {each.act.value for each in impossible_acts()}


def test_from_stop_to_review_and_back_after_four_hours() -> None:
    system = make_system()
    clear_alone(stop(system), holder())
    switch = Switch.objects.get()
    assert mode_of(system) is Mode.REVIEW
    assert timedelta(hours=3, minutes=59) < switch.expires_at - timezone.now() <= timedelta(hours=4)  # type: ignore[operator]
    Switch.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert lapse_emergency_clears() == 1
    switch.refresh_from_db()
    assert (switch.mode, switch.expires_at, switch.reason_code) == ("stop", None, "emergency-clear-lapsed")
    assert Entry.objects.filter(kind="switch.lapsed", about_id=switch.pk).count() == 1
    assert Event.objects.filter(type="switch.stopped").count() == 2  # whoever listens for stops hears of this one too


def test_one_that_cannot_be_stopped_again_keeps_no_other_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        clear_alone(stop(make_system()), holder())
    Switch.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    first = Switch.objects.order_by("expires_at", "id").first()
    really = switches.tighten_surely

    def fails(actor: Any, node: Any, *rest: Any) -> Any:
        if node == first.node:  # type: ignore[union-attr]
            raise RuntimeError("a fault of ours")
        return really(actor, node, *rest)

    monkeypatch.setattr(switches, "tighten_surely", fails)
    assert lapse_emergency_clears() == 1
    assert sorted(Switch.objects.values_list("mode", flat=True)) == ["review", "stop"]


def test_once_it_is_over_nobody_loosens_what_the_row_still_says() -> None:
    system = make_system()
    change = clear_alone(stop(system), holder())
    done = Tightened(Switch.objects.get(), change, is_new=True)
    request = ask_for(done, operator_of(system))
    Switch.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(EpochPassed):
        approve_loosening(actor=actor_of(approver_of()), request_id=request.pk)
    with pytest.raises(EpochPassed):
        ask_for(done, operator_of(system))
    assert Switch.objects.get().mode == "review"


def test_memory_says_stop_again_though_no_sweep_comes_round(monkeypatch: pytest.MonkeyPatch) -> None:
    system = make_system()
    clear_alone(stop(system), holder())
    assert mode_of(system) is Mode.REVIEW
    later = timezone.now() + timedelta(hours=4, seconds=1)
    monkeypatch.setattr("overrides.memory.timezone.now", lambda: later)
    assert mode_of(system) is Mode.STOP


def test_memory_says_stop_again_though_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    system = make_system()
    clear_alone(stop(system), holder())
    assert mode_of(system) is Mode.REVIEW
    heard: list[Mode] = []
    end = memory.subscribe(lambda controls: heard.append(controls.control.mode(system.pk, "production")))
    monkeypatch.setattr(memory, "polling", True)
    monkeypatch.setattr(memory, "_start", lambda: None)
    monkeypatch.setattr(memory, "refresh", lambda: pytest.fail("the database is away"))
    assert mode_of(system) is Mode.REVIEW
    later = timezone.now() + timedelta(hours=4, seconds=1)
    monkeypatch.setattr("overrides.memory.timezone.now", lambda: later)
    assert (mode_of(system), mode_of(system), heard) == (Mode.STOP, Mode.STOP, [Mode.STOP])
    end()


def test_what_somebody_tightens_a_little_still_ends() -> None:
    from governance.models import AISystem

    system = make_system()
    AISystem.objects.update(fallback_kind="rule", fallback="table")
    clear_alone(stop(system), holder())
    stop(system, mode=Mode.FALLBACK)
    assert Switch.objects.get().expires_at is not None


def test_never_for_everything() -> None:
    with pytest.raises(NotClearable):
        clear_alone(stop(None), holder())


def test_only_from_a_stop_and_as_it_was_seen() -> None:
    with pytest.raises(NotClearable):
        clear_alone(stop(make_system(), mode=Mode.REVIEW), holder())
    with pytest.raises(EpochPassed):
        clear_alone(stop(make_system()), holder(), Epoch(1, 0))


def test_not_without_a_word() -> None:
    done, person = stop(make_system()), holder()
    with pytest.raises(InvalidInput):
        emergency_clear(
            actor=actor_of(person),
            switch_id=done.switch.pk,
            epoch=done.epoch,
            reason_code="x",
            note=" ",
        )


def test_all_holders_are_told_and_another_one_looks_at_it_afterwards() -> None:
    one, other = holder(), holder()
    clear_alone(stop(make_system()), one)
    assert set(Message.objects.values_list("person_id", flat=True)) == {one.pk, other.pk}
    alert = Alert.objects.get(kind="switch.emergency_cleared")
    assert alert.owner_id == other.pk
    with pytest.raises(AlertNeedsAnother):
        close_alert(actor=actor_of(one), alert_id=alert.pk, note="fine")
    close_alert(actor=actor_of(other), alert_id=alert.pk, note="was needed")


def test_nobody_repeats_it_before_somebody_else_has_looked() -> None:
    one, other, system = holder(), holder(), make_system()
    clear_alone(stop(system), one)
    again = stop(system)
    for person in (one, other):
        with pytest.raises(ClearUnreviewed):
            clear_alone(again, person)
    assert mode_of(system) is Mode.STOP
    clear_alone(stop(make_system()), one)  # of another switch it is another matter
    alert = Alert.objects.get(kind="switch.emergency_cleared", about_id=again.switch.pk)
    close_alert(actor=actor_of(other), alert_id=alert.pk, note="was needed")
    clear_alone(again, one)
    assert mode_of(system) is Mode.REVIEW


def test_one_that_was_gathered_among_many_waits_to_be_looked_at_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notices.services.alerts.STORM", 1)
    system, person = make_system(), holder()
    clear_alone(stop(system), person)
    with pytest.raises(ClearUnreviewed):
        clear_alone(stop(system), person)


def test_a_request_by_two_does_not_survive_it() -> None:
    system = make_system()
    done = stop(system)
    request = ask_for(done, operator_of(system))
    clear_alone(done, holder())
    request.refresh_from_db()
    assert request.status == "void"


def test_whoever_is_appointed_for_one_system_clears_no_other() -> None:
    elsewhere = make_system()
    person = make_person()
    from governance.scopes import Scope
    from tests.factories.register import give_role

    give_role(person, Assignment.Role.EMERGENCY_OPERATOR, Scope.system(elsewhere.pk))
    with pytest.raises(Forbidden):
        clear_alone(stop(make_system()), person)
