"""What was asked for."""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

GIGABYTES_A_MILLION = 4.5
PARTS = ("intake", "singles", "control", "holds", "scope", "growth", "reading", "cases", "exports", "verification")


@dataclass(frozen=True)
class Options:
    entries: int
    start: int
    rounds: int
    batches: int
    singles: int
    evaluations: int
    clients: int
    stops: int
    reviews: int
    web_workers: int
    only: tuple[str, ...]
    folder: Path
    json: Path | None

    @property
    def gigabytes(self) -> float:
        """About what the data takes: the log at its full size, its small copy, the reference and the journal."""
        measured = 13 * self.rounds * self.batches * 1_000
        copied = self.entries if "reading" in self.only else 0
        copied += self.entries if "exports" in self.only else 0
        return (self.entries + copied + 2 * self.start + measured) / 1e6 * GIGABYTES_A_MILLION + 4


def read(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure against the service level.")
    parser.add_argument("--entries", type=int, default=1_000_000, help="size of the large log (1,000,000)")
    parser.add_argument("--start", type=int, default=50_000, help="size of the small log (50,000)")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of each pair of measurements (5)")
    parser.add_argument("--batches", type=int, default=30, help="batches of 1,000 in each measurement (30)")
    parser.add_argument("--singles", type=int, default=6_000, help="single posts in each measurement (6,000)")
    parser.add_argument("--evaluations", type=int, default=6_000, help="flags evaluated in each measurement (6,000)")
    parser.add_argument("--clients", type=int, default=200, help="clients that listen for a stop (200)")
    parser.add_argument("--stops", type=int, default=10, help="stops that they are told of (10)")
    parser.add_argument("--reviews", type=int, default=10_000, help="open reviews in one queue (10,000)")
    parser.add_argument("--web-workers", type=int, default=2, help="web processes, as the product starts them (2)")
    parser.add_argument("--only", action="append", choices=PARTS, default=[], help="repeatable; all without it")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the data folder is made"
    )
    parser.add_argument("--json", type=Path, help="file for the results, e.g. benchmarks/results.json")
    given = parser.parse_args(arguments)
    values = vars(given) | {"only": tuple(given.only) or PARTS}
    return Options(**values)
