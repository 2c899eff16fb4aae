"""No trail, no change: governed rows are written through their entry or not at all."""

import json

import pytest
from django.core.exceptions import ValidationError
from django.db import ProgrammingError

from governance.models import AISystem
from ledger.commitments import commitment
from ledger.entries import COMMAND
from ledger.errors import NotAClearString, UnsealedChange
from ledger.kinds import LOG_OPENED
from ledger.models import Entry, Log, Particulars
from ledger.rows import sealed_columns, write_row
from ledger.sealing import sealing


def write(log: Log, row: AISystem, **facts: object) -> Entry:
    with sealing() as seal:
        draft = write_row(seal, actor=COMMAND, kind=LOG_OPENED, row=row, log_id=log.id, facts=facts, reason="because")
    return Entry.objects.get(id=draft.id)


@pytest.fixture
def system(log: Log) -> AISystem:
    row = AISystem(slug="credit-limits", name="Credit limits", intended_purpose="Sets limits for Ada's cards.")
    write(log, row)
    return row


def test_the_entry_commits_to_the_whole_state_after_the_change(log: Log, system: AISystem) -> None:
    system.risk_class = AISystem.RiskClass.HIGH
    entry = write(log, system)
    body = json.loads(bytes(entry.data))["body"]
    kept = system.history.get(history_id=entry.id)
    assert commitment(bytes(kept.state_secret), "state", bytes(kept.state)).hex() == body["state"]
    state = json.loads(bytes(kept.state))
    assert state["risk_class"] == "high"
    assert {**sealed_columns(AISystem.objects.get()), "particulars": state["particulars"]} == state


def test_free_text_is_committed_to_and_stands_neither_in_the_entry_nor_in_history(log: Log, system: AISystem) -> None:
    entry = Entry.objects.get(about_id=system.id)
    assert b"Ada" not in bytes(entry.data)
    kept = system.history.get()
    assert not hasattr(kept, "intended_purpose")
    version = Particulars.objects.get(pk=kept.particulars_id)
    sealed = commitment(bytes(version.secret or b""), "particulars", bytes(version.data or b"")).hex()
    assert json.loads(bytes(kept.state))["particulars"] == sealed
    assert b"Ada" in bytes(version.data or b"")


def test_the_reason_is_committed_to(log: Log, system: AISystem) -> None:
    kept = system.history.get()
    reason = Particulars.objects.get(pk=kept.reason_id)
    body = json.loads(bytes(Entry.objects.get(about_id=system.id).data))["body"]
    assert bytes(reason.data or b"") == b"because"
    assert commitment(bytes(reason.secret or b""), "reason", b"because").hex() == body["reason"]


def test_unchanged_free_text_keeps_its_version(log: Log, system: AISystem) -> None:
    before = system.particulars_id
    system.status = AISystem.Status.RETIRED
    write(log, system)
    assert system.particulars_id == before
    system.name = "Limits"
    write(log, system)
    assert system.particulars_id != before


@pytest.mark.parametrize("act", ["save", "create", "delete"])
def test_a_governed_row_cannot_be_written_any_other_way(system: AISystem, act: str) -> None:
    with pytest.raises((UnsealedChange, ProgrammingError), match=r"outside write_row|permission denied"):
        match act:
            case "save":
                system.save()
            case "create":
                AISystem.objects.create(slug="behind-the-back", name="x")
            case "delete":
                system.delete()


def test_a_change_whose_transaction_fails_leaves_no_trail_and_no_change(log: Log, system: AISystem) -> None:
    entries = log.entries.count()
    system.slug = "renamed"
    with pytest.raises(ZeroDivisionError), sealing() as seal:
        write_row(seal, actor=COMMAND, kind=LOG_OPENED, row=system, log_id=log.id)
        raise ZeroDivisionError
    assert log.entries.count() == entries
    assert system.history.count() == 1
    assert AISystem.objects.get().slug == "credit-limits"


def test_a_row_that_breaks_a_rule_is_refused_before_anything_is_written(log: Log) -> None:
    with pytest.raises(ValidationError):
        write(log, AISystem(slug="Not A Slug", name="x"))
    assert log.entries.count() == 1


def test_facts_that_are_not_clear_strings_are_refused(log: Log) -> None:
    with pytest.raises(NotAClearString, match="/who"):
        write(log, AISystem(slug="x", name="x"), who="Ada Lovelace")
    assert not AISystem.objects.exists()
