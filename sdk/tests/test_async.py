"""The client for asyncio: the same, and the loop never waits."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from answerable import (
    AsyncClient,
    Client,
    Effective,
    Held,
)
from answerable._claims import Claiming, Claims
from answerable._ids import Ids, ServerClock
from answerable.testing import FakeServer
from tests.helpers import AWAY, FACTS, KEY, SYSTEM, later


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


@pytest.mark.parametrize("by_guard", [True, False])
@pytest.mark.parametrize("is_closed_at_once", [True, False])
def test_a_task_cancelled_in_its_claim_tells_that_nothing_was_carried_out(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_guard: bool, is_closed_at_once: bool
) -> None:
    server.hold_when(lambda record: True)
    name, ask = Ids(ServerClock()).new(), Claims._ask
    is_asking, is_left = threading.Event(), threading.Event()

    def ask_once_left(*args: Any) -> None:
        is_asking.set()
        assert is_left.wait(60)
        ask(*args)

    monkeypatch.setattr(Claims, "_ask", ask_once_left)

    async def act(client: AsyncClient) -> None:
        if not by_guard:
            await client.wait_for_human(name, 60)
            return
        async with client.guard(**FACTS, id=name, wait=60):
            pytest.fail("the body ran")

    async def main() -> None:
        async with async_client(server, tmp_path) as client:
            if not by_guard:
                await client.decide(**FACTS, id=name)
            acting = asyncio.create_task(act(client))
            await asyncio.to_thread(server.wait_for_held, 1, 60)
            server.answer(name, "approved")
            assert await asyncio.to_thread(is_asking.wait, 60)
            acting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await acting
            is_left.set()
            if is_closed_at_once:
                return
            await asyncio.to_thread(server.wait_for, lambda _: server.effects(name), 60)

    asyncio.run(main())
    assert server.execution(name)  # it was made: nobody else can carry it out
    [effect] = server.effects(name)
    assert (effect["outcome"], effect["failed"]) == (None, True)
    assert effect["detail"] == "cancelled before it was carried out"


def test_what_was_claimed_when_the_task_is_cancelled_is_left_to_it() -> None:
    told: list[Effective] = []
    claiming = Claiming(lambda: Effective("x", "final", "proceed"))
    found = claiming.make(told.append)
    assert (claiming.leave(), told) == (found, [])
