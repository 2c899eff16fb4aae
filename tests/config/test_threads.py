"""A fixed number of threads behind the event loop: a flood is told to come again, and no stop waits for it."""

import asyncio
import threading
from collections.abc import Iterable
from typing import Any

import pytest
from django.urls import reverse

from config import wsgi_in_threads
from config.asgi_http import Message
from config.errors import Unavailable
from config.wsgi_in_threads import InThreads
from overrides.clients.lane import is_urgent

URGENT = "/stop"


def scope(path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "headers": [],
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
    }


async def status(app: InThreads, path: str) -> int:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope(path), receive, send)
    return int(sent[0]["status"])


class Slow:
    """Answers an urgent path at once, and every other one when it is let go."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != URGENT:
            assert self.go_on.wait(20)
        start_response("200 OK", [])
        return [b"{}"]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    monkeypatch.setattr(wsgi_in_threads, "MOST_WAITING", 3)
    return Slow()


async def flood(app: InThreads, slow: Slow, seen: dict[str, Any]) -> None:
    collecting = [asyncio.create_task(app.collect(scope("/wait"))) for _ in range(12)]
    await asyncio.sleep(0.1)
    seen["usual"], seen["urgent"] = await status(app, "/usual"), await asyncio.wait_for(status(app, URGENT), 5)
    slow.go_on.set()
    found = await asyncio.gather(*collecting, return_exceptions=True)
    seen["collected"] = sum(not isinstance(each, BaseException) for each in found)
    seen["refused"] = sum(isinstance(each, Unavailable) for each in found)
    seen["afterwards"] = await status(app, "/usual")


def test_no_flood_switches_the_bound_off_and_a_stop_waits_for_none_of_it(slow: Slow) -> None:
    app, seen = InThreads(slow, threads=4, kept=1, is_urgent=URGENT.__eq__), dict[str, Any]()
    asyncio.run(flood(app, slow, seen))
    # three threads and three who wait for one; the fourth thread is for stops
    assert seen == {"usual": 503, "urgent": 200, "collected": 6, "refused": 6, "afterwards": 200}


def test_what_stops_and_starts_again_is_urgent() -> None:
    for name in ("control-tighten", "control-loosen", "control-emergency-clear", "admin:switchboard_tighten"):
        assert is_urgent(reverse(name)), name
    assert not is_urgent(reverse("control-acks")), "acknowledgements come in floods themselves"
