"""Exports at size: against plain COPY of the same rows, in how much memory, and what intake feels of one meanwhile."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.utils.dateparse import parse_datetime

from benchmarks.bench import Bench
from benchmarks.children import Child, Said, child
from benchmarks.controlled import give_role
from benchmarks.installation import PROJECT
from benchmarks.intake import post_batches
from benchmarks.report import Pairs, Row, at_most
from evidence.exports import storage
from evidence.exports.models import Export
from evidence.exports.ranges import at_of
from evidence.exports.requesting import cancel_export
from evidence.exports.sweeping import clear_up
from governance.acts import Role
from governance.scopes import ORGANISATION
from governance.services.people import register_person
from ledger.entries import COMMAND, Actor
from ledger.models import Log
from ledger.selectors import latest_head, registry_log
from ledger.signing import verifier_keys

FEW, WITH_CONTENTS = 10_000, 100_000
PATIENCE = 3_600.0
MOST_MEGABYTES = 300
KILOBYTES = 1 << 10
LEAD_SECONDS = 1.0
MEASURED = """
import re, runpy, sys
source, *sys.argv[1:] = sys.argv[1:]
try:
    runpy.run_path(source, run_name="__main__")
finally:  # of this program alone: getrusage counts what its parent had when it forked
    print(re.search("VmHWM:\\s+([0-9]+)", open("/proc/self/status").read())[1])
"""
COPIED = (
    "COPY (SELECT data FROM ledger_entry WHERE log_id = '{}' AND leaf_index < {} ORDER BY leaf_index)"
    " TO STDOUT (FORMAT binary)"
)


def measure(bench: Bench) -> None:
    who = _who(bench)
    _measure_memory(bench, who)
    with _exporter() as exporter:
        _measure_rate(bench, who, exporter)
        _measure_other_forms(bench, who, exporter)
        _measure_verifier(bench, who, exporter)
        _measure_intake(bench, who, exporter)


def _who(bench: Bench) -> Said:
    """Who asks, who agrees, and the AI system that is asked about."""
    found = {"system": str(Log.objects.get(pk=bench.log_id).system_id)}
    for name, role in (("by", Role.AUDITOR), ("agrees", Role.DPO)):
        person = register_person(actor=COMMAND, name=name.title(), email=f"{name}-exports@example.org")
        give_role(person, role, ORGANISATION)
        found[name] = str(person.pk)
    return found


@contextmanager
def _exporter() -> Iterator[Child]:
    """A worker at exports, with nothing made yet."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("ANSWERABLE_", "DJANGO_"))}
    with child("exporter", {"env": kept}) as found:
        found.hear(patience=PATIENCE)
        yield found


def _export(exporter: Child, who: Said, *, keeps: bool = False, **asked: Any) -> Said:
    """One export made to its end; what it took."""
    exporter.tell({"form": "bundle", "is_alone": True} | who | asked)
    export_id = uuid.UUID(exporter.hear(patience=PATIENCE)["export"])
    said = exporter.hear(patience=PATIENCE)
    if said["status"] != Export.Status.FINISHED:
        raise RuntimeError(f"an export ended as {said['status']} {said['why']}")
    if not keeps:
        storage.remove(Export.objects.get(pk=export_id))
    clear_up()
    return said | {"id": export_id}


def _until(bench: Bench, entries: int) -> str:
    """The time before which about so many entries of the log were received."""
    at = parse_datetime(at_of(bench.log_id, min(entries, latest_head(bench.log_id).tree_size - 1)).decode())
    assert at is not None
    return (at + timedelta(milliseconds=1)).isoformat()


# --- memory -----------------------------------------------------------------------------------------------------------
def _measure_memory(bench: Bench, who: Said) -> None:
    """Each in a process of its own: what it had at most."""
    found = {}
    for name, until in (("few", _until(bench, FEW)), ("all", None)):
        with _exporter() as exporter:
            found[name] = _export(exporter, who, until=until)
    most, few = found["all"]["megabytes"], found["few"]["megabytes"]
    what = f"memory of the worker, evidence bundle of {found['all']['decisions']:,} decisions"
    note = f"of {found['few']['decisions']:,}: {few:.0f} MB"
    bench.add(at_most(what, most, "MB", MOST_MEGABYTES, note))


# --- speed ------------------------------------------------------------------------------------------------------------
def _measure_rate(bench: Bench, who: Said, exporter: Child) -> None:
    """A bundle of the whole log, and plain COPY of its entries into a file, in turns."""
    pairs, cpu = Pairs(), 0.0
    for number in range(bench.options.rounds + 1):
        size = latest_head(bench.log_id).tree_size
        copied = size / _copy(bench, size)
        said = _export(exporter, who)
        if number:
            pairs.add(size / said["seconds"], copied)
            cpu = max(cpu, said["cpu"] / said["seconds"])
    what = "export of a contiguous range: evidence bundle of the whole log"
    note = f"reference: plain COPY ... TO of the same rows; the worker takes {cpu:.0%} of a core"
    bench.add(pairs.row(what, "entries/s", at_least=0.3, note=note))


