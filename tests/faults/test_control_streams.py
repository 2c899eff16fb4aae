"""200 open streams while PostgreSQL restarts or dies: they stay, say that they are stale, and hear of the next stop."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Thread
from typing import Any

import pytest
from django.db import connections

from config.standalone.processes import end_all, wait_until, working_in
from governance.models import AISystem
from tests.factories.control import stop
from tests.factories.register import make_account, make_key, make_person, make_system
from tests.faults.installation import Installation, Web
from tests.overrides.listening import Event, Streaming, streaming

pytestmark = pytest.mark.e2e

CLIENTS = 200
HEARD_WITHIN = 2.0
EVENTS = "/api/v1/control/events"


@pytest.fixture(scope="module")
def control(installation: Installation) -> Iterator[Web]:
    with installation.control() as server:
        yield server


@contextmanager
def killed(installation: Installation) -> Iterator[None]:
    """PostgreSQL ends as by a loss of power, and is started again afterwards."""
    processes = [installation.postmaster, *installation.postmaster.children(recursive=True)]
    for process in processes:
        process.kill()
    end_all(working_in(installation.data_dir / "pg" / "data"), patience=10)
    assert installation.cluster.process is not None
    installation.cluster.process.wait(10)
    try:
        yield
    finally:
        installation.cluster.start()


def trouble(installation: Installation, how: str) -> AbstractContextManager[None]:
    return {"restarted": installation.away, "killed": lambda: killed(installation), "hanging": installation.frozen}[
        how
    ]()


def stop_now(system: AISystem) -> float:
    connections.close_all()
    stop(system)
    return time.monotonic()


Run = Callable[[Coroutine[Any, Any, Any]], Any]


@contextmanager
def apart() -> Iterator[Run]:
    """Runs coroutines in a thread: a browser of an earlier test keeps a loop running in this one.

    What starts the database stays in the main thread: the kernel ends a child with the thread that started it.
    """
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield lambda wanted: asyncio.run_coroutine_threadsafe(wanted, loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.mark.parametrize("how", ["restarted", "killed", "hanging"])
def test_streams_outlive_the_database_and_hear_of_the_stop_after(
    installation: Installation, control: Web, how: str
) -> None:
    connections.close_all()
    system = make_system(accountable=make_person())
    key = make_key(system, scopes=("control:read",), account=make_account()).text
    assert wait_until(lambda: _opens(control, key), patience=20, pause=0.2)

    with apart() as run:
        opened = streaming(control.url + EVENTS, key, CLIENTS)
        clients = run(opened.__aenter__())
        try:
            with trouble(installation, how):
                run(_until(clients, lambda event: event.data["is_stale"]))
            run(_until(clients, lambda event: not event.data["is_stale"]))
            committed = stop_now(system)
            told = run(_until(clients, lambda event: _mode(event, system) == "stop"))
            assert not any(task.done() for task in clients.tasks)
        finally:
            run(opened.__aexit__(None, None, None))

    times = sorted(each.at - committed for each in told)
    print(f"\n{how}: {CLIENTS} heard of the stop after {times[0] * 1000:.0f} to {times[-1] * 1000:.0f} ms")
    assert times[-1] < HEARD_WITHIN


def _mode(event: Event, system: AISystem) -> str:
    found = event.data["systems"].get(system.slug, {"mode": ""})
    return str(found["mode"])


async def _until(clients: Streaming, wanted: Callable[[Event], bool], seconds: float = 30.0) -> list[Event]:
    """The first event of each stream that is as wanted."""

    async def of(number: int) -> Event:
        while True:
            event = await clients.streams[number].next(seconds)
            assert event.name == "state", event
            if wanted(event):
                return event

    return list(await asyncio.gather(*(of(number) for number in range(len(clients.streams)))))


def _opens(control: Web, key: str) -> bool:
    return _first_lines(control, key).startswith(b"HTTP/1.1 200")


def _first_lines(control: Web, key: str) -> bytes:
    with socket.create_connection(("127.0.0.1", control.port), timeout=10) as line:
        line.sendall(f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        said = b""
        while b"HTTP/1.1 4" not in said and b"HTTP/1.1 5" not in said and b"event: state" not in said:
            said += line.recv(65536)
        return said


def test_those_who_lose_their_streams_together_do_not_come_again_together(
    installation: Installation, control: Web
) -> None:
    connections.close_all()
    key = make_key(make_system(accountable=make_person()), scopes=("control:read",), account=make_account()).text
    assert wait_until(lambda: _opens(control, key), patience=20, pause=0.2)
    said = [_first_lines(control, key) for _ in range(20)]
    waits = {int(each.split(b"retry: ")[1].split(b"\n")[0]) for each in said}
    assert len(waits) > 10
    assert min(waits) >= 1000 and max(waits) <= 3000
