"""The control process as it runs: streams of many clients over granian, revocation, restarts, a slow reader."""

import asyncio
import socket
import statistics
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import httpx
import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from psycopg import sql

from config.standalone import layout
from governance import memory
from governance.models import AISystem
from governance.services.keys import revoke_service_key
from ledger.entries import COMMAND
from overrides.clock import advance_epoch
from overrides.models import ClientInstance
from tests.environment import INSTALLATION
from tests.factories.register import make_key, make_system
from tests.overrides.listening import connect, streaming
from tests.overrides.serving import Servers, serving

pytestmark = [pytest.mark.committing, pytest.mark.slow]
CLIENTS = 200
EVENTS = "/api/v1/control/events"
READS = [
    ("GET", "/api/v1/control/state"),
    ("HEAD", "/api/v1/control/state"),
    ("POST", "/api/v1/control/state"),
    ("POST", "/ofrep/v1/evaluate/flags"),
    ("POST", "/ofrep/v1/evaluate/flags/"),
    ("POST", "/ofrep/v1/evaluate/flags/credit.mode"),
    ("POST", "/ofrep/v1/evaluate/flags/credit.nothing/"),
    ("POST", "/ofrep/v1/evaluate/flags/credit.mode/more"),
    ("OPTIONS", "/ofrep/v1/evaluate/flags"),
    ("GET", "/ofrep/v1/evaluate/flags"),
]
OWN = {"x-request-id", "date", "content-length"}


@pytest.fixture
def key() -> Any:
    return make_key(make_system(slug="credit"), scopes=("control:read",))


@pytest.fixture
def servers(key: Any, database_url: str) -> Iterator[Servers]:
    with serving(database_url) as started:
        yield started


@sync_to_async
def change() -> float:
    """Any change of any control, as far as memories see; returns when it was committed."""
    with closing(connection):
        with transaction.atomic():
            advance_epoch()
        return time.monotonic()


@sync_to_async
def change_unheard() -> None:
    """The same with its notification lost."""
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE overrides_controlclock SET number = number + 1")


@sync_to_async
def revoke(key_id: uuid.UUID) -> None:
    with closing(connection):
        revoke_service_key(actor=COMMAND, key_id=key_id)


def test_both_doors_answer_alike(servers: Servers, key: Any) -> None:
    for authorization in (f"Bearer {key.text}", "Bearer ans_wrong"):
        for method, path in READS:
            sent = {"Authorization": authorization}
            web, control = (httpx.request(method, base + path, headers=sent) for base in (servers.web, servers.control))
            assert (web.status_code, _names(web)) == (control.status_code, _names(control)), path
            assert _said(web) == _said(control), path
            assert web.headers.get("ETag") == control.headers.get("ETag")


def test_a_key_is_let_in_as_soon_as_it_is_made(servers: Servers, key: Any) -> None:
    for base in (servers.web, servers.control):
        warm = httpx.get(base + READS[0][1], headers={"Authorization": f"Bearer {key.text}"})
        new = make_key(AISystem.objects.get(slug="credit"), scopes=("control:read",))
        time.sleep(memory.LOOK_AGAIN_AFTER_SECONDS)  # so often, and no oftener, is looked for a key that is not known
        found = httpx.get(base + READS[0][1], headers={"Authorization": f"Bearer {new.text}"})
        assert (warm.status_code, found.status_code) == (200, 200)


def _names(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in OWN}


def _said(answer: httpx.Response) -> dict[str, Any]:
    found = answer.json() if answer.content else {}
    return {name: value for name, value in found.items() if name not in ("generated_at", "instance")}


