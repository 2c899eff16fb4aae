"""What the measurements share: the installation, the organisation, and counters of decisions made so far."""

import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from benchmarks import append, workload
from benchmarks.controlled import Crew, Place
from benchmarks.installation import Installation
from benchmarks.options import Options
from benchmarks.register import Organisation
from benchmarks.report import Row
from config.standalone import layout
from governance import memory
from ledger.selectors import latest_head

BATCH = 1_000


@dataclass
class Bench:
    options: Options
    installation: Installation
    organisation: Organisation
    crew: Crew | None = None
    """Those who work with controls, where any of that is measured."""
    rows: list[Row] = field(default_factory=list)
    _made: int = 0

    @property
    def key(self) -> str:
        return self.organisation.key

    @property
    def log_id(self) -> uuid.UUID:
        return self.organisation.log_id

    @property
    def controlled(self) -> Crew:
        if self.crew is None:
            raise RuntimeError("nobody to work with controls was registered")
        return self.crew

    def raws(self, count: int, **described: Any) -> list[bytes]:
        """New decisions as their caller sends them; `described` as in `workload.records`."""
        first, self._made = self._made, self._made + count
        return list(workload.records(first, count, **described))

    def batches(self, count: int, **described: Any) -> list[list[bytes]]:
        return [self.raws(BATCH, **described) for _ in range(count)]

    def append(self, batches: Sequence[Sequence[bytes]], place: Place | None = None) -> float:
        """Decisions a second of the append path, into the database this thread is connected to.

        `place`: the AI system they are of, where it is not the usual one.
        """
        key, log_id = (self.key, self.log_id) if place is None else (self.controlled.key, place.log_id)
        return sum(map(len, batches)) / append.append(key, log_id, batches)

    def fill(self, entries: int) -> None:
        """Bring the large log to a size, through the append path."""
        started, size = time.monotonic(), latest_head(self.log_id).tree_size
        say(f"filling the log of {layout.DATABASE} from {size:,} to {entries:,} entries")
        for missing in range(entries - size, 0, -20 * BATCH):
            append.append(self.key, self.log_id, self.batches(min(20, -(-missing // BATCH))))
        say(f"  {time.monotonic() - started:.0f} s")

    def clone(self, *databases: str) -> None:
        """Copy the product's database as it is now."""
        for database in databases:
            connection.close()  # the clone cuts everybody off
            self.installation.clone(database)
        while memory.is_stale():  # its thread was cut off as well
            time.sleep(0.2)

    def add(self, *rows: Row) -> None:
        for row in rows:
            say(f"  {row.what}: {row.value:,.2f} {row.unit}" + (f", ratio {row.ratio:.2f}" if row.ratio else ""))
        self.rows += rows


def say(text: str) -> None:
    """Progress, beside the results."""
    print(text, file=sys.stderr, flush=True)
