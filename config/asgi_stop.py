"""Hearing of a stop before the server does anything about it.

Granian ends its workers' lifespan only when the last connection has ended, and an event stream ends only when it is
told to: without this, each stop would last until the worker is killed.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def told_to_stop(tell: Callable[[], None]) -> Iterator[None]:
    """Have a function called on the running loop when somebody asks this process to stop.

    The server's own handler stays: the loop hears of a signal through its wake-up descriptor, whatever stands here.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def heard(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(tell)

    before = {number: _handle(number, heard) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            _handle(number, handler)


def _handle(number: signal.Signals, handler: Any) -> Any:
    found = signal.signal(number, handler)
    signal.siginterrupt(number, False)  # as asyncio has it: a system call under way is taken up again
    return found
