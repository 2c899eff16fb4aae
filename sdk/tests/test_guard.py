"""Asking before acting: the body runs only where it may, on what a human decided, and what was done is told."""

import asyncio
import threading
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from answerable import (
    AsyncClient,
    Client,
    FailPolicy,
    Held,
    Mode,
    ServiceRefused,
    Stopped,
    UseFallback,
    current_decision,
)
from answerable.testing import FakeServer
from tests.helpers import AWAY, FACTS, KEY, SYSTEM, client_for


def becomes(client: Any, mode: str) -> None:
    until = time.monotonic() + 5
    while client.mode() != mode:
        assert time.monotonic() < until, client.health()
        time.sleep(0.002)


def later(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


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


# --- a service that does not answer -------------------------------------------------------------------------------
@pytest.mark.parametrize(("risk", "action"), [("high", "stop"), ("medium", "hold"), ("low", "proceed")])
def test_without_the_service_the_fail_policy_answers_and_the_record_waits(
    tmp_path: Path, risk: Any, action: str
) -> None:
    with client_for(AWAY, tmp_path, risk=risk) as client:
        directive = client.decide(**FACTS, timeout=0.3)
        assert (directive.action, directive.answered_by) == (action, "local")
        assert client.health().waiting == 1


def test_intake_that_fails_leaves_the_fresh_state_in_force(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        assert client.wait_ready(3)
        server.fail(times=50, path="/api/v1/decisions", status=503)
        began = time.monotonic()
        directive = client.decide(**FACTS, timeout=0.5)
        assert time.monotonic() - began < 1.0
        assert (directive.action, directive.mode, directive.answered_by) == ("proceed", Mode.RUN, "local")
        server.faults.clear()
        assert client.flush()
    assert [each["control_epoch"] for each in server.records] == [directive.epoch]


def test_code_may_be_stricter_about_what_nobody_answered(server: FakeServer, tmp_path: Path) -> None:
    policy = FailPolicy(1000, Mode.STOP, Mode.STOP, unanswered=Mode.REVIEW)
    with client_for(server, tmp_path, fail_policy=policy) as client:
        assert client.wait_ready(3)
        server.fail(times=50, path="/api/v1/decisions", hang_up=True)
        assert client.decide(**FACTS, timeout=0.3).action == "hold"


@pytest.mark.parametrize("fault", [{"body": b"{}"}, {"body": b"<html>"}, {"truncate": True}, {"delay": 2.0}])
def test_half_an_answer_is_no_permission(server: FakeServer, tmp_path: Path, fault: dict[str, Any]) -> None:
    policy = FailPolicy(1000, Mode.STOP, Mode.STOP, unanswered=Mode.STOP)
    with client_for(server, tmp_path, fail_policy=policy) as client:
        server.fail(times=50, path="/api/v1/decisions", **fault)
        began = time.monotonic()
        assert client.decide(**FACTS, timeout=0.5).action == "stop"
        assert time.monotonic() - began < 1.0
        server.faults.clear()


def test_a_directive_that_is_unknown_stops(server: FakeServer, tmp_path: Path) -> None:
    body = b'{"id": "x", "directive": {"action": "ponder", "mode": "dream"}}'
    with client_for(server, tmp_path) as client:
        server.fail(path="/api/v1/decisions", status=201, body=body)
        assert client.decide(**FACTS).action == "stop"


def test_a_decision_that_was_not_answered_is_asked_for_again_under_its_id(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        server.fail(path="/api/v1/decisions", truncate=True)
        assert client.decide(**FACTS).action == "proceed"
        assert client.flush()
    assert (len(server.records), server.repeats, server.conflicts) == (1, 1, [])


def test_a_record_that_is_refused_is_not_permitted_by_that(server: FakeServer, tmp_path: Path) -> None:
    server.refuse_when(lambda record: "odd")
    policy = FailPolicy(1000, Mode.STOP, Mode.STOP, unanswered=Mode.REVIEW)
    with client_for(server, tmp_path, fail_policy=policy) as client:
        assert client.wait_ready(3)
        assert client.decide(**FACTS).action == "hold"
        assert client.decide(input=object(), output={}, outcome="x").action == "hold"
        assert len(client.dead_letters()) == 1


def test_an_effect_is_kept_until_its_decision_has_arrived(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path, risk="low") as client:
        assert client.wait_ready(3)
        server.close()
        with client.guard(**FACTS, timeout=0.2) as decision:
            pass
        assert client.health().waiting_effects == 1
        server.start()
        client.flush(15)
        assert client.health().waiting_effects == 0
    assert [each["outcome"] for each in server.effects(decision.id)] == ["approved"]


def test_asking_for_what_is_effective_may_raise(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client, pytest.raises(ServiceRefused):
        client.effective("01a1fd9c-bc38-7026-93b0-108ba8d1b7e3")


# --- asyncio ------------------------------------------------------------------------------------------------------
def async_client(server: FakeServer, folder: Path) -> AsyncClient:
    return AsyncClient(server.url, KEY, system=SYSTEM, model_version="2.1", spool_dir=folder, poll_s=0.1)


def test_asyncio_has_the_same(server: FakeServer, tmp_path: Path) -> None:
    server.hold_when(lambda record: record["outcome"] == "big")

    async def main() -> None:
        async with async_client(server, tmp_path) as client:
            assert await client.wait_ready(3)
            await asyncio.gather(*(client.record(**FACTS) for _ in range(100)))
            async with client.guard(**FACTS) as decision:
                assert decision.outcome == "approved"
            human = later(lambda: server.answer(server.wait_for_held()[0], "small"))
            async with client.guard(**{**FACTS, "outcome": "big"}, wait=10) as decision:
                assert decision.outcome == "small"
            human.join()
            with pytest.raises(Held):
                async with client.guard(**{**FACTS, "outcome": "big"}):
                    pytest.fail("the body ran")

            async def by_hand(n: int) -> str:
                return f"by hand {n}"

            @client.guard(describe=lambda n: FACTS, fallback=by_hand)
            async def act(n: int) -> str:
                return f"acted {n}"

            assert await act(1) == "acted 1"
            server.set_mode(SYSTEM, "fallback")
            assert await act(2) == "by hand 2"
            assert await client.flush()

    asyncio.run(main())
    assert len(server.records) == 105
    assert not server.conflicts


def test_a_service_that_sleeps_does_not_stop_the_loop(server: FakeServer, tmp_path: Path) -> None:
    async def main() -> float:
        async with async_client(server, tmp_path) as client:
            assert await client.wait_ready(3)
            server.fail(path="/api/v1/decisions", delay=0.5)
            asked = asyncio.ensure_future(client.decide(**FACTS))
            worst, last = 0.0, time.monotonic()
            while not asked.done():
                await asyncio.sleep(0.005)
                worst, last = max(worst, time.monotonic() - last), time.monotonic()
            return worst

    assert asyncio.run(main()) < 0.25


def test_both_clients_offer_the_same() -> None:
    names = {name for name in dir(Client) if not name.startswith("_")}
    assert names | {"aclose"} == {name for name in dir(AsyncClient) if not name.startswith("_")}


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
    with pytest.raises(TypeError):
        other.guard(**FACTS)(lambda: None)
    other.close()


def test_an_asyncio_client_used_after_its_end_is_opened_again(server: FakeServer, tmp_path: Path) -> None:
    async def run() -> None:
        client = AsyncClient(server.url, server.key, system=SYSTEM, model_version="1", spool_dir=tmp_path)
        await client.record(**FACTS)
        await client.aclose()
        await client.record(**FACTS)
        assert await client.flush()
        await client.aclose()

    asyncio.run(run())
    assert len(server.records) == 2


def test_a_cancelled_task_and_slow_answers_lose_and_delay_no_record(server: FakeServer, tmp_path: Path) -> None:
    async def run() -> float:
        async with AsyncClient(
            AWAY, KEY, system=SYSTEM, model_version="1", spool_dir=tmp_path, decide_timeout=1, close_timeout=0.1
        ) as client:
            asking = [asyncio.create_task(client.decide(**FACTS)) for _ in range(12)]
            await asyncio.sleep(0.2)
            began = time.monotonic()
            await client.record(**FACTS)
            took = time.monotonic() - began
            before = client.health().recorded
            writing = [asyncio.create_task(client.record(**FACTS)) for _ in range(50)]
            await asyncio.sleep(0)
            for each in writing:
                each.cancel()
            until = time.monotonic() + 5
            while client.health().recorded < before + 50 and time.monotonic() < until:
                await asyncio.sleep(0.01)
            assert client.health().recorded == before + 50
            await asyncio.gather(*asking)
            return took

    assert asyncio.run(run()) < 0.5
