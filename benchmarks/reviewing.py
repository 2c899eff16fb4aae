"""A long queue of reviews: how long taking the next one takes, and what 200 callers notice who wait for theirs."""

import select
import threading
import time
import uuid
from collections.abc import Sequence

from django.db import connection

from benchmarks.bench import BATCH, Bench
from benchmarks.children import left
from benchmarks.controlled import FILLER
from benchmarks.report import Row, percentile
from benchmarks.senders import Connection, get_request
from overrides.models import OPEN, Review
from overrides.services.claiming import claim_next, release
from overrides.services.deadlines import withdraw_review

CLAIMS = 40
WAITERS = 200
SETTLE_SECONDS = 8.0
"""Django is asked first for each of them, before they wait."""
PATIENCE = 60.0


def measure_claims(bench: Bench) -> None:
    _fill(bench)
    taken = [_claim(bench) for _ in range(CLAIMS + 1)][1:]
    what, note = f"the next of {_open(bench):,} open reviews", f"claimed {CLAIMS} times, through the service"
    bench.add(
        Row(f"{what}, p50", percentile(taken, 50) * 1000, "ms", note=note),
        Row(f"{what}, p95", percentile(taken, 95) * 1000, "ms"),
    )


def _fill(bench: Bench) -> None:
    """Bring the queue to its length, through the append path."""
    held = bench.controlled.held
    for missing in range(bench.options.reviews - _open(bench), 0, -BATCH):
        raws = bench.raws(min(BATCH, missing), system=held.slug, capability=FILLER, proposed=True)
        bench.append([raws], held)


def _open(bench: Bench) -> int:
    return Review.objects.filter(system_id=bench.controlled.held.system_id, status__in=OPEN).count()


def _claim(bench: Bench) -> float:
    started = time.perf_counter()
    work = claim_next(actor=bench.controlled.reviewer)
    taken = time.perf_counter() - started
    if work is None or work.token is None:
        raise RuntimeError("there was no review to claim")
    release(actor=bench.controlled.reviewer, token=work.token)
    return taken


# --- long polls -------------------------------------------------------------------------------------------------------
def measure_waiting(bench: Bench, control: int) -> None:
    held = bench.controlled.held
    raws = bench.raws(WAITERS, system=held.slug, capability=FILLER, proposed=True)
    bench.append([raws], held)
    newest = Review.objects.filter(system_id=held.system_id, status__in=OPEN).order_by("-id")
    ids = list(newest.values_list("decision_id", flat=True)[:WAITERS])
    changed, answered = _wait(bench, control, ids)
    lags = [answered[each] - changed[each] for each in ids]
    note = f"{WAITERS} callers wait, each for another decision; all are taken back one by one"
    what = f"effective outcome to its caller, {WAITERS} long polls"
    bench.add(
        Row(f"{what}, p50", percentile(lags, 50), "s", note=note),
        Row(f"{what}, p99", percentile(lags, 99), "s"),
    )


Moments = dict[uuid.UUID, float]


def _wait(bench: Bench, control: int, ids: Sequence[uuid.UUID]) -> tuple[Moments, Moments]:
    """When each decision's review was taken back, and when its caller had heard."""
    poll, callers, changed = select.epoll(), dict[int, tuple[uuid.UUID, Connection]](), Moments()
    for each in ids:
        caller = Connection(control)
        caller.begin(get_request(f"/api/v1/decisions/{each}/effective?wait=60", key=bench.controlled.key))
        poll.register(caller.socket.fileno(), select.EPOLLIN)
        callers[caller.socket.fileno()] = each, caller
    if early := poll.poll(SETTLE_SECONDS):
        answer = callers[early[0][0]][1].pull()
        raise RuntimeError(f"answered before anything changed: {answer}")
    changing = threading.Thread(target=_take_back, args=[bench, ids, changed])
    changing.start()
    answered = _collect(poll, callers)
    changing.join()
    return changed, answered


def _take_back(bench: Bench, ids: Sequence[uuid.UUID], changed: Moments) -> None:
    for each in ids:
        withdraw_review(actor=bench.controlled.owner, decision_id=each)
        changed[each] = time.monotonic()
    connection.close()


def _collect(poll: select.epoll, callers: dict[int, tuple[uuid.UUID, Connection]]) -> Moments:
    until, answered = time.monotonic() + PATIENCE, Moments()
    while len(answered) < len(callers):
        if time.monotonic() > until:
            raise RuntimeError(f"{len(answered)} of {len(callers)} callers were answered")
        for number, _ in poll.poll(left(until)):
            decision_id, caller = callers[number]
            answer = caller.pull()
            if answer is None:
                continue
            if answer[0] != 200:
                raise RuntimeError(f"a caller was answered {answer}")
            answered[decision_id] = time.monotonic()
            poll.unregister(number)
            caller.socket.close()
    return answered
