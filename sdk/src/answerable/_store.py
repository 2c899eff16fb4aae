"""Where records and effects go: into the spool within its bounds, into memory where the disk takes nothing."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from answerable._delivery import Delivery
from answerable._exceptions import NotDurable, NotRecorded, Warned
from answerable._sender import Sender
from answerable._settings import Settings
from answerable._shelf import BROKEN, Shelf
from answerable._spool import OVERHEAD, Spool, Waiting


class Store:
    """Of one process: what callers give is on disk, or told of, when these return."""

    def __init__(
        self, settings: Settings, shelf: Shelf, sender: Sender, *,
        delivery_of: Callable[[Spool], Delivery], report: Callable[[Exception], None],
    ) -> None:  # fmt: skip
        self._settings, self._shelf, self._sender = settings, shelf, sender
        self._spool, self._counts = sender.delivery.spool, sender.delivery.counts
        self._delivery_of, self._report = delivery_of, report
        self._refuge_lock = threading.Lock()
        self._is_closed = False

    def close(self) -> None:
        """Close the file; who comes too late finds another one."""
        self._is_closed = True
        self._spool.close()

    def add(self, decision_id: str, body: bytes) -> Waiting | None:
        """A record as it waits now, None where it does not wait here. Errors: `BROKEN`, `NotRecorded`."""
        if not self._make_room(len(body) + OVERHEAD):
            self._counts.dropped += 1
            self.skip()
            self._report(NotRecorded(f"the spool is full, decision {decision_id} was dropped", decision_id=decision_id))
            return None
        try:
            found = Waiting(self._spool.add(decision_id, body), decision_id, body)
        except BROKEN as error:
            found = None
            if self._is_closed:
                self._keep_for_the_next(lambda spool: spool.add(decision_id, body))
            else:
                self._report(NotDurable(f"the spool takes nothing ({error}): decision {decision_id} is in memory only"))
                self._keep_in_memory(decision_id, body)
        self._sender.wake()
        return found

    def _keep_for_the_next(self, keep: Callable[[Spool], object]) -> None:
        """While this client was being closed: on disk, where the next one finds it. Errors: `BROKEN`, `NotRecorded`."""
        spool = self._shelf.open()
        try:
            if spool.path is None:
                raise NotRecorded("the client was closed, and nothing can be kept on disk")
            keep(spool)
        finally:
            spool.close()
        self._report(Warned("the client was closed at this moment: what was given to it is sent by the next one"))

    def _keep_in_memory(self, decision_id: str, body: bytes) -> None:
        with self._refuge_lock:
            if self._sender.refuge is None:
                self._sender.refuge = self._delivery_of(Spool(None))
            refuge = self._sender.refuge.spool
        if refuge.bytes + len(body) > self._settings.max_spool_bytes:
            raise NotRecorded("memory is full too", decision_id=decision_id)
        refuge.add(decision_id, body)

    def _make_room(self, size: int) -> bool:
        most = self._settings.max_spool_bytes
        if self._spool.bytes + size <= most:
            return True
        if self._settings.overflow == "drop_oldest":
            return self._drop_oldest(size)
        if self._settings.overflow == "block":
            until = time.monotonic() + self._settings.block_ms / 1000
            self._sender.hurry()
            while self._spool.bytes + size > most and time.monotonic() < until:
                time.sleep(0.002)
        return self._spool.bytes + size <= most

    def _drop_oldest(self, size: int) -> bool:
        while self._spool.bytes + size > self._settings.max_spool_bytes:
            oldest = self._spool.first(100, max(size, 64 << 10))
            if not oldest:
                return False
            self._spool.remove([each.seq for each in oldest])
            self._counts.dropped += len(oldest)
            self._report(NotRecorded(f"the spool is full, the {len(oldest)} oldest records were dropped"))
        return True

    def add_effect(self, decision_id: str, body: bytes) -> None:
        """Errors: `BROKEN`, `NotRecorded`."""
        if not self._make_room(len(body) + OVERHEAD):
            raise NotRecorded("the spool is full")
        try:
            self._spool.add_effect(decision_id, body)
        except BROKEN:
            if not self._is_closed:
                raise
            self._keep_for_the_next(lambda spool: spool.add_effect(decision_id, body))

    def skip(self) -> None:
        """Let the server see that a record is missing."""
        try:
            self._spool.skip()
        except BROKEN as error:
            self._report(NotDurable(f"a missing record could not be numbered: {error}"))

    def spools(self) -> Iterator[Spool]:
        """Our own and, one after the other, those that dead processes left behind; each is closed after its turn."""
        if not self._is_closed:
            yield self._spool
        for spool in self._shelf.left_behind():
            with closing(spool):
                yield spool
