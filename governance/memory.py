"""The register in memory, for the hot path: keys, AI systems, model versions, owners.

`current()` is an immutable snapshot. A daemon thread asks the database every second what changed and reads those rows
again. Commits do not become visible in the order of their numbers, so it does not ask "what is above the last number I
saw" but "what was written by transactions that could still have been running when I last looked" (`RegisterChange`
holds the transaction of every change; the horizon is the oldest transaction running at the last look). A transaction
below the horizon had ended by then, and its changes were seen; all others are asked for again, and known ones skipped.

A revoked key must be refused everywhere within 5 seconds. A memory that was not refreshed for that long is *stale*:
`fresh()` raises, and writes become 503. Control reads go on with `current()`.
"""

import os
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import Error, close_old_connections, connection
from django.utils import timezone

from governance.errors import RegisterStale
from governance.register import Register
from governance.register_reading import apply, everything, look
from governance.usage import write_uses

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
STALE_AFTER_SECONDS = 5.0
WRITE_USES_EVERY_SECONDS = 30.0
LOOK_AGAIN_AFTER_SECONDS = 0.1
"""Made-up keys cost the database no more looks than this allows."""
READ_ANEW_AFTER = timedelta(hours=1)
"""Announcements are kept for a day. A process that slept longer would never hear of a key that was revoked."""


@dataclass(slots=True)
class _Memory:
    register: Register | None = None
    horizon: int = 0
    seen: frozenset[uuid.UUID] = frozenset()
    refreshed_at: float = 0.0
    looked_at: datetime | None = None
    """The last look by the wall clock: the monotonic one stands still while the machine is suspended."""
    thread: threading.Thread | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


_memory = _Memory()
polling = True
"""Tests that roll back switch this off: then each `current()` looks for changes itself, in the test's transaction."""


def current() -> Register:
    """The newest snapshot this process has, stale or not. The first call reads everything."""
    register = _memory.register
    if register is None or not polling:
        register = refresh()
    if polling and _memory.thread is None:
        _start_polling()
    return register


def fresh() -> Register:
    """The snapshot, for whatever writes or reads payloads. Errors: `RegisterStale` after 5 s without a look."""
    register = current()
    if is_stale():
        raise RegisterStale()
    return register


def look_again() -> Register:
    """The snapshot for somebody whom `fresh()` does not know: who was just registered need not wait for the next look.

    Errors: `RegisterStale` where the database cannot be asked.
    """
    if time.monotonic() - _memory.refreshed_at < LOOK_AGAIN_AFTER_SECONDS:
        return fresh()
    try:
        return refresh()
    except Error as error:
        connection.close()
        raise RegisterStale() from error


def is_stale() -> bool:
    """Whether a change made 5 seconds ago may be unknown here."""
    return time.monotonic() - _memory.refreshed_at > STALE_AFTER_SECONDS


def refresh() -> Register:
    """Look for changes now and read what changed. Errors: those of the database."""
    with _memory.lock:
        asked_at, now = time.monotonic(), timezone.now()
        known = None if _overslept(now) else _memory.register
        found = _memory.register = _read_everything() if known is None else _read_changes(known)
        _memory.refreshed_at, _memory.looked_at = asked_at, now
    return found


def _overslept(now: datetime) -> bool:
    """Whether announcements may have been swept since the last look. A clock that went back proves nothing either."""
    return _memory.looked_at is not None and not timedelta(0) <= now - _memory.looked_at <= READ_ANEW_AFTER


def forget() -> None:
    """Drop the snapshot: the next `current()` reads everything. For tests, whose transactions are rolled back."""
    with _memory.lock:
        _memory.register = None
        _memory.horizon = 0
        _memory.seen = frozenset()


def _read_everything() -> Register:
    """The horizon first: what commits while the tables are read is read again at the next look."""
    horizon, _ = look(2**62)
    register = everything()
    _memory.horizon, _memory.seen = horizon, frozenset()
    return register


def _read_changes(register: Register) -> Register:
    horizon, changes = look(_memory.horizon)
    if horizon < _memory.horizon:
        # transaction numbers went back: this is another database, restored from a backup
        return _read_everything()
    new = {change for change_id, change in changes.items() if change_id not in _memory.seen}
    if new:
        register = apply(register, new)
    # only now: what could not be read is asked for again
    _memory.horizon, _memory.seen = horizon, frozenset(changes)
    return register


def _start_polling() -> None:
    with _memory.lock:
        if _memory.thread is None:
            _memory.thread = threading.Thread(target=_poll_for_ever, name="register", daemon=True)
            _memory.thread.start()


def _poll_for_ever() -> None:
    last_written = time.monotonic()
    while polling:
        time.sleep(POLL_SECONDS)
        try:
            close_old_connections()
            refresh()
            if time.monotonic() - last_written > WRITE_USES_EVERY_SECONDS:
                last_written = time.monotonic()
                write_uses()
        except Error as error:
            # the database is away: the memory goes stale by itself, and the next look may go well
            log.warning("register.poll_failed", exception=type(error).__qualname__)
            connection.close()
        except Exception:
            # a fault of ours: said aloud, and writes stop after 5 s, but the next look may still go well
            log.exception("register.poll_broken")
    connection.close()
    _memory.thread = None


def _after_fork() -> None:
    """Threads do not survive a fork, and another one may have held the lock. The snapshot is as good as before."""
    _memory.lock = threading.Lock()
    _memory.thread = None


os.register_at_fork(after_in_child=_after_fork)
