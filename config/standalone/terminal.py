"""What the supervisor tells the person at the terminal: short lines, each step with the time it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(text: str = "") -> None:
    print(text, flush=True)  # noqa: T201 - this is where the terminal is written to


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what is being done, then how long it took."""
    print(f"{text} ... ", end="", flush=True)  # noqa: T201
    began = time.monotonic()
    try:
        yield
    except BaseException:
        say("not finished")
        raise
    say(f"{time.monotonic() - began:.1f} s")
