"""Group commit: concurrent senders share commits, and one failure never becomes another's."""

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from audit.models import Decision
from audit.services import preparing, recording
from intake import committer as committing
from intake import groups
from intake.errors import IntakeBusy
from ledger import heads, sealing
from ledger.errors import HeadStoreUnavailable
from ledger.models import Head
from ledger.selectors import open_log
from tests.intake.conftest import Sender
from tests.intake.test_batch import consistent

pytestmark = pytest.mark.committing


@pytest.fixture
def warm(sender: Sender) -> Sender:
    """A sender whose model version is known: what follows is the committers' work alone."""
    assert sender.post(sender.record()).status_code == 201
    return sender


def in_parallel(number: int, act: Callable[[int], Any]) -> list[Any]:
    results: list[Any] = [None] * number

    def run(index: int) -> None:
        try:
            results[index] = act(index)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@contextmanager
def at_step(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], None], times: int = 1):  # type: ignore[no-untyped-def]
    left = [times]

    def step(reached: str) -> None:
        if reached == name and left[0]:
            left[0] -= 1
            act()

    with monkeypatch.context() as patch:
        patch.setattr(sealing, "step", step)
        yield


def fail(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def sever() -> None:
    """End this connection's backend, as a failing server would."""
    with connection.cursor():
        pid = connection.connection.info.backend_pid
    with psycopg.connect(
        **{**connection.get_connection_params(), "context": None, "cursor_factory": psycopg.Cursor}
    ) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])


