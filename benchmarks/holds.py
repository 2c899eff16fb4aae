"""What controls cost intake: 100 switches and 50 review rules in memory; a tenth of what is proposed held.

AI systems that differ in nothing else take turns, so that their logs grow alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.append import prepared
from benchmarks.bench import BATCH, Bench
from benchmarks.controlled import RULES, SWITCHES, Place
from benchmarks.installation import REFERENCE
from benchmarks.reference import Reference
from benchmarks.report import Pairs, Row
from benchmarks.senders import Sent, post_request, send_all
from benchmarks.workload import batch_body
from ledger.selectors import latest_head
from overrides.models import Review

BATCH_SENDERS, SINGLE_SENDERS = 2, 64
WITH = f"with {SWITCHES} switches and {RULES} rules"


@dataclass
class Batches:
    """Loaded against nothing loaded, and against plain COPY, in turns."""

    copied: Pairs = field(default_factory=Pairs)
    appended_copied: Pairs = field(default_factory=Pairs)
    posted: Pairs = field(default_factory=Pairs)
    appended: Pairs = field(default_factory=Pairs)

    def rows(self) -> list[Row]:
        itself = f"reference: itself without; {REVIEWED}"
        http, append = f"batch intake over HTTP {WITH}", f"append path alone {WITH}"
        return [
            self.copied.row(http, "decisions/s", at_least=0.5, note="reference: plain COPY"),
            self.posted.row(f"{http}, against none", "decisions/s", note=itself),
            self.appended_copied.row(append, "decisions/s", at_least=0.6, note="reference: plain COPY"),
            self.appended.row(f"{append}, against none", "decisions/s", note=itself),
        ]


REVIEWED = "every hundredth decision opens a review"


def measure(bench: Bench, web: int) -> None:
    _measure_batches(bench, web)
    _measure_singles(bench, web)
    _measure_holds(bench, web)


# --- switches and rules in memory -------------------------------------------------------------------------------------
def _measure_batches(bench: Bench, web: int) -> None:
    reference = Reference(bench.installation.url(REFERENCE), bench.log_id, latest_head(bench.log_id).tree_size)
    found = Batches()
    try:
        for number in range(bench.options.rounds + 1):
            _one_round(bench, web, reference, found if number else Batches())
    finally:
        reference.close()
    _require_reviews(bench.controlled.loaded)
    bench.add(*found.rows())


def _one_round(bench: Bench, web: int, reference: Reference, found: Batches) -> None:
    quiet, loaded, count = bench.controlled.quiet, bench.controlled.loaded, bench.options.batches
    copies = [reference.prepare(prepared(bench.key, each)) for each in bench.batches(count)]
    copied = count * BATCH / reference.run(copies)
    without = bench.append(bench.batches(count, system=quiet.slug), quiet)
    with_them = bench.append(bench.batches(count, system=loaded.slug), loaded)
    posted_without = post_batches(bench, web, quiet)
    posted_with = post_batches(bench, web, loaded)
    found.appended_copied.add(with_them, copied)
    found.appended.add(with_them, without)
    found.copied.add(posted_with, copied)
    found.posted.add(posted_with, posted_without)


def post_batches(bench: Bench, web: int, place: Place, *, proposed: bool = False) -> float:
    """Decisions a second over HTTP, in batches of 1,000."""
    batches = bench.batches(bench.options.batches, system=place.slug, proposed=proposed)
    path, key = "/api/v1/decisions/batch", bench.controlled.key
    sent = send_all(web, [post_request(path, batch_body(raws), key=key) for raws in batches], senders=BATCH_SENDERS)
    sent.require(200)
    if f'"accepted":{BATCH}'.encode() not in sent.last_body:
        raise RuntimeError(f"not all were accepted: {sent.last_body[:200]!r}")
    return sent.per_second * BATCH


def _measure_singles(bench: Bench, web: int) -> None:
    against_nothing, against_none = Pairs(), Pairs()
    for number in range(bench.options.rounds + 1):
        nothing = _post_each(bench, web, "/benchmarks/noop", bench.controlled.quiet)
        without = _post_each(bench, web, "/api/v1/decisions", bench.controlled.quiet)
        with_them = _post_each(bench, web, "/api/v1/decisions", bench.controlled.loaded)
        if number:
            against_nothing.add(with_them.per_second, nothing.per_second)
            against_none.add(with_them.per_second, without.per_second)
    what, noop = f"single posts, {SINGLE_SENDERS} senders, {WITH}", "reference: a no-op REST framework endpoint"
    bench.add(
        against_nothing.row(what, "decisions/s", at_least=0.5, note=noop),
        against_none.row(f"{what}, against none", "decisions/s", note=f"reference: itself without; {REVIEWED}"),
    )


def _post_each(bench: Bench, web: int, path: str, place: Place) -> Sent:
    raws: Sequence[bytes] = bench.raws(bench.options.singles, system=place.slug)
    requests = [post_request(path, raw, key=bench.controlled.key) for raw in raws]
    sent = send_all(web, requests, senders=SINGLE_SENDERS)
    sent.require(201)
    return sent


# --- decisions that are held ------------------------------------------------------------------------------------------
def _measure_holds(bench: Bench, web: int) -> None:
    pairs = Pairs()
    for number in range(bench.options.rounds + 1):
        none_held = post_batches(bench, web, bench.controlled.quiet, proposed=True)
        tenth_held = post_batches(bench, web, bench.controlled.held, proposed=True)
        if number:
            pairs.add(tenth_held, none_held)
    _require_reviews(bench.controlled.held)
    what = "batch intake over HTTP, a tenth of what is proposed is held"
    bench.add(pairs.row(what, "decisions/s", note="reference: none held"))


def _require_reviews(place: Place) -> None:
    """Rules that matched nothing would be fast, and measure nothing."""
    if not Review.objects.filter(system_id=place.system_id).exists():
        raise RuntimeError(f"no review was opened at {place.slug}")
