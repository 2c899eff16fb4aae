"""In a process of its own: what a caller pays for a look at a switch or a parameter in the SDK."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from answerable import Client
from benchmarks.children import say, told

CALLS, ROUNDS = 100_000, 7


def main() -> None:
    asked = told()
    with tempfile.TemporaryDirectory() as folder:
        client = Client(
            asked["url"], asked["key"], system=asked["system"], model_version=asked["version"], spool_dir=Path(folder)
        )
        with client:
            if not client.wait_ready(60):
                raise RuntimeError(f"the client had no state: {client.health()}")
            say(
                switches=_loaded(client, asked["capabilities"]),
                parameter=client.param(asked["parameter"], None),
                mode=_cost(client.mode),
                narrow=_cost(lambda: client.mode(None, None, asked["capabilities"][0])),
                param=_cost(lambda: client.param(asked["parameter"], None)),
            )


def _loaded(client: Client, capabilities: list[str]) -> int:
    """How many switches are known: a client without them would be fast, and measure nothing."""
    return sum(not client.enabled(None, None, each) for each in capabilities)


def _cost(act: Callable[[], object]) -> float:
    """Microseconds of one call by this thread's own clock (others' work is no cost of it), the median of rounds."""
    return statistics.median(_round(act) for _ in range(ROUNDS))


def _round(act: Callable[[], object]) -> float:
    started = time.thread_time()
    for _ in range(CALLS):
        act()
    return (time.thread_time() - started) / CALLS * 1e6


if __name__ == "__main__":
    main()
