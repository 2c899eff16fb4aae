"""In a process of its own: many clients of the SDK, each as an installation of its own would be (stream, threads,
state folder), saying from when on its evaluation gives the new answer."""

import functools
import tempfile
import threading
import time
from pathlib import Path

from answerable import Change, Client
from benchmarks.children import say, told, wait_for_the_end

READY_SECONDS = 120.0
_voice = threading.Lock()


def main() -> None:
    asked = told()
    with tempfile.TemporaryDirectory() as folder:
        clients = [
            Client(asked["url"], asked["key"], system=asked["system"], spool_dir=Path(folder) / str(number))
            for number in range(asked["clients"])
        ]
        for number, client in enumerate(clients):
            if not client.wait_ready(READY_SECONDS):
                raise RuntimeError(f"a client had no state: {client.health()}")
            client.on_change(functools.partial(_tell, number, client))
        say(ready=len(clients))
        wait_for_the_end()
        for client in clients:
            client.close(0.1)


def _tell(number: int, client: Client, change: Change) -> None:
    """What counts is what the next caller is answered, not what the change says."""
    mode, at = client.mode(), time.monotonic()
    with _voice:
        say(client=number, mode=mode.value, epoch=change.epoch, at=at)


if __name__ == "__main__":
    main()
