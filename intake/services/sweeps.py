"""What beat tasks do for intake: seal arrivals in quarantine, erase what is past its time, alert for conflicts."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from operator import attrgetter

from django.db.models import Exists, OuterRef, Q, Sum
from django.utils import timezone

from audit.erasing import erase_quarantined, erase_texts, held_texts, lock_holds
from audit.models import CaseDecision, Decision, LegalHold
from governance.locks import hold
from intake.expiry import past_their_time
from intake.kinds import QUARANTINE_EXPIRED, QUARANTINE_RECEIVED
from intake.models import ConflictCount, QuarantineArrival, QuarantineCase, QuarantineReceipt
from intake.services.quarantine import lock_name
from ledger.entries import SERVER, draft_entry
from ledger.erasing import counted, empty_rows, kept_versions
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
    """Erase records past their ceiling, whatever became of them, but what a legal hold covers; returns how many."""
    with sealing() as seal:
        lock_holds()
        rows = past_their_time(timezone.now()).exclude(_held()).order_by("id")
        found = list(rows.values_list("id", flat=True)[:EXPIRED_AT_ONCE])
        kept = held_texts(found)  # as entries say it, not the rows of holds alone
        ids = [each for each in found if each not in kept]
        if ids:
            hold(*map(lock_name, ids))
            texts = kept_versions(list(QuarantineCase.objects.filter(record__in=ids).values_list("pk", flat=True)))
            body = {"count": len(ids), "first": str(ids[0]), "last": str(ids[-1])}
            draft = draft_entry(
                kind=QUARANTINE_EXPIRED, actor=SERVER, at=timezone.now(), body=body | counted(each.pk for each in texts)
            )
            seal.add(registry_log().id, draft)
            erase_quarantined(None, dict.fromkeys(ids, draft.id))
            erase_texts(None, {each.pk: draft.id for each in texts})
            empty_rows(QuarantineCase, {each.row_id for each in texts})
    return len(ids)


def _held() -> Q:
    """A hold on when it came, or on the decision that it became: by its case, or by when that was recorded."""
    in_force = LegalHold.objects.exclude(status=LegalHold.Status.LIFTED)
    came = in_force.filter(
        system_id=OuterRef("system_id"), since__lte=OuterRef("received_at"), until__gt=OuterRef("received_at")
    )
    recorded = in_force.filter(
        system_id=OuterRef("system_id"), since__lte=OuterRef("recorded_at"), until__gt=OuterRef("recorded_at")
    )
    became = Q(id=OuterRef("id")) | Q(id=OuterRef("case__decision_id"))
    decisions = Decision.objects.filter(became, Exists(recorded))
    # also those that were taken out of the case again
    of_case = Q(decision_id=OuterRef("id")) | Q(decision_id=OuterRef("case__decision_id"))
    cases = CaseDecision.objects.filter(of_case, case_id__in=in_force.values("case_id"))
    return Q(Exists(came)) | Q(Exists(decisions)) | Q(Exists(cases))


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
