"""Columns and indexes of partitioned tables, made while intake writes.

Made on the whole table at once, an index lets nobody write to any partition until the last one has it: so it is made on
each partition by itself, concurrently, then attached. A migration with one is not atomic, and has nothing else in it:
where it was interrupted it goes on when it runs again. What is there stays, what was left half made is made anew.
"""

from typing import Any

from django.db import migrations, router
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Model

from audit.patient_statements import as_long_as_it_takes, giving_way

PARTITIONS = """
    SELECT part.relname, made.relname, made_index.indisvalid, attached.inhrelid IS NOT NULL
    FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid
    LEFT JOIN pg_class made ON made.relname = left(part.relname || '_' || %s, 63) AND made.relkind = 'i'
    LEFT JOIN pg_index made_index ON made_index.indexrelid = made.oid
    LEFT JOIN LATERAL (
        SELECT i.inhrelid FROM pg_inherits i JOIN pg_index x ON x.indexrelid = i.inhrelid
        WHERE i.inhparent = %s::regclass AND x.indrelid = part.oid
    ) attached ON true
    WHERE pg_inherits.inhparent = %s::regclass ORDER BY 1
"""


class AddPartitionedColumn(migrations.AddField):
    """As `AddField`, of a table that many read and write: whoever holds it goes first. In an atomic migration."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if router.allow_migrate_model(schema_editor.connection.alias, model):
            giving_way(schema_editor.connection, f"LOCK TABLE {_quoted(model)} IN ACCESS EXCLUSIVE MODE")
        super().database_forwards(app_label, schema_editor, from_state, to_state)


class AddPartitionedIndex(migrations.AddIndex):
    """As `AddIndex`, of a table that is partitioned and may be large."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if not router.allow_migrate_model(schema_editor.connection.alias, model):
            return
        if schema_editor.connection.in_atomic_block:
            raise RuntimeError("A migration that indexes a partitioned table must not be atomic.")
        whole = f"ONLY {_quoted(model)}"
        text = _text(self.index, model, schema_editor, name=self.index.name, on=whole)
        giving_way(schema_editor.connection, text)
        for part, made, is_valid, is_attached in self._partitions(schema_editor, model):
            if not is_attached:
                self._add_to(schema_editor, model, part, leftover=made if made and not is_valid else None)

    def _add_to(self, schema_editor: Any, model: type[Model], part: str, *, leftover: str | None) -> None:
        name = f"{part}_{self.index.name}"[:63]
        if leftover:
            self._at_leisure(schema_editor, f'DROP INDEX CONCURRENTLY "{leftover}"')
        text = _text(self.index, model, schema_editor, name=name, on=f'"{part}"')
        self._at_leisure(schema_editor, text.replace("CREATE INDEX ", "CREATE INDEX CONCURRENTLY ", 1))
        giving_way(schema_editor.connection, f'ALTER INDEX "{self.index.name}" ATTACH PARTITION "{name}"')

    def _partitions(self, schema_editor: Any, model: type[Model]) -> list[Any]:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(PARTITIONS, [self.index.name, self.index.name, model._meta.db_table])
            found: list[Any] = cursor.fetchall()
        return found

    @staticmethod
    def _at_leisure(schema_editor: Any, text: str) -> None:
        connection = schema_editor.connection
        with as_long_as_it_takes(connection), connection.cursor() as cursor:
            cursor.execute(text)


def _quoted(model: type[Model]) -> str:
    return f'"{model._meta.db_table}"'


def _text(index: Any, model: type[Model], schema_editor: Any, *, name: str, on: str) -> str:
    """The statement that Django would run, under another name and on another table."""
    text = str(index.create_sql(model, schema_editor))
    text = text.replace("CREATE INDEX ", "CREATE INDEX IF NOT EXISTS ", 1)
    return text.replace(f'"{index.name}"', f'"{name}"', 1).replace(f"ON {_quoted(model)}", f"ON {on}", 1)
