"""Whoever misuses the control port: the others still get their state, and a stop still goes through."""

import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import psutil
import pytest
from django.utils import timezone

from config.standalone.processes import wait_until
from governance.models import AISystem
from governance.services.tokens import create_token
from tests.factories.control import operator_of
from tests.factories.register import actor_of, make_account, make_key, make_person, make_system
from tests.faults.installation import Installation, Web

pytestmark = pytest.mark.e2e

STATE, ACKS, EVENTS = "/api/v1/control/state", "/api/v1/control/acks", "/api/v1/control/events"
FLAGS, TIGHTEN = "/ofrep/v1/evaluate/flags", "/api/v1/control/tighten"
HALF_OPEN, HUGE_ONES, FLOODERS = 300, 60, 24
HUGE, PIECES = 16 << 20, 64
WRONG = f"Bearer ans_{'a' * 12}_{'0' * 64}"
ROOM = 300 << 20
"""Bytes by which the process may grow under all of this."""


@pytest.fixture(scope="module")
def control(installation: Installation) -> Iterator[Web]:
    with installation.control() as server:
        yield server


@pytest.fixture
def system() -> AISystem:
    return make_system(accountable=make_person())


@pytest.fixture
def client(control: Web, system: AISystem) -> Iterator[httpx.Client]:
    """One who behaves."""
    key = make_key(system, scopes=("control:read",), account=make_account()).text
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=control.url, headers=headers, timeout=30, trust_env=False) as found:
        assert wait_until(lambda: found.get(STATE).status_code == 200, patience=20, pause=0.1)
        yield found


def assert_served(control: Web, client: httpx.Client, system: AISystem, *, seconds: float = 4.0) -> None:
    """State on old and new connections, and then a stop by a person: without waiting for the flood to end.

    How fast, the bench says.
    """
    slowest, until = 0.0, time.monotonic() + seconds
    while time.monotonic() < until:
        for ask in (client.get, httpx.get):
            began = time.monotonic()
            answer = ask(control.url + STATE, headers=dict(client.headers), timeout=10)
            slowest = max(slowest, time.monotonic() - began)
            assert answer.status_code == 200
        time.sleep(0.05)
    assert slowest < 5.0, slowest
    assert _stop(control, system) < 10.0


def _stop(control: Web, system: AISystem) -> float:
    token = create_token(actor=actor_of(operator_of(system)), name="phone", proven_at=timezone.now()).text
    body = {"system": system.slug, "mode": "stop", "reason_code": "harm-reported"}
    began = time.monotonic()
    answer = httpx.post(
        control.url + TIGHTEN, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
    )
    assert answer.status_code == 200, answer.text
    return time.monotonic() - began


def memory_of(control: Web) -> int:
    return sum(int(process.memory_info().rss) for process in control.workers)


# --- many connections -------------------------------------------------------------------------------------------------
@contextmanager
def half_open(control: Web, head: str, count: int = HALF_OPEN) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        lines = []
        for _ in range(count):
            lines.append(stack.enter_context(socket.create_connection(("127.0.0.1", control.port), timeout=10)))
            lines[-1].sendall(head.encode())
        yield lines


@pytest.mark.parametrize(
    "head",
    [
        f"GET {STATE} HTTP/1.1\r\nHost: loc",
        f"POST {ACKS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{{",
        f"POST {FLAGS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{{",
        "POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{",
    ],
    ids=["head", "acks", "flags", "form"],
)
def test_half_open_requests(control: Web, client: httpx.Client, system: AISystem, head: str) -> None:
    with half_open(control, head):
        assert_served(control, client, system)


