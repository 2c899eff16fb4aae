"""Erasures beside holds, each other, and people who stop them: whoever comes first counts, nobody deadlocks."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from audit.case_selectors import held
from audit.models import ErasureStep, Payload
from audit.reach import Reach
from audit.selectors import SealedDecision
from audit.services.attaching import Chosen, attach_decisions
from audit.services.holds import place_hold, place_span_hold
from evidence.erasure import performing
from evidence.erasure.documents import document_about
from evidence.services import erasure_runs
from evidence.services.erasure_answers import hold_erasure
from evidence.services.erasure_runs import run_erasures
from evidence.verification import verify_everything
from governance.models import AISystem
from ledger.models import Entry
from notices.letters import as_text, letter_for
from notices.models import Message
from tests.factories.cases import make_led_case
from tests.factories.erasing import SECONDS, agreed, agreeing, no_floor, officer, prepared
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.committing
PATIENCE = 60.0


@pytest.fixture
def system(transactional_db: None) -> AISystem:
    made = make_system(slug="credit", accountable=make_person())
    no_floor(made)
    return made


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def in_thread(pool: ThreadPoolExecutor, act: Callable[[], Any]) -> "Future[Any]":
    def run() -> Any:
        try:
            return act()
        finally:
            connections.close_all()

    return pool.submit(run)


@contextmanager
def paused_before_it_empties(
    monkeypatch: pytest.MonkeyPatch, name: str = "erase_payloads"
) -> Iterator[tuple[threading.Event, threading.Event]]:
    """The first slice stands still, its locks taken, before something goes: (it stands there, let it go on)."""
    there, go_on = threading.Event(), threading.Event()
    genuine = getattr(performing, name)

    def wait_first(*given: Any) -> int:
        there.set()
        assert go_on.wait(PATIENCE)
        emptied: int = genuine(*given)
        return emptied

    with monkeypatch.context() as patch:
        patch.setattr(performing, name, wait_first)
        yield there, go_on
        go_on.set()


def is_kept(decision: SealedDecision) -> bool:
    return Payload.objects.get(pk=decision.id).secret is not None


def waiting() -> int:
    """Sessions of this database that wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        (found,) = cursor.fetchone() or (0,)
        return int(found)


def until(condition: Callable[[], Any]) -> None:
    over = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if condition():
            return
        over.wait(0.01)
    raise AssertionError("it never came")


# --- holds ------------------------------------------------------------------------------------------------------------
def span_hold(system: AISystem, person: Any) -> Any:
    now = timezone.now()
    return place_span_hold(
        actor=actor_of(person), system_id=system.pk, since=now - timedelta(days=1), until=now + timedelta(days=1),
        reason="A claim.",
    )  # fmt: skip


def test_a_hold_that_comes_while_a_slice_goes_waits_for_it_and_keeps_the_rest(
    system: AISystem, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure_runs, "DECISIONS_AT_ONCE", 2)
    decisions = [record_decision(system, subject="c-1907") for _ in range(6)]
    request, investigator = agreed(kind="subject", subject="c-1907"), make_person(investigator=True)
    with paused_before_it_empties(monkeypatch) as (there, go_on):
        erasing = in_thread(pool, lambda: run_erasures(seconds=SECONDS))
        assert there.wait(PATIENCE)
        holding = in_thread(pool, lambda: span_hold(system, investigator))
        until(waiting)
        assert not holding.done(), "who came first counts"
        go_on.set()
        holding.result(PATIENCE)
        erasing.result(PATIENCE)
    gone = [decision for decision in decisions if not is_kept(decision)]
    assert len(gone) == 2, "who waits has its turn before the next slice"
    assert held([each.id for each in decisions]) == {each.id for each in decisions}
    request.refresh_from_db()
    assert request.status == "scheduled"
    assert list(verify_everything()) == []


def test_once_a_hold_is_placed_nothing_more_goes(
    system: AISystem, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure_runs, "DECISIONS_AT_ONCE", 1)
    decisions = [record_decision(system, subject="c-1907") for _ in range(12)]
    agreed(kind="subject", subject="c-1907")
    investigator, placing = make_person(investigator=True), list["Future[Any]"]()
    genuine = performing.erase_decisions

    def place_it() -> int:
        span_hold(system, investigator)
        return ErasureStep.objects.count()

    def after_three(*given: Any) -> None:
        genuine(*given)
        if ErasureStep.objects.count() == 3:
            placing.append(in_thread(pool, place_it))

    monkeypatch.setattr(erasure_runs, "erase_decisions", after_three)
    run_erasures(seconds=SECONDS)
    before = placing[0].result(PATIENCE)
    gone = sum(not is_kept(decision) for decision in decisions)
    assert gone == before >= 3, "none went after the hold was there"
    assert run_erasures(seconds=SECONDS) == 0
    assert sum(not is_kept(decision) for decision in decisions) == gone
    assert list(verify_everything()) == []


