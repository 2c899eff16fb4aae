"""A stop: how soon 200 connected clients obey it, and whether a flood of decisions slows it."""

import json
import statistics
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from django.db import connection

from benchmarks.bench import Bench, say
from benchmarks.children import Child, child, left
from benchmarks.controlled import Place
from benchmarks.flags import flag_request, tail
from benchmarks.report import Row, at_most, percentile
from benchmarks.senders import get_request, post_request, send_all
from overrides.models import Switch
from overrides.services.loosening import approve_loosening, request_loosening
from overrides.services.switches import seal_waiting_switches
from overrides.standing import Epoch, Mode

FLEETS = 4
"""Processes that the clients are spread over: in a single one they would wait for each other."""
PATIENCE = 60.0
PAUSE = 1.0
STOPS_UNDER_FLOOD = 40
READS = 300
STATE = "/api/v1/control/state"


@dataclass(frozen=True)
class Stopped:
    """A stop that was asked for over the API."""

    sent_at: float
    """By the clock that all processes of the machine share."""
    sent_on: float
    """By the wall clock, as the database has it."""
    seconds: float
    """Until the answer was there."""
    switch_id: uuid.UUID
    epoch: Epoch
    is_sealed: bool


def stop(bench: Bench, control: int, place: Place, *, capability: str = "") -> Stopped:
    body = {"system": place.slug, "mode": "stop", "reason_code": "benchmark", "capability": capability}
    request = post_request("/api/v1/control/tighten", json.dumps(body).encode(), key=bench.controlled.key)
    sent_at, sent_on = time.monotonic(), time.time()
    sent = send_all(control, [request], senders=1)
    sent.require(200)
    said = json.loads(sent.last_body)
    epoch = Epoch.parse(said["epoch"])
    assert epoch is not None
    switch_id = uuid.UUID(said["switch"]["id"])
    return Stopped(sent_at, sent_on, time.monotonic() - sent_at, switch_id, epoch, said["sealed"])


def resume(bench: Bench, stopped: Stopped) -> None:
    """By two people, through the services."""
    crew = bench.controlled
    epoch = Switch.objects.get(pk=stopped.switch_id).epoch
    asked = request_loosening(
        actor=crew.operator,
        switch_id=stopped.switch_id,
        epoch=epoch,
        mode=Mode.RUN,
        reason_code="benchmark-goes-on",
        evidence_url="https://example.org/benchmark",
    )
    approve_loosening(actor=crew.approver, request_id=asked.pk)


# --- until clients obey -----------------------------------------------------------------------------------------------
@dataclass
class Reached:
    """Seconds from a stop's sending, over all rounds."""

    applied: list[float] = field(default_factory=list)
    acknowledged: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)


def measure(bench: Bench, web: int, control: int) -> None:
    reached = Reached()
    with _clients(bench, web) as fleets:
        _wait_for_acks(bench, Epoch(0, 0))  # all are known before the first stop
        for number in range(bench.options.stops + 1):
            time.sleep(PAUSE)
            _one_round(bench, control, fleets, reached if number else Reached())
    clients, rounds = bench.options.clients, bench.options.stops
    what = f"stop to obeyed, {clients} SDK clients"
    note = f"{rounds} stops over the API, 100 switches loaded; API answered: {tail(reached.answered)}"
    bench.add(
        at_most(f"{what}, p50", percentile(reached.applied, 50), "s", 0.5, note),
        at_most(f"{what}, p99", percentile(reached.applied, 99), "s", 2, f"the last one {max(reached.applied):.2f} s"),
        *[
            Row(f"stop to acknowledgement stored, {clients} SDK clients, p{each}", percentile(acked, each), "s")
            for acked in [reached.acknowledged]
            for each in (50, 99)
        ],
    )


@contextmanager
def _clients(bench: Bench, web: int) -> Iterator[list[Child]]:
    """Processes with all clients in them, each connected."""
    asked = {"url": f"http://127.0.0.1:{web}", "key": bench.controlled.key, "system": bench.controlled.loaded.slug}
    with ExitStack() as stack:
        fleets = [stack.enter_context(child("fleet", asked | {"clients": share})) for share in _shares(bench)]
        for fleet in fleets:
            fleet.hear(patience=3 * PATIENCE)
        say(f"  {bench.options.clients} clients are connected")
        yield fleets
        for fleet in fleets:
            fleet.end()


def _shares(bench: Bench) -> list[int]:
    each, more = divmod(bench.options.clients, FLEETS)
    return [share for number in range(FLEETS) if (share := each + (number < more))]


def _one_round(bench: Bench, control: int, fleets: list[Child], reached: Reached) -> None:
    stopped = stop(bench, control, bench.controlled.loaded)
    reached.answered.append(stopped.seconds)
    reached.applied += [at - stopped.sent_at for at in _wait_for_mode(bench, fleets, "stop", stopped.sent_at)]
    reached.acknowledged += [at - stopped.sent_on for at in _wait_for_acks(bench, stopped.epoch)]
    resumed_at = time.monotonic()
    resume(bench, stopped)
    _wait_for_mode(bench, fleets, "run", resumed_at)


