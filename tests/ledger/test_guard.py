"""What the database itself refuses, to the application's role and to the owner of the tables."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from config.ids import new_id
from ledger.guard import missing_triggers, required_triggers, table_access
from ledger.models import Log, Particulars
from tests.ledger.conftest import append

APPEND_ONLY = ["ledger_log", "ledger_entry", "ledger_tile", "ledger_head", "ledger_checkpoint", "ledger_erasure"]
APPEND_ONLY += ["ledger_logclosure", "audit_decision", "governance_historicalaisystem", "intake_quarantinereceipt"]
APPEND_ONLY += ["audit_erasurewarrant", "audit_restriction", "audit_textrestriction", "audit_erasurestep"]
APPEND_ONLY += ["evidence_signeddocument"]
REFUSED = psycopg.errors.InsufficientPrivilege

pytestmark = pytest.mark.committing


@pytest.fixture(params=["app", "keeper"])
def role(request: pytest.FixtureRequest, database_url: str, keeper_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url if request.param == "app" else keeper_url) as connection:
        yield connection


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_truncate_is_refused_to_everybody(role: psycopg.Connection, table: str) -> None:
    with pytest.raises((REFUSED, psycopg.errors.FeatureNotSupported)):
        role.execute(f"TRUNCATE {table}")


def test_update_and_delete_of_what_is_sealed_are_refused_to_everybody(log: Log, role: psycopg.Connection) -> None:
    append(log, 300)
    for table, column in [
        ("ledger_log", "origin"),
        ("ledger_entry", "kind"),
        ("ledger_tile", "data"),
        ("ledger_head", "root_hash"),
    ]:
        for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
            with pytest.raises(REFUSED):
                role.execute(statement)
            role.rollback()


def test_replication_role_does_not_open_the_door(log: Log, keeper_url: str) -> None:
    with psycopg.connect(keeper_url) as keeper, pytest.raises(REFUSED):  # not a superuser: may not even set it
        keeper.execute("SET session_replication_role = replica")


def test_every_partition_refuses_truncate(role: psycopg.Connection) -> None:
    parts = role.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_decision'::regclass"
    )
    names = [name for (name,) in parts.fetchall()]
    assert len(names) == 15
    for name in names:
        with pytest.raises(REFUSED):
            role.execute(f"TRUNCATE {name}")
        role.rollback()


def test_the_application_owns_nothing_and_may_not_drop_disable_or_detach(database_url: str) -> None:
    with psycopg.connect(database_url) as app:
        for statement in [
            "ALTER TABLE ledger_entry DISABLE TRIGGER ALL",
            "DROP TABLE audit_decision",
            "ALTER TABLE audit_decision DETACH PARTITION audit_decision_202611",
            "CREATE TABLE mine (id int)",
            "ALTER TABLE ledger_log ADD COLUMN note text",
            "SET ROLE keeper",
        ]:
            with pytest.raises(REFUSED):
                app.execute(statement)
            app.rollback()


def test_a_disabled_trigger_is_noticed(keeper_url: str) -> None:
    with connection.cursor() as cursor:
        assert missing_triggers(cursor) == []
        with psycopg.connect(keeper_url) as keeper:
            keeper.execute("ALTER TABLE ledger_entry DISABLE TRIGGER refuse_change")
            keeper.execute("ALTER TABLE audit_decision_202612 DISABLE TRIGGER refuse_truncate")
        assert missing_triggers(cursor) == ["refuse_change on ledger_entry", "refuse_truncate on audit_decision_202612"]


def test_every_table_of_ours_says_what_the_application_may_do() -> None:
    access = table_access()
    assert {trigger.table for trigger in required_triggers()} <= access.keys()


class TestErasure:
    """The one UPDATE that an erasable table allows, and only to functions of the database."""

    @pytest.fixture
    def version(self, log: Log) -> Particulars:
        return Particulars.objects.create(row_id=new_id(), part="particulars", secret=bytes(32), data=b"{}")

    @pytest.fixture
    def keeper(self, keeper_url: str) -> Iterator[psycopg.Connection]:
        with psycopg.connect(keeper_url) as connection:
            yield connection

    def erase(
        self, role: psycopg.Connection, version: Particulars, columns: str = "secret = NULL, data = NULL"
    ) -> None:
        role.execute(f"UPDATE ledger_particulars SET {columns} WHERE id = %s", [version.id])

    def permit(self, role: psycopg.Connection, version: Particulars) -> None:
        role.execute(
            "INSERT INTO ledger_erasure (id, row_id, entry_id, transaction) VALUES (%s, %s, %s, 0)",
            [new_id(), version.id, new_id()],
        )

    @pytest.mark.parametrize("table", ["ledger_particulars", "audit_payload", "intake_quarantinedrecord"])
    def test_the_application_may_change_nothing_that_is_erasable(self, database_url: str, table: str) -> None:
        with psycopg.connect(database_url) as app:
            for statement in (f"UPDATE {table} SET secret = NULL", f"SELECT FROM {table} FOR UPDATE"):
                with pytest.raises(REFUSED, match="permission denied"):
                    app.execute(statement)
                app.rollback()

    def test_the_application_gives_itself_no_permission(self, version: Particulars, database_url: str) -> None:
        with psycopg.connect(database_url) as app, pytest.raises(REFUSED, match="permission denied"):
            self.permit(app, version)

    def test_without_a_permission_it_is_refused(self, keeper: psycopg.Connection, version: Particulars) -> None:
        with pytest.raises(REFUSED, match="no erasure"):
            self.erase(keeper, version)

    def test_with_a_permission_in_the_same_transaction_it_is_allowed(
        self, keeper: psycopg.Connection, version: Particulars
    ) -> None:
        self.permit(keeper, version)
        self.erase(keeper, version)
        keeper.commit()
        version.refresh_from_db()
        assert (version.secret, version.data) == (None, None)

    def test_a_permission_of_an_earlier_transaction_has_run_out(
        self, keeper: psycopg.Connection, version: Particulars
    ) -> None:
        self.permit(keeper, version)
        keeper.commit()
        with pytest.raises(REFUSED, match="no erasure"):
            self.erase(keeper, version)

    @pytest.mark.parametrize("columns", ["data = '\\x00'", "secret = NULL", "part = 'x', secret = NULL, data = NULL"])
    def test_nothing_but_everything_together_is_allowed(
        self, keeper: psycopg.Connection, version: Particulars, columns: str
    ) -> None:
        self.permit(keeper, version)
        with pytest.raises((REFUSED, psycopg.errors.CheckViolation)):
            self.erase(keeper, version, columns)


def test_old_heads_are_pruned_but_never_the_newest_nor_a_young_one(
    log: Log, keeper_url: str, database_url: str
) -> None:
    for _ in range(3):
        append(log)
    with psycopg.connect(database_url) as app:
        assert app.execute("SELECT ledger_prune_heads(100)").fetchone() == (0,)
    with psycopg.connect(keeper_url) as keeper:
        keeper.execute("ALTER TABLE ledger_head DISABLE TRIGGER refuse_change")
        keeper.execute("UPDATE ledger_head SET recorded_at = now() - interval '2 hours' WHERE tree_size <> 3")
        keeper.execute("ALTER TABLE ledger_head ENABLE ALWAYS TRIGGER refuse_change")
    with psycopg.connect(database_url) as app:
        app.execute("SELECT ledger_prune_heads(100)")
    sizes = list(log.heads.order_by("tree_size").values_list("tree_size", flat=True))
    assert sizes == [3, 4]
