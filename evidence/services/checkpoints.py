"""The registry log learns the checkpoint of each log that grew: whoever watches it watches everything."""

import uuid

import structlog
from django.db import connection
from django.utils import timezone

from ledger.entries import Actor, draft_entry
from ledger.errors import HeadMissing, LedgerRolledBack, LogClosed
from ledger.kinds import CHECKPOINT_RECORDED
from ledger.models import Checkpoint, Log
from ledger.sealing import sealing
from ledger.selectors import latest_checkpoint, registry_log
from ledger.signing import SignedCheckpoint

logger = structlog.get_logger(__name__)


def record_checkpoints(*, actor: Actor) -> int:
    """Put the newest checkpoint of every open log that grew since the last time into the registry log.

    Returns how many. A log that cannot be signed for (rolled back, no head) is left out and said in the log; the
    self-audit alerts. Errors: what sealing in the registry log raises; then nothing of this round is recorded.
    """
    grown = Log.objects.filter(id__in=_grown_logs()).order_by("id")
    signed = [(log, checkpoint) for log in grown if (checkpoint := _signed(log)) is not None]
    if not signed:
        return 0
    with sealing() as seal:
        registry = registry_log()
        for log, checkpoint in signed:
            body = {
                "log": str(log.id),
                "origin": log.origin,
                "tree_size": checkpoint.tree_size,
                "root_hash": checkpoint.root_hash.hex(),
            }
            draft = draft_entry(kind=CHECKPOINT_RECORDED, actor=actor, at=timezone.now(), body=body, about_id=log.id)
            seal.add(registry.id, draft)
            Checkpoint.objects.create(
                id=draft.id,
                log=log,
                tree_size=checkpoint.tree_size,
                root_hash=checkpoint.root_hash,
                note=checkpoint.note,
            )
    return len(signed)


def _signed(log: Log) -> SignedCheckpoint | None:
    try:
        return latest_checkpoint(log)
    except (HeadMissing, LedgerRolledBack, LogClosed) as error:
        logger.error("evidence.log_not_signed", log_id=str(log.id), code=error.code)
        return None


def _grown_logs() -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.id FROM ledger_log l WHERE l.kind = 'system'"
            " AND NOT EXISTS (SELECT FROM ledger_logclosure c WHERE c.log_id = l.id)"
            " AND (SELECT max(tree_size) FROM ledger_head h WHERE h.log_id = l.id)"
            " > coalesce((SELECT max(tree_size) FROM ledger_checkpoint p WHERE p.log_id = l.id), 0)"
        )
        return [row[0] for row in cursor.fetchall()]
