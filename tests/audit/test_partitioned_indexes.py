"""Indexes on tables that are partitioned by month are made while intake writes."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, connections, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.test.utils import CaptureQueriesContext

from audit.partitioned_indexes import AddPartitionedIndex

PARTITIONED, FIRST = {"decision", "payload"}, "0001_initial"
INVALID = """
    SELECT count(*) FILTER (WHERE NOT indisvalid), count(*) FROM pg_index
    WHERE indexrelid = 'decision_failed'::regclass
    OR indexrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'decision_failed'::regclass)
"""


def test_no_migration_indexes_a_partitioned_table_as_a_whole() -> None:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    made = [
        (name, each)
        for (app, name), migration in loader.disk_migrations.items()
        for each in migration.operations
        if app == "audit" and name != FIRST and isinstance(each, migrations.AddIndex)
    ]
    partitioned = [(name, each) for name, each in made if each.model_name_lower in PARTITIONED]
    assert partitioned
    assert all(isinstance(each, AddPartitionedIndex) for _, each in partitioned)
    assert not any(loader.disk_migrations["audit", name].atomic for name, _ in partitioned)


@pytest.fixture
def as_keeper() -> Iterator[None]:
    """Django connected as the owner of the tables, who migrates."""
    given, before = connections.settings["default"], connections.settings["default"]["USER"]
    connections.close_all()
    given["USER"] = connections["default"].settings_dict["USER"] = "keeper"
    yield
    connections.close_all()
    given["USER"] = connections["default"].settings_dict["USER"] = before


@pytest.mark.committing
@pytest.mark.usefixtures("as_keeper")
def test_each_partition_is_indexed_by_itself_concurrently_and_an_interrupted_run_goes_on() -> None:
    operation, states = _operation()
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_decision'::regclass")
        parts = [row[0] for row in cursor.fetchall()]
        cursor.execute("DROP INDEX decision_failed")
        # as if it had been interrupted between the two statements of a partition
        cursor.execute(
            f"CREATE INDEX {parts[0]}_decision_failed ON {parts[0]} (system_id, recorded_at, id)"
            " WHERE NOT (error_type = '')"
        )
    with CaptureQueriesContext(connection) as run, connection.schema_editor(atomic=False) as editor:
        operation.database_forwards("audit", editor, *states)
    made = [each["sql"] for each in run if "CREATE INDEX" in each["sql"]]
    assert len(made) == len(parts) + 1
    assert all("ON ONLY" in sql or "CONCURRENTLY" in sql for sql in made)
    with connection.cursor() as cursor:
        cursor.execute(INVALID)
        assert cursor.fetchone() == (0, len(parts) + 1)
    with CaptureQueriesContext(connection) as again, connection.schema_editor(atomic=False) as editor:
        operation.database_forwards("audit", editor, *states)
    assert not any("CONCURRENTLY" in each["sql"] for each in again)


@pytest.mark.committing
@pytest.mark.usefixtures("as_keeper")
def test_an_atomic_migration_is_refused() -> None:
    operation, states = _operation()
    with pytest.raises(RuntimeError), connection.schema_editor(atomic=True) as editor:
        operation.database_forwards("audit", editor, *states)


def _operation() -> tuple[AddPartitionedIndex, tuple[Any, Any]]:
    (index,) = (each for each in _decision()._meta.indexes if each.name == "decision_failed")
    state = migrations.state.ProjectState.from_apps(apps)
    return AddPartitionedIndex("decision", index), (state, state)


def _decision() -> type[models.Model]:
    return apps.get_model("audit", "Decision")


@pytest.mark.django_db
def test_in_every_month_an_ai_system_is_planned_for_as_one_of_many() -> None:
    """Also in one that is made later: else a walk through a small one goes along the index of all decisions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_ensure_partitions(2, 14)")
        assert cursor.fetchone() == (4,), "two months of decisions and of payloads"
        cursor.execute(
            "SELECT attoptions FROM pg_inherits JOIN pg_attribute ON attrelid = inhrelid"
            " WHERE inhparent = 'audit_decision'::regclass AND attname = 'system_id'"
        )
        found = cursor.fetchall()
    assert len(found) == 17
    assert {tuple(options or ()) for (options,) in found} == {("n_distinct=1000",)}
