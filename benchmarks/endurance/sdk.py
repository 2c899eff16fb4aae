"""`python -m benchmarks.endurance.sdk`: records of our own client while the service and the client are killed.

Ten times the web server (its workers, twice all of it), twice the client's own process, while records are made: a
share of them after each kill, so that all of it happens under load. Afterwards every record that `record()` returned
for is in the database, once, no source has a gap, and after each kill sending went on within seconds of the service.
0 where that holds, 1 where it does not.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.standalone.cluster import Cluster
from config.standalone.layout import DATABASE
from config.standalone.processes import wait_until
from tests.running import PROJECT, Product, data_folder, running

SYSTEM = "sdk-endurance"
KILLS, WHOLE = 10, (4, 8)
WRITERS, PACE = 2, 200
"""Threads that record, and how many records they make a second together at most: 50,000 take four minutes."""
PATIENCE = 720.0
RESUMED_WITHIN = 15.0
"""Seconds from the service's first sign of life to the next record in it: a client that sleeps longer is one that lost
sight of the service."""
MOST_REPEATED = 2 * WRITERS
"""A kill between a record's commit and its name being written down makes a thread record the number again."""

WRITER = """
import os, sys, threading, time
from pathlib import Path
from answerable import Client

url, key, folder, system, last, every, *firsts = sys.argv[1:]
client = Client(url, key, system=system, model_version="1", spool_dir=folder, risk="low", overflow="block")
said = os.open(folder + "/said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def work(first):
    for n in range(int(first), int(last), len(firsts)):
        while n >= int(Path(folder, "share").read_text() or 0):
            time.sleep(0.05)
        name = client.record(input={"n": n, "text": "x" * 300}, output={}, outcome="approved")
        os.write(said, f"{n} {name}\\n".encode())
        time.sleep(float(every))

threads = [threading.Thread(target=work, args=(first,)) for first in firsts]
for each in threads:
    each.start()
for each in threads:
    each.join()
sys.exit(0 if client.flush(600) else 3)
"""


