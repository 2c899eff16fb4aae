"""Starting again: two people, for exactly what both saw, with rights asked again when it is done."""

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from config.errors import Forbidden, InvalidInput
from governance.acts import Role
from governance.errors import ApprovalForbidden, PersonNeeded, RequestVoid
from governance.models import Assignment, Person
from governance.scopes import ORGANISATION
from governance.services.people import register_person
from ledger.entries import COMMAND, SERVER, Actor
from ledger.models import Entry
from notices.models import Event
from overrides import memory
from overrides.errors import EpochPassed, LooseningExists, LooseningNotFound, LooseningNotOpen
from overrides.models import LooseningRequest, Switch
from overrides.services.loosening import (
    approve_loosening,
    refuse_loosening,
    void_passed_requests,
    withdraw_loosening,
)
from overrides.standing import Epoch, Mode
from tests.factories.control import approver_of, ask_for, clear, operator_of, stop
from tests.factories.register import actor_of, give_role, make_key, make_person, make_system

pytestmark = pytest.mark.django_db
Status = LooseningRequest.Status


def approve(request: LooseningRequest, person: Person) -> Any:
    return approve_loosening(actor=actor_of(person), request_id=request.pk)


def test_two_people_start_a_system_again() -> None:
    system = make_system()
    done = stop(system)
    change = clear(done, system)
    assert memory.current().control.mode(system.pk, "production") is Mode.RUN
    assert (change.from_mode, change.to_mode) == ("stop", "run") and change.epoch > done.epoch
    kinds = set(Entry.objects.values_list("kind", flat=True))
    assert {"loosening.requested", "loosening.approved", "switch.loosened"} <= kinds
    assert Event.objects.filter(type="switch.loosened").count() == 1


def test_a_clear_may_go_by_stages() -> None:
    system = make_system()
    clear(stop(system), system, Mode.REVIEW)
    assert memory.current().control.mode(system.pk, "production") is Mode.REVIEW


def test_requester_cannot_approve_their_own_request() -> None:
    system = make_system()
    person = operator_of(system)
    give_role(person, Role.APPROVER)
    request = ask_for(stop(system), person)
    with pytest.raises(ApprovalForbidden):
        approve(request, person)
    assert Switch.objects.get().mode == "stop"


def test_no_way_around_asks_less() -> None:
    system = make_system()
    request = ask_for(stop(system), operator_of(system))
    key = make_key(system, scopes=["control:tighten", "control:read"])
    for actor in (COMMAND, SERVER, Actor("service", key.row.account_id)):
        with pytest.raises(PersonNeeded):
            approve_loosening(actor=actor, request_id=request.pk)


def test_an_approver_made_by_the_requester_yesterday_does_not_count() -> None:
    system, person = make_system(), operator_of()
    give_role(person, Role.ADMINISTRATOR)
    made = register_person(actor=actor_of(person), name="New", email="new@example.org")
    give_role(made, Role.APPROVER)
    request = ask_for(stop(system), person)
    with pytest.raises(ApprovalForbidden):
        approve(request, made)


def end_roles(person: Person) -> None:
    Assignment.objects.filter(person=person).update(status=Assignment.Status.ENDED, ends_at=timezone.now())


def test_an_approver_who_lost_the_right_meanwhile_does_not_count() -> None:
    system, approver = make_system(), approver_of()
    request = ask_for(stop(system), operator_of(system))
    end_roles(approver)
    with pytest.raises(ApprovalForbidden):
        approve(request, approver)


def test_a_requester_who_lost_the_right_meanwhile_voids_the_request() -> None:
    system, operator = make_system(), operator_of()
    request = ask_for(stop(system), operator)
    end_roles(operator)
    with pytest.raises(RequestVoid):
        approve(request, approver_of())


def test_an_approver_of_nothing_here_does_not_count() -> None:
    system = make_system()
    request = ask_for(stop(system), operator_of(system))
    with pytest.raises(ApprovalForbidden):
        approve(request, operator_of(make_system()))


