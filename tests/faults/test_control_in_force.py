"""A stop is in force in every process two seconds after its commit, whatever became of processes and notifications."""

import http.client
import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import httpx
import pytest
from django.db import connections

from config.standalone.processes import wait_until
from governance.models import AISystem
from overrides.standing import Mode
from tests.factories.control import stop
from tests.factories.register import make_account, make_key, make_person, make_system
from tests.faults.client import DECISIONS, record
from tests.faults.installation import REAL, Installation, Web, resume

pytestmark = pytest.mark.e2e

IN_FORCE_WITHIN = 2.0
ASKED = 30
SCOPES = ("decisions:write", "control:read")
STATE = "/api/v1/control/state"


class Governed:
    """An AI system, and what two servers say of it."""

    def __init__(self, web: Web, control: Web, *, scopes: Sequence[str] = SCOPES) -> None:
        self.web, self.control = web, control
        self.system: AISystem = make_system(accountable=make_person())
        self.key = make_key(self.system, scopes=scopes, account=make_account()).text

    def state(self, server: Web | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.get((server or self.control).url + STATE, headers=headers, timeout=15, trust_env=False)

    def post(self, server: Web, path: str, **body: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}"}
        body = {"system": self.system.slug} | body
        answer = httpx.post(server.url + path, json=body, headers=headers, timeout=15, trust_env=False)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    def acknowledge(self, mode: str) -> str:
        """As a client that obeys the state of now; the epoch of it."""
        epoch = str(self.state(self.web).json()["epoch"])
        said = {"applied_mode": mode, "applied_by": "server", "applied_at": "2026-01-01T00:00:00Z"}
        self.post(self.web, "/api/v1/control/acks", instance="host-1", client="test/1", epoch=epoch, **said)
        return epoch

    def mode(self) -> str:
        return str(self.state().json()["systems"][self.system.slug]["mode"])

    def directive(self) -> str:
        """On a connection of its own: whichever worker takes it answers."""
        line = http.client.HTTPConnection("127.0.0.1", self.web.port, timeout=30)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        with closing(line):
            line.request("POST", DECISIONS, json.dumps(record(self.system.slug, phase="proposed")), headers)
            answer = line.getresponse()
            said = json.loads(answer.read())
        return str(said["directive"]["action"]) if answer.status < 300 else f"refused {answer.status}"

    def wait_known(self) -> None:
        """Until every process knows the key, and lets it decide."""
        assert wait_until(self._is_known, patience=30, pause=0.1)

    def _is_known(self) -> bool:
        if self.state().status_code != 200 or self.state(self.web).status_code != 200:
            return False
        return {self.directive() for _ in range(10)} == {"proceed"}

    def assert_stops(self) -> None:
        """Stop it, wait as long as it may take, and ask everybody."""
        connections.close_all()  # the server may have been away
        stop(self.system)
        committed = time.monotonic()
        time.sleep(IN_FORCE_WITHIN - (time.monotonic() - committed))
        said = {self.directive() for _ in range(ASKED)}
        assert said == {"stop"}
        assert self.mode() == "stop"


@pytest.fixture(scope="module")
def servers(installation: Installation) -> Iterator[tuple[Web, Web]]:
    with installation.web(REAL, workers=2) as web, installation.control() as control:
        yield web, control


@pytest.fixture
def governed(servers: tuple[Web, Web]) -> Governed:
    found = Governed(*servers)
    found.wait_known()
    return found


def test_in_force_everywhere(governed: Governed) -> None:
    governed.assert_stops()


def test_in_force_after_a_web_worker_was_killed(governed: Governed) -> None:
    governed.web.workers[0].kill()
    governed.assert_stops()
    assert wait_until(lambda: len(governed.web.workers) == 2, patience=20)
    assert {governed.directive() for _ in range(ASKED)} == {"stop"}


def test_in_force_without_notifications(installation: Installation, governed: Governed) -> None:
    # two workers and the control process; one that was started anew listens from its first request on
    assert wait_until(lambda: governed.directive() == "proceed" and len(installation.listeners()) == 3, patience=20)
    installation.query("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", installation.listeners())
    governed.assert_stops()


@contextmanager
def hanging(pids: list[int]) -> Iterator[None]:
    """Connections whose other end says nothing any more, and does not close either."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            resume(pid)


def test_in_force_where_the_listeners_connections_hang(installation: Installation, governed: Governed) -> None:
    with hanging(installation.listeners()):
        governed.assert_stops()


def test_the_control_process_is_back_at_once_where_its_connection_hangs(
    installation: Installation, governed: Governed
) -> None:
    with hanging(installation.listeners()):
        stop(governed.system)
        assert wait_until(lambda: governed.mode() == "stop", patience=10)
        assert governed.state().json()["is_stale"] is False


@pytest.mark.parametrize("server", ["web", "control"])
def test_a_process_that_starts_without_a_database_obeys_when_it_is_back(
    installation: Installation, governed: Governed, server: str
) -> None:
    with ExitStack() as stack:
        with installation.away():
            starting = installation.control() if server == "control" else installation.web(REAL)
            found = stack.enter_context(starting)
            answer = governed.state(found)
            assert (answer.status_code, int(answer.headers["Retry-After"]) >= 1) == (503, True)
        assert wait_until(lambda: governed.state(found).status_code == 200, patience=15)
        connections.close_all()
        stop(governed.system)
        time.sleep(IN_FORCE_WITHIN)
        assert governed.state(found).json()["systems"][governed.system.slug]["mode"] == Mode.STOP
