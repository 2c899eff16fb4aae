"""In a process of its own: makes exports one after the other, each as it is told, and says what each took."""

import json
import os
import re
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.children import Said, say, told

KILOBYTES = 1 << 10


def main() -> None:
    os.environ |= told()["env"]
    import django

    django.setup()
    say(megabytes=_most_memory())
    for line in sys.stdin:
        asked = json.loads(line)
        export_id = _ask(asked)
        say(export=str(export_id))
        say(**_make(export_id, is_alone=asked["is_alone"]), megabytes=_most_memory())


def _most_memory() -> float:
    """The most that this program ever had, in megabytes. (`getrusage` counts what its parent had when it forked.)"""
    [most] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(most) / KILOBYTES


def _ask(asked: Said) -> UUID:
    from evidence.exports.requesting import Asked, approve_export, request_export
    from ledger.entries import Actor

    until, parts = asked.get("until"), asked.get("parts", [])
    export = request_export(
        actor=Actor("person", UUID(asked["by"])),
        asked=Asked(
            question="range", system_id=UUID(asked["system"]), until=datetime.fromisoformat(until) if until else None
        ),
        form=asked["form"],
        reason="A measurement.",
        parts=parts,
    )
    if parts:
        approve_export(actor=Actor("person", UUID(asked["agrees"])), export_id=export.pk)
    return export.pk


def _make(export_id: UUID, *, is_alone: bool) -> dict[str, Any]:
    """`is_alone`: nobody is to be given way to."""
    from evidence.exports.models import Export
    from evidence.exports.pace import Pace
    from evidence.exports.running import claim, run_slice

    work, pace = claim(only=export_id), Pace(is_alone=is_alone)
    if work is None:
        raise RuntimeError("the export is not to be had")
    started, cpu = time.perf_counter(), time.process_time()
    run_slice(work, pace=pace, until=None)
    taken, cpu = time.perf_counter() - started, time.process_time() - cpu
    made = Export.objects.get(pk=export_id)
    said = {"status": str(made.status), "why": made.failure, "decisions": made.decisions, "bytes": made.size}
    return said | {"seconds": taken, "cpu": cpu, "rested": pace.rested}


if __name__ == "__main__":
    main()
