"""What SQL can do to cosignatures, time-stamps and contradictions: refused, or found by the self-audit."""

from typing import Any

import psycopg
import pytest
from django.db import IntegrityError
from psycopg import sql

from evidence.models import Cosignature, Timestamp
from evidence.verification import verify_everything
from ledger.models import Contradiction
from tests.evidence.conftest import Organisation, found_organisation
from tests.evidence.test_tampering import as_owner, other_value
from tests.evidence.witnessing.authority import Authority, with_openssl
from tests.evidence.witnessing.conftest import Configure, later, look_round, sweep, trust_all
from tests.evidence.witnessing.strict_witness import StrictWitness
from tests.evidence.witnessing.test_witness_heads import remember

pytestmark = [pytest.mark.committing, with_openssl]
TABLES = {"evidence_cosignature": Cosignature, "evidence_timestamp": Timestamp}
CODES = {"evidence_cosignature": "cosignature-altered", "evidence_timestamp": "timestamp-altered"}
UNSAID = {"id", "witness", "authority", "received_at"}
"""Names that the operator's files gave them, and when they came: said by no signature."""


@pytest.fixture
def anchored(transactional_db: None, configure: Configure, witness: StrictWitness, stamping: Authority) -> Organisation:
    organisation = found_organisation(decisions=10)
    configure(witness, authorities={"own": stamping})
    trust_all(witness)
    sweep()
    return organisation


@pytest.mark.parametrize("role", ["app", "keeper"])
@pytest.mark.parametrize("table", [*TABLES, "ledger_contradiction"])
def test_neither_can_be_changed_deleted_or_emptied(
    anchored: Organisation, witness: StrictWitness, role: str, table: str, database_url: str, keeper_url: str
) -> None:
    remember(witness, anchored.log, 10**6, bytes(32))
    later(hours=1)
    look_round()
    assert Contradiction.objects.exists()
    with psycopg.connect(database_url if role == "app" else keeper_url) as connection:
        for statement in ("DELETE FROM {}", "UPDATE {} SET tree_size = tree_size + 1", "TRUNCATE {} CASCADE"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.SQL(statement).format(sql.Identifier(table)))
            connection.rollback()


def test_a_change_of_any_column_that_somebody_signed_is_found(anchored: Organisation, keeper_url: str) -> None:
    assert list(verify_everything()) == []
    missed = []
    with as_owner(keeper_url) as cursor:
        for table, model in TABLES.items():
            cursor.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table)))
            columns = [str(field.column) for field in model._meta.local_concrete_fields]
            for column in set(columns) - UNSAID:
                if not _found_after(cursor, table, column):
                    missed.append(f"{table}.{column}")
    assert missed == []


def _found_after(cursor: Any, table: str, column: str) -> bool:
    """Whether the self-audit says of the table what it is once one row is otherwise; or the database refuses it."""
    value = other_value(cursor, table, column)
    cursor.execute("SAVEPOINT edit")
    try:
        cursor.execute(
            sql.SQL("UPDATE {t} SET {c} = {v} WHERE id = (SELECT min(id::text)::uuid FROM {t})").format(
                t=sql.Identifier(table), c=sql.Identifier(column), v=value
            )
        )
        return (CODES[table], table) in {(finding.code, finding.table) for finding in verify_everything()}
    except IntegrityError:
        return True
    finally:
        cursor.execute("ROLLBACK TO edit")


def test_a_line_that_another_witness_made_up_is_found(anchored: Organisation, keeper_url: str) -> None:
    with as_owner(keeper_url):
        row = Cosignature.objects.filter(log=anchored.log)[0]
        other = Cosignature.objects.exclude(log=anchored.log)[0]
        Cosignature.objects.create(
            checkpoint=row.checkpoint,
            log_id=row.log_id,
            tree_size=row.tree_size,
            witness="w2",
            vkey="w+00000000+x",
            line=other.line,
            cosigned_at=other.cosigned_at,
        )
        assert [finding.code for finding in verify_everything()] == ["cosignature-altered"]
