"""Switches, parameters and review rules in memory: what clients and directives are answered from.

`current()` is an immutable snapshot. One daemon thread a process has a connection of its own, which listens for changes
and asks for the epoch once a second, so a notification that is lost costs one second. Any other epoch than the known
one, higher or lower, has everything read anew, in one snapshot of the database. While the database is away the last
state counts, and says of itself that it is stale.

With each look the thread compares the database with what this host knows (`overrides.known_here`): one that says less
was restored, and is brought ahead of it. And it sees to it that what clients read of the register has its own epoch.
"""

import os
import random
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import psycopg
import structlog
from django.db import Error, connection, transaction
from django.utils import timezone
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from governance import memory as register_memory
from overrides import known_here
from overrides.clock import CHANNEL, current_epoch
from overrides.errors import ControlsStale
from overrides.reading import read_control
from overrides.review_rules import Rules, read_rules
from overrides.services.recovery import recover_if_restored
from overrides.services.register_watch import digest_of, note_register
from overrides.standing import BEGINNING, Control, Epoch, lapsed, next_lapse

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
STALE_AFTER_SECONDS = 2.0
MENDED_WITHIN_SECONDS = 3.0
ANSWER_SECONDS = 1.0
"""How long the listening thread waits for an answer before it takes its connection for lost."""
LONGEST_PAUSE_SECONDS = 5.0
CLOCK = b"SELECT generation, number FROM overrides_controlclock WHERE id = 1"
DJANGOS_OWN = {"cursor_factory", "context", "server_side_binding"}


@dataclass(frozen=True, slots=True)
class Controls:
    """What this process knows: for clients and directives alike."""

    control: Control = field(default_factory=Control)
    rules: Rules = field(default_factory=dict)


Told = Callable[[Controls], None]


@dataclass(slots=True)
class _Memory:
    controls: Controls | None = None
    lapses_at: datetime | None = None
    """When the next emergency clear in it ends."""
    looked_at: float = 0.0
    is_listening: bool = False
    """Whether the thread has a connection on which it hears of changes."""
    register: object = None
    """The register's snapshot whose digest was compared last."""
    digest: bytes = b""
    thread: threading.Thread | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    subscribers: list[Told] = field(default_factory=list)


_memory = _Memory()
polling = True
"""Tests that roll back switch this off: then each `current()` looks for changes itself, in the test's transaction."""


def current() -> Controls:
    """The newest snapshot this process has, stale or not. The first call reads everything."""
    controls = _memory.controls
    if controls is None or not polling:
        controls = refresh()
    elif _memory.lapses_at is not None and _memory.lapses_at <= timezone.now():
        controls = _lapse()  # also where the thread does not get to it, since the database is away
    if _memory.thread is None and polling:
        _start()
    return controls


def fresh() -> Controls:
    """For whoever must know of a stop 2 seconds after its commit. Where the thread hangs it is given time to mend that.

    Errors: `ControlsStale`; those of the database, of a process that has read nothing yet.
    """
    controls, until = current(), time.monotonic() + MENDED_WITHIN_SECONDS
    while polling and is_stale():
        if time.monotonic() > until:
            raise ControlsStale()
        time.sleep(0.02)
        controls = current()
    return controls


def is_stale() -> bool:
    """Whether a change made 2 seconds ago may be unknown here."""
    return time.monotonic() - _memory.looked_at > STALE_AFTER_SECONDS


def is_listening() -> bool:
    """Whether this process hears of changes at once; otherwise it looks for them, where it can."""
    return _memory.is_listening


def seconds_since_look() -> float | None:
    """How long ago this process last knew that it had the newest state; None: it has read nothing yet."""
    return time.monotonic() - _memory.looked_at if _memory.looked_at else None


def last_look() -> float:
    """When this process last knew that it had the newest state, in seconds since 1970; 0: it has read nothing yet."""
    ago = seconds_since_look()
    return 0.0 if ago is None else time.time() - ago


def subscribe(told: Told) -> Callable[[], None]:
    """Have a function called, from the listening thread, with each new snapshot. Returns what ends it."""
    with _memory.lock:
        _memory.subscribers = [*_memory.subscribers, told]
    return lambda: _unsubscribe(told)


def _unsubscribe(told: Told) -> None:
    with _memory.lock:
        _memory.subscribers = [each for each in _memory.subscribers if each is not told]


def refresh() -> Controls:
    """Look now, with this thread's connection of Django's, and read what changed. Errors: those of the database."""
    with _memory.lock:
        asked_at = time.monotonic()
        return _take_over(current_epoch(), asked_at)


def forget() -> None:
    """Drop the snapshot: the next `current()` reads everything. For tests, whose transactions are rolled back."""
    with _memory.lock:
        _memory.controls, _memory.lapses_at, _memory.register, _memory.digest = None, None, None, b""


# --- taking over what is new ------------------------------------------------------------------------------------------
def _take_over(found: Epoch, asked_at: float) -> Controls:
    known = _memory.controls
    controls = known if known is not None and known.control.epoch == found else _read()
    _memory.looked_at = asked_at
    return _keep(controls)


def _lapse() -> Controls:
    with _memory.lock:
        return _keep(_memory.controls) if _memory.controls is not None else refresh()


def _keep(controls: Controls) -> Controls:
    """Have this in memory, as of now, and tell whoever asked to be told."""
    known, control = _memory.controls, lapsed(controls.control, timezone.now())
    if control is not controls.control:
        controls = replace(controls, control=control)
    _memory.controls, _memory.lapses_at = controls, next_lapse(control)
    if controls is not known:
        _tell(controls)
    return controls


