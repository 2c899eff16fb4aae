"""In a process of its own: 64 senders who never stop sending decisions, one by one and in batches."""

import itertools
import threading
from collections.abc import Iterator

from benchmarks.children import say, told, wait_for_the_end
from benchmarks.senders import post_request, send_all
from benchmarks.workload import batch_body, records

SENDERS, BATCH = 64, 100
BATCH_EVERY = 8


def main() -> None:
    asked = told()
    over = threading.Event()
    threading.Thread(target=_wait, args=[over], daemon=True).start()
    say(begun=True)
    requests = _requests(asked["key"], asked["system"], over)
    sent = send_all(asked["port"], requests, senders=SENDERS)
    statuses = {str(status): number for status, number in sent.statuses.items()}
    say(statuses=statuses, per_second=sent.per_second, cpu=sent.cpu_seconds / sent.seconds)


def _wait(over: threading.Event) -> None:
    wait_for_the_end()
    over.set()


def _requests(key: str, system: str, over: threading.Event) -> Iterator[bytes]:
    """Every eighth one is a batch."""
    for number in itertools.count():
        if over.is_set():
            return
        raws = list(records(number, 1 if number % BATCH_EVERY else BATCH, system=system))
        is_one = len(raws) == 1
        path = "/api/v1/decisions" if is_one else "/api/v1/decisions/batch"
        yield post_request(path, raws[0] if is_one else batch_body(raws), key=key)


if __name__ == "__main__":
    main()
