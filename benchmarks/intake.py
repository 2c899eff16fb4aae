"""Batches over HTTP and the append path alone, against plain COPY of the same rows; single posts against an endpoint
that does nothing."""

from collections.abc import Sequence

from benchmarks.append import prepared
from benchmarks.bench import BATCH, Bench, say
from benchmarks.installation import REFERENCE
from benchmarks.reference import Reference
from benchmarks.report import Pairs, Row, at_most, percentile
from benchmarks.senders import Sent, post_request, send_all
from benchmarks.workload import batch_body
from ledger.selectors import latest_head

BATCH_SENDERS, SINGLE_SENDERS = 2, 64
LONE_POSTS = 2_000


def measure_batches(bench: Bench, port: int) -> None:
    """The append path, plain COPY and HTTP in turns; each stores the same number of decisions."""
    reference = Reference(bench.installation.url(REFERENCE), bench.log_id, latest_head(bench.log_id).tree_size)
    appended, posted, cpu = Pairs(), Pairs(), []
    try:
        for number in range(bench.options.rounds + 1):
            batches = bench.batches(bench.options.batches)
            copied = (
                len(batches) * BATCH / reference.run([reference.prepare(prepared(bench.key, it)) for it in batches])
            )
            own = bench.append(batches)
            sent = post_batches(bench, port, bench.batches(bench.options.batches))
            if number:  # the first round warms up
                appended.add(own, copied)
                posted.add(sent.per_second * BATCH, copied)
                cpu.append(sent.cpu_seconds / sent.seconds)
    finally:
        reference.close()
    what = f"batch intake over HTTP, {BATCH_SENDERS} senders, {BATCH:,} a request"
    bench.add(
        posted.row(
            what, "decisions/s", at_least=0.5, note=f"reference: plain COPY; senders take {max(cpu):.0%} of a core"
        ),
        appended.row("append path alone, no HTTP, 1 thread", "decisions/s", at_least=0.6, note="reference: plain COPY"),
    )


def post_batches(bench: Bench, port: int, batches: Sequence[list[bytes]]) -> Sent:
    """So many requests of 1,000 decisions; all are accepted."""
    requests = [post_request("/api/v1/decisions/batch", batch_body(raws), key=bench.key) for raws in batches]
    sent = send_all(port, requests, senders=BATCH_SENDERS)
    sent.require(200)
    if f'"accepted":{BATCH}'.encode() not in sent.last_body:
        raise RuntimeError(f"not all were accepted: {sent.last_body[:200]!r}")
    return sent


def measure_singles(bench: Bench, port: int) -> None:
    """Single posts by 64 senders and by one, and the endpoint that does nothing."""
    pairs, latencies, cpu = Pairs(), [], 0.0
    for number in range(bench.options.rounds + 1):
        raws = bench.raws(bench.options.singles)
        nothing = _post_each(bench, port, "/benchmarks/noop", raws, SINGLE_SENDERS)
        posted = _post_each(bench, port, "/api/v1/decisions", raws, SINGLE_SENDERS)
        if number:
            pairs.add(posted.per_second, nothing.per_second)
            latencies += posted.latencies
            cpu = max(cpu, posted.cpu_seconds / posted.seconds)
    tail = f"p50 {percentile(latencies, 50) * 1000:.0f} ms, p99 {percentile(latencies, 99) * 1000:.0f} ms"
    note = f"reference: a no-op REST framework endpoint; {tail}; senders take {cpu:.0%} of a core"
    bench.add(pairs.row(f"single posts, {SINGLE_SENDERS} senders", "decisions/s", at_least=0.5, note=note))
    say("single posts by one sender")
    bench.add(*_lone(bench, port))


def _post_each(bench: Bench, port: int, path: str, raws: Sequence[bytes], senders: int) -> Sent:
    sent = send_all(port, [post_request(path, raw, key=bench.key) for raw in raws], senders=senders)
    sent.require(201)
    return sent


def _lone(bench: Bench, port: int) -> list[Row]:
    _post_each(bench, port, "/api/v1/decisions", bench.raws(LONE_POSTS), 1)
    latencies = _post_each(bench, port, "/api/v1/decisions", bench.raws(LONE_POSTS), 1).latencies
    nothing = _post_each(bench, port, "/benchmarks/noop", bench.raws(LONE_POSTS), 1).latencies
    note = f"the endpoint that does nothing: p50 {percentile(nothing, 50) * 1000:.1f} ms"
    return [
        at_most("single post, 1 sender, p50", percentile(latencies, 50) * 1000, "ms", 5, note),
        at_most("single post, 1 sender, p99", percentile(latencies, 99) * 1000, "ms", 25),
    ]