def _copy(bench: Bench, size: int) -> float:
    """Seconds of plain COPY in its fastest form, into a file, synced as an export's is."""
    path = bench.installation.data_dir / "copied"
    with psycopg.connect(bench.installation.url()) as connection, path.open("wb", buffering=0) as file:
        started = time.perf_counter()
        with connection.cursor().copy(COPIED.format(bench.log_id, size)) as rows:
            for data in rows:
                file.write(data)
        os.fsync(file.fileno())
        taken = time.perf_counter() - started
    path.unlink()
    return taken


def _measure_other_forms(bench: Bench, who: Said, exporter: Child) -> None:
    until = _until(bench, WITH_CONTENTS)
    for form in ("ndjson", "csv", "ocsf"):
        said = _export(exporter, who, form=form, until=until)
        bench.add(Row(f"export as {form}", said["decisions"] / said["seconds"], "decisions/s"))
    said = _export(exporter, who, until=until, parts=["input", "output", "explanation", "refs"])
    what = "evidence bundle with inputs, outputs, explanations and references"
    bench.add(Row(what, said["decisions"] / said["seconds"], "decisions/s", note=f"{said['bytes'] / 1e6:,.0f} MB"))


def _measure_verifier(bench: Bench, who: Said, exporter: Child) -> None:
    """The verifier that comes with a bundle, on a bundle of the whole log, as a receiver runs it."""
    said = _export(exporter, who, keeps=True)
    export = Export.objects.get(pk=said["id"])
    file = Path(settings.STORAGES["exports"]["OPTIONS"]["location"], storage.name_of(export))
    keys = [f"--vkey={key}" for key in verifier_keys(registry_log().origin)]
    verifier = PROJECT / "sdk" / "src" / "answerable_verify" / "verify.py"
    command = [sys.executable, "-I", "-c", MEASURED, str(verifier), str(file), "--quiet", *keys]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - started
    if done.returncode != 0:
        raise RuntimeError(f"the bundle does not verify: {done.returncode}\n{done.stderr}")
    most = int(done.stdout.split()[-1]) / KILOBYTES
    note = f"at most {most:,.0f} MB; the file has {file.stat().st_size / 1e6:,.0f} MB"
    what = "evidence bundle of the whole log, verified by verify.py"
    bench.add(Row(what, said["decisions"] / taken, "entries/s", note=note))
    storage.remove(export)


# --- what intake feels of it ------------------------------------------------------------------------------------------
def _measure_intake(bench: Bench, who: Said, exporter: Child) -> None:
    """Intake alone and beside an export that gives way, in turns; each export is given up when its turn is over."""
    appended, posted, stops = Pairs(), Pairs(), list[float]()
    with bench.installation.web_server() as port:
        for number in range(bench.options.rounds + 1):
            alone = bench.append(bench.batches(bench.options.batches))
            alone_posted = post_batches(bench, port, bench.batches(bench.options.batches)).per_second
            batches, bodies = bench.batches(bench.options.batches), bench.batches(bench.options.batches)
            with _exporting(exporter, who, stops):
                beside = bench.append(batches)
                beside_posted = post_batches(bench, port, bodies).per_second
            if number:
                appended.add(beside, alone)
                posted.add(beside_posted * 1_000, alone_posted * 1_000)
    note = "reference: itself without"
    bench.add(
        appended.row("append path while an export runs", "decisions/s", at_least=0.9, note=note),
        posted.row("batch intake over HTTP while an export runs", "decisions/s", at_least=0.9, note=note),
        Row("given up to stopped, an export in the middle of intake, longest", max(stops), "s"),
    )


@contextmanager
def _exporting(exporter: Child, who: Said, stops: list[float]) -> Iterator[None]:
    exporter.tell({"form": "bundle"} | who | {"is_alone": False})
    export_id = uuid.UUID(exporter.hear(patience=PATIENCE)["export"])
    time.sleep(LEAD_SECONDS)
    yield
    started = time.perf_counter()
    if Export.objects.get(pk=export_id).status != Export.Status.QUEUED:
        raise RuntimeError("the export ended before the measurement: give more --entries")
    cancel_export(actor=Actor("person", uuid.UUID(who["by"])), export_id=export_id)
    said = exporter.hear(patience=PATIENCE)
    stops.append(time.perf_counter() - started)
    if said["status"] != Export.Status.CANCELLED:
        raise RuntimeError(f"an export that was given up is {said['status']}")
    clear_up()
