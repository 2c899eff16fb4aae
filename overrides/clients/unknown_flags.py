"""Flags that were asked for and are not there, by key: noted in memory, written down every minute."""

import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import Error, connection

from overrides.clients.flags import KEY

MAX_NOTED = 1_000
MAX_A_KEY = 100
"""Flags kept for one service key: what a typo needs, and no more than a runaway client may have."""
NOT_A_KEY = "(not the name of a flag)"

# those that are known already are counted; new ones come in until the key has as many as it may have
WRITE = """
INSERT INTO overrides_unknownflag AS known (key_id, flag, asked, first_asked_at, last_asked_at)
SELECT new.key_id, new.flag, new.asked, new.first, new.last
FROM (
    SELECT sent.*, row_number() OVER (PARTITION BY sent.key_id ORDER BY sent.flag) AS place
    FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::timestamptz[], %s::timestamptz[])
        AS sent(key_id, flag, asked, first, last)
) new
WHERE EXISTS (SELECT FROM overrides_unknownflag k WHERE k.key_id = new.key_id AND k.flag = new.flag)
   OR (SELECT count(*) FROM overrides_unknownflag k WHERE k.key_id = new.key_id) + new.place <= %s
ORDER BY new.key_id, new.flag
ON CONFLICT (key_id, flag) DO UPDATE SET asked = known.asked + excluded.asked,
    last_asked_at = greatest(known.last_asked_at, excluded.last_asked_at)
"""


@dataclass(slots=True)
class Noted:
    asked: int
    first: datetime
    last: datetime


_noted: dict[tuple[uuid.UUID, str], Noted] = {}
_lock = threading.Lock()


def note(key_id: uuid.UUID, flag: str) -> None:
    """A key asked for this. No query; beyond `MAX_NOTED` a minute, new ones are passed over."""
    name, now = flag if KEY.fullmatch(flag) else NOT_A_KEY, datetime.now(UTC)
    with _lock:
        found = _noted.get((key_id, name))
        if found is not None:
            found.asked, found.last = found.asked + 1, now
        elif len(_noted) < MAX_NOTED:
            _noted[key_id, name] = Noted(1, now, now)


def write() -> None:
    """Write down what was noted since the last time. Errors: those of the database; what was noted is kept then."""
    global _noted
    with _lock:
        taken, _noted = _noted, {}
    if not taken:
        return
    try:
        _write(taken)
    except Error:
        _put_back(taken)
        raise


def _put_back(taken: dict[tuple[uuid.UUID, str], Noted]) -> None:
    with _lock:
        for name, each in taken.items():
            found = _noted.setdefault(name, each)
            if found is not each:
                found.asked, found.first = found.asked + each.asked, each.first


def _write(taken: dict[tuple[uuid.UUID, str], Noted]) -> None:
    counts = [(key_id, flag, each.asked, each.first, each.last) for (key_id, flag), each in taken.items()]
    with connection.cursor() as cursor:
        cursor.execute(WRITE, [*map(list, zip(*counts, strict=True)), MAX_A_KEY])
