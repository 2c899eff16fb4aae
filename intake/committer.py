"""Group commit: what queued up while the last commit ran goes into the next one. No timer, no latency when idle.

Request threads hand in jobs and wait. A process has at most four committers, threads with a database connection each,
started when there is work (after any fork). A committer takes the next log that has work and is in nobody else's hands,
so one slow log does not hold the others.

What can go wrong with a group, and what follows:

    unique violation, deadlock, serialisation   the group once again, then halves, down to the record at fault
    a fault of ours                             halves, down to the record that brings it to light: 500 for that one
    connection lost, perhaps during COMMIT      unknown: the group again on a new connection. The log's lock waits for
                                                the dying backend, the ids tell what was committed
    the log's lock is not to be had             `LogBusy`, 503
    head store or signing after the COMMIT      503; the retry is a duplicate and gets its receipt
"""

import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from django.db import DatabaseError, Error, InterfaceError, OperationalError, connection

from config.errors import InternalError, ServiceError, Unavailable
from intake.admission import Admitted
from intake.errors import IdTaken, IntakeBusy, LogBusy
from intake.groups import Sealed, nobody_more, seal_group
from intake.metrics import QUEUED_BYTES, QUEUED_RECORDS, count_failure, count_group
from ledger.errors import LogClosed
from ledger.signing import SignedCheckpoint

log = structlog.get_logger(__name__)

COMMITTERS = 4
GROUP_RECORDS, GROUP_BYTES = 2_000, 8 << 20
QUEUE_RECORDS, QUEUE_BYTES = 40_000, 64 << 20
WAIT_SECONDS = 25.0
IDLE_SECONDS = 30.0
RECONNECTS = 3

UNIQUE_VIOLATION, DEADLOCK, SERIALISATION, LOCK_NOT_AVAILABLE = "23505", "40P01", "40001", "55P03"
AGAIN = {UNIQUE_VIOLATION, DEADLOCK, SERIALISATION}
LOST = ("08", "57P", "25P")
"""Beginnings of SQLSTATE that mean the connection is gone."""
EXHAUSTED = ("53", "57014")
"""Out of memory, disk or connections; out of time."""

JUST_CLOSED = "The log of this AI system was closed. Its successor takes the same records in a moment."

Result = Sealed | ServiceError
Checkpoints = dict[uuid.UUID, SignedCheckpoint]


@dataclass(slots=True)
class Job:
    """Some decisions of one log, handed in together."""

    log_id: uuid.UUID
    group: Sequence[Admitted]
    size: int
    results: Sequence[Result] = ()
    checkpoints: Checkpoints = field(default_factory=dict)
    is_abandoned: bool = False
    is_under_way: bool = False
    """The log's lock is held: from here on the committer is the one to make bytes."""
    done: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, log_id: uuid.UUID, group: Sequence[Admitted]) -> "Job":
        job = cls(log_id, group, sum([each.decision.size for each in group]))
        job.done.acquire()
        return job

    def finish(self, results: Sequence[Result], checkpoints: Checkpoints) -> None:
        self.results, self.checkpoints = results, checkpoints
        self.done.release()


