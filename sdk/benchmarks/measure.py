"""What a switch costs the caller, and what a record does. `python benchmarks/measure.py`; prints, asserts nothing."""

import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from answerable import Client
from answerable.testing import FakeServer

SWITCHES = 100
PAYLOAD = {"text": "x" * 900}


def per_call(act: Callable[[], object], number: int) -> float:
    """Microseconds, the best of five rounds: the others had the machine's other work in them."""
    rounds = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(number):
            act()
        rounds.append((time.perf_counter() - began) / number * 1e6)
    return min(rounds)


def latencies(act: Callable[[], object], number: int) -> str:
    found = []
    for _ in range(number):
        began = time.perf_counter()
        act()
        found.append((time.perf_counter() - began) * 1e6)
    cuts = statistics.quantiles(found, n=100)
    return f"median {cuts[49]:6.0f}   p99 {cuts[98]:6.0f}   largest {max(found):6.0f} us"


def main() -> None:
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder, FakeServer(systems=("credit",)) as server:
        for n in range(SWITCHES):
            server.set_mode("credit", "stop", model_version=f"0.{n}", capability=f"c{n}")
        _evaluation(server, Path(folder))
        _recording(server, Path(folder) / "process", "process")
        _recording(server, Path(folder) / "power", "power")
        _propagation(server, Path(folder) / "many")


def _evaluation(server: FakeServer, folder: Path) -> None:
    with Client(server.url, server.key, system="credit", model_version="2.1", spool_dir=folder) as client:
        client.wait_ready(5)
        print(f"\nEvaluation, {SWITCHES} switches loaded, threads running (us a call; the bar is 2)")
        print(f"  client.mode()                    {per_call(client.mode, 200_000):6.2f}")
        print(f"  client.mode(version, capability) {per_call(lambda: client.mode(None, '0.7', 'c7'), 200_000):6.2f}")
        print(f"  client.enabled()                 {per_call(client.enabled, 200_000):6.2f}")
        print(f"  client.param('x', 1)             {per_call(lambda: client.param('x', 1), 200_000):6.2f}")


def _recording(server: FakeServer, folder: Path, durability: Literal["process", "power"]) -> None:
    def record() -> None:
        client.record(input=PAYLOAD, output={"limit": 1}, outcome="approved", confidence=0.5)

    with Client(
        server.url, server.key, system="credit", model_version="2.1", spool_dir=folder,
        durability=durability,
    ) as client:  # fmt: skip
        client.wait_ready(5)
        print(f"\nclient.record(), 1 KB, durability={durability}: {latencies(record, 3000)}")
        client.flush(60)


def _propagation(server: FakeServer, folder: Path) -> None:
    """Fifty clients of one process and the fake server beside them: Python's own lock is most of it."""
    clients = [Client(server.url, server.key, system="credit", spool_dir=folder / str(n)) for n in range(50)]
    for client in clients:
        client.wait_ready(10)
    times: list[float] = []
    began = [0.0]
    for client in clients:
        client.on_change(lambda _: times.append(time.perf_counter() - began[0]))
    done = threading.Event()
    began[0] = time.perf_counter()
    server.set_mode("credit", "stop")
    done.wait(5)
    for client in clients:
        client.close(0.1)
    if len(times) < len(clients):
        print(f"\nOnly {len(times)} of {len(clients)} streams had the stop within 5 s")
        return
    print(f"\nStop to obeyed, {len(clients)} streams: median {statistics.median(times) * 1000:.0f} ms, "
          f"largest {max(times) * 1000:.0f} ms")  # fmt: skip


if __name__ == "__main__":
    main()
