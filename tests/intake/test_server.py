"""Through a real web server: bodies without a length, several processes, no database."""

import gzip
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from django.conf import settings

from config.ids import new_id
from tests.environment import INSTALLATION
from tests.intake.conftest import Sender
from tests.intake.test_batch import consistent
from tests.running import PROJECT, free_port

pytestmark = [pytest.mark.committing, pytest.mark.slow]


@contextmanager
def serving(database_url: str, *, workers: int = 1) -> Iterator[str]:
    """Our application in granian, as the product starts it; ends with every process it started."""
    port = free_port()
    env = os.environ | {
        "ANSWERABLE_DATABASE_URL": database_url,
        "ANSWERABLE_HEAD_STORE": str(settings.HEAD_STORE),
        "ANSWERABLE_SIGNING_KEY_FILE": str(settings.SIGNING_KEY_FILE),
        "ANSWERABLE_DATA_DIR": str(INSTALLATION),
    }
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", str(workers), "--blocking-threads", "64", "--no-ws",
        "--workers-kill-timeout", "10", "config.wsgi:application",
    ]  # fmt: skip
    process = subprocess.Popen(command, env=env, cwd=PROJECT, start_new_session=True)
    try:
        _wait_until_open(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_open(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz", headers={"Host": "localhost"}, timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server did not start")


def client(base_url: str, sender: Sender) -> httpx.Client:
    headers = {"Authorization": sender.header, "Host": "localhost", "Content-Type": "application/json"}
    return httpx.Client(base_url=base_url, headers=headers, timeout=60)


def test_chunked_bodies_without_a_length_are_read(sender: Sender, database_url: str) -> None:
    def pieces(body: bytes) -> Iterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    with serving(database_url) as url, client(url, sender) as http:
        single = json.dumps(sender.record(input="x" * 10_000)).encode()
        assert http.post("/api/v1/decisions", content=pieces(single)).status_code == 201
        batch = gzip.compress(json.dumps([sender.record(input="y" * 5_000) for _ in range(50)]).encode(), 1)
        answer = http.post("/api/v1/decisions/batch", content=pieces(batch), headers={"Content-Encoding": "gzip"})
        assert answer.json()["counts"]["accepted"] == 50
        # granian may close the connection while we are still sending: both are a refusal
        with _either_way() as found:
            found.append(http.post("/api/v1/decisions/batch", content=pieces(b" " * (20 << 20))).status_code)
        assert found in ([413], [])
        with client(url, sender) as another:  # what was not read of the body closes the connection, sooner or later
            assert another.post("/api/v1/decisions", content=json.dumps(sender.record())).status_code == 201


@contextmanager
def _either_way() -> Iterator[list[int]]:
    found: list[int] = []
    try:
        yield found
    except httpx.TransportError:
        assert found == []


def test_large_bodies_are_refused_and_the_server_lives_on(sender: Sender, database_url: str) -> None:
    with serving(database_url) as url, client(url, sender) as http:
        with _either_way() as found:
            found.append(http.post("/api/v1/decisions", content=b" " * (20 << 20)).status_code)
        assert found in ([413], [])
        with client(url, sender) as another:  # what was not read of the body closes the connection, sooner or later
            assert another.post("/api/v1/decisions", content=json.dumps(sender.record())).status_code == 201


def test_an_upload_that_breaks_off_records_nothing(sender: Sender, database_url: str) -> None:
    with serving(database_url) as url, client(url, sender) as http:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as raw:
            head = (
                f"POST /api/v1/decisions HTTP/1.1\r\nHost: localhost\r\nAuthorization: {sender.header}\r\n"
                f"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
            )
            raw.sendall(head.encode() + b'{"id"')
        assert http.post("/api/v1/decisions", content=json.dumps(sender.record())).status_code == 201
    assert consistent(sender) == 1


def test_two_processes_and_two_logs_in_opposite_order_each_id_once(senders: Any, database_url: str) -> None:
    """The same ids are sent to both logs, in opposite order, through two processes: one log gets each."""
    sender = senders("credit", "hiring")
    ids = [str(new_id()) for _ in range(400)]
    outcomes: list[list[dict[str, Any]]] = []

    def send(url: str, slug: str, order: list[str]) -> None:
        with client(url, sender) as http:
            for start in range(0, len(order), 100):
                batch = [sender.record(id=each, system=slug) for each in order[start : start + 100]]
                outcomes.append(http.post("/api/v1/decisions/batch", content=json.dumps(batch)).json()["results"])

    with serving(database_url) as one, serving(database_url) as two:
        for url, slug in ((one, "credit"), (two, "hiring")):
            send(url, slug, [str(new_id())])
        threads = [
            threading.Thread(target=send, args=(one, "credit", ids)),
            threading.Thread(target=send, args=(two, "hiring", ids[::-1])),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    results = [result for batch in outcomes for result in batch]
    statuses = sorted(result["status"] for result in results)
    assert statuses == ["accepted"] * 402 + ["conflict"] * 400
    assert len({result["id"] for result in results if result["status"] == "accepted"}) == 402
    assert consistent(sender) == 402


def test_many_senders_and_processes_keep_one_log_contiguous(sender: Sender, database_url: str) -> None:
    def send(url: str) -> None:
        with client(url, sender) as http:
            for _ in range(20):
                assert http.post("/api/v1/decisions", content=json.dumps(sender.record())).status_code == 201

    with serving(database_url, workers=2) as url:
        threads = [threading.Thread(target=send, args=(url,)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert consistent(sender) == 320


def test_without_its_database_the_server_says_503(sender: Sender, database_url: str) -> None:
    with serving("postgresql://app@127.0.0.1:1/nowhere") as url, client(url, sender) as http:
        for path, body in (("", sender.record()), ("/batch", [sender.record()])):
            answer = http.post(f"/api/v1/decisions{path}", content=json.dumps(body))
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
