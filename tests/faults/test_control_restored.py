"""PostgreSQL restored to yesterday: what was stricter holds again, and the next stop is obeyed by all who know more."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from django.contrib.auth.hashers import make_password
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from config.standalone.processes import wait_until
from governance.models import AISystem, Person
from overrides.models import Switch
from overrides.standing import Epoch
from tests import running
from tests.factories.control import stop
from tests.factories.register import make_account, make_key, make_person, make_system
from tests.faults import claims
from tests.faults.installation import Installation, Web
from tests.faults.test_restored_database import PASSWORD, custody

pytestmark = pytest.mark.e2e

STATE, ACKS = "/api/v1/control/state", "/api/v1/control/acks"
SWEEP = "from overrides.services.switches import seal_waiting_switches as s; print('sealed', s())"


@pytest.fixture(scope="module")
def own(
    throwaway_cluster: None, django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Installation]:
    """An installation whose past these tests may change."""
    with running.data_folder(installed=True) as folder, django_db_blocker.unblock():
        found = Installation(folder)
        try:
            found.start()
            with found.connected():
                yield found
        finally:
            found.stop()


class Register:
    """Two AI systems, the key of a client of both, and two administrators: all of it in the backup."""

    def __init__(self, own: Installation) -> None:
        self.first, self.second = (make_system(accountable=make_person()) for _ in range(2))
        self.key = make_key(self.first, self.second, scopes=("control:read",), account=make_account()).text
        self.administrators = [make_person(administrator=True) for _ in range(2)]
        names = [person.pk for person in self.administrators]
        Person.objects.filter(pk__in=names).update(password=make_password(PASSWORD))
        stop(self.second, capability="limits")  # so that the clock of the backup has begun
        self.own = own

    def state(self, control: Web) -> Any:
        return self._ask("GET", control, STATE)

    def mode(self, control: Web, system: AISystem) -> str:
        return str(self.state(control)["systems"][system.slug]["mode"])

    def epoch(self, control: Web) -> Epoch:
        found = Epoch.parse(self.state(control)["epoch"])
        assert found is not None
        return found

    def acknowledge(self, control: Web, system: AISystem, epoch: Epoch, mode: str) -> Epoch:
        """What an instance says, as our own client does."""
        at = "2026-11-21T12:00:00Z"  # an hour off, or a day: no clock but the server's counts
        body = {"instance": "host-1", "system": system.slug, "epoch": str(epoch), "seen_at": at, "applied_at": at}
        found = Epoch.parse(
            self._ask("POST", control, ACKS, body | {"applied_mode": mode, "applied_by": "server"})["epoch"]
        )
        assert found is not None
        return found

    def _ask(self, method: str, control: Web, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = httpx.request(method, control.url + path, headers=headers, json=body, timeout=20, trust_env=False)
        return answer.raise_for_status().json()

    def knows(self, control: Web) -> bool:
        try:
            return str(self.first.slug) in self.state(control)["systems"]
        except httpx.HTTPError:
            return False


@pytest.fixture(scope="module")
def register(own: Installation) -> Register:
    found = Register(own)
    own.take_copy("yesterday")
    return found


@contextmanager
def serving(own: Installation, register: Register) -> Iterator[Web]:
    with own.control() as control:
        assert wait_until(lambda: register.knows(control), patience=30, pause=0.1)
        yield control


def restore(own: Installation) -> None:
    connections.close_all()
    own.restore_copy("yesterday")


def assert_next_stop_is_obeyed(register: Register, control: Web, above: Epoch) -> None:
    """By a client that knows a higher epoch: it ignores what is not above that."""
    done = stop(register.second)
    assert done.epoch > above
    assert wait_until(lambda: register.mode(control, register.second) == "stop", patience=15)
    assert register.epoch(control) > above


def test_under_running_processes(own: Installation, register: Register) -> None:
    with serving(own, register) as control:
        stop(register.first)
        assert wait_until(lambda: register.mode(control, register.first) == "stop", patience=15)
        known = register.epoch(control)
        restore(own)
        assert wait_until(lambda: _is_recovered(register, control, known), patience=15, pause=0.1)
        assert register.mode(control, register.first) == "stop"
        assert_next_stop_is_obeyed(register, control, known)


def _is_recovered(register: Register, control: Web, known: Epoch) -> bool:
    return register.epoch(control) > known and not register.state(control)["is_stale"]


def test_with_nothing_running_but_the_hosts_file(own: Installation, register: Register) -> None:
    with serving(own, register) as control:
        stop(register.first)
        assert wait_until(lambda: register.mode(control, register.first) == "stop", patience=15)
        known = register.epoch(control)
    restore(own)
    with serving(own, register) as control:
        assert wait_until(lambda: _is_recovered(register, control, known), patience=15, pause=0.1)
        assert register.mode(control, register.first) == "stop"
        assert_next_stop_is_obeyed(register, control, known)


def test_without_the_file_a_client_knows_it(own: Installation, register: Register) -> None:
    with serving(own, register) as control:
        stop(register.first)
        assert wait_until(lambda: register.mode(control, register.first) == "stop", patience=15)
        known = register.epoch(control)
    restore(own)
    (own.data_dir / "control.json").unlink()
    with serving(own, register) as control:
        assert register.mode(control, register.first) == "run"  # nobody here knows better
        assert register.acknowledge(control, register.first, known, "stop") > known
        assert wait_until(lambda: register.mode(control, register.first) == "stop", patience=15)
        # another client comes later, and obeys what nobody else has told yet
        register.acknowledge(control, register.second, known, "review")
        assert wait_until(lambda: register.mode(control, register.second) == "review", patience=15)
        assert_next_stop_is_obeyed(register, control, known)


def test_everything_is_sealed_once_the_logs_have_successors(own: Installation, register: Register) -> None:
    connections.close_all()
    waiting = Switch.objects.filter(seal_pending=True).count()
    assert waiting >= 2
    said = own.manage("shell", "--no-imports", "-c", SWEEP)
    assert "sealed 0" in said, said
    custody(own, "close_log", register.administrators, log="all")
    time.sleep(1)
    assert f"sealed {waiting}" in own.manage("shell", "--no-imports", "-c", SWEEP)
    claims.assert_verifies()
    own.manage("verify_logs", "--quiet")
