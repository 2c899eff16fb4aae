"""Rows that were sealed before their table got further columns are still what was sealed, and only that."""

from typing import Any

import pytest
from django.db import connection

from evidence.verification import verify_everything
from governance.kinds import ASSIGNMENT_UPDATED
from governance.models import Assignment, ModelVersion
from governance.services.offers import write_assignment
from ledger import rows
from ledger.entries import COMMAND
from ledger.models import Particulars
from ledger.sealing import sealing
from tests.evidence.conftest import Organisation, found_organisation

LATER = {"powers", "competence_until", "review_on"}


@pytest.fixture
def organisation(db: None, monkeypatch: pytest.MonkeyPatch) -> Organisation:
    """Written while assignments had no terms, and model versions no base model."""
    sealed = rows.sealed_columns
    with monkeypatch.context() as before:
        before.setattr(Assignment, "ERASABLE_FIELDS", ())
        before.setattr(Assignment, "UNSEALED_FIELDS", ("duties", "competence"))
        before.setattr(ModelVersion, "ERASABLE_FIELDS", ("name", "provider", "notes"))
        before.setattr(ModelVersion, "UNSEALED_FIELDS", ("base_model",))
        before.setattr(rows, "sealed_columns", lambda row: _without(sealed(row)))
        return found_organisation(3)


def _without(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name not in LATER}


def codes() -> set[str]:
    return {finding.code for finding in verify_everything()}


def test_they_verify(organisation: Organisation) -> None:
    assert Assignment.objects.get().particulars_id is None
    version = Particulars.objects.get(row_id=ModelVersion.objects.get().pk, part=rows.PARTICULARS_PART)
    assert b"base_model" not in bytes(version.data or b"")
    assert codes() == set()


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("governance_assignment", "duties", "Whatever I like"),
        ("governance_assignment", "competence", "Doctor of law"),
        ("governance_assignment", "powers", ["override"]),
        ("governance_modelversion", "base_model", "Another"),
        ("governance_modelversion", "notes", "Tested"),
    ],
)
def test_one_that_is_edited_is_found(organisation: Organisation, table: str, column: str, value: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = %s", [value])
    assert codes() == {"row-altered"}


def test_their_next_change_seals_all_of_them(organisation: Organisation) -> None:
    held = Assignment.objects.get()
    held.duties = "Answers for it."
    with sealing() as seal:
        write_assignment(seal, actor=COMMAND, kind=ASSIGNMENT_UPDATED, assignment=held)
    assert held.particulars_id is not None
    assert codes() == set()
