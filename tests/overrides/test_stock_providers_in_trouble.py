"""Stock OpenFeature providers while a stop comes, a server hangs or is flooded, and with keys that are no flags."""

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider

from overrides.services.switches import tighten
from overrides.standing import Mode, Node
from tests.factories.register import actor_of, make_person
from tests.overrides.serving import Servers, serving
from tests.overrides.test_stock_providers import FOLDER, Situation, asked_of_python, needs_node, python_client

pytestmark = [pytest.mark.committing, pytest.mark.slow]
ENABLED = {"type": "boolean", "flag": "credit.enabled", "default": False}


@pytest.fixture
def situation() -> Situation:
    return Situation()


class NodeProcess:
    """A provider in a process of its own, asked line by line."""

    def __init__(self, kind: str, url: str, key: str, **options: Any) -> None:
        assert (FOLDER / "node_modules").is_dir(), "run tools/install-js first"
        self._process = subprocess.Popen(
            ["node", "evaluate.mjs", kind, url, key, json.dumps(options)],
            cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, asked: dict[str, Any] = ENABLED) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def end(self) -> None:
        self._process.communicate(timeout=30)


@contextmanager
def node(kind: str, url: str, key: str, **options: Any) -> Iterator[NodeProcess]:
    started = NodeProcess(kind, url, key, **options)
    try:
        yield started
    finally:
        started.end()


