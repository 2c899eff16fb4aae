"""Quarantined records: what the entries counted, what the receipts keep, what stands now."""

from collections.abc import Iterator, Sequence

from psycopg import sql

from evidence.verification.erasures import sealed_erasures
from evidence.verification.findings import Finding
from evidence.verification.trees import StoredEntry, as_uuid
from evidence.verification.walks import Slice, Walk, rows_of
from intake.kinds import QUARANTINE_EXPIRED, QUARANTINE_RECEIVED
from intake.models import QuarantinedRecord, QuarantineReceipt
from intake.services.quarantine import ORIGINAL_PART, original_commitment, problems_commitment, record_digest
from intake.services.sweeps import digest_of_receipts
from ledger.commitments import SECRET_BYTES
from ledger.models import Log

RECORDS, RECEIPTS = QuarantinedRecord._meta.db_table, QuarantineReceipt._meta.db_table
RECORDS_AT_ONCE = 50
"""Up to 1 MiB each."""


def check_arrivals(log: Log, entries: Sequence[StoredEntry]) -> Iterator[Finding]:
    """The records that these entries count; and the original that each later act upon a record was bound to."""
    for entry in entries:
        if entry.kind == QUARANTINE_RECEIVED.name:
            yield from _check_counted(log, entry)
    yield from _check_acts(log, [entry for entry in entries if "record" in entry.body and ORIGINAL_PART in entry.body])


def _check_counted(log: Log, entry: StoredEntry) -> Iterator[Finding]:
    receipts = list(QuarantineReceipt.objects.filter(entry_id=entry.id).order_by("record_id"))
    if (entry.body.get("count"), entry.body.get("digest")) != (len(receipts), digest_of_receipts(receipts)):
        yield Finding("quarantine-miscounted", log.origin, entry.index, table=RECEIPTS)
    for start in range(0, len(receipts), RECORDS_AT_ONCE):
        some = receipts[start : start + RECORDS_AT_ONCE]
        ids = [receipt.record_id for receipt in some]
        records = {record.pk: record for record in QuarantinedRecord.objects.filter(pk__in=ids)}
        erased = _erased([record for record in records.values() if record.secret is None])
        for receipt in some:
            code = _judge(entry, receipt, records.get(receipt.record_id), erased)
            if code:
                yield Finding(code, log.origin, entry.index, table=RECORDS, row=str(receipt.record_id))


def _judge(
    entry: StoredEntry, receipt: QuarantineReceipt, record: QuarantinedRecord | None, erased: set[str]
) -> str | None:
    if record is None:
        return "quarantine-missing"
    sealed = bytes(receipt.original).hex(), bytes(receipt.problems).hex()
    if record.secret is None:
        emptied = all(getattr(record, name) is None for name in QuarantinedRecord.ERASED_TOGETHER)
        if not emptied or str(record.pk) not in erased:
            return "quarantine-gone"
        found = sealed
    elif len(record.secret) != SECRET_BYTES or record.original is None:
        return "quarantine-altered"
    else:
        found = original_commitment(record), problems_commitment(record)
    digest = record_digest(record, original=found[0], problems=found[1])
    same = found == sealed and digest == bytes(receipt.digest).hex() and str(record.key_row_id) == entry.body.get("key")
    return None if same else "quarantine-altered"


def _erased(records: Sequence[QuarantinedRecord]) -> set[str]:
    """Those that a sealed act emptied: an erasure, about them or counting them, or an expiry, which names its ends.

    Whether such an entry counts just what it took, the walk over erasures asks.
    """
    ids = [record.pk for record in records]
    expired = sql.SQL(
        "SELECT r.row_id::text FROM ledger_erasure r JOIN ledger_entry e ON e.id = r.entry_id"
        " WHERE r.row_id = ANY(%s) AND e.kind = %s"
    )
    return sealed_erasures(ids) | {row_id for (row_id,) in rows_of(expired, [ids, QUARANTINE_EXPIRED.name])}


def _check_acts(log: Log, acts: Sequence[StoredEntry]) -> Iterator[Finding]:
    """Whoever looked at, corrected, replayed or gave up a record did so to the very bytes that were counted."""
    about = {act.id: record_id for act in acts if (record_id := as_uuid(act.body["record"]))}
    receipts = QuarantineReceipt.objects.filter(pk__in=set(about.values())).values_list("record_id", "original")
    counted = {record_id: bytes(original).hex() for record_id, original in receipts}
    for act in acts:
        record_id, said = about.get(act.id), act.body[ORIGINAL_PART]
        if record_id and counted.get(record_id, said) != said:
            yield Finding("quarantine-altered", log.origin, act.index, table=RECORDS, row=str(record_id))


def walks() -> list[Walk]:
    """Records that were neither counted nor wait for it, receipts of no entry."""
    return [
        Walk("quarantined-records", "intake_quarantinedrecord", "id", _uncounted_records),
        Walk("quarantine-receipts", "intake_quarantinereceipt", "record_id", _receipts_of_no_entry),
    ]


def _uncounted_records(part: Slice) -> Iterator[Finding]:
    """(One statement: arrivals get sealed.)"""
    query = sql.SQL(
        "SELECT q.id FROM intake_quarantinedrecord q WHERE {}"
        " EXCEPT SELECT r.record_id FROM intake_quarantinereceipt r WHERE {}"
        " EXCEPT SELECT unnest(record_ids) FROM intake_quarantinearrival LIMIT 100"
    )
    for (record_id,) in rows_of(query.format(part.holds("q", "id"), part.holds("r", "record_id"))):
        yield Finding("quarantine-unsealed", table=RECORDS, row=str(record_id))


def _receipts_of_no_entry(part: Slice) -> Iterator[Finding]:
    query = sql.SQL(
        "SELECT r.record_id FROM intake_quarantinereceipt r WHERE {} AND NOT EXISTS"
        " (SELECT FROM ledger_entry e WHERE e.id = r.entry_id AND e.kind = %s) LIMIT 100"
    )
    for (record_id,) in rows_of(query.format(part.holds("r", "record_id")), [QUARANTINE_RECEIVED.name]):
        yield Finding("quarantine-miscounted", table=RECEIPTS, row=str(record_id))
