"""A look at a switch, with 100 loaded: over OFREP, against an endpoint that does nothing; in the SDK, from memory."""

from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.children import child
from benchmarks.controlled import CAPABILITIES, PARAMETER, SWITCHES
from benchmarks.report import Pairs, Row, at_most, percentile
from benchmarks.senders import Sent, post_request, send_all
from benchmarks.workload import VERSION

SENDERS, LONE = 64, 1_000
EVALUATE, NOTHING = "/ofrep/v1/evaluate/flags/", "/benchmarks/noop"
CHILD_PATIENCE = 180.0


def measure(bench: Bench, web: int, control: int) -> None:
    bench.add(*_ofrep(bench, web, control))
    bench.add(*_in_the_sdk(bench, web))


# --- OFREP ------------------------------------------------------------------------------------------------------------
def _ofrep(bench: Bench, web: int, control: int) -> list[Row]:
    here, there, across = Pairs(), Pairs(), Pairs()
    taken: list[float] = []
    for number in range(bench.options.rounds + 1):
        nothing, flags = _in_turn(bench, control)
        web_nothing, web_flags = _in_turn(bench, web)
        if number:  # the first round warms up
            here.add(flags.per_second, nothing.per_second)
            across.add(flags.per_second, web_nothing.per_second)
            there.add(web_flags.per_second, web_nothing.per_second)
            taken += flags.latencies
    what = f"OFREP single evaluation, {SENDERS} senders"
    unit, nothing_here = "evaluations/s", "a no-op REST framework endpoint of the same server"
    return [
        here.row(f"{what}, control process", unit, at_least=0.7, note=f"reference: {nothing_here}; {tail(taken)}"),
        across.row(
            f"{what}, control process, against the web server's no-op",
            unit,
            note=f"one process against {bench.options.web_workers}",
        ),
        there.row(f"{what}, web port", unit, note=f"reference: {nothing_here}"),
        *_lone(bench, control),
    ]


def _in_turn(bench: Bench, port: int) -> tuple[Sent, Sent]:
    count = bench.options.evaluations
    nothing = send_all(port, [flag_request(bench, NOTHING)] * count, senders=SENDERS)
    nothing.require(201)
    flags = send_all(port, [flag_request(bench)] * count, senders=SENDERS)
    flags.require(200)
    return nothing, flags


def _lone(bench: Bench, control: int) -> list[Row]:
    requests = [flag_request(bench)] * LONE
    send_all(control, requests, senders=1).require(200)
    sent = send_all(control, requests, senders=1)
    sent.require(200)
    return [
        Row(f"OFREP single evaluation, 1 sender, p{percent}", percentile(sent.latencies, percent) * 1000, "ms")
        for percent in (50, 99)
    ]


def flag_request(bench: Bench, path: str = "") -> bytes:
    """An evaluation as a stock provider asks for it, or the same request to another place."""
    flag = f"{EVALUATE}{bench.controlled.loaded.slug}.mode"
    body = b'{"context":{"targetingKey":"customer-4711","model_version":"%s","country":"DE"}}' % VERSION.encode()
    return post_request(path or flag, body, key=bench.controlled.key)


def tail(taken: Sequence[float]) -> str:
    """Median and tail of some seconds, in words."""
    return f"p50 {percentile(taken, 50) * 1000:.1f} ms, p99 {percentile(taken, 99) * 1000:.1f} ms"


# --- the SDK ----------------------------------------------------------------------------------------------------------
def _in_the_sdk(bench: Bench, web: int) -> list[Row]:
    asked = {
        "url": f"http://127.0.0.1:{web}",
        "key": bench.controlled.key,
        "system": bench.controlled.loaded.slug,
        "version": VERSION,
        "capabilities": CAPABILITIES,
        "parameter": PARAMETER,
    }
    with child("evaluating", asked) as caller:
        said = caller.hear(patience=CHILD_PATIENCE)
    if said["switches"] != SWITCHES or said["parameter"] is None:
        raise RuntimeError(f"the client knows {said['switches']} switches, and the parameter as {said['parameter']}")
    calls = {"mode()": "mode", "mode() of a capability": "narrow", "param()": "param"}
    what = f"SDK, {SWITCHES} switches"
    return [
        at_most(f"{what}: {call}", said[name], "us", 2, "its threads run beside it") for call, name in calls.items()
    ]
