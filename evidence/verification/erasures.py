"""Erasures: what is empty was emptied by a sealed act, which counts it; what is to be erased is what was agreed to."""

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import connection
from psycopg import sql

from evidence.kinds import (
    ERASURE_APPROVED,
    ERASURE_COMPLETED,
    ERASURE_PERFORMED,
    ERASURE_RESTRICTED,
    ERASURE_TEXTS_RESTRICTED,
    PERSON_ERASED,
    RETENTION_PURGED,
)
from evidence.verification.findings import Finding
from evidence.verification.trees import said_at, said_by
from evidence.verification.walks import Slice, Walk, rows_of
from intake.kinds import QUARANTINE_EXPIRED
from ledger.entries import timestamp
from ledger.erasing import digest_of

ERASE = [kind.name for kind in (ERASURE_PERFORMED, RETENTION_PURGED, PERSON_ERASED, QUARANTINE_EXPIRED)]
"""Entries of these kinds erase the row that they are about, and those that they count."""
RESTRICTED = {
    ERASURE_RESTRICTED.name: ("audit_restriction", "decision_id"),
    ERASURE_TEXTS_RESTRICTED.name: ("audit_textrestriction", "item_id"),
}
"""By the kind of the entry that counts them: where what is restricted stands, and in which column."""
COUNTS = b'"with":{'
REQUESTS_AT_ONCE = 20
"""Of up to many thousand decisions each."""


