"""What beat tasks do for intake: seal arrivals in quarantine, erase what is past its time, alert for conflicts."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from hashlib import sha256
from operator import attrgetter

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from intake.kinds import QUARANTINE_EXPIRED, QUARANTINE_RECEIVED
from intake.models import ConflictCount, QuarantineArrival, QuarantinedRecord, QuarantineReceipt
from ledger.entries import SERVER, draft_entry
from ledger.models import Erasure
from ledger.sealing import sealing
from ledger.selectors import registry_log
from notices.models import Alert
from notices.services import open_alert

ARRIVALS_AT_ONCE = 5_000
RECEIPTS_AT_ONCE = 2_000
EXPIRED_AT_ONCE = 500


def seal_arrivals() -> int:
    """One counted entry a key for what arrived in quarantine since the last run; returns how many entries.

    The digest is SHA-256 over the digests of the records, in the order of their ids; receipts keep those.
    """
    registry, now = registry_log(), timezone.now()
    with sealing() as seal:
        arrivals = list(QuarantineArrival.objects.select_for_update(skip_locked=True).order_by("id")[:ARRIVALS_AT_ONCE])
        by_key: dict[uuid.UUID, list[QuarantineArrival]] = defaultdict(list)
        for arrival in arrivals:
            by_key[arrival.key_row_id].append(arrival)
        for key_row_id, found in by_key.items():
            receipts = sorted(_receipts(found), key=attrgetter("record_id"))
            body = {
                "key": str(key_row_id),
                "count": len(receipts),
                "digest": digest_of_receipts(receipts),
                "refused": sum(arrival.refused for arrival in found),
            }
            draft = draft_entry(kind=QUARANTINE_RECEIVED, actor=SERVER, at=now, body=body)
            seal.add(registry.id, draft)
            for receipt in receipts:
                receipt.entry_id = draft.id
            QuarantineReceipt.objects.bulk_create(receipts, batch_size=RECEIPTS_AT_ONCE)
        QuarantineArrival.objects.filter(pk__in=[arrival.pk for arrival in arrivals]).delete()
    return len(by_key)


def _receipts(arrivals: Sequence[QuarantineArrival]) -> Iterator[QuarantineReceipt]:
    for arrival in arrivals:
        for record_id, *parts in zip(
            arrival.record_ids, arrival.originals, arrival.problems, arrival.digests, strict=True
        ):
            original, problems, digest = map(bytes.fromhex, parts)
            yield QuarantineReceipt(record_id=record_id, original=original, problems=problems, digest=digest)


def digest_of_receipts(receipts: Iterable[QuarantineReceipt]) -> str:
    """What the entry says of the records it counts; the receipts in the order of the records' ids."""
    return sha256(b"".join(bytes(receipt.digest) for receipt in receipts)).hexdigest()


def expire_quarantine() -> int:
    """Erase records older than `QUARANTINE_DAYS`, whatever became of them; returns how many."""
    before = timezone.now() - timedelta(days=settings.QUARANTINE_DAYS)
    with sealing() as seal:
        old = QuarantinedRecord.objects.select_for_update(skip_locked=True).filter(
            received_at__lt=before, original__isnull=False
        )
        ids = list(old.order_by("id").values_list("id", flat=True)[:EXPIRED_AT_ONCE])
        if ids:
            body = {"count": len(ids), "first": str(ids[0]), "last": str(ids[-1])}
            draft = draft_entry(kind=QUARANTINE_EXPIRED, actor=SERVER, at=timezone.now(), body=body)
            seal.add(registry_log().id, draft)
            Erasure.objects.bulk_create([Erasure(row_id=record_id, entry_id=draft.id) for record_id in ids])
            QuarantinedRecord.objects.filter(pk__in=ids).update(secret=None, original=None, problems=None)
    return len(ids)


def alert_conflicts() -> int:
    """Open or count up an alert for each new conflict: somebody may be trying to rewrite a decision.

    One whose log takes no entry opens unsealed, so it does not keep the others waiting.
    """
    waiting = list(ConflictCount.objects.filter(alerted_at=None).order_by("hour")[:100])
    for conflict in waiting:
        open_alert(
            actor=SERVER,
            kind="decision.conflicted",
            severity=Alert.Severity.CRITICAL,
            fingerprint=f"decision.conflicted:{conflict.decision_id}:{conflict.key_row_id}",
            system_id=conflict.system_id,
            about_id=conflict.decision_id,
            facts={"decision": str(conflict.decision_id), "key": str(conflict.key_row_id)},
            occurrences=_repeats(conflict),
        )
        ConflictCount.objects.filter(
            decision_id=conflict.decision_id, key_row_id=conflict.key_row_id, hour=conflict.hour, count=conflict.count
        ).update(alerted_at=timezone.now())
    return len(waiting)


def _repeats(conflict: ConflictCount) -> int:
    """How often the key has sent this decision with other content, over all hours."""
    of_both = ConflictCount.objects.filter(decision_id=conflict.decision_id, key_row_id=conflict.key_row_id)
    return int(of_both.aggregate(number=Sum("count"))["number"] or 1)
