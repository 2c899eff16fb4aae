"""When each key was last used, and for what: collected in memory and written now and then, never a query a request."""

import threading
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import structlog
from django.db import Error, connection

log = structlog.get_logger(__name__)

POSTED, READ_CONTROL = "posted", "read-control"
"""What is noted of a key beyond its use: values of `KeyAct.Act`."""

Uses = dict[uuid.UUID, datetime]
Acts = dict[tuple[uuid.UUID, str], datetime]

K = TypeVar("K")

_used: Uses = {}
_acts: Acts = {}
_lock = threading.Lock()


def note_use(key_id: uuid.UUID, at: datetime) -> None:
    """One assignment into a dictionary, which is atomic; the poll's thread writes it down."""
    _used[key_id] = at


def note_act(key_id: uuid.UUID, act: str, at: datetime) -> None:
    """A key did one of the things named above. As cheap as `note_use`."""
    _acts[key_id, act] = at


def write_uses() -> None:
    """Write down what was noted since the last time. `last_used_at` is in neither history nor state.

    A failure keeps what was noted for the next time: how recently a key was used is worth no refusal.
    """
    with _lock:
        _write_noted(_used, _write)
        _write_noted(_acts, _write_acts)


def _write_noted(noted: dict[K, datetime], write: Callable[[dict[K, datetime]], None]) -> None:
    taken = noted.copy()
    if not taken:
        return
    try:
        write(taken)
    except Error as error:
        log.warning("keys.uses_not_written", exception=type(error).__qualname__)
        return
    for name, at in taken.items():
        if noted.get(name) == at:
            del noted[name]


def _write(noted: Uses) -> None:
    # rows that a service holds are skipped: waiting for them here would hold up the poll
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE governance_servicekey k SET last_used_at = greatest(k.last_used_at, u.at)"
            " FROM (SELECT w.id, w.at FROM unnest(%s::uuid[], %s::timestamptz[]) AS w(id, at)"
            " JOIN governance_servicekey k2 ON k2.id = w.id ORDER BY k2.id FOR NO KEY UPDATE OF k2 SKIP LOCKED) u"
            " WHERE k.id = u.id",
            [list(noted), list(noted.values())],
        )


def _write_acts(noted: Acts) -> None:
    # in one order for all processes, so that two cannot wait for each other
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO governance_keyact AS known (key_id, act, last_at)"
            " SELECT * FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[]) AS new(key_id, act, last_at)"
            " ORDER BY key_id, act ON CONFLICT (key_id, act)"
            " DO UPDATE SET last_at = greatest(known.last_at, excluded.last_at)",
            [[key_id for key_id, _ in noted], [act for _, act in noted], list(noted.values())],
        )
