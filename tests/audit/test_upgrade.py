"""The migrations that large tables wait for: whatever breaks off, and however long others write, they come through."""

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from psycopg.errors import LockNotAvailable

from audit import patient_statements
from audit.models import Payload
from audit.selectors import SealedDecision
from evidence.verification import verify_everything
from governance.models import Person
from tests.audit.test_same_input import found
from tests.factories.record import record_decision
from tests.factories.register import make_person, make_system

LARGE = ("0011_indexes_for_investigating", "0012_input_digest", "0050_same_input")
INDEXES = ("decision_parent", "decision_flagged", "decision_failed", "payload_input", "payload_undigested")
IMPATIENT = "-c lock_timeout=200ms -c statement_timeout=1500ms"
HELD_SECONDS = 2.0
BROKEN = """
    SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
    WHERE NOT i.indisvalid AND x.relnamespace = 'public'::regnamespace
"""
ATTACHED = "SELECT count(*) FROM pg_inherits WHERE inhparent = %s::regclass"


@pytest.fixture
def impatient_keeper() -> Iterator[None]:
    """Django connected as the owner of the tables, giving up after a moment: as after a minute with large ones."""
    given, before = connections.settings["default"], connections.settings["default"]["USER"]
    options = dict(given["OPTIONS"])
    connections.close_all()
    given["USER"] = connections["default"].settings_dict["USER"] = "keeper"
    given["OPTIONS"]["options"] = connections["default"].settings_dict["OPTIONS"]["options"] = IMPATIENT
    yield
    connections.close_all()
    given["USER"] = connections["default"].settings_dict["USER"] = before
    given["OPTIONS"]["options"] = connections["default"].settings_dict["OPTIONS"]["options"] = options["options"]


@pytest.fixture
def writer(keeper_url: str) -> Iterator[None]:
    """Somebody writes into a month all the time, each time for longer than the owner waits for anything."""
    is_over = threading.Event()

    def write() -> None:
        with psycopg.connect(keeper_url) as busy:
            parts = ", ".join(
                row[0]
                for row in busy.execute(
                    "SELECT DISTINCT tableoid::regclass::text FROM audit_decision"
                    " UNION SELECT DISTINCT tableoid::regclass::text FROM audit_payload"
                )
            )
            busy.commit()
            while not is_over.wait(0.1):
                busy.execute(f"LOCK TABLE {parts} IN ROW EXCLUSIVE MODE")
                is_over.wait(HELD_SECONDS)
                busy.commit()

    thread = threading.Thread(target=write)
    thread.start()
    yield
    is_over.set()
    thread.join()


@pytest.mark.committing
def test_an_upgrade_comes_through_with_others_writing_and_goes_on_where_it_was_broken_off(
    monkeypatch: pytest.MonkeyPatch, impatient_keeper: None, request: pytest.FixtureRequest
) -> None:
    owner, decisions = _record_as_before()
    request.getfixturevalue("writer")
    monkeypatch.setattr(patient_statements, "PAUSE_SECONDS", 0.01)
    for name in LARGE:
        with monkeypatch.context() as broken_off, pytest.raises(BrokenOff):
            broken_off.setattr(MigrationRecorder, "record_applied", _break_off)
            _migrate(name)
        _migrate(name)
    with connection.cursor() as cursor:
        cursor.execute(BROKEN)
        assert cursor.fetchall() == []
        for name in INDEXES:
            cursor.execute(ATTACHED, [name])
            assert cursor.fetchone()[0] > 1, name
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("1500ms",)
        cursor.execute("SET statement_timeout = '60s'")
    assert not Payload.objects.exclude(input_digest=None).exists()
    assert found(owner, decisions[0]) == [decisions[1].id]
    assert list(verify_everything()) == []


@pytest.mark.committing
def test_what_never_comes_through_ends_with_its_error(
    monkeypatch: pytest.MonkeyPatch, impatient_keeper: None, keeper_url: str
) -> None:
    monkeypatch.setattr(patient_statements, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(patient_statements, "PAUSE_SECONDS", 0.01)
    with psycopg.connect(keeper_url) as reader:
        reader.execute("LOCK TABLE audit_payload IN ACCESS SHARE MODE")
        with pytest.raises(OperationalError) as ended, transaction.atomic():
            patient_statements.giving_way(connection, "LOCK TABLE audit_payload IN ACCESS EXCLUSIVE MODE")
        assert isinstance(ended.value.__cause__, LockNotAvailable)


class BrokenOff(Exception):
    pass


def _break_off(*args: Any) -> None:
    raise BrokenOff()


def _record_as_before() -> tuple[Person, list[SealedDecision]]:
    """Decisions in a database that knows nothing yet of what these migrations bring."""
    system = make_system()
    owner = make_person(accountable=system)
    sent = {"input": b'{"income":1800}', "output": b"1"}
    decisions = [record_decision(system, raw_parts=sent) for _ in range(2)]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_payload DROP COLUMN input_digest")
        cursor.execute("DROP INDEX decision_parent, decision_flagged, decision_failed")
        cursor.execute("DELETE FROM django_migrations WHERE app = 'audit' AND name = ANY(%s)", [list(LARGE)])
    return owner, decisions


def _migrate(name: str) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([("audit", name)], plan=[(executor.loader.get_migration("audit", name), False)])