def sealed_erasures(row_ids: Iterable[Any]) -> set[str]:
    """Of these rows those whose erasure an entry performed. Whether it counts them too, the walk over erasures asks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.row_id::text FROM ledger_erasure r JOIN ledger_entry e ON e.id = r.entry_id"
            " WHERE r.row_id = ANY(%s) AND e.kind = ANY(%s)"
            " AND (e.about_id = r.row_id OR position(%s::bytea IN e.data) > 0)",
            [list(row_ids), ERASE, COUNTS],
        )
        return {row_id for (row_id,) in cursor.fetchall()}


def walks() -> list[Walk]:
    """Permissions to erase that no entry gives, and requests that are not what two people agreed to."""
    return [
        Walk("erasures", "ledger_erasure", "id", _unsealed),
        Walk("erasure-requests", "audit_erasurerequest", "id", _otherwise_than_agreed, at_once=REQUESTS_AT_ONCE),
        Walk("restrictions", "audit_restriction", "decision_id", _uncounted_restrictions),
        Walk("text-restrictions", "audit_textrestriction", "item_id", _uncounted_texts),
        Walk("erasure-steps", "audit_erasurestep", "item_id", _steps_without_entries),
        Walk("erasure-warrants", "audit_erasurewarrant", "consent_id", _warrants_without_consent),
    ]


# --- what was erased --------------------------------------------------------------------------------------------------
def _unsealed(part: Slice) -> Iterator[Finding]:
    query = sql.SQL(
        "SELECT d.entry_id, e.kind, e.about_id, e.data"
        " FROM (SELECT DISTINCT r.entry_id FROM ledger_erasure r WHERE {}) d"
        " LEFT JOIN ledger_entry e ON e.id = d.entry_id"
    )
    for entry_id, kind, about_id, data in rows_of(query.format(part.holds("r", "id"))):
        rows = [
            row_id
            for (row_id,) in rows_of(sql.SQL("SELECT row_id FROM ledger_erasure WHERE entry_id = %s"), [entry_id])
        ]
        if kind not in ERASE:
            yield from (Finding("erasure-unsealed", table="ledger_erasure", row=str(row_id)) for row_id in rows[:100])
        elif not _counts(kind, about_id, said_by(data), rows):
            yield Finding("erasure-unsealed", table="ledger_erasure", detail=f"{len(rows)} erased by {entry_id}")


def _counts(kind: str, about_id: uuid.UUID | None, said: dict[str, Any], rows: Sequence[uuid.UUID]) -> bool:
    """Whether an entry erases these rows: the one it is about, and as many others as it says, with their digest.

    A record that was slipped in beside them makes one too many.
    """
    beside = sorted(set(rows) - {about_id})  # a payload and the record it was replayed from may have one id
    if kind == QUARANTINE_EXPIRED.name:
        records = _quarantined(beside)
        if not _is_expiry(said, records):
            return False
        beside = [row_id for row_id in beside if row_id not in records]
    counted = said.get("with") or {"count": 0, "digest": digest_of([])}
    return isinstance(counted, dict) and (counted.get("count"), counted.get("digest")) == (
        len(beside),
        digest_of(beside),
    )


def _quarantined(row_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    query = sql.SQL("SELECT id FROM intake_quarantinedrecord WHERE id = ANY(%s)")
    return {row_id for (row_id,) in rows_of(query, [list(row_ids)])}


def _is_expiry(said: dict[str, Any], records: set[uuid.UUID]) -> bool:
    ends = (str(min(records)), str(max(records))) if records else (None, None)
    return (said.get("count"), said.get("first"), said.get("last")) == (len(records), *ends)


# --- what is to be erased ---------------------------------------------------------------------------------------------
AGREED = sql.SQL(
    """SELECT r.id FROM audit_erasurerequest r
    LEFT JOIN LATERAL (SELECT count(*),
        encode(sha256(coalesce(string_agg(uuid_send(t.decision_id), ''::bytea ORDER BY t.decision_id), '')), 'hex')
        FROM audit_erasuretarget t WHERE t.request_id = r.id) d (count, digest) ON true
    LEFT JOIN LATERAL (SELECT count(*),
        encode(sha256(coalesce(string_agg(uuid_send(f.item_id), ''::bytea ORDER BY f.item_id), '')), 'hex')
        FROM audit_erasurefind f WHERE f.request_id = r.id AND f.is_chosen) f (count, digest) ON true
    WHERE {} AND r.decisions_digest <> ''
        AND (d.count, d.digest, f.count, f.digest) IS DISTINCT FROM
            (r.decisions::bigint, r.decisions_digest::text, r.texts::bigint, r.texts_digest::text) LIMIT 100"""
)


def _otherwise_than_agreed(part: Slice) -> Iterator[Finding]:
    for (request_id,) in rows_of(AGREED.format(part.holds("r", "id"))):
        yield Finding("erasure-altered", table="audit_erasuretarget", row=str(request_id))
    query = sql.SQL(
        "SELECT e.id, e.kind, e.about_id, e.data FROM ledger_entry e JOIN audit_erasurerequest r ON r.id = e.about_id"
        " WHERE {} AND e.kind = ANY(%s)"
    )
    for entry_id, kind, request_id, data in rows_of(query.format(part.holds("r", "id")), [list(RESTRICTED)]):
        table, column = RESTRICTED[kind]
        kept = sql.SQL("SELECT {} FROM {} WHERE entry_id = %s AND request_id = %s")
        named = kept.format(sql.Identifier(column), sql.Identifier(table))
        rows = [item_id for (item_id,) in rows_of(named, [entry_id, request_id])]
        if said_by(data).get("with") != {"count": len(rows), "digest": digest_of(rows)}:
            yield Finding("restriction-altered", table=table, row=str(request_id))
    yield from _lost_steps(part)


def _lost_steps(part: Slice) -> Iterator[Finding]:
    """Requests that are performed, with other steps than the entry of their end says. (Older ones say how many.)"""
    query = sql.SQL(
        "SELECT DISTINCT ON (r.id) r.id, e.data, (SELECT count(*) FROM audit_erasurestep s WHERE s.request_id = r.id)"
        " FROM audit_erasurerequest r JOIN ledger_entry e ON e.about_id = r.id"
        " WHERE {} AND r.status = 'performed' AND e.kind = %s ORDER BY r.id, e.id DESC"
    )
    for request_id, data, steps in rows_of(query.format(part.holds("r", "id")), [ERASURE_COMPLETED.name]):
        said = said_by(data)
        if said.get("steps") != steps or not _took(request_id, said):
            yield Finding("erasure-altered", table="audit_erasurestep", row=str(request_id))


def _took(request_id: uuid.UUID, said: dict[str, Any]) -> bool:
    """Whether its steps are the rows, and say the numbers, that were sealed at its end, where that was sealed."""
    rows = list(rows_of(sql.SQL("SELECT item_id, counts FROM audit_erasurestep WHERE request_id = %s"), [request_id]))
    took: Counter[str] = Counter()
    for _, counts in rows:
        took.update(json.loads(counts) if isinstance(counts, str) else counts)
    now = {"steps_digest": digest_of(item_id for item_id, _ in rows), "took": dict(took)}
    return all(name not in said or said[name] == value for name, value in now.items())


def _uncounted_restrictions(part: Slice) -> Iterator[Finding]:
    query = sql.SQL(
        "SELECT r.decision_id FROM audit_restriction r WHERE {} AND NOT EXISTS (SELECT FROM ledger_entry e"
        " WHERE e.id = r.entry_id AND e.kind = %s AND e.about_id = r.request_id) LIMIT 100"
    )
    for (decision_id,) in rows_of(query.format(part.holds("r", "decision_id")), [ERASURE_RESTRICTED.name]):
        yield Finding("restriction-altered", table="audit_restriction", row=str(decision_id))


def _uncounted_texts(part: Slice) -> Iterator[Finding]:
    """Those that no entry counts, and those that name another row than the one of which the version is."""
    query = sql.SQL(
        "SELECT r.item_id FROM audit_textrestriction r LEFT JOIN ledger_particulars v ON v.id = r.item_id WHERE {}"
        " AND (r.row_id <> coalesce(v.row_id, r.item_id) OR NOT EXISTS (SELECT FROM ledger_entry e"
        " WHERE e.id = r.entry_id AND e.kind = %s AND e.about_id = r.request_id)) LIMIT 100"
    )
    for (item_id,) in rows_of(query.format(part.holds("r", "item_id")), [ERASURE_TEXTS_RESTRICTED.name]):
        yield Finding("restriction-altered", table="audit_textrestriction", row=str(item_id))


def _steps_without_entries(part: Slice) -> Iterator[Finding]:
    """Steps that nothing took: each is what an entry of its own request is about, or erased, by that entry or by one
    before: what people wrote goes with its decision, whoever found it by its words."""
    query = sql.SQL(
        "SELECT s.item_id FROM audit_erasurestep s WHERE {} AND NOT EXISTS (SELECT FROM ledger_entry e"
        " WHERE e.id = s.entry_id AND e.kind = ANY(%s)"
        " AND position(convert_to('\"request\":\"' || s.request_id || '\"', 'UTF8') IN e.data) > 0"
        " AND (e.about_id = s.item_id OR EXISTS (SELECT FROM ledger_erasure r WHERE r.row_id = s.item_id))) LIMIT 100"
    )
    for (item_id,) in rows_of(query.format(part.holds("s", "item_id")), [ERASE]):
        yield Finding("erasure-altered", table="audit_erasurestep", row=str(item_id))


def _warrants_without_consent(part: Slice) -> Iterator[Finding]:
    """Warrants that say something else than the sealed consent: functions of the database go by them."""
    query = sql.SQL(
        "SELECT w.consent_id, (w.request_id, w.system_id) IS NOT DISTINCT FROM (c.request_id, c.system_id),"
        " w.agreed_at, e.data FROM audit_erasurewarrant w LEFT JOIN audit_erasureconsent c ON c.id = w.consent_id"
        " LEFT JOIN ledger_entry e ON e.about_id = w.consent_id AND e.kind = %s WHERE {}"
    ).format(part.holds("w", "consent_id"))
    for consent_id, is_of_it, agreed_at, data in rows_of(query, [ERASURE_APPROVED.name]):
        if data is None or not is_of_it or said_at(data) != timestamp(agreed_at):
            yield Finding("erasure-altered", table="audit_erasurewarrant", row=str(consent_id))