def test_a_clear_with_an_old_epoch_is_refused() -> None:
    system, operator = make_system(), operator_of()
    done = stop(system, mode=Mode.REVIEW)
    request = ask_for(done, operator)
    stop(system)
    with pytest.raises(EpochPassed):
        approve(request, approver_of())
    with pytest.raises(EpochPassed):
        ask_for(done, operator)
    assert Switch.objects.get().mode == "stop"


def test_a_request_is_approved_once() -> None:
    system, approver = make_system(), approver_of()
    request = ask_for(stop(system), operator_of(system))
    approve(request, approver)
    with pytest.raises(LooseningNotOpen):
        approve(request, approver)


def test_an_expired_request_is_void() -> None:
    system = make_system()
    request = ask_for(stop(system), operator_of(system))
    LooseningRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(LooseningNotOpen):
        approve(request, approver_of())
    assert void_passed_requests() == 1
    request.refresh_from_db()
    assert request.status == Status.VOID


def test_of_two_requests_the_second_waits_for_the_first() -> None:
    system = make_system()
    done = stop(system)
    ask_for(done, operator_of(system))
    with pytest.raises(LooseningExists):
        ask_for(done, operator_of(system))


def test_a_second_person_refuses() -> None:
    system, approver = make_system(), approver_of()
    request = ask_for(stop(system), operator_of(system))
    refuse_loosening(actor=actor_of(approver), request_id=request.pk, note="not yet")
    with pytest.raises(LooseningNotOpen):
        approve(request, approver)


def test_whoever_asked_withdraws_and_nobody_else() -> None:
    system, operator = make_system(), operator_of()
    request = ask_for(stop(system), operator)
    with pytest.raises(LooseningNotFound):
        withdraw_loosening(actor=actor_of(operator_of(system)), request_id=request.pk)
    withdraw_loosening(actor=actor_of(operator), request_id=request.pk)
    with pytest.raises(LooseningNotOpen):
        approve(request, approver_of())


def test_as_strict_is_not_looser() -> None:
    system = make_system()
    with pytest.raises(InvalidInput):
        ask_for(stop(system), operator_of(system), Mode.STOP)


@pytest.mark.parametrize("url", ["", "seen in the lab", "ftp://example.org/report", "javascript:alert(1)"])
def test_from_stop_evidence_is_named_by_a_link(url: str) -> None:
    system = make_system()
    done = stop(system)
    for mode in (Mode.RUN, Mode.REVIEW):
        with pytest.raises(InvalidInput) as refused:
            ask_for(done, operator_of(system), mode, evidence_url=url)
        assert [each.pointer for each in refused.value.errors] == ["/evidence_url"]
    assert not LooseningRequest.objects.exists()


def test_from_a_milder_mode_evidence_may_be_named() -> None:
    system = make_system()
    done = stop(system, mode=Mode.REVIEW)
    with pytest.raises(InvalidInput):
        ask_for(done, operator_of(system), evidence_url="in a drawer")
    assert ask_for(done, operator_of(system), evidence_url="").status == Status.OPEN


def test_an_operator_elsewhere_cannot_ask() -> None:
    with pytest.raises(Forbidden):
        ask_for(stop(make_system()), operator_of(make_system()))


def test_an_unknown_request_is_not_found() -> None:
    with pytest.raises(LooseningNotFound):
        approve_loosening(actor=actor_of(approver_of()), request_id=make_person().pk)
    for act in (approve_loosening, refuse_loosening):  # as of one that is there
        with pytest.raises(ApprovalForbidden):
            act(actor=actor_of(make_person()), request_id=make_person().pk)


def test_a_key_is_told_that_it_takes_a_person(client: Client) -> None:
    system = make_system()
    done = stop(system)
    key = make_key(system, scopes=["control:tighten", "control:read"])
    body = {"switch_id": str(done.switch.pk), "epoch": str(done.epoch), "mode": "run", "reason_code": "x"}
    answer = client.post(
        "/api/v1/control/loosen",
        body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {key.text}"},
    )
    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (403, "person-needed")


