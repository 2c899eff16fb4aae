"""Asking before acting: the body runs only where it may, on what a human decided, and what was done is told."""

import threading
import time
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from answerable import (
    AlreadyExecuted,
    AsyncClient,
    Client,
    Effective,
    Held,
    Stopped,
    UseFallback,
    _claims,
    current_decision,
)
from answerable.testing import FakeServer
from tests.helpers import FACTS, SYSTEM, becomes, client_for, later


def test_proceed_runs_the_body_and_confirms_the_effect(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        with client.guard(**FACTS) as decision:
            assert (decision.outcome, decision.output) == ("approved", {"limit": 5000})
            assert decision.directive.answered_by == "server"
        assert client.flush()
    [record] = server.records
    assert (record["id"], record["phase"]) == (decision.id, "proposed")
    assert [each["outcome"] for each in server.effects(decision.id)] == ["approved"]


@pytest.mark.parametrize(("mode", "error"), [("review", Held), ("fallback", UseFallback), ("stop", Stopped)])
def test_any_other_mode_keeps_the_body_from_running(
    server: FakeServer, tmp_path: Path, mode: str, error: type[Exception]
) -> None:
    server.set_mode(SYSTEM, mode)
    with client_for(server, tmp_path) as client:
        with pytest.raises(error), client.guard(**FACTS):
            pytest.fail("the body ran")
        assert client.flush()
    assert len(server.records) == 1


def test_a_body_that_fails_tells_so_and_its_error_comes_through(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        with pytest.raises(ZeroDivisionError), client.guard(**FACTS) as decision:
            _ = 1 / 0
        assert client.flush()
    [effect] = server.effects(decision.id)
    assert (effect["outcome"], effect["failed"], effect["detail"]) == (None, True, "ZeroDivisionError")


def test_waiting_for_a_human_ends_in_time_where_the_service_hangs(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        assert client.wait_ready(3)
        server.fail(times=5, delay=6.0, path="/api/v1/decisions/")
        began = time.monotonic()
        assert client.wait_for_human("01a1fd9c-bc38-7026-93b0-108ba8d1b7e3", 1.5).is_pending
        assert 1.0 < time.monotonic() - began < 3.0


def test_what_a_fallback_came_to_is_told_as_that(server: FakeServer, tmp_path: Path) -> None:
    def by_hand() -> str:
        decision = current_decision()
        assert decision is not None
        decision.effect("by-hand")
        return decision.id

    def body() -> str:
        raise AssertionError("the body ran")

    server.set_mode(SYSTEM, "fallback")
    with client_for(server, tmp_path) as client:
        name = client.guard(fallback=by_hand, **FACTS)(body)()
        assert client.flush()
        assert current_decision() is None
    [effect] = server.effects(name)
    assert (effect["outcome"], effect["via"]) == ("by-hand", "fallback")


def test_the_body_may_say_what_was_really_done(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        with client.guard(**FACTS) as decision:
            decision.effect("partly", "limit lowered by the core bank system")
        assert client.flush()
    assert [each["outcome"] for each in server.effects(decision.id)] == ["partly"]


def test_a_held_decision_waits_and_acts_on_what_the_human_decided(server: FakeServer, tmp_path: Path) -> None:
    server.hold_when(lambda record: True)
    with client_for(server, tmp_path) as client:
        human = later(lambda: server.answer(server.wait_for_held()[0], "reduced", output={"limit": 100}))
        with client.guard(**FACTS, wait=10) as decision:
            assert (decision.outcome, decision.output) == ("reduced", {"limit": 100})
        human.join()
        assert client.flush()
    assert [each["outcome"] for each in server.effects(decision.id)] == ["reduced"]


def test_a_human_may_refuse_and_may_take_too_long(server: FakeServer, tmp_path: Path) -> None:
    server.hold_when(lambda record: True)
    with client_for(server, tmp_path) as client:
        human = later(lambda: server.answer(server.wait_for_held()[0], "refused", action="stop", reason="wrong"))
        with pytest.raises(Stopped, match="wrong"), client.guard(**FACTS, wait=10):
            pytest.fail("the body ran")
        human.join()
        with pytest.raises(Held), client.guard(**FACTS, wait=0.2):
            pytest.fail("the body ran")


def approved(server: FakeServer, client: Client) -> str:
    """A held decision to which a human has said yes."""
    held = client.decide(**FACTS)
    server.answer(held.decision_id, "approved")
    return held.decision_id


def test_of_two_workers_one_carries_out_what_was_approved(server: FakeServer, tmp_path: Path) -> None:
    server.hold_when(lambda record: True)
    with client_for(server, tmp_path / "a") as one, client_for(server, tmp_path / "b") as other:
        name = approved(server, one)
        found: list[Effective] = []

        def wait(client: Client) -> None:
            found.append(client.wait_for_human(name, 5))

        threads = [later(partial(wait, each)) for each in (one, other, one)]
        for thread in threads:
            thread.join()
    assert sorted(each.action for each in found) == ["proceed", "stop", "stop"]
    assert {each.reason_code for each in found if each.action == "stop"} == {"already-executed"}


def test_a_guard_does_not_do_again_what_another_worker_does(server: FakeServer, tmp_path: Path) -> None:
    server.hold_when(lambda record: True)
    with client_for(server, tmp_path / "a") as one, client_for(server, tmp_path / "b") as other:
        name = approved(server, one)
        assert one.wait_for_human(name, 5).may_proceed
        with pytest.raises(AlreadyExecuted), other.guard(**FACTS, id=name, wait=5):
            pytest.fail("the body ran")
        assert other.flush()
    assert server.effects(name) == []  # what the other one did is for that one to tell


@pytest.mark.parametrize("fault", [{"hang_up": True}, {"truncate": True}, {"status": 503}])
def test_a_claim_whose_answer_was_lost_is_asked_again(
    server: FakeServer, tmp_path: Path, fault: dict[str, Any]
) -> None:
    server.hold_when(lambda record: True)
    with client_for(server, tmp_path) as client:
        name = approved(server, client)
        server.fail(times=2, path=f"/api/v1/decisions/{name}/execution", **fault)
        assert client.wait_for_human(name, 5).may_proceed
        assert not client.wait_for_human(name, 5).may_proceed  # once


def test_where_no_claim_is_answered_nothing_is_done_and_the_same_claim_is_asked_later(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_claims, "WITHIN", 0.6)
    server.hold_when(lambda record: True)
    with client_for(server, tmp_path) as client:
        name = approved(server, client)
        server.fail(times=50, path=f"/api/v1/decisions/{name}/execution", truncate=True)  # it was made, nobody heard
        unknown = client.wait_for_human(name, 5)
        assert (unknown.status, unknown.action, unknown.reason_code) == ("pending", "hold", "not-claimed")
        server.faults.clear()
        assert client.wait_for_human(name, 5).may_proceed


def test_after_a_new_word_what_died_over_the_first_may_be_done(server: FakeServer, tmp_path: Path) -> None:
    server.hold_when(lambda record: True)
    with client_for(server, tmp_path) as client:
        name = approved(server, client)
        assert client.wait_for_human(name, 5).may_proceed
        server.answer(name, "reduced")
        again = client.wait_for_human(name, 5)
        assert (again.may_proceed, again.effective_outcome) == (True, "reduced")


def test_what_changes_before_the_claim_is_what_counts(server: FakeServer, tmp_path: Path) -> None:
    server.hold_when(lambda record: True)
    with client_for(server, tmp_path) as client:
        name = approved(server, client)
        claims, seen = client._engine_now().claims, client.effective(name)
        server.answer(name, "reduced")
        assert claims.take(seen).effective_outcome == "reduced"
        server.answer(name, "approved")
        seen = client.effective(name)
        server.set_mode(SYSTEM, "stop")
        assert claims.take(seen).status == "frozen"


def test_one_guard_is_entered_by_many_threads_and_within_itself(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        guard, both_in = client.guard(**FACTS), threading.Barrier(2, timeout=5)

        def work(outcome: str) -> None:
            with guard as decision:
                both_in.wait()
                decision.outcome = outcome
                both_in.wait()

        threads = [later(partial(work, outcome)) for outcome in ("first", "second")]
        for thread in threads:
            thread.join()
        with guard as outer:
            with guard as inner:
                inner.outcome = "inner"
            outer.outcome = "outer"
        assert client.flush()
    said = {each["id"]: [effect["outcome"] for effect in server.effects(each["id"])] for each in server.records}
    assert sorted(said.values()) == [["first"], ["inner"], ["outer"], ["second"]]
    assert (said[outer.id], said[inner.id]) == (["outer"], ["inner"])


def test_a_stop_while_the_human_decides_freezes_what_was_approved(server: FakeServer, tmp_path: Path) -> None:
    server.hold_when(lambda record: True)
    with client_for(server, tmp_path) as client:

        def stop_then_approve() -> None:
            [held] = server.wait_for_held()
            server.set_mode(SYSTEM, "stop")
            server.answer(held, "approved")

        human = later(stop_then_approve)
        with pytest.raises(Stopped), client.guard(**FACTS, wait=10):
            pytest.fail("the body ran")
        human.join()


def test_a_stop_that_only_this_process_knows_counts_after_an_approval(server: FakeServer, tmp_path: Path) -> None:
    glass = tmp_path / "glass"
    server.hold_when(lambda record: True)
    with client_for(server, tmp_path, break_glass=glass) as client:
        assert client.wait_ready(3)  # before, it is the fail policy that says stop

        def stop_then_approve() -> None:
            [held] = server.wait_for_held()
            glass.write_text("* stop")
            becomes(client, "stop")
            server.answer(held, "approved")

        human = later(stop_then_approve)
        with pytest.raises(Stopped), client.guard(**FACTS, wait=10):
            pytest.fail("the body ran")
        human.join()


def test_the_decorator_describes_obeys_and_falls_back(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:

        def describe(income: int) -> dict[str, Any]:
            return {"input": {"income": income}, "output": {"limit": income // 10}, "outcome": "approved"}

        @client.guard(describe=describe, fallback=lambda income: "by hand")
        def grant(income: int) -> str:
            decision = current_decision()
            assert decision is not None
            return f"limit {decision.output['limit']}"

        assert grant(41000) == "limit 4100"
        assert current_decision() is None
        server.set_mode(SYSTEM, "fallback")
        assert grant(41000) == "by hand"
        assert client.flush()
    assert [each["input"] for each in server.records] == [{"income": 41000}] * 2


def test_a_fallback_error_of_the_body_itself_is_no_fallback(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:

        @client.guard(**FACTS, fallback=lambda: "fallback")
        def body() -> str:
            raise UseFallback("from a guard within")

        with pytest.raises(UseFallback, match="within"):
            body()


def test_work_in_flight_is_counted_and_drained(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        with client.guard(**FACTS) as decision:
            server.set_mode(SYSTEM, "stop", in_flight="cancel")
            server.wait_for(lambda s: s.acks and s.acks[-1]["applied_mode"] == "stop")
            assert (server.acks[-1]["in_flight"], server.acks[-1]["drained_at"]) == (1, None)
            with pytest.raises(Stopped):
                decision.check()
        server.wait_for(lambda s: s.acks[-1]["in_flight"] == 0 and s.acks[-1]["drained_at"], 5)


def test_work_that_may_drain_goes_on(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client, client.guard(**FACTS) as decision:
        server.set_mode(SYSTEM, "stop", in_flight="drain")
        becomes(client, "stop")
        decision.check()


class Outcome(Enum):
    APPROVED = "approved"


def test_an_outcome_of_an_enumeration_is_confirmed_by_its_value(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        with client.guard(input=1, output=2, outcome=Outcome.APPROVED) as decision:  # type: ignore[arg-type]
            assert current_decision() is decision
        assert current_decision() is None
        assert client.flush()
    assert [each["outcome"] for each in server.effects(decision.id)] == ["approved"]


def test_what_a_stop_breaks_off_is_told_as_nothing_done(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        assert client.wait_ready(5)
        with pytest.raises(Stopped), client.guard(**FACTS) as decision:
            server.set_mode(SYSTEM, "stop", in_flight="cancel")
            becomes(client, "stop")
            decision.check()
        assert client.flush()
    assert [each["outcome"] for each in server.effects(decision.id)] == [None]


def test_a_humans_refusal_is_obeyed_and_that_is_told(server: FakeServer, tmp_path: Path) -> None:
    server.hold_when(lambda record: True)
    with client_for(server, tmp_path) as client:

        def refuse() -> None:
            [held] = server.wait_for_held()
            server.answer(held, "refused", action="stop")

        thread = later(refuse)
        with pytest.raises(Stopped), client.guard(**FACTS, wait=10):
            pytest.fail("the body ran")
        thread.join()
        assert client.flush()
    [record] = server.records
    assert [each["outcome"] for each in server.effects(record["id"])] == [None]


def test_what_would_run_later_is_not_guarded_by_the_wrong_client(server: FakeServer, tmp_path: Path) -> None:
    async def later_on() -> None: ...

    with client_for(server, tmp_path) as client, pytest.raises(TypeError):
        client.guard(**FACTS)(later_on)
    other = AsyncClient(server.url, server.key, system=SYSTEM, model_version="1", spool_dir=tmp_path)
    plain: Any = print  # as a caller without types would give it
    with pytest.raises(TypeError):
        other.guard(**FACTS)(plain)
    other.close()
