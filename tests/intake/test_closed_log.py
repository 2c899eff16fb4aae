"""A log that was closed for a lost tail: its successor takes over, and what stands in it still does."""

import pytest
from django.db import DatabaseError, DataError, OperationalError

from evidence.services.custody import close_log
from governance import memory
from intake.committer import is_lost
from ledger.entries import COMMAND
from ledger.heads import head_store
from ledger.models import Log
from ledger.selectors import latest_head, open_log
from tests.factories.register import make_person
from tests.intake.conftest import Sender


def close_log_of(sender: Sender) -> Log:
    """The successor of the log, closed since more was signed than the database holds."""
    log = open_log(sender.systems[0].pk)
    head_store().advance(log.id, latest_head(log.id).tree_size + 40, bytes(32))
    first, second = (make_person(administrator=True) for _ in range(2))
    return close_log(actor=COMMAND, asked_by=first, approved_by=second, log=log)


@pytest.mark.committing
def test_until_the_successor_is_known_the_answer_is_503_and_never_a_conflict(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sender.post(sender.record()).status_code == 201
    before = memory.current()
    close_log_of(sender)
    with monkeypatch.context() as patch:
        patch.setattr(memory, "fresh", lambda: before)  # a process that has not looked since
        answer = sender.post(sent := sender.record())
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/log-busy")
    assert int(answer["Retry-After"]) >= 1
    assert sender.post(sent).status_code == 201


@pytest.mark.committing
def test_the_successor_is_announced_to_the_memories_of_all_processes(sender: Sender) -> None:
    memory.refresh()
    successor = close_log_of(sender)
    found = memory.refresh().system_by_id(sender.systems[0].pk)
    assert found is not None
    assert (found.log_id, found.origin) == (successor.id, successor.origin)


@pytest.mark.committing
def test_a_repeat_is_told_its_place_in_the_closed_log(sender: Sender) -> None:
    sent = sender.record()
    first = sender.post(sent).json()
    successor = close_log_of(sender)
    again, beside = sender.batch([sent, sender.record()]).json()["results"]
    assert (again["status"], again["log"], again["leaf_index"]) == ("duplicate", first["log"], first["leaf_index"])
    assert (beside["status"], beside["log"]) == ("accepted", successor.origin)
    alone = sender.post(sent)
    assert (alone.status_code, alone.json()["leaf_index"]) == (200, first["leaf_index"])
    assert "checkpoint" not in alone.json()  # nothing new is signed for a closed log


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (OperationalError("server closed the connection unexpectedly"), True),
        (DatabaseError("server closed the connection unexpectedly"), True),
        (DataError("an integer was expected"), False),
    ],
)
def test_an_error_without_a_state_means_a_lost_connection_unless_it_is_ours(error: DatabaseError, lost: bool) -> None:
    assert is_lost(error) is lost
