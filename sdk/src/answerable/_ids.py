"""UUIDv7 of our own making: monotonic within a process, corrected by the server's clock, safe after a fork."""

import os
import threading
import time
import uuid


class ServerClock:
    """How far our clock is off, learnt from the `Date` of answers. Ids far in the future are refused by the server."""

    TOLERATED = 60.0

    def __init__(self) -> None:
        self.offset: float | None = None
        """The server's time less ours, in seconds; None before the first answer."""

    def learn(self, server_time: float) -> None:
        self.offset = server_time - time.time()

    def now(self) -> float:
        """Our time, or the server's where ours is a minute off."""
        offset = self.offset
        return time.time() + (offset if offset is not None and abs(offset) > self.TOLERATED else 0.0)


class Ids:
    """Makes ids that sort in the order they were made (RFC 9562 section 6.2: a random start that is raised)."""

    def __init__(self, clock: ServerClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last_ms = 0
        self._tail = 0

    def new(self) -> str:
        with self._lock:
            now_ms = int(self._clock.now() * 1000)
            if self._last_ms < now_ms or self._last_ms > now_ms + 10_000:
                # a clock that was put right backwards must not leave ids in the future
                self._last_ms, self._tail = now_ms, int.from_bytes(os.urandom(9), "big")
            else:
                self._tail += 1 + int.from_bytes(os.urandom(4), "big")
            if self._tail >= 1 << 74:
                self._last_ms, self._tail = self._last_ms + 1, int.from_bytes(os.urandom(9), "big")
            ms, tail = self._last_ms, self._tail
        number = ms << 80 | 0x7 << 76 | (tail >> 62) << 64 | 0b10 << 62 | (tail & ((1 << 62) - 1))
        return str(uuid.UUID(int=number))


def time_of(decision_id: str) -> float:
    """When an id says that it was made, in Unix seconds."""
    return int(decision_id[:8] + decision_id[9:13], 16) / 1000
