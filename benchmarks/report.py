"""What was measured, on what; as a table and as JSON."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

SETTINGS = (
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "shared_buffers",
    "max_wal_size",
    "checkpoint_timeout",
    "wal_compression",
    "wal_buffers",
)


@dataclass
class Row:
    """One figure, its reference in the same run, and the bar. A row without a bar informs."""

    what: str
    value: float
    unit: str
    reference: float | None = None
    ratio: float | None = None
    bar: str = ""
    met: bool | None = None
    note: str = ""
    load: float = field(default_factory=lambda: os.getloadavg()[0])


@dataclass
class Pairs:
    """Two figures measured in turns (A B A B): machines are noisy, so the ratio is taken within each turn."""

    values: list[float] = field(default_factory=list)
    references: list[float] = field(default_factory=list)

    def add(self, value: float, reference: float) -> None:
        self.values.append(value)
        self.references.append(reference)

    def row(self, what: str, unit: str, *, at_least: float | None = None, note: str = "") -> Row:
        """A row of the medians; without `at_least` it informs."""
        ratios = [value / reference for value, reference in zip(self.values, self.references, strict=True)]
        ratio, spread = statistics.median(ratios), f"ratios {min(ratios):.2f} to {max(ratios):.2f}"
        return Row(
            what,
            statistics.median(self.values),
            unit,
            statistics.median(self.references),
            ratio,
            "" if at_least is None else f">= {at_least} of the reference",
            None if at_least is None else ratio >= at_least,
            f"{note}; {spread}" if note else spread,
        )


def percentile(values: Sequence[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def at_most(what: str, value: float, unit: str, bar: float, note: str = "") -> Row:
    return Row(what, value, unit, bar=f"<= {bar:g} {unit}", met=value <= bar, note=note)


def table(rows: Sequence[Row]) -> str:
    """The table for the terminal."""
    lines = [("what", "value", "reference", "ratio", "bar", "met", "load", "")]
    lines += [
        (
            row.what,
            f"{_number(row.value)} {row.unit}",
            "" if row.reference is None else f"{_number(row.reference)} {row.unit}",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            row.bar,
            {True: "yes", False: "NO", None: ""}[row.met],
            f"{row.load:.1f}",
            row.note,
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(7)]
    return "\n".join(
        "  ".join([*(text.ljust(width) for text, width in zip(line[:7], widths, strict=True)), line[7]]).rstrip()
        for line in lines
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def markdown(rows: Sequence[Row]) -> str:
    """The table for README and docs/performance.md."""
    lines = ["| what | figure | reference | ratio | bar | met |", "|---|---|---|---|---|---|"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in rows]
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.what,
        f"{_brief(row.value)} {row.unit}",
        "" if row.reference is None else f"{_brief(row.reference)} {row.unit}",
        "" if row.ratio is None else f"{row.ratio:.2f}",
        row.bar.removesuffix(" of the reference"),
        {True: "yes", False: "**no**", None: ""}[row.met],
    )


def _brief(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


# --- the machine ------------------------------------------------------------------------------------------------------
def machine(folder: Path, connection: Any) -> dict[str, Any]:
    """What it was measured on. `connection` is one to the database, `folder` lies on the disk of the data."""
    shown = {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in SETTINGS}
    return {
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _commit(),
        "cpu": _cpu(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "sync_ms": round(_sync_milliseconds(folder), 2),
        "postgresql": shown,
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    return found.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _sync_milliseconds(folder: Path) -> float:
    """What it takes to have 8 kB on the disk: the floor under every commit."""
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(100):
            started = time.perf_counter()
            os.pwrite(file.fileno(), bytes(8192), 0)
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000


def describe(facts: dict[str, Any]) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in facts["postgresql"].items() if name != "server_version")
    return (
        f"{facts['measured_at']}, commit {facts['commit']}\n"
        f"{facts['cores']} x {facts['cpu']}, {facts['memory_gb']} GB, {facts['system']}, Python {facts['python']}\n"
        f"PostgreSQL {facts['postgresql']['server_version']}: {settings}; fdatasync of 8 kB {facts['sync_ms']} ms\n"
        "Senders, web server and database share this machine. Without worker and beat."
    )


def write_json(path: Path, facts: dict[str, Any], asked: dict[str, Any], rows: Sequence[Row]) -> None:
    content = {"machine": facts, "options": asked, "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(content, indent=2, default=str) + "\n")