def test_the_control_port_serves_the_rest_too_but_takes_no_decisions(servers: Servers, key: Any) -> None:
    assert httpx.get(f"{servers.control}/healthz").json() == {"status": "alive"}
    assert httpx.get(f"{servers.control}/readyz", timeout=20).json()["checks"]["database"]["status"] == "ok"
    login = httpx.get(f"{servers.control}/admin/login/")
    assert (login.status_code, "csrfmiddlewaretoken" in login.text) == (200, True)
    headers = {"Authorization": f"Bearer {key.text}"}
    refused = httpx.get(f"{servers.control}/api/v1/systems", headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/key-out-of-scope")
    for path in ("/api/v1/decisions", "/api/v1/decisions/batch"):
        assert httpx.post(servers.control + path, json={}).json()["type"] == "/problems/decisions-elsewhere"


def test_a_stranger_a_wrong_host_and_another_method_get_no_stream(servers: Servers, key: Any) -> None:
    url = servers.control + EVENTS
    assert httpx.get(url).status_code == 401
    sent = {"Authorization": f"Bearer {key.text}"}
    assert httpx.get(url, headers=sent | {"Host": "evil.example"}).status_code == 400
    assert httpx.post(url, headers=sent).headers["Allow"] == "GET"
    assert httpx.get(f"{servers.control}/ofrep/v1/events?token=abc").status_code == 401
    assert httpx.get(f"{url}?token=abc").status_code == 401


def test_200_clients_hear_of_a_change_and_all_are_told_of_the_end(servers: Servers, key: Any) -> None:
    async def walk() -> list[list[float]]:
        async with streaming(servers.control + EVENTS, key.text, CLIENTS) as clients:
            await clients.next()
            await change()  # the first one begins the clock
            await clients.next()
            rounds = []
            for _ in range(5):
                committed = await change()
                rounds.append([each.at - committed for each in await clients.next()])
            started = time.monotonic()
            servers.control_process.terminate()
            ends = await clients.next()
            await clients.ended()
        await asyncio.to_thread(servers.control_process.wait, 10)
        assert {(each.name, each.data["reason"]) for each in ends} == {("end", "lifetime")}
        assert time.monotonic() - started < 10
        return rounds

    times = sorted(each for found in asyncio.run(walk()) for each in found)
    print(
        f"\n{CLIENTS} streams, {len(times)} deliveries: median {statistics.median(times) * 1000:.0f} ms,"
        f" p99 {times[int(len(times) * 0.99)] * 1000:.0f} ms, max {times[-1] * 1000:.0f} ms"
    )
    assert times[int(len(times) * 0.99)] < 2
    assert statistics.median(times) < 0.5


def test_a_stream_says_the_state_once_and_not_again_to_whoever_has_it(servers: Servers, key: Any) -> None:
    async def walk() -> None:
        async with streaming(servers.control + EVENTS, key.text) as first:
            [event] = await first.next()
            head = first.streams[0].headers
            assert (head["content-type"], head["x-accel-buffering"]) == ("text/event-stream; charset=utf-8", "no")
            state = httpx.get(f"{servers.web}/api/v1/control/state", headers={"Authorization": f"Bearer {key.text}"})
            assert (event.name, f'"{event.id}"') == ("state", state.headers["ETag"])
            assert event.data | {"generated_at": ""} == state.json() | {"generated_at": ""}
            async with streaming(servers.control + EVENTS, key.text, Last_Event_ID=event.id) as again:
                await asyncio.sleep(1)
                assert again.streams[0].events.empty()
                await change()
                [told], [also] = await first.next(), await again.next()
                assert told.id == also.id != event.id
                await asyncio.sleep(10.5)
                assert (first.streams[0].heartbeats, first.streams[0].events.qsize()) == (1, 0)

    asyncio.run(walk())


def test_a_lost_notification_costs_two_seconds(servers: Servers, key: Any) -> None:
    async def walk() -> None:
        await change()
        async with streaming(servers.control + EVENTS, key.text) as clients:
            await clients.next()
            await change_unheard()
            await clients.next(2)

    asyncio.run(walk())


def test_a_revoked_key_ends_its_streams_within_five_seconds(servers: Servers, key: Any) -> None:
    async def walk() -> None:
        bulk = httpx.post(
            f"{servers.control}/ofrep/v1/evaluate/flags", headers={"Authorization": f"Bearer {key.text}"}
        ).json()
        address = bulk["eventStreams"][0]["url"]
        async with streaming(servers.control + EVENTS, key.text, 3) as clients, streaming(address, "") as flags:
            await clients.next()
            [refetch] = await flags.next()
            assert (refetch.name, refetch.data) == ("message", {"type": "refetchEvaluation"})
            await revoke(key.row.pk)
            ends = [*await clients.end(5), *await flags.end(5)]
            assert {each.data["reason"] for each in ends} == {"key_revoked"}
            await clients.ended()
        again = await connect(address)
        assert again.status == 401
        again.writer.close()
        await again.writer.wait_closed()

    asyncio.run(walk())


def test_a_client_that_does_not_read_holds_up_nobody(servers: Servers, key: Any) -> None:
    host = servers.control.removeprefix("http://").split(":")
    request = f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key.text}\r\n\r\n".encode()
    deaf = [socket.socket() for _ in range(20)]

    async def walk() -> list[float]:
        async with streaming(servers.control + EVENTS, key.text, 10) as clients:
            await clients.next()
            delays = []
            for _ in range(100):
                committed = await change()
                delays.append(max(each.at for each in await clients.next()) - committed)
            return delays

    with ExitStack() as stack:
        for each in deaf:
            stack.enter_context(each).setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            each.connect(("127.0.0.1", int(host[1])))
            each.sendall(request)
        delays = asyncio.run(walk())
    assert sorted(delays)[95] < 1


