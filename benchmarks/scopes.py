"""What the scope of a system card costs intake: ten rules, checked on the input of each decision.

AI systems that differ in nothing else take turns, so that their logs grow alike.
"""

import time

import msgspec

from audit.flags import Flag
from audit.models import Decision
from benchmarks.bench import BATCH, Bench
from benchmarks.controlled import RULES_OF_SCOPE
from benchmarks.report import Pairs, Row
from governance.cards.scope import scope_of

WITH = f"a scope of {len(RULES_OF_SCOPE)} rules"


class _Input(msgspec.Struct):
    input: msgspec.Raw


def measure(bench: Bench) -> None:
    """The append path with and without, and one check alone."""
    quiet, scoped, pairs = bench.controlled.quiet, bench.controlled.scoped, Pairs()
    for number in range(bench.options.rounds + 1):
        without = bench.append(bench.batches(bench.options.batches, system=quiet.slug), quiet)
        with_it = bench.append(bench.batches(bench.options.batches, system=scoped.slug), scoped)
        if number:  # the first round warms up
            pairs.add(with_it, without)
    if not Decision.objects.filter(system_id=scoped.system_id, flags__contains=[Flag.OUTSIDE_SCOPE]).exists():
        raise RuntimeError("no decision was outside the scope: nothing was checked")
    what = f"append path alone with {WITH}, against none"
    bench.add(pairs.row(what, "decisions/s", note="reference: itself without"), _one_check(bench))


def _one_check(bench: Bench) -> Row:
    scope = scope_of({"inputs": {"rules": RULES_OF_SCOPE}})
    assert scope is not None
    inputs = [bytes(msgspec.json.decode(raw, type=_Input).input) for raw in bench.raws(BATCH)]
    started = time.thread_time()
    outside = sum(map(scope.is_outside, inputs))
    each = (time.thread_time() - started) / BATCH * 1e6
    return Row(f"one check of {WITH}", each, "microseconds", note=f"{outside} of {BATCH} outside")
