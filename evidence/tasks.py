"""Tasks of the evidence floor. Those that wait for others' servers sweep rows: a lost message loses nothing."""

import os
import time
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.db import connection

from evidence.exports.running import RUNS, run_exports
from evidence.exports.sweeping import clear_scratch, clear_up, expire_exports, forget_erased
from evidence.services import anchoring, exposure_alerts, witness_heads
from evidence.services.checkpoints import record_checkpoints
from evidence.services.custody_requests import seal_waiting_requests
from evidence.services.erased_again import alert_returned, remember_erasures
from evidence.services.erasure_runs import run_erasures, search_for_finds
from evidence.services.letter_drafts import forget_letter_drafts
from evidence.services.purges import announce_purge, run_purges
from evidence.services.self_audit import alert_discontinued, alert_lost_logs, audit_loose_ends, audit_slice
from evidence.services.standstill_alerts import watch_standstills
from ledger.entries import SERVER
from notices.nudging import nudge

NICE = 10
SWEEP_SECONDS = 45.0
"""Of the minute between two sweeps."""
SLICE_SECONDS = 20.0
PRUNED_AT_ONCE = 50_000
PATIENCE = 30.0  # seconds for which one task goes on with what waits for the same witness or authority


@shared_task
def record_checkpoints_task() -> int:
    return record_checkpoints(actor=SERVER)


@shared_task
def audit_slice_task() -> int:
    return audit_slice(actor=SERVER, seconds=SLICE_SECONDS)


@shared_task
def audit_loose_ends_task() -> int:
    return audit_loose_ends(actor=SERVER, seconds=SLICE_SECONDS)


@shared_task
def alert_discontinued_task() -> int:
    return alert_discontinued(actor=SERVER) + alert_lost_logs(actor=SERVER)


@shared_task
def seal_waiting_requests_task() -> int:
    return seal_waiting_requests()


@shared_task
def forget_letter_drafts_task() -> int:
    return forget_letter_drafts()


@shared_task
def run_exports_task() -> int:
    if settings.PROCESS == "exports":  # a worker of its own: whoever else wants the processor goes first
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    worked = run_exports()
    if worked:
        nudge(RUNS)  # there may be more: it need not wait for the beat
    else:
        clear_scratch()  # of this host: whoever sweeps may be on another
    return worked


@shared_task
def sweep_exports_task() -> int:
    found = expire_exports(actor=SERVER)
    clear_up()  # what takes long comes last: none of the others waits for it
    return found + forget_erased(actor=SERVER, seconds=SWEEP_SECONDS)


@shared_task
def watch_standstills_task() -> int:
    return watch_standstills(actor=SERVER)


@shared_task
def search_for_finds_task() -> int:
    return search_for_finds(actor=SERVER, seconds=SLICE_SECONDS)


@shared_task
def run_erasures_task() -> int:
    erased = run_erasures(actor=SERVER, seconds=SLICE_SECONDS)
    if erased:
        remember_erasures()
    return erased


@shared_task
def look_for_returned_task() -> int:
    return alert_returned(actor=SERVER)


@shared_task
def announce_purge_task() -> bool:
    return announce_purge(actor=SERVER) is not None


@shared_task
def run_purges_task() -> int:
    return run_purges(actor=SERVER, seconds=SLICE_SECONDS)


@shared_task
def prune_heads_task() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_prune_heads(%s)", [PRUNED_AT_ONCE])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


@shared_task
def ensure_partitions_task() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_ensure_partitions(%s, %s)", [2, 12])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


@shared_task
def anchor_checkpoints_task() -> int:
    """Choose what is sent, and hand out what is due."""
    due = anchoring.due_anchors()
    for anchor_id in due:
        anchor_task.delay(str(anchor_id))
    return len(due)


@shared_task
def anchor_task(anchor_id: str) -> int:
    """Ask for one log, and then for what waits for the same party."""
    until, asked, current = time.monotonic() + PATIENCE, 0, UUID(anchor_id)
    while (anchor := anchoring.ask(current)) is not None:
        asked += 1
        witness_heads.follow_up(actor=SERVER, anchor=anchor)
        following = anchoring.next_after(current)
        if following is None or time.monotonic() > until:
            break
        current = following
    return asked


@shared_task
def look_at_witnesses_task() -> int:
    """Hand out the witnesses that are to be looked at: one task each, so that a dead one takes a single thread."""
    names = witness_heads.due_witnesses()
    for name in names:
        look_at_witness_task.delay(name)
    return len(names)


@shared_task
def look_at_witness_task(name: str) -> int:
    return len(witness_heads.look_at_due(actor=SERVER, name=name))


@shared_task
def watch_exposure_task() -> int:
    witness_heads.seal_contradictions(actor=SERVER)
    exposure_alerts.close_settled_claims()
    return exposure_alerts.watch_exposure(actor=SERVER)
