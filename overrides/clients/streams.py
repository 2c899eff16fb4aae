"""Server-sent events: one watch over the memories of this process, and a bell for each open stream.

A stream has no queue. Its bell says that something may have changed, and it then sends the newest state: whoever reads
slowly misses what was overtaken meanwhile, never the latest, and holds up nobody else.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import structlog

from governance import memory as register_memory
from governance.register import KeyGrant
from overrides import memory
from overrides.clients.doors import SCOPE, state_for
from overrides.clients.errors import TooManyStreams
from overrides.clients.metrics import STREAM_EVENTS, STREAMS
from overrides.clients.stream_tokens import period_at

log = structlog.get_logger(__name__)

SILENCE_SECONDS = 10.0
LIFETIME_SECONDS = (300.0, 600.0)
LOOK_SECONDS = 1.0
MAX_STREAMS = 2_000
RETRY_MS = (1_000, 3_000)
"""When to come again after a broken connection: not the same for all, who may have lost theirs together."""
HEARTBEAT = b": heartbeat\n\n"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a stream is about. `news` gives the id of the newest event for a key, and its text."""

    name: str
    news: Callable[[KeyGrant], tuple[str, bytes]]


def _state(grant: KeyGrant) -> tuple[str, bytes]:
    document = state_for(grant)
    return document.etag, event("state", document.at(datetime.now(UTC)), document.etag)


def _refetch(grant: KeyGrant) -> tuple[str, bytes]:
    """Says that something changed, never what. With the period of the stream's address in it: a provider that comes
    back with an old address is told to ask again, and is given the new one."""
    name = f"{state_for(grant).etag}-{period_at()}"
    return name, event("message", b'{"type":"refetchEvaluation"}', name)


STATE_EVENTS = Kind("state", _state)
REFETCH_EVENTS = Kind("refetch", _refetch)


def event(name: str, data: bytes, event_id: str = "") -> bytes:
    """One event. The data are JSON on one line."""
    identified = f"id: {event_id}\n" if event_id else ""
    return f"event: {name}\n{identified}data: ".encode() + data + b"\n\n"


class Listener:
    """The bell of one open stream."""

    def __init__(self) -> None:
        self._bell = asyncio.Event()
        self.is_over = False
        """Whether nothing is to be said any more but that it ends."""
        self.is_left = False
        """Whether whoever listened has gone."""

    def ring(self) -> None:
        self._bell.set()

    def leave(self) -> None:
        self.is_left = True
        self.end()

    def end(self) -> None:
        self.is_over = True
        self._bell.set()

    async def wait(self, seconds: float) -> None:
        """Until the bell rings, or for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            return
        self._bell.clear()


class Streams:
    """All open streams of this process."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._ending = False

    @contextmanager
    def listener(self) -> Iterator[Listener]:
        """A place among them. Errors: `TooManyStreams`."""
        if self._ending or len(self._listeners) >= MAX_STREAMS:
            raise TooManyStreams(retry_after=random.randint(1, 5))  # noqa: S311 - spreads those who come again
        found = Listener()
        self._listeners.add(found)
        STREAMS.set(len(self._listeners))
        try:
            yield found
        finally:
            self._listeners.discard(found)
            STREAMS.set(len(self._listeners))

    def ring(self) -> None:
        for each in self._listeners:
            each.ring()

    async def watch(self) -> None:
        """Ring at each new snapshot: told by the listening thread at once, and looked after every second, which also
        sees a revoked key, a register that changed and a memory that went stale."""
        loop = asyncio.get_running_loop()
        unsubscribe = memory.subscribe(lambda controls: _ring_soon(loop, self.ring))
        seen: tuple[object, ...] = ()
        try:
            while True:
                seen = self._look(seen)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            unsubscribe()

    def _look(self, seen: tuple[object, ...]) -> tuple[object, ...]:
        try:
            now = _snapshot()
        except Exception:
            # a fault of ours: said aloud; streams go on with what is known, and the next look may go well
            log.exception("streams.look_failed")
            return seen
        if not _are_same(seen, now):
            self.ring()
        return now

    def end(self) -> None:
        """Let every stream say that it ends; none begins any more."""
        self._ending = True
        for each in self._listeners:
            each.end()


def _ring_soon(loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(ring)
    except RuntimeError:
        return  # the loop has ended with its process: there are no streams any more


def _snapshot() -> tuple[object, ...]:
    return memory.current(), register_memory.current(), memory.is_stale() or register_memory.is_stale(), period_at()


def _are_same(first: tuple[object, ...], second: tuple[object, ...]) -> bool:
    """The snapshots by identity: comparing what is in them would cost more than sending it."""
    return len(first) == len(second) and first[2:] == second[2:] and all(map(_is, first[:2], second[:2]))


def _is(first: object, second: object) -> bool:
    return first is second


async def pieces(listener: Listener, grant: KeyGrant, kind: Kind, last_id: str) -> AsyncIterator[bytes]:
    """What one stream says, from its beginning to its end, for as long as its key is in force."""
    ends_at = time.monotonic() + random.uniform(*LIFETIME_SECONDS)  # noqa: S311 - spreads those who come again
    yield b"retry: %d\n\n" % random.randint(*RETRY_MS)  # noqa: S311 - the same
    sent, silent_since = last_id, float("-inf")
    while True:
        current = renewed(grant)
        if current is None or listener.is_over or time.monotonic() >= ends_at:
            yield event("end", orjson.dumps({"reason": "lifetime" if current else "key_revoked"}))
            return
        name, text = kind.news(current)
        now = time.monotonic()
        if name != sent or now - silent_since >= SILENCE_SECONDS:
            STREAM_EVENTS.labels(kind.name if name != sent else "heartbeat").inc()
            yield text if name != sent else HEARTBEAT
            sent, silent_since = name, now
        await listener.wait(_patience(current, silent_since, ends_at))


def _patience(grant: KeyGrant, silent_since: float, ends_at: float) -> float:
    """How long there is nothing to do without a bell: until a heartbeat, the end, or the key's expiry is due."""
    now = time.monotonic()
    due = min(silent_since + SILENCE_SECONDS, ends_at) - now
    if grant.key.expires_at is not None:
        due = min(due, (grant.key.expires_at - datetime.now(UTC)).total_seconds())
    return max(0.01, due)


def renewed(grant: KeyGrant) -> KeyGrant | None:
    """The grant by what the register says now; None where the key is not in force any more."""
    register = register_memory.current()
    key = register.keys.get(grant.key.key_id)
    if key is None or key.id != grant.key.id or not key.is_in_force or SCOPE not in key.scopes:
        return None
    if key.expires_at is not None and key.expires_at <= datetime.now(UTC):
        return None
    return KeyGrant(register, key)