def _tell(controls: Controls) -> None:
    for told in _memory.subscribers:
        try:
            told(controls)
        except Exception:
            # one subscriber's fault is not another's, nor the thread's
            log.exception("control.subscriber_broken")


def _read() -> Controls:
    """Everything in one snapshot: an epoch belongs to exactly these switches, parameters and rules."""
    if connection.in_atomic_block:
        return Controls(read_control(), read_rules())
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return Controls(read_control(), read_rules())


# --- the thread -------------------------------------------------------------------------------------------------------
def _start() -> None:
    with _memory.lock:
        if _memory.thread is None:
            _memory.thread = threading.Thread(target=_live, name="control", daemon=True)
            _memory.thread.start()


def _live() -> None:
    try:
        _listen()
    finally:
        # whatever it died of, the next `current()` starts another one
        _memory.thread, _memory.is_listening = None, False


def _listen() -> None:
    failures = 0
    while polling:
        try:
            with _connect() as listening:
                listening.execute(f"LISTEN {CHANNEL}")
                _memory.is_listening = True
                while polling:
                    _look(listening)
                    failures = 0
                    _wait(listening)
        except (psycopg.Error, Error, OSError) as error:
            # the database is away: the state goes stale by itself, and the next look may go well
            log.warning("control.listener_lost", exception=type(error).__qualname__)
        except Exception:
            # a fault of ours: said aloud, and the state goes stale, but the next look may still go well
            log.exception("control.listener_broken")
        _memory.is_listening = False
        connection.close()
        failures += 1
        time.sleep(_pause(failures))


def _pause(failures: int) -> float:
    """Longer and longer, and never the same for all processes: they lost their connections together."""
    longest = min(LONGEST_PAUSE_SECONDS, 0.1 * 2.0 ** min(failures, 6))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def _connect() -> psycopg.Connection[Any]:
    """A connection of its own, by Django's settings: what listens cannot be in a transaction."""
    params = connection.get_connection_params()
    own = {name: value for name, value in params.items() if name not in DJANGOS_OWN}
    own["application_name"] = f"{own['application_name']} (listens)"
    return psycopg.connect(**own, autocommit=True)


def _look(listening: psycopg.Connection[Any]) -> None:
    asked_at = time.monotonic()
    known = _memory.controls.control if _memory.controls else None
    heard = known_here.read()  # before the database is asked: what it says was committed by then
    found = _epoch(listening)
    if found < heard.epoch or (known is not None and found < known.epoch):
        recover_if_restored(known)
        found = _epoch(listening)
    with _memory.lock:
        controls = _take_over(found, asked_at)
    _remember(controls.control)
    _watch_register()
    if not connection.in_atomic_block:
        connection.close()


def _remember(control: Control) -> None:
    try:
        known_here.remember(control)
    except OSError as error:
        # vigilance is lost, not the state: clients go on hearing of every change
        log.error("control.file_not_written", error=str(error))


def _epoch(listening: psycopg.Connection[Any]) -> Epoch:
    """Asked with an end to it: a connection can hang where the database is well, and nobody would hear of a stop."""
    listening.pgconn.send_query(CLOCK)
    rows = _answer(listening, time.monotonic() + ANSWER_SECONDS)
    return Epoch(int(rows.get_value(0, 0) or 0), int(rows.get_value(0, 1) or 0)) if rows.ntuples else BEGINNING


def _answer(listening: psycopg.Connection[Any], until: float) -> PGresult:
    """The result of the query that was sent. Errors: `psycopg.Error`."""
    pgconn, found = listening.pgconn, []
    pgconn.flush()
    while True:
        while pgconn.is_busy():
            if not _is_readable(pgconn.socket, until - time.monotonic()):
                listening.close()  # whoever leaves it otherwise would wait for its answer all the same
                raise psycopg.OperationalError("the listening connection does not answer")
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            break
        found.append(result)
    if not found or found[-1].status != ExecStatus.TUPLES_OK:
        raise psycopg.OperationalError("the epoch could not be read")
    return found[-1]


def _is_readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()  # select() knows no descriptor above 1,023, and a process holds as many streams
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def _wait(listening: psycopg.Connection[Any]) -> None:
    """Until a change is announced, or a second has passed; what was announced together is looked at together."""
    if _came_with_answer(listening):
        return
    for _ in listening.notifies(timeout=POLL_SECONDS, stop_after=1):
        break


def _came_with_answer(listening: psycopg.Connection[Any]) -> bool:
    """Whether a change was announced while the epoch was asked for: perhaps one that the answer does not know yet."""
    found = False
    while listening.pgconn.notifies():
        found = True
    return found


def _watch_register() -> None:
    """Where this process's register says something new to clients, see that it has an epoch.

    Compared with what was known here before, and only then with the database: a process that is a moment behind must
    not take back what another one noted.
    """
    register = register_memory.current()
    if register is _memory.register:
        return
    digest = digest_of(register)
    if digest != _memory.digest:
        note_register(digest)
    _memory.register, _memory.digest = register, digest


def _after_fork() -> None:
    """Threads do not survive a fork, and another one may have held the lock. The snapshot is as good as before."""
    _memory.lock = threading.RLock()
    _memory.thread = None
    _memory.is_listening = False
    _memory.subscribers = []


os.register_at_fork(after_in_child=_after_fork)
