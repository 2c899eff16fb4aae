"""Waiting for rows to change: many callers, one query every 250 ms for all that any of them waits for."""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog
from django.db import Error, close_old_connections, connection

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.25
MAX_WAITING = 2_000

VersionsOf = Callable[[Sequence[uuid.UUID]], Mapping[uuid.UUID, int]]
"""Asks the database once: the version of each row. One that is not there is left out."""


@dataclass(eq=False, slots=True)
class _Waiter:
    id: uuid.UUID
    version: int
    told: asyncio.Event = field(default_factory=asyncio.Event)


class Watched:
    """Rows that somebody waits for, and one task that asks after them while there are any."""

    def __init__(self, versions_of: VersionsOf) -> None:
        self._versions_of = versions_of
        self._waiters: set[_Waiter] = set()
        self._asking: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="watched")  # one, so one connection

    async def change_of(self, row_id: uuid.UUID, version: int, seconds: float) -> None:
        """Return when the row has another version than this, is gone, or the time is over.

        Beyond `MAX_WAITING` nobody waits: they are answered at once and may ask again.
        """
        if len(self._waiters) >= MAX_WAITING:
            return
        waiter = _Waiter(row_id, version)
        self._waiters.add(waiter)
        self._ensure_asking()
        try:
            async with asyncio.timeout(seconds):
                await waiter.told.wait()
        except TimeoutError:
            return
        finally:
            self._waiters.discard(waiter)

    def release(self) -> None:
        """Let everybody go, as at the end of their time."""
        for each in self._waiters:
            each.told.set()

    def _ensure_asking(self) -> None:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_while_somebody_waits())

    async def _ask_while_somebody_waits(self) -> None:
        while self._waiters:
            await asyncio.sleep(POLL_SECONDS)
            asked = list(self._waiters)
            versions = await self._versions(list({each.id for each in asked}))
            if versions is not None:
                for each in asked:
                    if versions.get(each.id) != each.version:
                        each.told.set()

    async def _versions(self, ids: list[uuid.UUID]) -> Mapping[uuid.UUID, int] | None:
        """None where the database does not answer: those who wait go on waiting, until their time is over."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, _asked_in_thread, self._versions_of, ids)
        except Error as error:
            log.warning("waiting.not_asked", exception=type(error).__qualname__)
        except Exception:
            log.exception("waiting.broken")
        return None


def _asked_in_thread(versions_of: VersionsOf, ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, int]:
    close_old_connections()
    try:
        return versions_of(ids)
    except Error:
        connection.close()
        raise