def test_concurrent_singles_share_commits(warm: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """What queues up while a commit runs goes into the next one: here the first ends when everybody has come."""

    def until_all_have_come() -> None:
        until = time.monotonic() + 20
        while committing.committer()._records < 40 and time.monotonic() < until:
            time.sleep(0.01)

    log = open_log(warm.systems[0].pk)
    before = Head.objects.filter(log=log).count()
    with at_step(monkeypatch, "committed", until_all_have_come):
        answers = in_parallel(40, lambda index: warm.post(warm.record()).status_code)
    assert answers == [201] * 40
    assert Head.objects.filter(log=log).count() - before == 2
    assert consistent(warm) == 41


def test_a_second_log_is_not_held_by_a_slow_one(
    senders: Callable[..., Sender], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, quick = senders("slow"), senders("quick")
    for each in (slow, quick):
        each.post(each.record())
    held = psycopg.connect(_url())
    held.execute("SELECT 1 FROM ledger_log WHERE id = %s FOR NO KEY UPDATE", [open_log(slow.systems[0].pk).id])
    waiting = threading.Thread(target=in_parallel, args=(1, lambda index: slow.post(slow.record())))
    waiting.start()
    started = time.monotonic()
    assert quick.post(quick.record()).status_code == 201
    assert time.monotonic() - started < 2
    held.rollback()
    held.close()
    waiting.join()
    assert consistent(slow) == 4


def _url() -> str:
    found = connection.get_connection_params()
    return psycopg.conninfo.make_conninfo(host=found["host"], dbname=found["dbname"], user=found["user"])


def test_a_busy_log_is_503_and_says_come_again(sender: Sender) -> None:
    sender.post(sender.record())
    with psycopg.connect(_url()) as held:
        held.execute("SELECT 1 FROM ledger_log WHERE id = %s FOR NO KEY UPDATE", [open_log(sender.systems[0].pk).id])
        answer = sender.post(sender.record())
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/log-busy")
    assert int(answer["Retry-After"]) >= 1


def test_the_group_runs_again_after_a_deadlock(warm: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    error = OperationalError("deadlock detected")
    error.__cause__ = psycopg.errors.DeadlockDetected()
    with at_step(monkeypatch, "copies", fail(error)):
        assert warm.batch([warm.record() for _ in range(5)]).json()["counts"]["accepted"] == 5
    assert consistent(warm) == 6


def test_one_bad_record_never_fails_its_neighbours(warm: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up finds nothing, as if the id were taken in another log between it and the COPY."""
    taken = warm.record()
    warm.post(taken)
    real = recording.record_decisions

    def blind(seal: Any, *, log_id: Any, decisions: Any, **rest: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr("audit.services.recording.find_entries", lambda ids: {})
            return real(seal, log_id=log_id, decisions=decisions, **rest)

    monkeypatch.setattr(groups, "record_decisions", blind)
    records = [warm.record() for _ in range(9)]
    records[4] = taken | {"outcome": "refused"}
    found = warm.batch(records).json()
    assert [each["status"] for each in found["results"]] == ["accepted"] * 4 + ["conflict"] + ["accepted"] * 4
    assert found["results"][4]["problem"]["type"] == "/problems/id-taken"
    assert consistent(warm) == 10


def test_a_fault_of_ours_hits_the_record_that_brings_it_to_light(warm: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [warm.record() for _ in range(5)]
    records[3] |= {"occurred_at": "2026-11-01T11:11:11Z"}
    real = preparing.instant

    def faulty(moment: datetime) -> str:
        if (moment.day, moment.minute) == (1, 11):
            raise ArithmeticError("a fault of ours")
        return real(moment)

    monkeypatch.setattr(preparing, "instant", faulty)
    found = warm.batch(records).json()
    assert [each["status"] for each in found["results"]] == ["accepted"] * 3 + ["retry", "accepted"]
    assert found["results"][3]["problem"]["type"] == "/problems/internal-error"
    monkeypatch.setattr(preparing, "instant", real)
    assert warm.batch(records).json()["counts"] == {
        "accepted": 1,
        "duplicate": 4,
        "conflict": 0,
        "rejected": 0,
        "retry": 0,
    }
    assert consistent(warm) == 6


@pytest.mark.parametrize("step", ["lock", "copies", "tiles", "head_row", "before_commit"])
def test_a_connection_lost_before_commit_is_made_again(
    warm: Sender, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    records = [warm.record() for _ in range(300)]
    with at_step(monkeypatch, step, sever):
        assert warm.batch(records).json()["counts"]["accepted"] == 300
    assert consistent(warm) == 301


def test_a_connection_lost_during_commit_is_looked_up(warm: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """The COMMIT went through, its answer did not come: each decision is answered once, as accepted."""
    from django.db import OperationalError

    with at_step(monkeypatch, "committed", fail(OperationalError("server closed the connection unexpectedly"))):
        answer = warm.batch([warm.record(), warm.record(id=None), warm.record(id=None, external_id="o-1")])
    assert answer.json()["counts"]["accepted"] == 3
    assert consistent(warm) == 4


def test_an_unreachable_database_is_503_and_never_500(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    sender.post(sender.record())
    from django.db import OperationalError

    with at_step(monkeypatch, "lock", fail(OperationalError("connection refused")), times=99):
        answer = sender.post(sender.record())
        batch = sender.batch([sender.record()])
    for each in (answer, batch):
        assert (each.status_code, each.json()["type"]) == (503, "/problems/unavailable")
        assert "Retry-After" in each
    assert consistent(sender) == 1


def test_a_head_store_that_fails_after_commit_is_503_and_the_retry_gets_its_receipt(
    warm: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = warm.record()
    with at_step(monkeypatch, "committed", fail(HeadStoreUnavailable("disk full"))):
        assert warm.post(sent).status_code == 503
    assert Decision.objects.count() == 2
    again = warm.post(sent)
    assert (again.status_code, again.json()["status"]) == (200, "duplicate")


def test_a_batch_of_two_logs_loses_only_the_busy_one(senders: Callable[..., Sender]) -> None:
    sender = senders("credit", "hiring")
    sender.batch([sender.record(system="credit"), sender.record(system="hiring")])
    with psycopg.connect(_url()) as held:
        held.execute("SELECT 1 FROM ledger_log WHERE id = %s FOR NO KEY UPDATE", [open_log(sender.systems[1].pk).id])
        answer = sender.batch([sender.record(system="hiring"), sender.record(system="credit")])
    assert answer.status_code == 200
    assert [each["status"] for each in answer.json()["results"]] == ["retry", "accepted"]


def test_a_full_queue_is_503_with_a_bound_on_memory(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committing, "QUEUE_RECORDS", 3)
    sender.post(sender.record())
    with psycopg.connect(_url()) as held:
        held.execute("SELECT 1 FROM ledger_log WHERE id = %s FOR NO KEY UPDATE", [open_log(sender.systems[0].pk).id])
        codes = in_parallel(12, lambda index: sender.post(sender.record()).json()["type"])
    assert codes.count("/problems/intake-busy") == 9
    assert codes.count("/problems/log-busy") == 3


def test_who_waits_too_long_is_told_to_come_again(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intake.api.WAIT_SECONDS", 0.2)
    sent = sender.record()
    sender.post(sender.record())
    with psycopg.connect(_url()) as held:
        held.execute("SELECT 1 FROM ledger_log WHERE id = %s FOR NO KEY UPDATE", [open_log(sender.systems[0].pk).id])
        answer = sender.post(sent)
    assert (answer.status_code, answer.json()["type"]) == (503, f"/problems/{IntakeBusy.code}")
    monkeypatch.setattr("intake.api.WAIT_SECONDS", 20)
    assert sender.post(sent).status_code in (200, 201)
    assert consistent(sender) == 2


def test_a_fault_of_ours_answers_the_waiters(warm: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    with at_step(monkeypatch, "copies", fail(ZeroDivisionError())):
        assert warm.post(warm.record()).status_code == 500
    assert warm.post(warm.record()).status_code == 201


def test_a_group_is_bounded(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committing, "GROUP_RECORDS", 10)
    monkeypatch.setattr("intake.api.JOB_RECORDS", 10)
    log = open_log(sender.systems[0].pk)
    before = Head.objects.filter(log=log).count()
    assert sender.batch([sender.record() for _ in range(100)]).json()["counts"]["accepted"] == 100
    assert Head.objects.filter(log=log).count() - before >= 10


def test_the_hosts_head_is_what_was_acknowledged(sender: Sender) -> None:
    answer = sender.post(sender.record()).json()
    stored = heads.head_store().head(open_log(sender.systems[0].pk).id)
    assert stored is not None
    assert stored.tree_size == answer["tree_size"]
    assert settings.HEAD_STORE


def test_a_log_never_counts_on_a_thread_that_another_log_has_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2)

    class Blocking(committing.Committer):
        def _commit(self, log_id: uuid.UUID, jobs: list[committing.Job]) -> None:
            if log_id.int:
                both.wait(5)
            for job in jobs:
                job.finish([], {})

    committer = Blocking()
    first, *others = [committing.Job.of(uuid.UUID(int=number), []) for number in range(3)]
    committer.hand_in([first])
    committer.wait_for(first, until=time.monotonic() + 5)
    until = time.monotonic() + 5
    while not committer._idle and time.monotonic() < until:
        time.sleep(0.01)
    with committer._ready:
        # the idle thread cannot run before both are there
        for job in others:
            committer.hand_in([job])
    for job in others:
        committer.wait_for(job, until=time.monotonic() + 10)
    assert not both.broken
    assert committer._threads == 2
