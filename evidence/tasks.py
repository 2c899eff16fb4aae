"""Beat tasks of the evidence floor."""

from celery import shared_task
from django.db import connection

from evidence.services.checkpoints import record_checkpoints
from evidence.services.custody_requests import seal_waiting_requests
from evidence.services.letter_drafts import forget_letter_drafts
from evidence.services.self_audit import alert_discontinued, audit_loose_ends, audit_slice
from ledger.entries import SERVER

SLICE_SECONDS = 20.0
PRUNED_AT_ONCE = 50_000


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
    return alert_discontinued(actor=SERVER)


@shared_task
def seal_waiting_requests_task() -> int:
    return seal_waiting_requests()


@shared_task
def forget_letter_drafts_task() -> int:
    return forget_letter_drafts()


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
