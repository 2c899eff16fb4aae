"""What `python -m benchmarks.endurance` was asked for."""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """How much is sent, and how."""

    posts: int
    clients: int
    systems: int
    singles: float
    batch: int
    duplicates: float
    proofs: int
    folder: Path
    json: Path | None
    seed: int


def read(arguments: Sequence[str]) -> Options:
    given = _parser().parse_args(arguments)
    return Options(**vars(given))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance", description=__doc__)
    parser.add_argument("--posts", type=int, default=100_000, help="decisions to send")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--systems", type=int, default=3, help="AI systems, so logs")
    parser.add_argument("--singles", type=float, default=0.6, help="share of requests with one decision")
    parser.add_argument("--batch", type=int, default=40, help="most decisions in a batch")
    parser.add_argument("--duplicates", type=float, default=0.05, help="share of requests sent again on purpose")
    parser.add_argument("--proofs", type=int, default=200, help="decisions whose proof others verify one by one")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the data folder is made"
    )
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--seed", type=int, default=1)
    return parser