@dataclass
class Run:
    """One run: what is under load, and what has been done to it."""

    product: Product
    records: int
    folder: Path
    key: str
    resumed: list[float] = field(default_factory=list)
    kills: int = 0
    writer_kills: int = 0
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._give_share()
        self.writer = self._start_writer()

    def go(self) -> None:
        """Until everything is sent and everybody was killed as often as they are to be."""
        while self.writer.poll() is None or self.kills < KILLS:
            if time.monotonic() - self.began > PATIENCE:
                raise TimeoutError(f"not finished after {PATIENCE:.0f} s, {self.stored()} records stored")
            recorded = self.recorded()
            if self.kills < KILLS and recorded * (KILLS + 1) >= self.records * (self.kills + 1):
                self._kill_web()
            if self.writer_kills < 2 and recorded * 3 >= self.records * (self.writer_kills + 1) and not self._is_over():
                self._kill_writer()
            time.sleep(0.05)

    def _give_share(self) -> None:
        """What the client may record while the service is killed for the next time."""
        share = min(self.records * (self.kills + 2) // (KILLS + 1), self.records)
        (self.folder / "share").write_text(str(share))

    def _is_over(self) -> bool:
        return self.writer.poll() is not None

    def _kill_web(self) -> None:
        server = self.product.service("config.wsgi:application")
        victims = [server, *server.children()] if self.kills in WHOLE else server.children()
        for process in victims:
            process.kill()
        self.kills += 1
        self._give_share()
        killed_at = time.monotonic()
        wait_until(self._answers, patience=180.0, pause=0.05)
        before, answered_at = self.stored(), time.monotonic()
        wait_until(lambda: self._is_sending_since(before), patience=60.0, pause=0.05)
        self.resumed.append(time.monotonic() - answered_at)
        away = answered_at - killed_at
        self._say(f"web killed, number {self.kills}: away {away:.1f} s, sending again {self.resumed[-1]:.1f} s later")

    def _is_sending_since(self, before: int) -> bool:
        stored = self.stored()
        return stored > before or stored >= self.recorded()

    def _say(self, what: str) -> None:
        """To whoever waits for the figures."""
        print(f"{time.monotonic() - self.began:6.1f} s {self.stored():7,} sealed  {what}", file=sys.stderr, flush=True)

    def _kill_writer(self) -> None:
        self.stop()
        self.writer_kills += 1
        self._say(f"client killed, number {self.writer_kills}")
        self.writer = self._start_writer()

    def _start_writer(self) -> "subprocess.Popen[bytes]":
        done = [int(n) for n, _ in self.said()]
        firsts = [max((n for n in done if n % WRITERS == part), default=part - WRITERS) for part in range(WRITERS)]
        known = [self.product.url, self.key, str(self.folder), SYSTEM, str(self.records), str(WRITERS / PACE)]
        return subprocess.Popen(
            [sys.executable, "-c", WRITER, *known, *(str(first + WRITERS) for first in firsts)],
            env=os.environ | {"PYTHONPATH": str(PROJECT / "sdk" / "src")},
        )

    def stop(self) -> None:
        self.writer.kill()
        self.writer.wait()

    def said(self) -> list[list[str]]:
        """Number and name of each record that the client was told of."""
        return [line.split() for line in self._told().decode().splitlines()]

    def recorded(self) -> int:
        return self._told().count(b"\n")

    def _told(self) -> bytes:
        file = self.folder / "said"
        return file.read_bytes() if file.exists() else b""

    def stored(self) -> int:
        with Cluster(self.product.data_dir).connect(DATABASE) as connection:
            row = connection.execute("SELECT count(*) FROM audit_decision").fetchone()
        return int(row[0]) if row else 0

    def names(self) -> list[str]:
        """The decisions that are sealed, one for each entry."""
        with Cluster(self.product.data_dir).connect(DATABASE) as connection:
            rows = connection.execute(
                "SELECT e.id::text FROM ledger_entry e JOIN audit_decision d ON d.id = e.id"
                " JOIN audit_payload p ON p.id = e.id"
            ).fetchall()
        return [row[0] for row in rows]

    def sources(self) -> list[dict[str, Any]]:
        request = urllib.request.Request(
            f"{self.product.url}/api/v1/sources", headers={"Authorization": f"Bearer {self.key}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["items"]
        return found

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.product.url}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def figures(run: Run) -> dict[str, Any]:
    """What was found, and what of it is wrong."""
    seconds = time.monotonic() - run.began
    names, returned = run.names(), [name for _, name in run.said()]
    wait_until(lambda: all(each["missing"] == 0 for each in run.sources()), patience=60.0, pause=1.0)
    sources = run.sources()
    return {
        "records": len(returned),
        "sealed": len(names),
        "lost": len(set(returned) - set(names)),
        "twice": len(names) - len(set(names)),
        "recorded again after a kill": len(set(names) - set(returned)),
        "sources": len(sources),
        "gaps": sum(each["missing"] for each in sources) + sum(len(each["gaps"]) for each in sources),
        "forks": sum(len(each["forks"]) for each in sources),
        "web killed": run.kills,
        "client killed": run.writer_kills,
        "client ended with": run.writer.returncode,
        "longest until sending again": round(max(run.resumed), 1),
        "seconds": round(seconds, 1),
    }


def holds(found: dict[str, Any], records: int) -> bool:
    wrong = found["lost"] + found["twice"] + found["gaps"] + found["forks"] + found["client ended with"]
    are_killed = (found["web killed"], found["client killed"]) == (KILLS, 2)
    is_soon = found["longest until sending again"] <= RESUMED_WITHIN
    are_few = found["recorded again after a kill"] <= MOST_REPEATED
    return bool(not wrong and are_killed and found["records"] >= records and is_soon and are_few)


@contextmanager
def prepared(records: int) -> Iterator[Run]:
    with data_folder() as folder, running(folder) as product, tempfile.TemporaryDirectory() as spool:
        product.manage("create_system", "--slug", SYSTEM, "--name", "SDK", "--accountable", "owner@example.org")
        scopes = ("--scope", "decisions:write", "--scope", "decisions:read", "--scope", "control:read")
        key = product.manage("create_service_key", "--system", SYSTEM, *scopes).strip()
        run = Run(product, records, Path(spool), key)
        try:
            yield run
        finally:
            run.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance.sdk", description=__doc__)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args(arguments)
    with prepared(given.records) as run:
        run.go()
        found = figures(run)
    print("\n".join(f"{name:28} {value}" for name, value in found.items()))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    is_held = holds(found, given.records)
    print("Nothing was lost, nothing is there twice." if is_held else "IT DID NOT HOLD: see above.")
    return 0 if is_held else 1


if __name__ == "__main__":
    raise SystemExit(main())
