"""Prometheus metrics of several processes without shared memory.

Each process counts in its own memory and, every few seconds, writes what it counted to a small file of its own
(`<DATA_DIR>/metrics/<host>-<pid>.json`, replaced whole). A scrape reaches any one process; that one adds the others'
files, each series labelled with its `process`, so no counter runs backwards when a process ends and `sum()` is right.
A file nobody has renewed for half a minute belongs to a process that is gone, and is removed. What the database knows
better than any process (sizes, ages, open work) is not counted here at all: `metrics_response` takes collectors that
compute such values when asked.
"""

import hmac
import os
import socket
import threading
import time
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from config.errors import Unauthenticated

log = structlog.get_logger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FLUSH_SECONDS = 5
STALE_SECONDS = 30
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

PROCESS_REGISTRY = CollectorRegistry()
"""What this process counted. Any floor may declare a Counter or Histogram with `registry=PROCESS_REGISTRY`."""

REQUESTS = Counter(
    "answerable_http_requests",
    "Requests answered, by method, route and status.",
    ("method", "route", "status"),
    registry=PROCESS_REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "answerable_http_request_seconds",
    "Time from the first middleware to the answer's head, by route.",
    ("route",),
    buckets=LATENCY_BUCKETS,
    registry=PROCESS_REGISTRY,
)


def count_request(*, method: str, route: str, status: int, seconds: float) -> None:
    REQUESTS.labels(method, route, str(status)).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)
    FLUSHER.ensure_running()


def metrics_response(request: HttpRequest, collectors: Iterable[Collector] = ()) -> HttpResponse:
    """The scrape, for whoever holds the token or asks from this machine."""
    if not may_scrape(request):
        raise Unauthenticated("Metrics are read with `Authorization: Bearer <ANSWERABLE_METRICS_TOKEN>`.")
    registry = CollectorRegistry(auto_describe=False)
    for collector in (AllProcesses(), *collectors):
        registry.register(collector)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE)


def may_scrape(request: HttpRequest) -> bool:
    """Where a token is set, only the token counts: behind a proxy everybody seems to come from this machine."""
    token = settings.METRICS_TOKEN
    if token:
        # bytes, as they came: a server hands headers over as latin-1, and text beyond ASCII is not compared at all
        sent = request.headers.get("Authorization", "").encode("latin-1")
        return hmac.compare_digest(sent, f"Bearer {token}".encode())
    forwarded = "HTTP_X_FORWARDED_FOR" in request.META or "HTTP_FORWARDED" in request.META
    return not forwarded and _is_loopback(request.META.get("REMOTE_ADDR", ""))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except (
        ValueError
    ):  # a unix socket has no address: only a proxy of this machine connects there, so ask for the token
        return False


class AllProcesses(Collector):
    """This process's counters and those of its siblings, one family each, every series labelled with its process."""

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for process, snapshot in _snapshots().items():
            for name, kind, help_text, samples in snapshot:
                family = families.setdefault(name, Metric(name, help_text, kind))
                for sample, labels, value in samples:
                    family.add_sample(sample, labels | {"process": process}, value)
        return families.values()


def _snapshots() -> dict[str, list[Any]]:
    found = {process_name(): snapshot()}
    oldest = time.time() - STALE_SECONDS
    for path in sorted(_folder().glob("*.json")):
        if path.stem not in found and (content := _read(path, oldest)) is not None:
            found[path.stem] = orjson.loads(content)
    return found


def _read(path: Path, oldest: float) -> bytes | None:
    """A live sibling's file; nothing where it has just gone, and a dead one's is removed on the way."""
    try:
        if path.stat().st_mtime < oldest:
            path.unlink()
            return None
        return path.read_bytes()
    except FileNotFoundError:  # another scrape removed it first
        return None


def snapshot() -> list[Any]:
    """What this process counted, as plain lists: [family, type, help, [[sample, labels, value], ...]]."""
    return [
        [
            family.name,
            family.type,
            family.documentation,
            [
                [sample.name, sample.labels, sample.value]
                for sample in family.samples
                if not sample.name.endswith("_created")
            ],
        ]
        for family in PROCESS_REGISTRY.collect()
    ]


def process_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "metrics"


def flush() -> None:
    """Write this process's file: beside it first, then renamed, so that a scrape never reads half of one."""
    path = _folder() / f"{process_name()}.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(orjson.dumps(snapshot()))
    unfinished.replace(path)


class Flusher:
    """A daemon thread, started by the first request: a server that forks its workers forks no thread."""

    def __init__(self) -> None:
        self._pid: int | None = None
        self._lock = threading.Lock()

    def ensure_running(self) -> None:
        if self._pid == os.getpid():
            return
        with self._lock:
            if self._pid != os.getpid():
                self._pid = os.getpid()
                threading.Thread(target=self._run, name="metrics-flusher", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                flush()
            except OSError as error:  # a full disk: say so and try again, the counters themselves are safe in memory
                log.warning("metrics.not_written", exception=type(error).__qualname__, errno=error.errno)
            time.sleep(FLUSH_SECONDS)


FLUSHER = Flusher()
