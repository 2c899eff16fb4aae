"""Django behind the event loop: how much may wait for its threads, and what waits for none."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from config import wsgi_in_threads
from config.wsgi_in_threads import InThreads

THREADS, WAITING = 1, 2


@pytest.fixture
def door() -> Iterator[threading.Event]:
    """Closed: no request is answered until the test opens it."""
    found = threading.Event()
    yield found
    found.set()


@pytest.fixture
def threads(door: threading.Event, monkeypatch: pytest.MonkeyPatch) -> InThreads:
    monkeypatch.setattr(wsgi_in_threads, "MOST_WAITING", WAITING)

    def application(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] != "/stop":
            door.wait(30)
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]

    return InThreads(application, threads=THREADS, kept=1, urgent=("/stop",))


def scope_of(path: str) -> dict[str, Any]:
    return {
        "type": "http", "method": "GET", "path": path, "query_string": b"", "http_version": "1.1", "scheme": "http",
        "headers": [],
    }  # fmt: skip


async def ask(threads: InThreads, path: str) -> int:
    """The status of the answer."""
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    await threads(scope_of(path), receive, send)
    return statuses[0]


def test_those_who_wait_for_a_decision_take_room_like_all_others(threads: InThreads, door: threading.Event) -> None:
    async def flood() -> None:
        waiting = [asyncio.create_task(threads.collect(scope_of("/effective"))) for _ in range(20)]
        await asyncio.sleep(0.1)
        refused = [each.result() for each in waiting if each.done()]
        assert refused == [None] * (20 - THREADS - WAITING)
        assert await ask(threads, "/anything") == 503
        door.set()
        answered = [found.body for found in await asyncio.gather(*waiting) if found]
        assert answered == [b"/effective"] * (THREADS + WAITING)
        assert await ask(threads, "/anything") == 200

    asyncio.run(flood())


def test_a_stop_waits_for_no_thread_that_others_hold(threads: InThreads) -> None:
    async def flood() -> None:
        waiting = [asyncio.create_task(threads.collect(scope_of("/effective"))) for _ in range(20)]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(5):
            assert await ask(threads, "/stop") == 200
        for each in waiting:
            each.cancel()

    asyncio.run(flood())