def stop_credit(situation: Situation) -> None:
    person = actor_of(make_person(operator=situation.credit))
    tighten(actor=person, node=Node(system_id=situation.credit.pk), mode=Mode.STOP, reason_code="drill", source="api")


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("localhost", 0)) as listening:
        kept: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    kept.append(listening.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://localhost:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for each in kept:
            each.close()


# --- a server that hangs ----------------------------------------------------------------------------------------------
def test_the_python_provider_gives_up_in_time_and_the_codes_default_holds(situation: Situation) -> None:
    with silent_server() as url:
        provider = OFREPProvider(url, headers_factory=lambda: {"Authorization": "Bearer x"}, timeout=0.5)
        api.set_provider(provider)
        began = time.monotonic()
        assert asked_of_python(api.get_client(), ENABLED | {"default": False}) == (False, "GENERAL")
        assert 0.4 < time.monotonic() - began < 3


@needs_node
@pytest.mark.parametrize("kind", ["server", "web"])
def test_javascript_gives_up_in_time_and_the_codes_default_holds(kind: str) -> None:
    with silent_server() as url, node(kind, url, "ans_x", timeoutMs=500) as provider:
        began = time.monotonic()
        found = provider.ask()
        assert found["value"] is False and found["errorCode"]
        assert time.monotonic() - began < 8  # of which most is the start of Node


# --- one start of the servers for what needs no other -----------------------------------------------------------------
def test_with_the_allowance_used_up_a_valid_key_still_reads_its_controls(
    situation: Situation, database_url: str
) -> None:
    """One 429 would turn every flag of a process into its code's default."""
    bearer = {"Authorization": f"Bearer {situation.key.text}"}
    with serving(database_url, {"ANSWERABLE_RATE_LIMIT_REQUESTS": "1"}) as servers:
        with httpx.Client(headers=bearer) as http:
            limited = [http.get(f"{servers.web}/api/v1/decisions").status_code for _ in range(30)]
            assert 429 in limited or set(limited) == {403}, limited
            for base in (servers.web, servers.control):
                answers = [http.post(f"{base}/ofrep/v1/evaluate/flags/credit.mode") for _ in range(30)]
                answers += [http.get(f"{base}/api/v1/control/state") for _ in range(30)]
                assert {each.status_code for each in answers} == {200}
        for base in (servers.web, servers.control):
            client = python_client(base, situation.key.text)
            assert [asked_of_python(client, ENABLED) for _ in range(30)] == [(True, None)] * 30
        _keys_that_are_no_flags(servers, situation)


def _keys_that_are_no_flags(servers: Servers, situation: Situation) -> None:
    """Python's provider does not percent-encode a key; what is encoded is the same flag."""
    bearer = {"Authorization": f"Bearer {situation.key.text}"}
    for base in (servers.web, servers.control):
        with httpx.Client(headers=bearer, base_url=f"{base}/ofrep/v1/evaluate/flags/") as http:
            assert http.post("credit%2Emode").json()["value"] == "run"
            for key in ("credit%20mode", "a%2Fb", "a/b", "%C3%A4", "credit.mode%3Fx", "credit.mode%23x", "%2e%2e%2fx"):
                answer = http.post(key)
                assert answer.status_code == 404, key  # and a document as the protocol has it, never a redirect
                assert answer.json()["errorCode"] in ("FLAG_NOT_FOUND", "GENERAL") and answer.json()["errorDetails"]
        client = python_client(base, situation.key.text)
        for key in ("credit mode", "a/b", "ä", "100%"):
            asked = {"type": "string", "flag": key, "default": "stop"}
            value, code = asked_of_python(client, asked)
            assert value == "stop" and code, key


# --- a stop while a provider runs -------------------------------------------------------------------------------------
@needs_node
def test_a_stop_reaches_javascript_that_runs(situation: Situation, database_url: str, tmp_path: Path) -> None:
    store, key = str(tmp_path / "storage"), situation.key.text
    with serving(database_url) as servers:
        with (
            node("server", servers.control, key) as server,
            node("web", servers.control, key, pollInterval=500, store=store) as web,
            node("web", servers.control, key, pollInterval=0, cacheMode="disabled") as deaf,
        ):
            assert [each.ask()["value"] for each in (server, web, deaf)] == [True, True, True]
            stop_credit(situation)
            for each in (server, web):
                _until_stopped(each)
            # without a stream and without polling it never hears of it: what the page warns of
            assert deaf.ask()["value"] is True
        _restarted_browsers(servers, key, store)


def _restarted_browsers(servers: Servers, key: str, store: str) -> None:
    """The stop is in force. A page that reads the network first sees it at once; so does a restarted server."""
    with node("web", servers.control, key, store=store) as web, node("server", servers.control, key) as server:
        assert (web.ask()["value"], server.ask()["value"]) == (False, False)


def _until_stopped(provider: NodeProcess, seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while provider.ask()["value"]:
        assert time.monotonic() < until
        time.sleep(0.05)


@needs_node
def test_what_a_browser_stored_before_a_stop_is_served_first_by_its_default_and_not_as_we_recommend(
    situation: Situation, database_url: str, tmp_path: Path
) -> None:
    """`local-cache-first`, the provider's default, is why docs/integrating/ofrep.md says `network-first`."""
    stored, key = tmp_path / "storage", situation.key.text
    with serving(database_url) as servers:
        with node("web", servers.control, key, store=str(stored)) as web:
            assert web.ask()["value"] is True
        stop_credit(situation)
        for name, mode, value, reason in (
            ("recommended", "network-first", False, "STATIC"),
            ("default", "local-cache-first", True, "CACHED"),
        ):
            copy = str(shutil.copy(stored, tmp_path / name))
            with node("web", servers.control, key, store=copy, cacheMode=mode, pollInterval=0) as web:
                found = web.ask()
            assert (found["value"], found["reason"]) == (value, reason), name


# --- a stream address that is dead ------------------------------------------------------------------------------------
@contextmanager
def no_streams() -> Iterator[str]:
    """A server that answers, and has no streams: as behind a proxy that routes them elsewhere."""
    with ThreadingHTTPServer(("localhost", 0), BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@needs_node
def test_a_browser_whose_stream_address_is_dead_asks_once_a_second_and_so_hears_of_a_stop(
    situation: Situation, database_url: str
) -> None:
    """Version 0.4.3 without polling: each retry is told 304, takes the old address and forgets to back off.

    We cannot end that. It costs one 304 out of memory a second and a browser, and is a poll: the stop arrives.
    """
    with (
        no_streams() as url,
        serving(database_url, {"ANSWERABLE_CONTROL_URL": url}) as servers,
        node("web", servers.control, situation.key.text, pollInterval=0, streams=True) as web,
    ):
        assert web.ask()["value"] is True
        began, before = time.monotonic(), len(web.ask({"asked": True})["evaluations"])
        time.sleep(6)
        asked = web.ask({"asked": True})["evaluations"][before:]
        assert set(asked) == {304}
        assert len(asked) <= time.monotonic() - began + 1
        stop_credit(situation)
        _until_stopped(web)


@needs_node
def test_a_browser_whose_stream_token_ended_is_told_the_new_address(situation: Situation, database_url: str) -> None:
    """The address is in the ETag: a bulk evaluation after the token's end is no 304, and the loop ends there."""
    with (
        serving(database_url, control="tests.overrides.asgi_with_an_ended_token:application") as servers,
        node("web", servers.control, situation.key.text, pollInterval=0, streams=True) as web,
    ):
        assert web.ask()["value"] is True
        until = time.monotonic() + 20
        # a stream begins by saying what is newest, and so the provider asks once more and is told that it knows
        while (found := web.ask({"asked": True}))["evaluations"][-1] != 304:
            assert time.monotonic() < until, found
            time.sleep(0.1)
        assert found["streams"] == [401, 200]
        time.sleep(3)
        assert web.ask({"asked": True}) == found  # nothing more is asked
        stop_credit(situation)
        _until_stopped(web)
