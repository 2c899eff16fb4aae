"""What was refused cannot be made away with, and each proper way is clean. (Each column: test_tampering.)"""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from config.ids import new_id
from evidence.verification import verify_everything
from governance import memory
from governance.acts import Role
from governance.scopes import Scope
from intake.models import QuarantineArrival, QuarantinedRecord, QuarantineReceipt
from intake.services.quarantine import note_view
from intake.services.replays import correct, decide_dismissal, replay, request_dismissal
from intake.services.sweeps import expire_quarantine, seal_arrivals
from tests.evidence.test_tampering import as_owner
from tests.factories.erasing import arrived, erase_words
from tests.factories.register import actor_of, give_role, make_person
from tests.intake.conftest import Sender, make_sender

pytestmark = pytest.mark.committing
TABLES = ("intake_quarantinedrecord", "intake_quarantinereceipt")


@pytest.fixture(autouse=True)
def _slices_end_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """What belongs together, an expiry and what it erased, is cut by the slices of a walk."""
    monkeypatch.setattr("evidence.verification.walks.ROWS_AT_ONCE", 2)


@pytest.fixture
def sender(committed_db: None) -> Sender:
    return make_sender("credit")


def refused(sender: Sender, *confidences: int, subject: str = "c-1") -> list[uuid.UUID]:
    memory.refresh()
    sent = [sender.record(confidence=each, subject=f"{each}-{subject}") for each in confidences]
    answers = [sender.post(each) for each in sent]
    return [uuid.UUID(answer.json()["quarantine_id"]) for answer in answers]


def codes() -> set[str]:
    return {finding.code for finding in verify_everything()} - {"guard-open"}


def columns(table: str) -> list[str]:
    with connection.cursor() as cursor:
        return [column.name for column in connection.introspection.get_table_description(cursor, table)]


def unfound(cursor: Any, statement: str) -> bool:
    cursor.execute("SAVEPOINT edit")
    cursor.execute(statement)
    assert cursor.rowcount == 1
    clean = not codes()
    cursor.execute("ROLLBACK TO edit")
    return clean


@pytest.fixture
def opened(sender: Sender, keeper_url: str) -> Iterator[Any]:
    """Three counted records; the triggers are open, as an owner can open them."""
    refused(sender, 2, 3, 4)
    seal_arrivals()
    with as_owner(keeper_url) as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield cursor


def test_the_loss_of_a_record_or_a_receipt_is_found(opened: Any) -> None:
    for table in TABLES:
        one = f"DELETE FROM {table} WHERE ctid = (SELECT min(ctid) FROM {table})"
        assert not unfound(opened, one), table
    opened.execute(
        "WITH gone AS (DELETE FROM intake_quarantinedrecord"
        " WHERE id = (SELECT min(id::text)::uuid FROM intake_quarantinedrecord) RETURNING id)"
        " DELETE FROM intake_quarantinereceipt r USING gone WHERE r.record_id = gone.id"
    )
    assert codes() == {"quarantine-miscounted"}


def test_a_record_that_is_emptied_without_an_erasure_is_found(opened: Any) -> None:
    opened.execute("UPDATE intake_quarantinedrecord SET secret = NULL, original = NULL, problems = NULL")
    assert codes() == {"quarantine-gone"}


def test_an_emptied_record_of_an_expiry_that_did_not_take_it_is_found(sender: Sender, keeper_url: str) -> None:
    (one, *_) = refused(sender, 2, 3, 4)
    seal_arrivals()
    with as_owner(keeper_url) as cursor:
        cursor.execute(
            "INSERT INTO ledger_erasure (id, row_id, entry_id, transaction) VALUES (%s, %s, %s, 0)",
            [new_id(), one, new_id()],
        )
        cursor.execute(
            "UPDATE intake_quarantinedrecord SET secret = NULL, original = NULL, problems = NULL WHERE id = %s", [one]
        )
        assert codes() == {"quarantine-gone", "erasure-unsealed"}


@pytest.mark.parametrize("sealed", [True, False])
def test_a_record_that_was_slipped_in_is_found(sender: Sender, sealed: bool) -> None:
    refused(sender, 2)
    if sealed:
        seal_arrivals()
    names = [name for name in columns("intake_quarantinedrecord") if name != "id"]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO intake_quarantinedrecord (id, {', '.join(names)}) SELECT %s, {', '.join(names)}"
            " FROM intake_quarantinedrecord",
            [new_id()],
        )
    assert codes() == {"quarantine-unsealed"}


def test_a_receipt_that_was_slipped_in_is_found(sender: Sender) -> None:
    refused(sender, 2)
    seal_arrivals()
    receipt = QuarantineReceipt.objects.get()
    QuarantineReceipt.objects.create(
        record_id=new_id(),
        entry_id=receipt.entry_id,
        original=receipt.original,
        problems=receipt.problems,
        digest=receipt.digest,
    )
    assert codes() == {"quarantine-miscounted", "quarantine-missing"}


def test_an_arrival_that_is_made_away_with_before_its_minute_is_over_is_found(sender: Sender) -> None:
    refused(sender, 2, 3)
    assert codes() == set()
    QuarantineArrival.objects.first().delete()  # type: ignore[union-attr]
    assert codes() == {"quarantine-unsealed"}
    seal_arrivals()
    assert codes() == {"quarantine-unsealed"}


def test_an_arrival_that_is_altered_before_its_minute_is_over_is_found(sender: Sender) -> None:
    refused(sender, 2)
    QuarantineArrival.objects.update(digests=["00" * 32])
    seal_arrivals()
    assert codes() == {"quarantine-altered"}


def test_replay_correction_dismissal_looking_and_erasure_are_clean(sender: Sender) -> None:
    memory.refresh()
    place = Scope.system(sender.systems[0].pk)
    owner, accountable = make_person(), make_person()
    give_role(owner, Role.TECHNICAL_OWNER, place)
    give_role(accountable, Role.ACCOUNTABLE, place)
    with arrived(days=92):
        early = uuid.UUID(sender.post(sender.record(extra=1)).json()["quarantine_id"])
    correct(actor=actor_of(owner), record_id=early, corrections={"extra": None}, reason="unknown")
    assert codes() == set()
    seal_arrivals()
    replay(actor=actor_of(owner), record_id=early)
    with arrived(days=92):
        given_up, erased, _ = refused(sender, 2, 3, 4, subject="zq-somebody")
    seal_arrivals()
    note_view(actor=actor_of(owner), record=QuarantinedRecord.objects.get(pk=given_up))
    request_dismissal(actor=actor_of(owner), record_id=given_up, reason="a test record")
    decide_dismissal(actor=actor_of(accountable), record_id=given_up, approve=True, reason="agreed")
    erase_words("3-zq-somebody")
    assert QuarantinedRecord.objects.get(pk=erased).original is None
    assert codes() == set()
    assert expire_quarantine() == 3
    assert not QuarantinedRecord.objects.exclude(original=None).exists()
    assert codes() == set()


def test_a_record_that_was_erased_keeps_its_other_columns(sender: Sender, keeper_url: str) -> None:
    refused(sender, 2, subject="zq-somebody")
    seal_arrivals()
    erase_words("2-zq-somebody")
    with as_owner(keeper_url) as cursor:
        cursor.execute("ALTER TABLE intake_quarantinedrecord DISABLE TRIGGER USER")
        assert codes() == set()
        cursor.execute("UPDATE intake_quarantinedrecord SET environment = 'elsewhere'")
        assert codes() == {"quarantine-altered"}