def test_huge_bodies(control: Web, client: httpx.Client, system: AISystem) -> None:
    """All but their last pieces: so nobody is refused, and let go, for what came in full."""
    before, grown = memory_of(control), 0
    head = f"POST {ACKS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {HUGE}\r\n\r\n"
    with half_open(control, head, HUGE_ONES) as lines:
        sending = list(lines)
        for _ in range(PIECES - 4):
            sending = [line for line in sending if _takes(line, b"x" * (HUGE // PIECES))]
            grown = max(grown, memory_of(control) - before)
        assert_served(control, client, system)
    assert grown < ROOM, f"{grown >> 20} MiB"


def _takes(line: socket.socket, piece: bytes) -> bool:
    try:
        line.sendall(piece)
    except OSError:
        return False
    return True


# --- many requests ----------------------------------------------------------------------------------------------------
@contextmanager
def flooding(control: Web, text: bytes) -> Iterator[list[int]]:
    """The same request over and over on many connections, pipelined so that this side costs little. Counts answers."""
    over, counts = threading.Event(), [0] * FLOODERS
    pool = ThreadPoolExecutor(FLOODERS)

    def flood(number: int) -> None:
        while not over.is_set():
            try:
                with socket.create_connection(("127.0.0.1", control.port), timeout=10) as line:
                    while not over.is_set():
                        line.sendall(text * 8)
                        counts[number] += line.recv(65536).count(b"HTTP/1.1 ")
            except OSError:
                time.sleep(0.01)

    running = [pool.submit(flood, number) for number in range(FLOODERS)]
    try:
        yield counts
    finally:
        over.set()
        pool.shutdown()
        for each in running:
            each.result()


def request(method: str, path: str, body: str = "", authorization: str = WRONG) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    "text",
    [
        request("GET", STATE),
        request("GET", EVENTS),
        request("POST", ACKS, "{}"),
        request("POST", TIGHTEN, "{}"),
        request("POST", TIGHTEN, "{}", f"Bearer anp_{'a' * 12}_{'0' * 64}"),
    ],
    ids=["state", "events", "acks", "tighten", "tokens"],
)
def test_wrong_keys(control: Web, client: httpx.Client, system: AISystem, text: bytes) -> None:
    before = memory_of(control)
    with flooding(control, text) as counts:
        began = time.monotonic()
        assert_served(control, client, system)
        rate = sum(counts) / (time.monotonic() - began)
    print(f"\n{rate:.0f} refusals a second")
    assert rate > 50
    assert memory_of(control) - before < ROOM


# --- odd bytes --------------------------------------------------------------------------------------------------------
ODD: list[Any] = [
    "", " ", "\x00", "\ud800", "\u202e", "a" * 5000, "é", "../..", "%s", "1.2.3", "9" * 30, "-1.0",
    "1.999999999999999999", "999999999.1", "1e3", "0.0", None, True, -1, 2**63, 10**400, 1.5, [], {}, [[]], {"a": 1},
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-21T07:00:00",
]  # fmt: skip
GOOD = {
    "instance": "host-1", "client": "c/1", "model_version": None, "epoch": None, "seen_at": None, "applied_at": None,
    "applied_mode": None, "applied_by": None, "file_mode": None, "in_flight": None, "drained_at": None,
}  # fmt: skip


def hostile_acks(system: AISystem) -> Iterator[bytes]:
    good = GOOD | {"system": system.slug}
    for name in good:
        for value in ODD:
            yield json.dumps(good | {name: value}).encode()
    for value in ODD:
        yield json.dumps({"acks": value}).encode()
        yield json.dumps(value).encode()
    yield b"\xff\xfe{}"
    yield b'{"acks": ' + b"[" * 50_000
    yield b'{"instance": "\xed\xa0\x80"}'


def test_hostile_acknowledgements_are_refused_in_words(client: httpx.Client, system: AISystem) -> None:
    headers = {"Content-Type": "application/json"}
    for body in hostile_acks(system):
        answer = client.post(ACKS, content=body, headers=headers)
        assert answer.status_code in (200, 400, 403, 404, 422), (answer.status_code, body[:200])
    epoch = client.get(STATE).json()["epoch"]
    assert int(epoch.split(".")[0]) < 1_000_000


def test_hostile_contexts_are_answered(client: httpx.Client, system: AISystem) -> None:
    for value in ODD:
        for document in (
            {"context": value},
            {"context": {"targetingKey": value}},
            {"context": {"version": value}},
            value,
        ):
            for path in (FLAGS, f"{FLAGS}/{system.slug}.mode"):
                content = json.dumps(document).encode()
                answer = client.post(path, content=content, headers={"Content-Type": "application/json"})
                assert answer.status_code in (200, 400), (answer.status_code, document)
    for key in ("%00", "%ff", "a" * 3000, "..%2f..", "%F0%9F%92%A9", f"{system.slug}.param.%0a"):
        answer = client.post(f"{FLAGS}/{key}", content=b"{}")
        assert answer.status_code in (400, 404, 414), (answer.status_code, key)


def test_hostile_headers_end_no_stream_of_others(control: Web, client: httpx.Client, system: AISystem) -> None:
    key = client.headers["Authorization"]
    names = ["Last-Event-ID", "X-Request-ID", "If-None-Match", "Accept", "Cookie", "Host", "Authorization"]
    values = [b"\xff\xfe", b"\xed\xa0\x80", b"a" * 8000, b'"', b"*", b"W/", b"\t", "é".encode(), b"1.1-00000000, *"]
    chance = random.Random(1)
    for name in names:
        for value in values:
            for path in (STATE, EVENTS, f"/ofrep/v1/events?token={chance.random()}%ff%00"):
                with socket.create_connection(("127.0.0.1", control.port), timeout=10) as line:
                    head = f"GET {path} HTTP/1.1\r\n"
                    if name != "Host":
                        head += "Host: localhost\r\n"
                    if name != "Authorization":
                        head += f"Authorization: {key}\r\n"
                    line.sendall(head.encode() + name.encode() + b": " + value + b"\r\n\r\n")
                    said = line.recv(65536)
                    assert said.split(b" ")[1] in (b"200", b"304", b"400", b"401", b"431"), (
                        said[:300],
                        name,
                        value,
                        path,
                    )
    assert "failed" not in control.log.read_text()
    assert_served(control, client, system, seconds=0.5)


def test_afterwards_nothing_is_left_of_it(control: Web, client: httpx.Client) -> None:
    assert client.get(STATE).status_code == 200
    [worker] = control.workers
    assert wait_until(lambda: len(psutil.Process(worker.pid).net_connections()) < 20, patience=40, pause=0.5)
