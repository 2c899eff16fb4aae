"""Trouble, told three ways: to the caller's `on_error`, to the logger `answerable`, and counted."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from answerable._exceptions import NotRecorded, ServiceUnavailable

log = logging.getLogger("answerable")
A_MINUTE = 10


class Reports:
    """At most ten log lines a minute and kind; `on_error` hears of every one."""

    def __init__(self, on_error: Callable[[Exception], None] | None) -> None:
        self._on_error = on_error
        self._lock = threading.Lock()
        self._minute = 0
        self._logged: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.last: str | None = None

    def __call__(self, error: Exception) -> None:
        kind = type(error).__name__
        if self._may_log(kind, f"{kind}: {error}"):
            level = logging.WARNING if isinstance(error, ServiceUnavailable) else logging.ERROR
            level = logging.ERROR if isinstance(error, NotRecorded) else level
            log.log(level, "%s: %s", kind, error)
        if self._on_error is not None:
            try:
                self._on_error(error)
            except Exception:
                log.exception("on_error itself failed")

    def begin_anew(self) -> None:
        """In the child of a fork, whose parent may have held the lock."""
        self._lock = threading.Lock()
        self.counts, self.last = Counter(), None

    def _may_log(self, kind: str, text: str) -> bool:
        with self._lock:
            self.counts[kind] += 1
            self.last = text
            minute = int(time.monotonic() // 60)
            if minute != self._minute:
                held = {name: number - A_MINUTE for name, number in self._logged.items() if number > A_MINUTE}
                self._minute, self._logged = minute, Counter()
                if held:
                    log.error("not logged, for there were too many: %s", held)
            self._logged[kind] += 1
            return self._logged[kind] <= A_MINUTE
