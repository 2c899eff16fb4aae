"""What growth costs: the rate of intake at the large log against that at the small one, and while a dump runs."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.bench import Bench, say
from benchmarks.installation import SMALL
from benchmarks.register import connected_to
from benchmarks.report import Pairs
from config.standalone import layout
from config.standalone.binaries import postgres_bin

DUMP_LEAD_SECONDS = 1.0


def measure(bench: Bench) -> None:
    """The append path into both databases in turns: only what they hold differs."""
    _against_small(bench)
    _during_dump(bench)


def _against_small(bench: Bench) -> None:
    pairs = Pairs()
    for number in range(bench.options.rounds + 1):
        batches = bench.batches(bench.options.batches)
        large = bench.append(batches)
        with connected_to(bench.installation, SMALL):
            small = bench.append(batches)
        if number:
            pairs.add(large, small)
    what = f"append path at {bench.options.entries:,} entries"
    note = f"reference: itself at {bench.options.start:,}"
    bench.add(pairs.row(what, "decisions/s", at_least=0.85, note=note))


def _during_dump(bench: Bench) -> None:
    pairs, running = Pairs(), 0
    for number in range(bench.options.rounds + 1):
        alone = bench.append(bench.batches(bench.options.batches))
        batches = bench.batches(bench.options.batches)
        with _dump(bench) as dump:
            beside = bench.append(batches)
            if number:
                running += dump.poll() is None
                pairs.add(beside, alone)
    if running < bench.options.rounds:
        say(f"the dump ended before the measurement in {bench.options.rounds - running} rounds: give more --entries")
    what = f"append path at {bench.options.entries:,} entries while pg_dump runs"
    bench.add(
        pairs.row(what, "decisions/s", at_least=0.8, note="reference: itself without; pg_dump takes a core of its own")
    )


@contextmanager
def _dump(bench: Bench) -> "Iterator[subprocess.Popen[bytes]]":
    """pg_dump of the large database to nowhere, with its long snapshot."""
    url = bench.installation.url(layout.DATABASE, role="keeper")
    command = [postgres_bin() / "pg_dump", "--format=custom", "--compress=0", "--file=/dev/null", url]
    process = subprocess.Popen([str(part) for part in command])
    try:
        time.sleep(DUMP_LEAD_SECONDS)
        yield process
    finally:
        process.kill()
        process.wait()