# --- both at once, for real -------------------------------------------------------------------------------------------
def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run all in threads, each with its own connection, from one starting line; what each returned or raised."""
    results: list[Any] = [None] * len(acts)
    line = threading.Barrier(len(acts))

    def run(number: int, act: Callable[[], Any]) -> None:
        try:
            line.wait()
            results[number] = act()
        except Exception as error:  # noqa: BLE001 - the claim is about what was raised
            results[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


@pytest.mark.committing
def test_a_trip_beats_a_clear_at_the_same_moment() -> None:
    system, operator, approver = make_system(), operator_of(), approver_of()
    for _ in range(6):
        request = ask_for(stop(system), operator)
        cleared, tripped = at_once(partial(approve, request, approver), partial(stop, system))
        assert Switch.objects.get().mode == "stop", (cleared, tripped)
        assert not isinstance(tripped, Exception)
        assert not isinstance(cleared, Exception) or isinstance(cleared, EpochPassed)


@pytest.mark.committing
@pytest.mark.parametrize("act", [refuse_loosening, approve_loosening])
def test_a_trip_and_an_answer_to_a_request_take_their_locks_in_one_order(act: Any) -> None:
    system, operator, approver = make_system(), operator_of(), approver_of()
    done = stop(system)
    for _ in range(4):
        request = ask_for(done, operator)
        answer = partial(act, actor=actor_of(approver), request_id=request.pk)
        answered, tripped = at_once(answer, partial(stop, system))
        assert not isinstance(tripped, Exception), tripped
        assert not isinstance(answered, Exception) or isinstance(answered, (EpochPassed, LooseningNotOpen)), answered
        done = tripped if tripped.is_new else stop(system)


@pytest.mark.committing
def test_two_approvals_at_once_are_one_change() -> None:
    system, operator, approvers = make_system(), operator_of(), [approver_of(), approver_of()]
    request = ask_for(stop(system), operator)
    results = at_once(*(partial(approve, request, person) for person in approvers))
    assert sorted(type(each).__name__ for each in results) == ["LooseningNotOpen", "SwitchChange"]


@pytest.mark.committing
def test_twenty_stops_at_once_are_one_change_and_epochs_rise() -> None:
    system = make_system()
    results = at_once(*[lambda: stop(system)] * 12)
    assert {each.epoch for each in results} == {Switch.objects.get().epoch}
    assert sum(each.is_new for each in results) == 1
    assert Switch.objects.get().epoch == Epoch(1, 1)


def test_the_pair_is_told_apart_in_the_entries() -> None:
    system = make_system()
    give_role(operator_of(), Role.VIEWER, ORGANISATION)
    change = clear(stop(system), system)
    entry = bytes(Entry.objects.get(kind="switch.loosened").data).decode()
    asked = LooseningRequest.objects.get()
    assert f'"requested_by":"{asked.requested_by_id}"' in entry
    assert change.actor_id == asked.decided_by_id != asked.requested_by_id


def test_a_trip_to_a_milder_mode_than_holds_still_beats_a_clear_below_it() -> None:
    system = make_system()
    done = stop(system)
    request = ask_for(done, operator_of(system))
    again = stop(system, mode=Mode.REVIEW, reason_code="drift")
    assert again.is_new and Switch.objects.get().mode == "stop"
    with pytest.raises(EpochPassed):
        approve(request, approver_of())
    staged = ask_for(again, operator_of(system), Mode.REVIEW)
    assert not stop(system, mode=Mode.REVIEW).is_new
    approve(staged, approver_of())
    assert Switch.objects.get().mode == "review"


def test_what_can_be_approved_no_more_is_in_nobodys_way() -> None:
    system = make_system()
    done = stop(system)
    late = ask_for(done, operator_of(system))
    with pytest.raises(LooseningExists):
        ask_for(done, operator_of(system))
    LooseningRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    ask_for(done, operator_of(system))
    late.refresh_from_db()
    assert late.status == Status.VOID
