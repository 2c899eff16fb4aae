"""`manage.py stop` with no web server and no broker: in force whatever its log lacks, and sealed by the sweep later."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connections

from config.standalone import layout
from config.standalone.options import PROJECT
from governance.models import AISystem
from ledger.heads import head_store
from overrides.models import Switch
from tests.factories.register import make_person, make_system
from tests.faults.installation import Installation

pytestmark = pytest.mark.e2e

SWEEP = "from overrides.services.switches import seal_waiting_switches as s; print('sealed', s())"
TOO_SMALL = 64
"""Bytes that a file may have at most: nothing of a head, or of what this host knows, can be written."""


@pytest.fixture
def system(installation: Installation) -> AISystem:
    connections.close_all()
    found = make_system(accountable=make_person())
    connections.close_all()
    head_store().close()
    return found


def stop(own: Installation, system: AISystem, *, full: bool = False, changed: dict[str, str] | None = None) -> str:
    """What the command prints. `full`: as on a disk that takes nothing more."""
    words = ["stop", system.slug, "--reason", "harm-reported", "--wait", "0"]
    command = [sys.executable, str(PROJECT / "manage.py"), *words]
    done = subprocess.run(
        command, env=own.environment() | (changed or {}), cwd=PROJECT, capture_output=True, text=True, check=False,
        timeout=120, preexec_fn=_take_room if full else None,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def _take_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (TOO_SMALL, TOO_SMALL))


@contextmanager
def locked_log(own: Installation, system: AISystem) -> Iterator[None]:
    """Somebody seals in this log, and does not come to an end."""
    with own.cluster.connect(layout.DATABASE) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM ledger_log WHERE system_id = %s FOR UPDATE", [system.pk])
        yield
        connection.execute("ROLLBACK")


def is_pending(system: AISystem) -> bool:
    switch = Switch.objects.get(system_id=system.pk)
    assert switch.mode == "stop"
    return bool(switch.seal_pending)


def assert_sealed_by_the_sweep(own: Installation, system: AISystem) -> None:
    own.manage("verify_logs", "--quiet")
    assert is_pending(system)
    assert "sealed 1" in own.manage("shell", "--no-imports", "-c", SWEEP)
    assert not is_pending(system)
    own.manage("verify_logs", "--quiet")


def test_with_nothing_but_the_database(installation: Installation, system: AISystem) -> None:
    assert "(sealed)" in stop(installation, system)
    assert not is_pending(system)


@pytest.mark.parametrize("lacks", ["ANSWERABLE_HEAD_STORE", "ANSWERABLE_SIGNING_KEY_FILE"])
def test_without_a_head_store_or_a_key(
    installation: Installation, system: AISystem, tmp_path: Path, lacks: str
) -> None:
    (tmp_path / "file").write_text("no folder")
    assert "not sealed yet" in stop(installation, system, changed={lacks: str(tmp_path / "file" / "nothing")})
    assert_sealed_by_the_sweep(installation, system)


def test_while_somebody_holds_its_log(installation: Installation, system: AISystem) -> None:
    with locked_log(installation, system):
        assert "not sealed yet" in stop(installation, system)
    assert_sealed_by_the_sweep(installation, system)


def test_on_a_full_disk(installation: Installation, system: AISystem) -> None:
    assert "stop, harm-reported" in stop(installation, system, full=True)
    if is_pending(system):
        assert_sealed_by_the_sweep(installation, system)
    installation.manage("verify_logs", "--quiet")
