"""When each key was last used: collected in memory and written now and then, never a query a request."""

import threading
import uuid
from datetime import datetime

import structlog
from django.db import Error, connection

log = structlog.get_logger(__name__)

_used: dict[uuid.UUID, datetime] = {}
_lock = threading.Lock()


def note_use(key_id: uuid.UUID, at: datetime) -> None:
    """One assignment into a dictionary, which is atomic; the poll's thread writes it down."""
    _used[key_id] = at


def write_uses() -> None:
    """Write down what was noted since the last time. `last_used_at` is in neither history nor state.

    A failure keeps what was noted for the next time: how recently a key was used is worth no refusal.
    """
    with _lock:
        noted = _used.copy()
        if not noted:
            return
        try:
            _write(noted)
        except Error as error:
            log.warning("keys.uses_not_written", exception=type(error).__qualname__)
            return
        for key_id, at in noted.items():
            if _used.get(key_id) == at:
                del _used[key_id]


def _write(noted: dict[uuid.UUID, datetime]) -> None:
    # rows that a service holds are skipped: waiting for them here would hold up the poll
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE governance_servicekey k SET last_used_at = greatest(k.last_used_at, u.at)"
            " FROM (SELECT w.id, w.at FROM unnest(%s::uuid[], %s::timestamptz[]) AS w(id, at)"
            " JOIN governance_servicekey k2 ON k2.id = w.id ORDER BY k2.id FOR NO KEY UPDATE OF k2 SKIP LOCKED) u"
            " WHERE k.id = u.id",
            [list(noted), list(noted.values())],
        )
