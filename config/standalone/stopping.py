"""Signals that ask us to stop: each interrupts whatever is being done, and is remembered."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopAsked(BaseException):
    """Somebody asked us to stop. Not an Exception: nothing on the way may take it for an error and go on."""


@dataclass
class StopRequest:
    """Remembers that somebody asked.

    The exception alone is not enough: Python drops one that is raised in a finalizer, or in what runs around a fork,
    and nobody would ever hear of the signal again.
    """

    asked: bool = False

    def heed(self) -> None:
        if self.asked:
            raise StopAsked


@contextmanager
def stop_signals(request: StopRequest) -> Iterator[None]:
    """Turn the signals that ask us to stop into StopAsked, wherever we are, and note that they came."""

    def ask(number: int, frame: FrameType | None) -> None:
        ignore_stop_signals()
        request.asked = True
        raise StopAsked

    before = {number: signal.signal(number, ask) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_stop_signals() -> None:
    """While we stop, a second Ctrl-C would only leave something behind."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