def test_a_decision_that_is_put_into_a_held_case_meanwhile_is_kept_or_gone_before(
    system: AISystem, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    decision = record_decision(system, subject="c-1907")
    case, lead = make_led_case(system)
    place_hold(actor=actor_of(lead), case_id=case.pk, reason="Evidence.")
    agreed(kind="subject", subject="c-1907")
    with paused_before_it_empties(monkeypatch) as (there, go_on):
        erasing = in_thread(pool, lambda: run_erasures(seconds=SECONDS))
        assert there.wait(PATIENCE)
        attaching = in_thread(pool, lambda: _attach(case, lead, decision))
        until(waiting)
        go_on.set()
        erasing.result(PATIENCE)
        attaching.result(PATIENCE)
    assert not is_kept(decision), "it was under way first"
    assert list(verify_everything()) == []


def test_whoever_puts_something_into_a_case_whose_title_is_erased_waits_and_nobody_deadlocks(
    system: AISystem, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, lead = make_led_case(system, title="About Ada Lovelace")
    decision = record_decision(system)
    request = agreed(kind="subject", subject="c-1907", identifiers=["Ada Lovelace"])
    with paused_before_it_empties(monkeypatch, "erase_texts") as (there, go_on):
        erasing = in_thread(pool, lambda: run_erasures(seconds=SECONDS))
        assert there.wait(PATIENCE)
        attaching = in_thread(pool, lambda: _attach(case, lead, decision))
        until(waiting)
        go_on.set()
        erasing.result(PATIENCE)
        attaching.result(PATIENCE)
    case.refresh_from_db()
    request.refresh_from_db()
    assert (case.title, request.status) == ("", "performed")
    assert case.attachments.count() == 1
    assert list(verify_everything()) == []


def _attach(case: Any, lead: Any, decision: SealedDecision) -> None:
    chosen = Chosen(ids=(decision.id,))
    attach_decisions(actor=actor_of(lead), reach=Reach.of_person(lead), case_id=case.pk, chosen=chosen)


# --- two at once ------------------------------------------------------------------------------------------------------
def test_two_erasures_of_the_same_decisions_at_once_do_each_once_and_never_deadlock(
    system: AISystem, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure_runs, "DECISIONS_AT_ONCE", 3)
    decisions = [record_decision(system, subject="c-1907") for _ in range(30)]
    ids = [each.id for each in decisions]
    first = agreed(kind="subject", subject="c-1907")
    second = agreed(kind="decision", decision_ids=list(reversed(ids[5:25])))
    for each in [in_thread(pool, lambda: run_erasures(seconds=SECONDS)) for _ in range(4)]:
        each.result(PATIENCE)
    run_erasures(seconds=SECONDS)
    for request in (first, second):
        request.refresh_from_db()
        assert request.status == "performed"
    assert not any(map(is_kept, decisions))
    assert second.steps.count() == 20 and first.steps.count() == 30
    assert list(verify_everything()) == []


def test_of_one_request_two_workers_do_each_slice_once(
    system: AISystem, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure_runs, "DECISIONS_AT_ONCE", 2)
    decisions = [record_decision(system, subject="c-1907") for _ in range(20)]
    request = agreed(kind="subject", subject="c-1907")
    erased = [in_thread(pool, lambda: run_erasures(seconds=SECONDS)) for _ in range(3)]
    assert sum(each.result(PATIENCE) for each in erased) == 20
    request.refresh_from_db()
    assert request.status == "performed"
    ids = [each.id for each in decisions]
    assert Entry.objects.filter(kind="erasure.performed", about_id__in=ids).count() == 20
    assert list(verify_everything()) == []


# --- people -----------------------------------------------------------------------------------------------------------
def test_stopped_while_it_goes_it_ends_with_the_slice(
    system: AISystem, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure_runs, "DECISIONS_AT_ONCE", 2)
    decisions = [record_decision(system, subject="c-1907") for _ in range(6)]
    request = agreed(kind="subject", subject="c-1907")
    stops = actor_of(agreeing(system))
    with paused_before_it_empties(monkeypatch) as (there, go_on):
        erasing = in_thread(pool, lambda: run_erasures(seconds=SECONDS))
        assert there.wait(PATIENCE)
        stopping = in_thread(pool, lambda: hold_erasure(actor=stops, request_id=request.pk, reason="A claim came in."))
        until(waiting)
        go_on.set()
        stopping.result(PATIENCE)
        erasing.result(PATIENCE)
    request.refresh_from_db()
    gone = sum(not is_kept(decision) for decision in decisions)
    assert request.status == "held" and gone in {2, 4}
    assert run_erasures(seconds=SECONDS) == 0
    assert officer().is_active
    assert list(verify_everything()) == []


# --- what comes meanwhile ---------------------------------------------------------------------------------------------
def test_a_decision_of_the_same_subject_that_comes_meanwhile_is_kept_and_told_of(
    system: AISystem, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = record_decision(system, subject="c-1907")
    request = agreed(kind="subject", subject="c-1907")
    with paused_before_it_empties(monkeypatch) as (there, go_on):
        erasing = in_thread(pool, lambda: run_erasures(seconds=SECONDS))
        assert there.wait(PATIENCE)
        coming = in_thread(pool, lambda: record_decision(system, subject="c-1907"))
        second = coming.result(PATIENCE)  # it does not wait for the erasure
        go_on.set()
        erasing.result(PATIENCE)
    request.refresh_from_db()
    assert (request.status, is_kept(first), is_kept(second)) == ("performed", False, True)
    document = document_about(request.pk)
    assert document is not None and "\nsince: 1 decision came" in document.note
    told = letter_for(Message.objects.filter(kind="erasure.done").latest("id"))
    assert "They stay until somebody asks for them, too" in as_text(told)
    assert [each.decision_id for each in prepared(kind="subject", subject="c-1907").targets.all()] == [second.id]
    assert list(verify_everything()) == []