@sync_to_async
def allow_connections(allowed: bool, name: str) -> None:
    """Take the database away from everybody, or give it back."""
    url = layout.database_url(INSTALLATION, role="answerable_root", name="postgres")
    with psycopg.connect(url, autocommit=True) as root:
        root.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(sql.Identifier(name), allowed))
        if not allowed:
            root.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


def test_while_the_database_is_away_200_streams_stay_and_say_that_they_are_stale(servers: Servers, key: Any) -> None:
    name = connection.settings_dict["NAME"]
    connection.close()

    async def walk() -> None:
        async with streaming(servers.control + EVENTS, key.text, CLIENTS) as clients:
            await clients.next()
            await allow_connections(False, name)
            try:
                assert {each.data["is_stale"] for each in await clients.next()} == {True}
                before = [each.heartbeats for each in clients.streams]
                await asyncio.sleep(11)
                assert all(each.heartbeats > had for each, had in zip(clients.streams, before, strict=True))
                assert not any(each.done() for each in clients.tasks)
            finally:
                await allow_connections(True, name)
            assert {each.data["is_stale"] for each in await clients.next()} == {False}
            await change()
            await clients.next()

    asyncio.run(walk())


def test_who_reads_in_bulk_is_seen(servers: Servers, key: Any) -> None:
    headers = {"Authorization": f"Bearer {key.text}"}
    path, until = f"{servers.control}/ofrep/v1/evaluate/flags", time.monotonic() + 15
    answer = httpx.post(path, headers=headers)
    while answer.status_code != 304 and time.monotonic() < until:  # what is new goes on coming in at the beginning
        answer = httpx.post(path, headers=headers | {"If-None-Match": answer.headers["ETag"]})
    assert answer.status_code == 304
    while not ClientInstance.objects.exists() and time.monotonic() < until:
        time.sleep(0.2)
    assert ClientInstance.objects.get().learned_by == "ofrep-etag"


def test_without_its_database_it_says_503_and_still_stops_at_once(key: Any) -> None:
    with serving("postgresql://app@127.0.0.1:1/nowhere") as servers:
        for path in ("/api/v1/control/state", EVENTS):
            answer = httpx.get(servers.control + path, headers={"Authorization": f"Bearer {key.text}"}, timeout=20)
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
            assert_says_when(answer)
        for base in (servers.web, servers.control):
            for path in ("/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags/credit.mode"):
                flags = httpx.post(base + path, timeout=20)
                assert (flags.status_code, flags.json()["errorCode"]) == (503, "GENERAL")
                assert_says_when(flags)
        started = time.monotonic()
        servers.control_process.terminate()
        servers.control_process.wait(20)
        assert time.monotonic() - started < 10


def assert_says_when(answer: httpx.Response) -> None:
    """In whole seconds, few of them: of a date the JavaScript providers read the year, and pause for so many."""
    assert answer.headers["Retry-After"].isdecimal(), answer.headers
    assert 1 <= int(answer.headers["Retry-After"]) <= 5
