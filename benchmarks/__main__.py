"""`python -m benchmarks`: see docs/performance.md."""

import gc
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import installation, options, report


def main() -> int:
    """Measure and print; 0 where every bar of what was measured is met, 1 where one is not, 2 where it cannot start."""
    asked = options.read(sys.argv[1:])
    free = shutil.disk_usage(asked.folder).free / 1e9
    if free < asked.gigabytes:
        print(f"{asked.folder} has {free:.0f} GB free; this takes about {asked.gigabytes:.0f} GB.", file=sys.stderr)
        return 2
    print(f"About {asked.gigabytes:.0f} GB in {asked.folder} until it ends ({free:.0f} GB free).", file=sys.stderr)
    with installation.temporary(asked.folder, web_workers=asked.web_workers) as running:
        facts, rows = _measure(asked, running)
    print(report.describe(facts))
    print(f"Load average at the start {facts['load_at_start']:.1f}; each row has its own.\n")
    print(report.table(rows))
    if asked.json:
        report.write_json(asked.json, facts, vars(asked), rows)
    return 1 if any(row.met is False for row in rows) else 0


def _measure(asked: options.Options, running: installation.Installation) -> tuple[dict[str, object], list[report.Row]]:
    import django

    load = os.getloadavg()[0]
    django.setup()
    from benchmarks import (
        controlled,
        exporting,
        flags,
        growth,
        holds,
        intake,
        investigating,
        reading,
        register,
        reviewing,
        scopes,
        stops,
        verification,
    )
    from benchmarks.bench import Bench, say

    @contextmanager
    def part(name: str) -> Iterator[None]:
        started = time.monotonic()
        say(f"{name} (load average {os.getloadavg()[0]:.1f})")
        yield
        say(f"{name}: {time.monotonic() - started:.0f} s")

    bench = Bench(asked, running, register.found())
    if {"control", "holds", "scope"} & {*asked.only}:
        bench.crew = controlled.found()
    with running.cluster.connect() as connection:
        facts = report.machine(running.data_dir, connection) | {"load_at_start": load}
    bench.fill(asked.start)
    bench.clone(installation.SMALL, installation.REFERENCE)
    if {"intake", "singles", "control", "holds"} & {*asked.only}:
        with running.web_server() as port:
            if "intake" in asked.only:
                with part("batches"):
                    intake.measure_batches(bench, port)
            if "singles" in asked.only:
                with part("single posts"):
                    intake.measure_singles(bench, port)
            if "holds" in asked.only:
                with part("controls at intake"):
                    holds.measure(bench, port)
                    reviewing.measure_claims(bench)
            if "control" in asked.only:
                with running.control_process() as control_port, part("control process"):
                    flags.measure(bench, port, control_port)
                    stops.measure(bench, port, control_port)
                    stops.measure_flood(bench, port, control_port)
                    reviewing.measure_waiting(bench, control_port)
    if "scope" in asked.only:
        with part("scope of a card"):
            scopes.measure(bench)
    if {"growth", "reading", "cases", "exports"} & {*asked.only}:
        bench.fill(asked.entries)
    # pages are asked of this process: what it has made so far is not to be looked through in the middle of one
    gc.collect()
    gc.freeze()
    for name, measure in (
        ("growth", growth.measure),
        ("reading", reading.measure),
        ("cases", investigating.measure),
        ("exports", exporting.measure),
        ("verification", verification.measure),
    ):
        if name in asked.only:
            with part(name):
                measure(bench)
    return facts, bench.rows


if __name__ == "__main__":
    sys.exit(main())
