"""What intake counts: once a request or a group, never once a record (a batch adds its sums). See config/metrics.py."""

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram

from config.metrics import PROCESS_REGISTRY

OUTCOMES = ("accepted", "duplicate", "conflict", "rejected", "retry")

DECISIONS = Counter(
    "answerable_decisions",
    "Decision records that were read, by what became of them: as the results of a batch say it.",
    ("status",),
    registry=PROCESS_REGISTRY,
)
GROUP_RECORDS = Histogram(
    "answerable_group_records",
    "Decisions that shared a commit.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000, 2_000, 5_000),
    registry=PROCESS_REGISTRY,
)
GROUP_SECONDS = Histogram(
    "answerable_group_seconds",
    "Time from taking a group in hand to its results: the log's lock, COPYs, COMMIT, head store, signature.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=PROCESS_REGISTRY,
)
GROUP_FAILURES = Counter(
    "answerable_group_failures",
    "Attempts at a group that failed, by reason: a problem code, or what the database did.",
    ("reason",),
    registry=PROCESS_REGISTRY,
)
QUEUED_RECORDS = Gauge(
    "answerable_queued_records", "Decisions handed in and not answered yet.", registry=PROCESS_REGISTRY
)
QUEUED_BYTES = Gauge("answerable_queued_bytes", "Their bytes.", registry=PROCESS_REGISTRY)
QUARANTINE_ARRIVALS = Counter(
    "answerable_quarantine_arrivals",
    "Records refused for their content, by whether they are in quarantine; those that are not were counted only.",
    ("kept",),
    registry=PROCESS_REGISTRY,
)

# looked up once; every series is there from the start, so that a rate has something to begin with
_decisions = {status: DECISIONS.labels(status) for status in OUTCOMES}
_arrivals = {True: QUARANTINE_ARRIVALS.labels("yes"), False: QUARANTINE_ARRIVALS.labels("no")}
for _reason in ("head-store-unavailable", "connection-lost", "log-busy"):
    GROUP_FAILURES.labels(_reason)


def count_decision(status: str, number: int = 1) -> None:
    _decisions[status].inc(number)


def count_decisions(counts: Mapping[str, int]) -> None:
    for status, number in counts.items():
        if number:
            _decisions[status].inc(number)


def count_group(records: int, seconds: float) -> None:
    GROUP_RECORDS.observe(records)
    GROUP_SECONDS.observe(seconds)


def count_failure(reason: str) -> None:
    GROUP_FAILURES.labels(reason).inc()


def count_arrivals(*, kept: int = 0, unkept: int = 0) -> None:
    _arrivals[True].inc(kept)
    _arrivals[False].inc(unkept)
