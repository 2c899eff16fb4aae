"""Rights and triggers on every table, from what each model says in `DB_ACCESS`. Applied by `manage.py setup_database`.

Idempotent: it is run after every migration, so a table that a later version adds is guarded from its first day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from config.database import Access

# Tables of Django and its libraries that the role `app` uses.
OTHERS = {
    "django_migrations": Access.READ,
    "django_content_type": Access.READ,
    "django_session": Access.WORK,
    # stays empty (the ledger is the trail); pages of Django that look into it must not fail
    "django_admin_log": Access.READ,
}
FUNCTIONS = (
    "ledger_prune_heads(int)",
    "audit_ensure_partitions(int, int)",
    "evidence_lock_holds()",
    "evidence_floor_ends(uuid[])",
    "evidence_held(uuid[])",
    "evidence_held_texts(uuid[])",
    "evidence_texts_within_floor(uuid[], timestamptz)",
    "evidence_text_floor_ends(uuid[])",
    "evidence_repeating(uuid, uuid[])",
    "evidence_in_process(uuid[])",
    "evidence_systems_of(uuid[])",
    "evidence_staff_floor_ends(uuid)",
    "evidence_staff_held(uuid)",
    "evidence_open_warrant(uuid)",
    "evidence_erase_payloads(uuid, uuid[], uuid[])",
    "evidence_erase_texts(uuid, uuid[], uuid[])",
    "evidence_erase_quarantined(uuid, uuid[], uuid[])",
    "evidence_forget_statistics(text[])",
)
"""What the role `app` may call: they do what it has no right to, and look for themselves whether it may be done."""
PRIVILEGES = {
    Access.READ: sql.SQL("SELECT"),
    Access.INSERT: sql.SQL("INSERT"),
    Access.UPDATE: sql.SQL("UPDATE"),
    Access.DELETE: sql.SQL("DELETE"),
    Access.LOCK: sql.SQL("UPDATE (lock)"),
}


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger that must stand on a table, ENABLE ALWAYS."""

    table: str
    name: str
    when: str
    function: str
    arguments: tuple[str, ...] = ()


def table_access() -> dict[str, Access]:
    """What the role `app` may do, for each table. Errors: `TypeError` naming a model of ours that does not say."""
    access = dict(OTHERS)
    for model in apps.get_models():
        declared: Access | None = getattr(model, "DB_ACCESS", None)
        if declared is None and not model.__module__.startswith(("django.", "simple_history", "rest_framework")):
            raise TypeError(f"{model.__module__}.{model.__qualname__} does not say its DB_ACCESS")
        if declared is not None:
            access[model._meta.db_table] = declared
    return access


def required_triggers() -> Iterator[Trigger]:
    """Every trigger that must stand (partitions get theirs with the partition)."""
    for model in apps.get_models():
        access: Access = getattr(model, "DB_ACCESS", Access(0))
        for name, when, function in getattr(model, "OWN_TRIGGERS", ()):
            yield Trigger(model._meta.db_table, name, when, function)
        if access & (Access.TRIGGERED | Access.ERASE):
            yield from _row_triggers(model, access)
            yield Trigger(model._meta.db_table, "refuse_truncate", "BEFORE TRUNCATE", "ledger_refuse")


def _row_triggers(model: Any, access: Access) -> Iterator[Trigger]:
    table = model._meta.db_table
    if Access.ERASE in access:
        yield Trigger(table, "erase_only", "BEFORE UPDATE", "ledger_erase_only", model.ERASED_TOGETHER)
        yield Trigger(table, "refuse_delete", "BEFORE DELETE", "ledger_refuse")
    else:
        refuse = "ledger_refuse_head" if table == "ledger_head" else "ledger_refuse"
        yield Trigger(table, "refuse_change", "BEFORE UPDATE OR DELETE", refuse)
    if table == "ledger_erasure":
        yield Trigger(table, "stamp", "BEFORE INSERT", "ledger_stamp_erasure")


def apply_guard(cursor: CursorWrapper, *, app_role: str) -> None:
    """Put every trigger in place and give the role `app` exactly its rights. Run as the owner of the tables."""
    for trigger in required_triggers():
        _put_trigger(cursor, trigger)
    role = sql.Identifier(app_role)
    cursor.execute(sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(role))
    for table, access in table_access().items():
        _grant(cursor, table, access, role)
    cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role))
    cursor.execute(sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(role))
    for function in FUNCTIONS:
        cursor.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.SQL(function), role))


def _put_trigger(cursor: CursorWrapper, trigger: Trigger) -> None:
    each = sql.SQL("STATEMENT" if "TRUNCATE" in trigger.when else "ROW")
    table, name = sql.Identifier(trigger.table), sql.Identifier(trigger.name)
    cursor.execute(
        sql.SQL("CREATE OR REPLACE TRIGGER {} {} ON {} FOR EACH {} EXECUTE FUNCTION {}({})").format(
            name,
            sql.SQL(trigger.when),
            table,
            each,
            sql.Identifier(trigger.function),
            sql.SQL(", ").join(map(sql.Literal, trigger.arguments)),
        )
    )
    cursor.execute(sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(table, name))


def _grant(cursor: CursorWrapper, table: str, access: Access, role: sql.Identifier) -> None:
    rights = [word for flag, word in PRIVILEGES.items() if flag in access]
    cursor.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(", ").join(rights), sql.Identifier(table), role))


def missing_triggers(cursor: CursorWrapper) -> list[str]:
    """Names of required triggers that are gone or not ENABLE ALWAYS: somebody has opened the door."""
    cursor.execute(
        "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE NOT t.tgisinternal AND t.tgenabled = 'A'"
    )
    standing = set(cursor.fetchall())
    wanted = {(trigger.table, trigger.name) for trigger in required_triggers()}
    partitions = _partition_triggers(cursor)
    return sorted(f"{name} on {table}" for table, name in (wanted | partitions) - standing)


def _partition_triggers(cursor: CursorWrapper) -> set[tuple[str, str]]:
    cursor.execute(
        "SELECT p.relname, c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " JOIN pg_class p ON p.oid = i.inhparent WHERE p.relkind = 'p' AND c.relkind IN ('r', 'p')"
    )
    of_parent: dict[str, list[str]] = {}
    for trigger in required_triggers():
        of_parent.setdefault(trigger.table, []).append(trigger.name)
    return {(part, name) for parent, part in cursor.fetchall() for name in of_parent.get(parent, [])}