def _wait_for_mode(bench: Bench, fleets: list[Child], mode: str, since: float) -> list[float]:
    """When each client first obeyed, on the monotonic clock; what one says late, or once more, is passed over.

    Errors: those of `hear` where one does not say that it obeys.
    """
    until, found = time.monotonic() + PATIENCE, list[float]()
    for fleet, share in zip(fleets, _shares(bench), strict=True):
        obeying: dict[int, float] = {}
        while len(obeying) < share:
            said = fleet.hear(patience=left(until))
            if said["mode"] == mode and said["at"] >= since:
                obeying.setdefault(said["client"], float(said["at"]))
        found += obeying.values()
    return found


def _wait_for_acks(bench: Bench, epoch: Epoch) -> list[float]:
    """When it was stored that each obeys this epoch or a later one."""
    until = time.monotonic() + PATIENCE
    while len(found := _acks(bench, epoch)) < bench.options.clients:
        if time.monotonic() > until:
            raise RuntimeError(f"{len(found)} of {bench.options.clients} clients acknowledged")
        time.sleep(0.2)
    return found


def _acks(bench: Bench, epoch: Epoch) -> list[float]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM applied_at)::float8 FROM overrides_clientinstance WHERE system_id = %s"
            " AND client <> '' AND applied_at IS NOT NULL AND heard_at > now() - interval '60 seconds'"
            " AND (applied_generation, applied_number) >= (%s, %s)",
            [bench.controlled.loaded.system_id, epoch.generation, epoch.number],
        )
        return [at for (at,) in cursor.fetchall()]


# --- under a flood ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Found:
    """What operators and clients notice of the service's other work."""

    stops: list[Stopped]
    states: list[float]
    flags: list[float]

    @property
    def taken(self) -> list[float]:
        return [each.seconds for each in self.stops]

    @property
    def sealed(self) -> float:
        return statistics.mean(each.is_sealed for each in self.stops)


def measure_flood(bench: Bench, web: int, control: int) -> None:
    """Stops and reads while nothing else happens, and while 64 senders fill the very log that the stops go to."""
    idle = _look(bench, control, "idle")
    asked = {"port": web, "key": bench.controlled.key, "system": bench.controlled.flooded.slug}
    with child("flood", asked) as flood:
        flood.hear(patience=PATIENCE)
        time.sleep(2 * PAUSE)
        flooded = _look(bench, control, "flooded")
        flood.end()
        sent = flood.hear(patience=2 * PATIENCE)
    _seal_the_rest(bench)
    _refuse_a_trickle(sent["statuses"])
    note = f"{sent['per_second']:,.0f} requests/s meanwhile, every eighth one of 100 decisions: {sent['statuses']}"
    bench.add(*_rows(idle, flooded, note))


def _look(bench: Bench, control: int, name: str) -> Found:
    """Each stop is of another capability, so each is one."""
    stops = []
    for number in range(STOPS_UNDER_FLOOD):
        stops.append(stop(bench, control, bench.controlled.flooded, capability=f"{name}-{number}"))
        time.sleep(0.1)
    state = send_all(control, [get_request(STATE, key=bench.controlled.key)] * READS, senders=1)
    flags = send_all(control, [flag_request(bench)] * READS, senders=1)
    state.require(200)
    flags.require(200)
    return Found(stops, state.latencies, flags.latencies)


def _seal_the_rest(bench: Bench) -> None:
    """What was thrown unsealed is sealed by the sweep, which beat would start."""
    seal_waiting_switches()
    waiting = Switch.objects.filter(system_id=bench.controlled.flooded.system_id, seal_pending=True).count()
    if waiting:
        raise RuntimeError(f"{waiting} switches are still not sealed after the flood")


def _refuse_a_trickle(statuses: dict[str, int]) -> None:
    taken = sum(number for status, number in statuses.items() if status in ("200", "201"))
    if taken < 0.5 * sum(statuses.values()):
        raise RuntimeError(f"most of the flood was turned away: {statuses}")


def _rows(idle: Found, flooded: Found, note: str) -> list[Row]:
    p95, reference = percentile(flooded.taken, 95), percentile(idle.taken, 95)
    sealed = f"sealed at once: {flooded.sealed:.0%}, idle {idle.sealed:.0%}; the longest {max(flooded.taken):.2f} s"
    slowed = [
        ("state, 1 sender, p99", idle.states, flooded.states),
        ("OFREP single evaluation, 1 sender, p99", idle.flags, flooded.flags),
    ]
    return [
        Row(
            "stop over the API while 64 senders flood intake, p95",
            p95,
            "s",
            reference,
            p95 / reference,
            "<= 1.5 s",
            p95 <= 1.5,
            f"reference: itself when idle; {sealed}; {note}",
        ),
        *[_slower(f"{what}, while 64 senders flood intake", calm, busy) for what, calm, busy in slowed],
    ]


def _slower(what: str, calm: list[float], busy: list[float]) -> Row:
    value, reference = percentile(busy, 99) * 1000, percentile(calm, 99) * 1000
    return Row(what, value, "ms", reference, value / reference, note="reference: itself when idle")
