"""`python -m benchmarks.endurance`: the whole product under load, killed in the middle.

0 where everything held, 1 where something did not, 2 where it cannot start.
"""

import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from benchmarks.endurance.checks import Checks, Claim
from benchmarks.endurance.clients import Client, Line, Told, Work
from benchmarks.endurance.options import Options, read
from config.standalone.processes import wait_until
from tests.environment import INSTALLATION
from tests.interop import verifiers
from tests.running import Product, running

HEALED_WITHIN = 120.0
SCOPES = ["--scope", "decisions:write", "--scope", "ledger:read"]

Find = Callable[[Product], list[psutil.Process]]


def main() -> int:
    options = read(sys.argv[1:])
    if not verifiers.go_available():
        print("Another verifier is missing: apt-get install golang-go golang-golang-x-mod-dev", file=sys.stderr)
        return 2
    with _folders(options.folder) as (data_dir, copies), running(data_dir) as product:
        systems = _register(product, options)
        key = product.manage("create_service_key", *systems, *SCOPES).strip()
        slugs = systems[1::2]
        told, kills, seconds = _send(product, options, key, slugs)
        line = Line(product.port, key, told, random.Random(0))
        claims = Checks(product, told, line, copies, options.proofs).all()
        line.close()
    figures = _figures(options, told, kills, seconds)
    print(_table(figures, claims))
    if options.json:
        options.json.write_text(json.dumps(figures | {"claims": [asdict(claim) for claim in claims]}, indent=1))
    return 0 if all(claim.holds for claim in claims) and len(kills) == len(KILLS) else 1


@contextmanager
def _folders(parent: Path) -> Iterator[tuple[Path, Path]]:
    data_dir = Path(tempfile.mkdtemp(prefix="answerable-endurance-", dir=parent))
    data_dir.chmod(0o755)  # as root, another user runs PostgreSQL and must get in
    copies = data_dir / "copies"
    copies.mkdir()
    try:
        yield data_dir, copies
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)
        shutil.rmtree(INSTALLATION, ignore_errors=True)


def _register(product: Product, options: Options) -> list[str]:
    """The AI systems, as arguments of `create_service_key`."""
    slugs = [f"system-{number + 1}" for number in range(options.systems)]
    for slug in slugs:
        product.manage("create_system", "--slug", slug, "--name", slug, "--accountable", "owner@example.org")
    return [word for slug in slugs for word in ("--system", slug)]


def _send(product: Product, options: Options, key: str, slugs: list[str]) -> tuple[Told, dict[str, float], float]:
    """All posts, with the kills in the middle; how long each took to heal, and the whole."""
    told, work = Told(), Work(options.posts)
    clients = [Client(number, product.port, key, slugs, options, told) for number in range(options.clients)]
    started = time.monotonic()
    with ThreadPoolExecutor(options.clients + 1) as pool:
        over = threading.Event()
        trouble = pool.submit(_trouble, product, options.posts, work, over)
        try:
            for sending in [pool.submit(client.run, work) for client in clients]:
                sending.result()
        finally:
            seconds = time.monotonic() - started
            over.set()
        return told, trouble.result(), seconds


# --- trouble ----------------------------------------------------------------------------------------------------------
def _workers(product: Product) -> list[psutil.Process]:
    """Granian's web workers; beside them it has small ones that serve nothing."""
    children = product.service("config.wsgi:application").children()
    return [child for child in children if child.memory_info().rss > SERVES]


def _postmaster(product: Product) -> list[psutil.Process]:
    folder = str((product.data_dir / "pg" / "data").resolve())
    return [child for child in psutil.Process(product.process.pid).children() if child.cwd() == folder]


SERVES = 60 * 2**20
KILLS: dict[str, Find] = {"a web worker": _workers, "PostgreSQL": _postmaster}


def _trouble(product: Product, posts: int, work: Work, over: threading.Event) -> dict[str, float]:
    """Kill -9 each in turn, spread over the run; the seconds until posts were answered by a whole product again."""
    healed = {}
    for number, (name, find) in enumerate(KILLS.items()):
        while work.left > posts * (len(KILLS) - number) / (len(KILLS) + 1) and not over.wait(0.05):
            pass
        took = _kill_and_wait(product, find)
        if took is not None:
            healed[name] = took
    return healed


def _kill_and_wait(product: Product, find: Find) -> float | None:
    before = find(product)
    before[0].kill()
    at = time.monotonic()
    before[0].wait(HEALED_WITHIN)
    whole = wait_until(lambda: _is_whole(product, find, before), patience=HEALED_WITHIN, pause=0.05)
    return time.monotonic() - at if whole else None


def _is_whole(product: Product, find: Find, before: list[psutil.Process]) -> bool:
    """Whether as many are there as before, without the killed one, and the product says that it is ready."""
    try:
        now = find(product)
        return len(now) == len(before) and before[0] not in now and is_ready(product)
    except psutil.Error:
        return False


def is_ready(product: Product) -> bool:
    try:
        with urllib.request.urlopen(f"{product.url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


# --- figures ----------------------------------------------------------------------------------------------------------
def _figures(options: Options, told: Told, kills: dict[str, float], seconds: float) -> dict[str, Any]:
    requests = told.requests["single"] + told.requests["batch"]
    return {
        "decisions": len(told.places),
        "requests": requests,
        "singles": round(told.requests["single"] / requests, 3),
        "sent again": told.requests["sent again"],
        "sent twice at once": told.requests["sent twice at once"],
        "acknowledgements": dict(told.statuses),
        "refusals": {str(status or "broken"): count for status, count in sorted(told.refusals.items())},
        "clients": options.clients,
        "logs": options.systems,
        "seconds": round(seconds, 1),
        "decisions a second": round(len(told.places) / seconds),
        "requests a second": round(requests / seconds),
        "single post, median ms": round(1000 * statistics.median(told.seconds), 1),
        "single post, 99% ms": round(1000 * statistics.quantiles(told.seconds, n=100)[98], 1),
        "killed and healed, seconds": {name: round(took, 1) for name, took in kills.items()},
        "processors": os.cpu_count(),
        "load average": round(os.getloadavg()[1], 1),
    }


def _table(figures: dict[str, Any], claims: list[Claim]) -> str:
    lines = [f"{name:<28} {value}" for name, value in figures.items()]
    for claim in claims:
        lines.append(f"{'holds' if claim.holds else 'FAILS':<6} {claim.text} ({claim.checked:,} checked)")
        lines += [f"         {each}" for each in claim.against[:5]]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
