"""The same client for asyncio: the same engine, with everything that may wait taken off the loop."""

import asyncio
import functools
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from answerable._claims import WITHIN, Claiming
from answerable._client import BaseClient
from answerable._directive import Directive, Effective
from answerable._engine import ASK_PAUSE, Engine
from answerable._guard import AsyncGuard

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from answerable._fields import GuardFields, RecordFields

T = TypeVar("T")
THREADS = 32
"""For what waits for the service. What only writes to the disk has a thread of its own and never queues behind it."""


class AsyncClient(BaseClient):
    """The client for asyncio. `async with` closes it; arguments as for `Client`."""

    _pool: ThreadPoolExecutor | None = None
    _writer: ThreadPoolExecutor | None = None
    _claiming: frozenset[Future[Effective]] = frozenset()

    async def record(self, **fields: "Unpack[RecordFields]") -> str:
        """See `Client.record`."""
        return await self._written(self._engine_to_write().record, fields)

    async def decide(self, *, timeout: float | None = None, **fields: "Unpack[RecordFields]") -> Directive:
        """See `Client.decide`."""
        return await self._in_thread(self._engine_to_write().decide, fields, timeout)

    async def wait_for_human(self, decision: Directive | str, timeout: float) -> Effective:
        """See `Client.wait_for_human`. Many may wait at once: none of them holds a thread while it does.

        Cancelled while it claims what was approved, it tells the service that this was not carried out.
        """
        name = decision if isinstance(decision, str) else decision.decision_id
        found = await self._human_word(name, timeout)
        engine = self._engine_now()
        return await self._claimed(engine, engine.claims.take, found)

    async def _human_word(self, name: str, timeout: float) -> Effective:
        engine, until = self._engine_now(), time.monotonic() + timeout
        found = Effective(name, "pending", "hold")
        while True:
            look = functools.partial(engine.look, wait=0.0, within=max(until - time.monotonic(), 0.5))
            found = await self._in_thread(look, name, found)
            left = until - time.monotonic()
            if not found.is_pending or left <= 0:
                return found
            await asyncio.sleep(min(ASK_PAUSE * random.uniform(0.8, 1.2), left))

    async def effective(self, decision_id: str) -> Effective:
        """See `Client.effective`."""
        return await self._in_thread(self._engine_now().effective, decision_id)

    async def confirm_effect(
        self, decision_id: str, outcome: str | None, detail: str = "", *, via: str = "", failed: bool = False
    ) -> None:
        """See `Client.confirm_effect`."""
        keep = functools.partial(self._engine_to_write().confirm_effect, via=via, failed=failed)
        await self._written(keep, decision_id, outcome, detail)

    def guard(
        self,
        *,
        describe: Callable[..., Mapping[str, Any]] | None = None,
        fallback: Callable[..., Any] | None = None,
        wait: float | None = None,
        timeout: float | None = None,
        **fields: "Unpack[GuardFields]",
    ) -> AsyncGuard:
        """See `Client.guard`: `async with`, or a decorator of a coroutine function (the fallback is one too)."""
        return AsyncGuard(self, fields, describe=describe, fallback=fallback, wait=wait, timeout=timeout)

    async def wait_ready(self, timeout: float) -> bool:
        """See `Client.wait_ready`."""
        return await self._in_thread(self._engine_now().control.ready.wait, timeout)

    async def flush(self, timeout: float = 10.0) -> bool:
        """See `Client.flush`."""
        return await self._in_thread(self._engine_now().flush, timeout)

    async def aclose(self, timeout: float | None = None) -> bool:
        """See `Client.close`."""
        return await asyncio.get_running_loop().run_in_executor(None, self.close, timeout)

    def close(self, timeout: float | None = None) -> bool:
        """`aclose` for where no loop runs any more."""
        wait(self._claiming, WITHIN if timeout is None else timeout)  # whose task may have been cancelled
        pool, writer, self._pool, self._writer = self._pool, self._writer, None, None
        if writer is not None:
            writer.shutdown()  # what was given before is stored before
        done = self._close(timeout)
        if pool is not None:
            pool.shutdown(wait=False)
        return done

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _in_thread(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.wrap_future(self._started(function, *args))

    def _started(self, function: Callable[..., T], *args: Any) -> "Future[T]":
        if self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="answerable-async")
        return self._pool.submit(function, *args)

    async def _claimed(self, engine: Engine, take: Callable[[Effective], Effective], found: Effective) -> Effective:
        """What a claim brings. A task that is cancelled meanwhile leaves nothing taken of which nobody hears."""
        claiming = Claiming(functools.partial(take, found))
        asked = self._started(claiming.make, engine.give_up)
        self._claiming = frozenset(each for each in self._claiming if not each.done()) | {asked}
        try:
            return await asyncio.wrap_future(asked)
        except asyncio.CancelledError:
            if taken := claiming.leave():
                self._writing(engine.give_up, taken)
            raise

    async def _written(self, function: Callable[..., T], *args: Any) -> T:
        """To its end, whatever becomes of the task that asked for it: a cancelled caller must lose no record."""
        return await asyncio.shield(asyncio.wrap_future(self._writing(function, *args)))

    def _writing(self, function: Callable[..., T], *args: Any) -> "Future[T]":
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, thread_name_prefix="answerable-async")
        return self._writer.submit(function, *args)

    def _forget(self) -> None:
        super()._forget()
        self._pool = self._writer = None
        self._claiming = frozenset()