class Committer:
    """The queue of a process and the threads that empty it."""

    def __init__(self) -> None:
        self._ready = threading.Condition()
        self._waiting: dict[uuid.UUID, deque[Job]] = {}
        self._in_hand: set[uuid.UUID] = set()
        self._threads = 0
        self._idle = 0
        self._called = 0
        self._records = 0
        self._bytes = 0

    @property
    def queued(self) -> tuple[int, int]:
        """Records and bytes that were handed in and are not answered yet."""
        return self._records, self._bytes

    def hand_in(self, jobs: Sequence[Job]) -> None:
        """Queue jobs, all or none. Errors: `IntakeBusy` where the queue is full."""
        records, size = sum(len(job.group) for job in jobs), sum(job.size for job in jobs)
        with self._ready:
            if self._records and (self._records + records > QUEUE_RECORDS or self._bytes + size > QUEUE_BYTES):
                raise IntakeBusy(retry_after=2)
            self._records += records
            self._bytes += size
            for job in jobs:
                is_first = job.log_id not in self._waiting
                self._waiting.setdefault(job.log_id, deque()).append(job)
                if is_first:
                    self._wake()

    def wait_for(self, job: Job, *, until: float) -> None:
        """Wait for a job's results. Errors: `IntakeBusy` past `until`, a `time.monotonic()`; it may still be sealed.

        As long as others have the log's lock, the time is used to make the bytes that will be needed under it.
        """
        try:
            for each in job.group:
                if job.is_under_way:
                    break
                each.decision.write()
        except Exception:
            # the committer will meet the same fault, and find out whose it is
            log.exception("intake.write_ahead_failed", log_id=str(job.log_id))
        if not job.done.acquire(timeout=max(0.0, until - time.monotonic())):
            job.is_abandoned = True
            raise IntakeBusy(retry_after=5)

    def _wake(self) -> None:
        """One more thread for a log that nobody has in hand."""
        if self._idle:
            # counted as busy at once: it will take a while to run, and another log must not count on it too
            self._idle -= 1
            self._called += 1
            self._ready.notify()
        elif self._threads < COMMITTERS and self._waiting.keys() - self._in_hand:
            self._threads += 1
            threading.Thread(target=self._run, name=f"committer-{self._threads}", daemon=True).start()

    def _run(self) -> None:
        while True:
            taken = self._take()
            if taken is None:
                # nothing to do for a while: give the connection back
                connection.close()
                continue
            log_id, jobs = taken
            try:
                self._commit(log_id, jobs)
            finally:
                self._put_back(log_id, jobs)

    def _take(self) -> tuple[uuid.UUID, list[Job]] | None:
        """The next log that has work, and a group's worth of its jobs; None after a quiet while."""
        with self._ready:
            log_id = self._next_log()
            if log_id is None:
                self._idle += 1
                self._ready.wait(IDLE_SECONDS)
                self._end_idleness()
                log_id = self._next_log()
            if log_id is None:
                return None
            self._in_hand.add(log_id)
            return log_id, _group_of(self._waiting[log_id])

    def _end_idleness(self) -> None:
        """Whoever wakes first answers a call, though it was another's, and the other ends its own idleness instead."""
        if self._called:
            self._called -= 1
        else:
            self._idle -= 1

    def _take_more(self, log_id: uuid.UUID, jobs: list[Job]) -> list[Job]:
        """What has come for a log since its group was taken, as far as there is room; joins `jobs`."""
        with self._ready:
            more = _group_of(self._waiting[log_id], jobs)
            jobs += more
            return more

    def _next_log(self) -> uuid.UUID | None:
        return next((log_id for log_id in self._waiting if log_id not in self._in_hand), None)

    def _put_back(self, log_id: uuid.UUID, jobs: Sequence[Job]) -> None:
        with self._ready:
            self._in_hand.discard(log_id)
            self._records -= sum(len(job.group) for job in jobs)
            self._bytes -= sum(job.size for job in jobs)
            # to the end of the line, so that a busy log does not starve the others
            rest = self._waiting.pop(log_id)
            if rest:
                self._waiting[log_id] = rest
                self._wake()

    def _commit(self, log_id: uuid.UUID, jobs: list[Job]) -> None:
        wanted = [job for job in jobs if not job.is_abandoned]
        group = [each for job in wanted for each in job.group]
        if not group:
            return

        def top_up() -> None:
            for job in self._take_more(log_id, jobs):
                if not job.is_abandoned:
                    wanted.append(job)
                    group.extend(job.group)
            for job in wanted:
                job.is_under_way = True

        started = time.perf_counter()
        try:
            results, checkpoints = seal_surely(log_id, group, top_up)
        except Exception:
            log.exception("intake.committer_broken", log_id=str(log_id), records=len(group))
            connection.close()
            results, checkpoints = [InternalError()] * len(group), {}
        first = 0
        for job in wanted:
            job.finish(results[first : first + len(job.group)], checkpoints)
            first += len(job.group)
        count_group(len(group), time.perf_counter() - started)


