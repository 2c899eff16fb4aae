"""The thread that empties spools: our own first, then those that dead processes left behind."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from answerable._delivery import Delivery
from answerable._exceptions import NotDurable, NotRecorded, ServiceRefused, ServiceUnavailable
from answerable._shelf import BROKEN, Shelf

ADOPT_EVERY = 30.0
UNUSED_AFTER = 7 * 86_400.0
NOTHING_BEFORE = 1_767_225_600.0
"""2026 began: no record is older than this package. A host that says so had not been told the time yet."""
AHEAD = 86_400.0
LINGER = 0.05
PAUSE = 30.0
LONGEST = 8.0
"""Seconds between two tries where nobody answers and nobody said when to come again: so a service that is back has
everybody's records within seconds, and no more is asked of it than heartbeats would."""


class Sender:
    """Runs until `stop`; `wake` it when there is work."""

    def __init__(
        self,
        delivery: Delivery,
        shelf: Shelf,
        *,
        heartbeat_every: float,
        max_age: float,
        report: Callable[[Exception], None],
    ) -> None:
        self.delivery, self._shelf, self._report = delivery, shelf, report
        self._heartbeat_every, self._max_age = heartbeat_every, max_age
        self._work = threading.Condition()
        self._is_wanted = False
        self._is_hurried = False
        self._is_over = False
        self._rest = 0.0
        self.refuge: Delivery | None = None
        """Records that the disk would not take."""
        self.attempts = 0
        """Failures in a row."""
        self.trouble: str | None = None
        """Why nothing can be sent just now."""
        self.is_paused = False
        """The key or the address is wrong: only a person can heal that."""
        self.last_contact: float | None = None
        self._beat_at = 0.0
        self._adopt_at = 0.0
        self.thread = threading.Thread(target=self._run, name="answerable-sender", daemon=True)

    # --- for other threads ----------------------------------------------------------------------------------------
    def wake(self) -> None:
        if not self._is_wanted:
            with self._work:
                self._is_wanted = True
                self._work.notify_all()

    def hurry(self) -> None:
        """Try now, whatever is being waited for."""
        with self._work:
            self._is_wanted = self._is_hurried = True
            self._work.notify_all()

    def look_around(self) -> None:
        """Try now, and take what others left behind as well."""
        self._adopt_at = 0.0
        self.hurry()

    def heard(self) -> None:
        """The service has answered something else of this client: what waits after failures need not wait longer."""
        if self.attempts:
            self.hurry()

    def stop(self) -> None:
        with self._work:
            self._is_over = True
            self._work.notify_all()

    # --- the thread -----------------------------------------------------------------------------------------------
    def _run(self) -> None:
        while not self._is_over:
            try:
                wait = self._round()
                self.delivery.spool.upkeep()
                self._wait(wait)
            except Exception as error:  # noqa: BLE001 - this thread must outlive whatever happens in it
                self._report(NotDurable(f"the sender failed and goes on: {error!r}"))
                self._wait(5.0)

    def _round(self) -> float:
        """Do what there is to do; how long to wait then."""
        self._is_wanted = self._is_hurried = False
        try:
            self._say_alive()
            while not self._is_over and self._step():
                self._was_heard()
            self._adopt()
        except ServiceUnavailable as error:
            return self._back_off(error)
        except ServiceRefused as error:
            return self._pause(error)
        except BROKEN as error:
            self._report(NotDurable(f"the spool cannot be used just now: {error}"))
            return 2.0
        self._expire()
        self.delivery.checkpoints.save()
        return min(self._heartbeat_every, ADOPT_EVERY) if not self._is_wanted else 0.0

    def _step(self) -> bool:
        in_refuge = self.refuge is not None and self.refuge.step()
        return self.delivery.step() or in_refuge

    def _was_heard(self) -> None:
        self.attempts, self.trouble, self.is_paused = 0, None, False
        self.last_contact = time.monotonic()

    def _say_alive(self) -> None:
        if time.monotonic() >= self._beat_at:
            self.delivery.heartbeat()
            self._was_heard()
            self._beat_at = time.monotonic() + self._heartbeat_every * random.uniform(0.9, 1.0)

    def _back_off(self, error: ServiceUnavailable) -> float:
        """Full jitter, and never before the server wants us."""
        self.attempts += 1
        self.delivery.counts.retries += 1
        self.trouble = str(error)
        if self.attempts == 1 or self.attempts % 20 == 0:
            self._report(error)
        self._rest = error.retry_after or 0.0
        return random.uniform(0.0, min(LONGEST, 0.25 * 2 ** min(self.attempts, 8)))

    def _pause(self, error: ServiceRefused) -> float:
        if not self.is_paused:
            waiting = self.delivery.spool.count
            self._report(NotRecorded(f"sending is paused, {waiting} records are kept: {error}"))
        self.is_paused, self.trouble = True, str(error)
        self._beat_at = 0.0
        return PAUSE * random.uniform(0.5, 1.0)

    def _wait(self, seconds: float) -> None:
        with self._work:
            resting = self.attempts > 0 or self.is_paused
            if self._rest:
                # the server's own word, which nobody's hurry overrules
                self._work.wait_for(lambda: self._is_over, timeout=self._rest)
                self._rest = 0.0
            is_due = (
                (lambda: self._is_over or self._is_hurried)
                if resting
                else (lambda: self._is_over or self._is_wanted or self._is_hurried)
            )
            self._work.wait_for(is_due, timeout=seconds)
            if not (self._is_over or self._is_hurried or resting):
                # a moment more fills a batch
                self._work.wait_for(lambda: self._is_over or self._is_hurried, timeout=LINGER)

    # --- spools of others -----------------------------------------------------------------------------------------
    def _adopt(self) -> None:
        if time.monotonic() < self._adopt_at:
            return
        self._adopt_at = time.monotonic() + ADOPT_EVERY * random.uniform(0.5, 1.0)
        for spool in self._shelf.left_behind():
            try:
                delivery = replace(self.delivery, spool=spool, asking=set(), _later={})
                had_any = not spool.is_empty
                while not spool.is_empty and not self._is_over and delivery.step():
                    self._was_heard()
                    self._say_alive()
                    self._step()  # what is made meanwhile waits for one batch of theirs, not for all of them
                if had_any and spool.is_empty:
                    delivery.heartbeat()
                is_unused = spool.path is not None and time.time() - spool.path.stat().st_mtime > UNUSED_AFTER
                if is_unused and spool.is_empty and not spool.dead:
                    spool.destroy()
            finally:
                spool.close()

    def _expire(self) -> None:
        spool = self.delivery.spool
        if not spool.count:
            return
        now = self.delivery.clock.now()
        spool.date_anew(before=NOTHING_BEFORE, after=now + AHEAD, now=now)
        old = spool.older_than(now - self._max_age)
        if old:
            spool.remove(old)
            self.delivery.counts.dropped += len(old)
            days = self._max_age / 86_400
            self._report(NotRecorded(f"{len(old)} records were given up, not sealed within {days:.1f} days"))
