"""Decisions and payloads against their entries: what people see must be what was sealed."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from psycopg import sql

from audit.entries import DecisionBody, DecisionEntry, Holder, read_entry
from audit.input_digests import input_digest, todays_digests
from audit.kinds import DECISION_RECORDED
from audit.models import Decision, Payload
from audit.services.preparing import PARTS, Refs, search_terms
from evidence.verification.erasures import sealed_erasures
from evidence.verification.findings import Finding
from evidence.verification.reviews import check_reviews
from evidence.verification.trees import StoredEntry
from evidence.verification.walks import Slice, Walk, rows_of
from ledger.commitments import SECRET_BYTES, commitment
from ledger.entries import timestamp
from ledger.models import Log

read_refs = msgspec.json.Decoder(Refs).decode
COLUMNS = tuple(field.attname for field in Decision._meta.fields)
DECISIONS, PAYLOADS = Decision._meta.db_table, Payload._meta.db_table


def check_decisions(log: Log, entries: Sequence[StoredEntry]) -> Iterator[Finding]:
    """The decision row, the payload and the review of every decision among these entries."""
    sealed = [entry for entry in entries if entry.kind == DECISION_RECORDED.name]
    ids = [entry.id for entry in sealed]
    rows = {str(row.pk): row for row in Decision.objects.filter(pk__in=ids).order_by()}
    payloads = {str(row.pk): row for row in Payload.objects.filter(pk__in=ids)}
    erased = _erased([payload for payload in payloads.values() if payload.secret is None])
    decided: list[tuple[StoredEntry, DecisionEntry]] = []
    for entry in sealed:
        said = _read(entry)
        if said is None:
            yield Finding("entry-mislabelled", log.origin, entry.index)
            continue
        decided.append((entry, said))
        yield from _check_row(log, entry, said, rows.get(entry.id))
        yield from _check_payload(log, entry, said.body, payloads.get(entry.id), erased)
    yield from check_reviews(log, decided)


def _read(entry: StoredEntry) -> DecisionEntry | None:
    try:
        return read_entry(entry.data)
    except msgspec.ValidationError:
        return None


def _check_row(log: Log, entry: StoredEntry, said: DecisionEntry, row: Decision | None) -> Iterator[Finding]:
    if row is None:
        yield _finding("decision-missing", log, entry, DECISIONS)
        return
    expected = expected_columns(said) | {"log_id": str(log.id), "leaf_index": entry.index}
    wrong = [name for name in COLUMNS if _plain(getattr(row, name)) != expected[name]]
    if wrong:
        yield _finding("decision-altered", log, entry, DECISIONS, ", ".join(wrong))


def expected_columns(said: DecisionEntry) -> dict[str, Any]:
    """What the decision row must hold, from its entry (all but its place in the log)."""
    body, nobody = said.body, Holder(person="", assignment="", accepted=False)
    owner, occurred = body.accountable or nobody, body.occurred_accountable or nobody
    expected = {name: getattr(body, name, None) for name in COLUMNS}
    expected |= {name: getattr(body, name) or "" for name in _EMPTY_STRINGS}
    return expected | {
        "id": said.id,
        "system_id": body.system,
        "service_account_id": body.account or said.actor.id,
        "recorded_at": said.at,
        "accountable_id": owner.person or None,
        "assignment_id": owner.assignment or None,
        "accountable_accepted": owner.accepted,
        "occurred_accountable_id": occurred.person or None,
        "occurred_assignment_id": occurred.assignment or None,
        "directive_action": body.directive.action,
        "directive_reason": body.directive.reason_code or "",
        "directive_mode": body.directive.mode,
        "directive_epoch": body.directive.epoch,
    }


_EMPTY_STRINGS = (
    "capability",
    "error_type",
    "config_digest",
    "model_digest",
    "prompt_version",
    "control_epoch",
)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | list):
        return value
    return timestamp(value) if hasattr(value, "tzinfo") else str(value)


def _erased(payloads: Sequence[Payload]) -> set[str]:
    return sealed_erasures([payload.pk for payload in payloads])


def _check_payload(
    log: Log, entry: StoredEntry, body: DecisionBody, payload: Payload | None, erased: set[str]
) -> Iterator[Finding]:
    if payload is None:
        yield _finding("payload-missing", log, entry, PAYLOADS)
    elif payload.secret is None:
        if entry.id not in erased or any(getattr(payload, name) is not None for name in Payload.ERASED_TOGETHER):
            yield _finding("payload-gone", log, entry, PAYLOADS)
    elif wrong := _wrong_parts(body, payload):
        yield _finding("payload-altered", log, entry, PAYLOADS, ", ".join(wrong))
    elif not _leads_to(payload):
        yield _finding("payload-misled", log, entry, PAYLOADS)


def _finding(code: str, log: Log, entry: StoredEntry, table: str, detail: str = "") -> Finding:
    return Finding(code, log.origin, entry.index, table=table, row=entry.id, detail=detail)


def _wrong_parts(body: DecisionBody, payload: Payload) -> list[str]:
    secret = bytes(payload.secret or b"")
    if len(secret) != SECRET_BYTES:
        return ["secret"]
    wrong = [name for name in PARTS if _opened(secret, name, getattr(payload, name)) != body.commitments.get(name)]
    if not wrong and (payload.subject, payload.label_terms) != _search_columns(payload):
        wrong.append("search columns")
    return wrong


def _opened(secret: bytes, part: str, data: bytes | None) -> str | None:
    return None if data is None else commitment(secret, part, bytes(data)).hex()


def _search_columns(payload: Payload) -> tuple[str | None, list[str] | None]:
    refs = read_refs(bytes(payload.refs)) if payload.refs is not None else Refs()
    return refs.subject, search_terms(refs)


def _leads_to(payload: Payload) -> bool:
    """Whether the digest of the input is its own, as far as today's key can tell.

    Searches look at each payload whose digest is missing or of another key: neither hides a decision.
    """
    found, bounds = payload.input_digest, todays_digests()
    if found is None or (payload.input is not None and (bounds is None or not bounds[0] <= found <= bounds[1])):
        return True
    return payload.input is not None and found == input_digest(bytes(payload.input))


def walks() -> list[Walk]:
    """Decision rows that no entry of their log leads to, and payloads without a decision."""
    return [
        Walk("decisions", "audit_decision", "id", _decisions_without_entries),
        Walk("payloads", "audit_payload", "id", _payloads_without_decisions),
    ]


def _decisions_without_entries(part: Slice) -> Iterator[Finding]:
    query = sql.SQL(
        "SELECT d.id FROM audit_decision d WHERE {} AND NOT EXISTS (SELECT FROM ledger_entry e WHERE e.id = d.id"
        " AND e.log_id = d.log_id AND e.leaf_index = d.leaf_index AND e.kind = %s) LIMIT 100"
    )
    for (decision_id,) in rows_of(query.format(part.holds("d", "id")), [DECISION_RECORDED.name]):
        yield Finding("decision-without-entry", table=DECISIONS, row=str(decision_id))


def _payloads_without_decisions(part: Slice) -> Iterator[Finding]:
    query = sql.SQL(
        "SELECT p.id FROM audit_payload p"
        " WHERE {} AND NOT EXISTS (SELECT FROM audit_decision d WHERE d.id = p.id) LIMIT 100"
    )
    for (decision_id,) in rows_of(query.format(part.holds("p", "id"))):
        yield Finding("payload-without-decision", table=PAYLOADS, row=str(decision_id))