def _group_of(waiting: deque[Job], taken: Sequence[Job] = ()) -> list[Job]:
    """The jobs at the head of the line that fit into a group beside those taken already; the first always fits."""
    jobs: list[Job] = []
    records, size = sum(len(job.group) for job in taken), sum(job.size for job in taken)
    while waiting:
        records, size = records + len(waiting[0].group), size + waiting[0].size
        if (taken or jobs) and (records > GROUP_RECORDS or size > GROUP_BYTES):
            break
        jobs.append(waiting.popleft())
    return jobs


def seal_surely(
    log_id: uuid.UUID, group: Sequence[Admitted], top_up: Callable[[], None] = nobody_more
) -> tuple[list[Result], Checkpoints]:
    """Seal a group, whatever it takes: a result for each decision, in order. One bad record never fails another."""
    for attempt in (1, 2):
        try:
            results, checkpoints = _across_reconnects(log_id, group, top_up)
            return [*results], checkpoints
        except LogClosed as error:
            count_failure(error.code)
            # the register's memory is a moment behind: at its next look it knows the successor
            return [LogBusy(JUST_CLOSED)] * len(group), {}
        except ServiceError as error:
            count_failure(error.code)
            return [error] * len(group), {}
        except Error as error:
            state = sql_state(error)
            if state == LOCK_NOT_AVAILABLE:
                count_failure(LogBusy.code)
                return [LogBusy()] * len(group), {}
            if is_lost(error) or state.startswith(EXHAUSTED):
                count_failure(Unavailable.code)
                return [Unavailable()] * len(group), {}
            count_failure(f"sqlstate-{state}")
            if attempt == 2 or state not in AGAIN:
                return _in_halves(log_id, group, error)
        except Exception as error:
            # a fault of ours, which one record brought to light
            log.exception("intake.group_broken", log_id=str(log_id), records=len(group))
            count_failure(InternalError.code)
            return _in_halves(log_id, group, error)
    raise AssertionError("not reached")


def _in_halves(log_id: uuid.UUID, group: Sequence[Admitted], error: Exception) -> tuple[list[Result], Checkpoints]:
    if len(group) == 1:
        return [_refusal(error)], {}
    middle = len(group) // 2
    first, checkpoints = seal_surely(log_id, group[:middle])
    second, newer = seal_surely(log_id, group[middle:])
    return first + second, checkpoints | newer


def _refusal(error: Exception) -> ServiceError:
    """Why one record alone cannot be committed."""
    if not isinstance(error, Error):
        return InternalError()
    if sql_state(error) == UNIQUE_VIOLATION:
        return IdTaken()
    log.error("intake.record_refused_by_database", sqlstate=sql_state(error))
    return Unavailable()


def _across_reconnects(
    log_id: uuid.UUID, group: Sequence[Admitted], top_up: Callable[[], None]
) -> tuple[list[Sealed], Checkpoints]:
    for attempt in range(1, RECONNECTS + 1):
        try:
            return seal_group(log_id, group, top_up)
        except Error as error:
            if not is_lost(error):
                raise
            count_failure("connection-lost")
            # lost, perhaps during COMMIT. The same group again is safe: what was committed is found by its ids
            connection.close()
            if attempt == RECONNECTS:
                raise
            time.sleep(0.05 * attempt * attempt)
    raise AssertionError("not reached")


def is_lost(error: Error) -> bool:
    """Whether the connection is gone, with or without a last word."""
    state = sql_state(error)
    if state:
        return state.startswith(LOST)
    # a result that libpq made up itself, for want of a server, has no SQLSTATE and comes as a plain DatabaseError
    return isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError


def sql_state(error: BaseException) -> str:
    """The SQLSTATE of a database error, empty where the connection broke without one."""
    return getattr(error.__cause__, "sqlstate", None) or getattr(error, "sqlstate", None) or ""


_committers: dict[int, Committer] = {}


def _queued() -> tuple[int, int]:
    """Records and bytes that this process's committer holds; asking makes none."""
    own = _committers.get(os.getpid())
    return own.queued if own else (0, 0)


QUEUED_RECORDS.set_function(lambda: _queued()[0])
QUEUED_BYTES.set_function(lambda: _queued()[1])


def committer() -> Committer:
    """This process's committer. Threads do not survive a fork, so a child starts with one of its own."""
    pid = os.getpid()
    return _committers.get(pid) or _committers.setdefault(pid, Committer())
