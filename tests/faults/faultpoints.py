"""A fault, armed by a file and fired once: which step of sealing it waits for, and what then breaks.

Everything that runs inside the web process under test. Only `tests.faults.wsgi` puts it there; the product has an empty
function in `ledger.sealing.step`, and no setting that could put another one in its place.
"""

import json
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg import generators

ARMED = "TEST_FAULT"
"""In the environment of the web process: the file that arms a fault."""
THREADS = "TEST_FAULT_THREADS"
"""In that environment: how the names of the threads begin in which it fires; others are left alone."""
COMMITTER = "committer"
"""How the threads that seal decisions are called."""


class Action(StrEnum):
    """What breaks."""

    KILL_WEB = "kill_web"
    KILL_BACKEND = "kill_backend"
    CUT_SOCKET = "cut_socket"


COMMIT_SENT, COMMIT_UNANSWERED = "commit_sent", "commit_unanswered"
STEPS = (
    "lock",
    "copies",
    "tiles",
    "head_row",
    COMMIT_SENT,  # the server has it and has not looked at it
    COMMIT_UNANSWERED,  # the server has committed, and its answer is lost
    "committed",
    "head_store",
    "signature",
    "answer",
)


@dataclass(frozen=True)
class Fired:
    """What the web process wrote down just before the fault."""

    web: int
    backend: int
    is_held: bool
    """The backend is stopped (SIGSTOP) with COMMIT before it: whoever tests lets it go on."""


class FaultFile:
    """The file by which a test arms a fault, and the one beside it by which the process says that it fired."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fired_path = path.with_suffix(".fired")

    def arm(self, step: str, action: Action) -> None:
        self.fired_path.unlink(missing_ok=True)
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"step": step, "action": action}))
        new.rename(self.path)

    def disarm(self) -> None:
        self.path.unlink(missing_ok=True)

    def take(self, step: str) -> Action | None:
        """The action armed for this step; the file is gone then, so it fires once."""
        try:
            armed = json.loads(self.path.read_text())
            if armed["step"] != step:
                return None
            self.path.unlink()
        except FileNotFoundError:
            return None
        return Action(armed["action"])

    def say_fired(self, fired: Fired) -> None:
        new = self.fired_path.with_suffix(".new")
        new.write_text(json.dumps([fired.web, fired.backend, fired.is_held]))
        new.rename(self.fired_path)

    def fired(self) -> Fired | None:
        return Fired(*json.loads(self.fired_path.read_text())) if self.fired_path.exists() else None


# --- inside the web process ------------------------------------------------------------------------------------------
_last: Any = None
"""The connection that sealed last: when the answer is written, the committer's is not this thread's."""


def step(name: str) -> None:
    """What stands in `ledger.sealing.step`."""
    global _last
    if name != "answer":
        if not _is_meant():
            return
        _last = connection.connection
    action = _file().take(name)
    if action is not None and _last is not None:
        _break(action, _last.pgconn)


def _is_meant() -> bool:
    return threading.current_thread().name.startswith(os.environ.get(THREADS, COMMITTER))


def _file() -> FaultFile:
    return FaultFile(Path(os.environ[ARMED]))


def _break(action: Action, pgconn: Any, *, is_held: bool = False) -> None:
    backend = pgconn.backend_pid
    _file().say_fired(Fired(os.getpid(), backend, is_held))
    if action is Action.KILL_WEB:
        os.kill(os.getpid(), signal.SIGKILL)
    elif action is Action.KILL_BACKEND:
        os.kill(backend, signal.SIGKILL)
        _wait_ended(backend)
    else:
        with _socket(pgconn) as cut:
            cut.shutdown(socket.SHUT_RDWR)


def _wait_ended(pid: int) -> None:
    while _is_there(pid):
        time.sleep(0.005)


def _is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").exists()
    except ProcessLookupError:  # it ended between the look-up of the folder and that of the file
        return False


@contextmanager
def _socket(pgconn: Any) -> Iterator[socket.socket]:
    """A second handle of libpq's socket: what is shut down here is shut for both."""
    with socket.socket(fileno=os.dup(pgconn.socket)) as handle:
        yield handle


def breaking_commit(commit: Callable[[Any], None]) -> Callable[[Any], None]:
    """Django's `_commit` of a wrapper, with the two faults between COMMIT and its answer."""

    def commit_or_break(wrapper: Any) -> None:
        if _is_meant():
            for name in (COMMIT_SENT, COMMIT_UNANSWERED):
                action = _file().take(name)
                if action is not None:
                    with wrapper.wrap_database_errors:
                        _commit_and_break(action, wrapper.connection, is_held=name == COMMIT_SENT)
        commit(wrapper)

    return commit_or_break


def _commit_and_break(action: Action, connection: Any, *, is_held: bool) -> None:
    pgconn = connection.pgconn
    if is_held:
        os.kill(pgconn.backend_pid, signal.SIGSTOP)
    pgconn.send_query(b"COMMIT")
    while pgconn.flush():
        select.select([], [pgconn.socket], [])
    if not is_held:
        _lose_answer(pgconn)
    _break(action, pgconn, is_held=is_held)
    _read_result(connection)


def _lose_answer(pgconn: Any) -> None:
    """Wait until the server has answered, and throw that away: libpq will never see it."""
    with _socket(pgconn) as handle:
        received = b""
        # ReadyForQuery, idle: the last message after a COMMIT
        while not received.endswith(b"Z\0\0\0\5I"):
            select.select([handle], [], [])
            received += handle.recv(65536)


def _read_result(connection: Any) -> None:
    """What psycopg makes of it, raised as it always does."""
    results = connection.wait(generators.fetch_many(connection.pgconn))
    if results[-1].status == psycopg.pq.ExecStatus.FATAL_ERROR:
        raise psycopg.errors.error_from_result(results[-1])


def install() -> None:
    """Put the faults where they belong, in this process."""
    from ledger import sealing

    sealing.step = step
    wrapper: Any = DatabaseWrapper
    wrapper._commit = breaking_commit(wrapper._commit)
