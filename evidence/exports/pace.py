"""Giving way: a long export takes what the machine has to spare, and little of it while decisions come in.

Statements are small and each is a transaction of its own. After each piece of work the worker rests for a while that
grows with how much is being written into the database: idle, it rests hardly at all; under load it works a tenth of the
time. How much is written is what the write-ahead log grew by, which counts every writer, whichever process it is.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import connection

LOOK_EVERY = 0.5
"""Seconds between looks at how busy the database is."""
BUSY = 1_000_000
"""Bytes of write-ahead log a second from which on it rests nine times as long as it works."""
QUIET = 50_000
"""Up to so many it does not rest: the beat alone writes that much."""
LONGEST_REST = 9.0
STEP = 0.25
"""Rests are taken in steps, so that giving up is noticed."""


@dataclass(slots=True)
class Pace:
    """How fast one worker goes. `is_alone`: nobody is to be given way to, as in a test or at the command line."""

    is_alone: bool = False
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    rested: float = 0.0
    _looked_at: float | None = field(default=None, init=False)
    _written: int = field(default=0, init=False)
    _rest: float = field(default=0.0, init=False)

    def rest_after(self, worked: float, between: Callable[[], None] = lambda: None) -> None:
        """Rest for work that took so many seconds; `between` is called at each step of it."""
        if self.is_alone:
            return
        self._look()
        left = worked * self._rest
        while left > 0:
            step = min(STEP, left)
            self.sleep(step)
            self.rested += step
            left -= step
            between()

    @property
    def share(self) -> float:
        """The part of its time in which it works now."""
        return 1 / (1 + self._rest)

    def _look(self) -> None:
        now = self.clock()
        if self._looked_at is not None and now - self._looked_at < LOOK_EVERY:
            return
        written = _written_so_far()
        if self._looked_at is not None:
            rate = (written - self._written) / (now - self._looked_at)
            self._rest = rest_at(rate)
        self._looked_at, self._written = now, written


def rest_at(rate: float) -> float:
    """How many times as long as it works a worker rests, at so many bytes written a second."""
    return min(LONGEST_REST, max(0.0, (rate - QUIET) / (BUSY - QUIET) * LONGEST_REST))


def _written_so_far() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")
        return int(cursor.fetchone()[0])
