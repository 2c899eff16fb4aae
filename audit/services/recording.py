"""How a decision becomes an entry, a decision row and a payload row.

In two halves. `prepare` makes every byte of a decision but its place in the log: entry, hashes, commitments, rows in
COPY's binary format. It needs no lock and no database. `record_decisions` runs under the log's lock: it looks the ids
up, answers repeats, and copies what is new. This is the hot path: what repeats from decision to decision (`Facets`) is
encoded once, and nothing is an ORM object.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from struct import Struct
from types import MappingProxyType
from typing import Any

import msgspec
from django.db import connection

from audit.entries import DecisionBody, Holder, SealedDirective, read_entry, sent_equally
from audit.kinds import DECISION_RECORDED
from ledger import copying
from ledger.commitments import commitment
from ledger.copying import EPOCH_MICROSECONDS, NULL, copy_rows
from ledger.sealing import Seal

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DECISION_COLUMNS = (
    "leaf_index, id, recorded_at, occurred_at, confidence, score, threshold, latency_ms, parent_id, source_seq,"
    " review_id, log_id, system_id, service_account_id, environment, model_version, model_version_id, capability,"
    " outcome, error_type, ai_role, adverse, phase, config_digest, model_digest, prompt_version, source_id,"
    " control_epoch, accountable_id, assignment_id, accountable_accepted, occurred_accountable_id,"
    " occurred_assignment_id, directive_action, directive_reason, directive_mode, directive_epoch, flags"
)
PAYLOAD_COLUMNS = "id, secret, input, output, explanation, context, refs, subject, label_terms"
PARTS = ("input", "output", "explanation", "context", "refs")

encode_json = msgspec.json.Encoder().encode
_COLUMN_COUNT = DECISION_COLUMNS.count(",") + 1
_place = Struct(">hiq").pack
_decision_start = Struct(">i16siqiq").pack
_length = Struct(">i").pack
_int8 = Struct(">iq").pack
_float8 = Struct(">id").pack
_payload_start = Struct(">hi16si32s").pack
_entry_head = Struct(">i16si17s4si").pack
_KIND_NAME = DECISION_RECORDED.name
_KIND = _KIND_NAME.encode()
_HASH_HEAD = b"\0\0\0\x20"


class FacetValues(msgspec.Struct, frozen=True, kw_only=True):
    """What repeats from decision to decision. Strings are clear; ids, holders and flags are the server's."""

    log_id: uuid.UUID
    system_id: uuid.UUID
    account_id: uuid.UUID
    environment: str
    model_version: str
    model_version_id: uuid.UUID | None = None
    capability: str | None = None
    outcome: str
    error_type: str | None = None
    ai_role: str = "sole"
    adverse: bool | None = None
    phase: str = "effective"
    config_digest: str | None = None
    model_digest: str | None = None
    prompt_version: str | None = None
    control_epoch: str | None = None
    source_id: uuid.UUID | None = None
    accountable: Holder | None = None
    occurred_accountable: Holder | None = None
    directive: SealedDirective
    flags: tuple[str, ...] = ()
    replayed_by: uuid.UUID | None = None
    """The person who replayed the record from quarantine: the actor, in place of the account that sent it."""


class Facets(msgspec.Struct, frozen=True, gc=False):
    """`FacetValues` with their share of the entry's JSON and of the decision's row, encoded once."""

    values: FacetValues
    json: str
    columns: bytes


def encode_facets(values: FacetValues) -> Facets:
    """The encoded form of what repeats; keep it and use it for every decision that shares these values."""
    by_person = {"type": "person", "id": values.replayed_by}
    actor = encode_json(by_person if values.replayed_by else {"type": "service", "id": values.account_id}).decode()
    body = encode_json(_facet_body(values)).decode()
    return Facets(values, f'"actor":{actor},"body":{body[:-1]},', _facet_columns(values))


def _facet_body(values: FacetValues) -> dict[str, Any]:
    body: dict[str, Any] = {"system": values.system_id}
    if values.replayed_by:
        body["account"] = values.account_id
    names = DecisionBody.__struct_fields__
    body |= {name: found for name in names if (found := getattr(values, name, None)) is not None and found != ()}
    directive = values.directive
    body["directive"] = {
        name: found for name in directive.__struct_fields__ if (found := getattr(directive, name)) is not None
    }
    return body


def _facet_columns(values: FacetValues) -> bytes:
    owner, occurred, directive = values.accountable, values.occurred_accountable, values.directive
    ids = (_bytes_of(found) for found in (values.log_id, values.system_id, values.account_id))
    return b"".join(
        (
            *(copying.uuid(found) for found in ids),
            copying.text(values.environment),
            copying.text(values.model_version),
            copying.uuid(_bytes_of(values.model_version_id)),
            *(copying.text(found or "") for found in (values.capability, values.outcome, values.error_type)),
            copying.text(values.ai_role),
            copying.boolean(values.adverse),
            copying.text(values.phase),
            *(
                copying.text(found or "")
                for found in (values.config_digest, values.model_digest, values.prompt_version)
            ),
            copying.uuid(_bytes_of(values.source_id)),
            copying.text(values.control_epoch or ""),
            *_holder_columns(owner),
            copying.boolean(owner is not None and owner.accepted),
            *_holder_columns(occurred),
            copying.text(directive.action),
            copying.text(directive.reason_code or ""),
            copying.text(directive.mode),
            copying.text(directive.epoch),
            copying.text_array(values.flags, copying.VARCHAR_OID),
        )
    )


def _holder_columns(holder: Holder | None) -> tuple[bytes, bytes]:
    if holder is None:
        return NULL, NULL
    return copying.uuid(uuid.UUID(holder.person).bytes), copying.uuid(uuid.UUID(holder.assignment).bytes)


def _bytes_of(value: uuid.UUID | None) -> bytes | None:
    return None if value is None else value.bytes


class Refs(msgspec.Struct, omit_defaults=True, gc=False):
    """What identifies or links: one part of its own, so that it can be disclosed or withheld apart from the payload."""

    subject: str | None = None
    labels: dict[str, str] | None = None
    external_id: str | None = None
    conversation_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None


def label_term(name: str, value: str) -> str:
    """How a label stands in the payload's search column."""
    return f"{name}={value}"


@dataclass(frozen=True, slots=True)
class Receipt:
    """When a request arrived, written once for all its records."""

    at: datetime
    text: str
    microseconds: int

    @classmethod
    def of(cls, at: datetime) -> "Receipt":
        return cls(at, instant(at), postgres_time(at))


def instant(moment: datetime) -> str:
    """`ledger.entries.timestamp`, three times as fast: 27 characters, UTC."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def postgres_time(moment: datetime) -> int:
    return (moment - UNIX_EPOCH) // MICROSECOND - EPOCH_MICROSECONDS


class PreparedDecision(msgspec.Struct, gc=False):
    """A decision of which every byte is made but its place in the log.

    (A struct without the garbage collector's attention: with thousands under way it would walk them again and again.)
    """

    id: str
    """UUIDv7, 36 lower-case characters."""
    facets: Facets
    data: bytes
    leaf_hash: bytes
    row_tail: bytes
    decision_tail: bytes
    payload_row: bytes
    parts: list[tuple[str, bytes]]
    is_own_id: bool
    """Made by the server: nobody can have sent it before."""

    @property
    def size(self) -> int:
        return len(self.row_tail) + len(self.decision_tail) + len(self.payload_row)


def prepare(
    facets: Facets,
    *,
    decision_id: str,
    is_own_id: bool,
    received: Receipt,
    occurred_at: datetime,
    secret: bytes,
    parts: list[tuple[str, bytes]],
    refs: Refs | None = None,
    confidence: float | None = None,
    score: float | None = None,
    threshold: float | None = None,
    latency_ms: float | None = None,
    parent_id: str | None = None,
    source_seq: int | None = None,
    review_id: uuid.UUID | None = None,
) -> PreparedDecision:
    """Make a decision's bytes. `secret` are 32 fresh random bytes; `parts` are (name, bytes as sent), in the order of
    `PARTS`, without refs.

    The entry stays far below 65,535 bytes: every string in it is bounded by the wire format.
    """
    if refs is not None:
        parts.append(("refs", encode_json(refs)))
    commitments = ",".join(
        [f'"{name}":"{sha256(sha256(secret + _NAMES[name]).digest() + data).hexdigest()}"' for name, data in parts]
    )
    # repr of a float is the shortest double, as everywhere in entries
    entry = (
        f'{{"v":1,"id":"{decision_id}","kind":"{_KIND_NAME}","at":"{received.text}",{facets.json}'
        f'"occurred_at":"{instant(occurred_at)}"'
        + ("" if confidence is None else f',"confidence":{confidence!r}')
        + ("" if score is None else f',"score":{score!r}')
        + ("" if threshold is None else f',"threshold":{threshold!r}')
        + ("" if latency_ms is None else f',"latency_ms":{latency_ms!r}')
        + ("" if parent_id is None else f',"parent_id":"{parent_id}"')
        + ("" if source_seq is None else f',"source_seq":{source_seq}')
        + ("" if review_id is None else f',"review_id":"{review_id}"')
        + f',"commitments":{{{commitments}}}}}}}'
    ).encode("ascii")
    digest = sha256(b"\0" + entry).digest()
    id_bytes = bytes.fromhex(decision_id.replace("-", ""))
    decision_tail = (
        _decision_start(16, id_bytes, 8, received.microseconds, 8, postgres_time(occurred_at))
        + (NULL if confidence is None else _float8(8, confidence))
        + (NULL if score is None else _float8(8, score))
        + (NULL if threshold is None else _float8(8, threshold))
        + (NULL if latency_ms is None else _float8(8, latency_ms))
        + (NULL if parent_id is None else copying.uuid(uuid.UUID(parent_id).bytes))
        + (NULL if source_seq is None else _int8(8, source_seq))
        + (NULL if review_id is None else copying.uuid(review_id.bytes))
        + facets.columns
    )
    return PreparedDecision(
        decision_id,
        facets,
        entry,
        digest,
        _entry_head(16, id_bytes, 17, _KIND, NULL, len(entry)) + entry + _HASH_HEAD + digest,
        decision_tail,
        _payload_row(id_bytes, secret, parts, refs),
        parts,
        is_own_id,
    )


_NAMES = {name: name.encode() for name in PARTS}


def _payload_row(id_bytes: bytes, secret: bytes, parts: list[tuple[str, bytes]], refs: Refs | None) -> bytes:
    columns = [_payload_start(9, 16, id_bytes, 32, secret)]
    at = 0
    for name in PARTS:
        # parts come in the order of the columns, with those left out that were not sent
        if at < len(parts) and parts[at][0] == name:
            data = parts[at][1]
            columns += (_length(len(data)), data)
            at += 1
        else:
            columns.append(NULL)
    if refs is None:
        columns += (NULL, NULL)
    else:
        columns.append(NULL if refs.subject is None else copying.text(refs.subject))
        columns.append(NULL if refs.labels is None else _label_terms(refs.labels))
    return b"".join(columns)


def _label_terms(labels: dict[str, str]) -> bytes:
    """Made anew for every decision: a cache of labels would outlive their erasure."""
    return copying.text_array([label_term(*label) for label in labels.items()])


class Status(StrEnum):
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    TAKEN = "taken"
    """The id is an entry of another system, or of another kind: nothing more may be said."""


class Recorded(msgspec.Struct, gc=False):
    """What became of one decision. Of `TAKEN` ids only the id is told."""

    status: Status
    id: str
    """Under which it stands, or was looked up."""
    log_id: uuid.UUID
    leaf_index: int
    leaf_hash: bytes
    directive: SealedDirective
    """The one that stands in the entry: of a duplicate, the first's."""
    review_id: str | None = None


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry that was found under a decision's id."""

    log_id: uuid.UUID
    leaf_index: int
    kind: str
    data: bytes
    leaf_hash: bytes


NO_KEYS: Mapping[bytes, str] = MappingProxyType({})


def record_decisions(
    seal: Seal,
    *,
    log_id: uuid.UUID,
    decisions: Sequence[PreparedDecision],
    keys: Sequence[bytes | None] | None = None,
    known: Mapping[bytes, str] = NO_KEYS,
) -> list[Recorded]:
    """Record decisions of one AI system in its log; one result each, in order.

    `keys`: what else names each decision, its caller's own key; `known`: the ids such keys led to before. A decision
    stands under its own id if that is recorded, else where its key leads to. Nothing is ever recorded under an id that
    its entry does not say: a prepared decision is never changed, so a group can run again.

    Takes the log's lock, then, in a new statement, looks the ids up: what the last holder committed is seen. A decision
    that is already there, from an earlier request or earlier in this group, is not recorded again. Errors: those of
    `Seal.lock`; `IntegrityError` where an id was taken between the look-up and the COPY, in another log.
    """
    seal.lock(log_id)
    ids = [decision.id for decision in decisions]
    stored = find_entries([*ids, *known.values()])
    secrets = _secrets_of(list(stored))
    if keys is not None:
        ids = _ids_by_key(decisions, keys, known, stored, secrets)
    new: dict[str, PreparedDecision] = {}
    for sought, decision in zip(ids, decisions, strict=True):
        if sought not in stored and new.setdefault(sought, decision).id != sought:
            raise RuntimeError(f"{sought} was promised to a decision whose entry says {decision.id}")
    first = seal.place(log_id, list(new.values()))
    _copy(new.values(), first)
    places = {decision_id: first + offset for offset, decision_id in enumerate(new)}
    pairs = zip(ids, decisions, strict=True)
    return [_result(sought, decision, log_id, new, places, stored, secrets) for sought, decision in pairs]


def _ids_by_key(
    decisions: Sequence[PreparedDecision],
    keys: Sequence[bytes | None],
    known: Mapping[bytes, str],
    stored: Mapping[str, StoredEntry],
    secrets: Mapping[str, bytes | None],
) -> list[str]:
    """Where each decision of a group stands or will stand: the same as if each had come alone, in this order.

    A key leads to the first decision that is recorded as it was sent with it: not to one that conflicts.
    """
    leads_to, ids, new = dict(known), [], set[str]()
    for decision, key in zip(decisions, keys, strict=True):
        sought, there = decision.id, stored.get(decision.id)
        if key is not None and there is not None:
            if key not in leads_to and _repeats(decision, there, secrets):
                leads_to[key] = sought
        elif key is not None and sought not in new:
            sought = leads_to.setdefault(key, sought)
        if sought not in stored:
            new.add(sought)
        ids.append(sought)
    return ids


def _repeats(decision: PreparedDecision, there: StoredEntry, secrets: Mapping[str, bytes | None]) -> bool:
    found = _compare_with_stored(decision.id, decision, there, secrets.get(decision.id))
    return found.status in (Status.ACCEPTED, Status.DUPLICATE)


def _result(
    sought: str,
    decision: PreparedDecision,
    log_id: uuid.UUID,
    new: dict[str, PreparedDecision],
    places: dict[str, int],
    stored: dict[str, StoredEntry],
    secrets: dict[str, bytes | None],
) -> Recorded:
    found = stored.get(sought)
    if found is not None:
        return _compare_with_stored(sought, decision, found, secrets.get(sought))
    first = new[sought]
    status = Status.ACCEPTED
    if first is not decision:
        status = Status.DUPLICATE if _same_in_group(first, decision) else Status.CONFLICT
    directive = first.facets.values.directive
    return Recorded(status, sought, log_id, places[sought], first.leaf_hash, directive)


def _same_in_group(first: PreparedDecision, decision: PreparedDecision) -> bool:
    same_parts = dict(first.parts) == dict(decision.parts)
    return same_parts and sent_equally(read_entry(first.data).body, read_entry(decision.data).body)


def _compare_with_stored(sought: str, decision: PreparedDecision, found: StoredEntry, secret: bytes | None) -> Recorded:
    if found.kind != DECISION_RECORDED.name:
        return _taken(sought, decision)
    entry, mine = read_entry(found.data).body, read_entry(decision.data).body
    if entry.system != mine.system:
        return _taken(sought, decision)
    status = Status.CONFLICT
    if found.data == decision.data:
        # only we can have written these very bytes: a COMMIT whose answer was lost went through after all
        status = Status.ACCEPTED
    elif sent_equally(entry, mine) and (secret is None or _same_parts(entry, decision, secret)):
        status = Status.DUPLICATE
    return Recorded(status, sought, found.log_id, found.leaf_index, found.leaf_hash, entry.directive, entry.review_id)


def _taken(sought: str, decision: PreparedDecision) -> Recorded:
    values = decision.facets.values
    return Recorded(Status.TAKEN, sought, values.log_id, -1, b"", values.directive)


def _same_parts(entry: DecisionBody, decision: PreparedDecision, secret: bytes) -> bool:
    """Whether the parts are byte for byte those of the first, by the commitments: the stored secret opens them."""
    return {name: commitment(secret, name, data).hex() for name, data in decision.parts} == entry.commitments


def find_entries(ids: Iterable[str]) -> dict[str, StoredEntry]:
    """The entries that exist under ids, of whatever kind and log."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id::text, log_id, leaf_index, kind, data, leaf_hash FROM ledger_entry WHERE id = ANY(%s::uuid[])",
            ["{" + ",".join(ids) + "}"],
        )
        rows = cursor.fetchall()
    return {
        found: StoredEntry(log_id, index, kind, bytes(data), bytes(digest))
        for found, log_id, index, kind, data, digest in rows
    }


def _secrets_of(ids: Sequence[str]) -> dict[str, bytes | None]:
    """The secrets of recorded decisions; None, or nothing, for those that were erased."""
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id::text, secret FROM audit_payload WHERE id = ANY(%s::uuid[])", ["{" + ",".join(ids) + "}"]
        )
        return {found: None if secret is None else bytes(secret) for found, secret in cursor.fetchall()}


def _copy(decisions: Iterable[PreparedDecision], first: int) -> None:
    """The decision and payload rows; sealing copies the entries themselves."""
    decisions = list(decisions)
    if not decisions:
        return
    rows = [_place(_COLUMN_COUNT, 8, first + offset) + found.decision_tail for offset, found in enumerate(decisions)]
    copy_rows("audit_decision", DECISION_COLUMNS, rows)
    copy_rows("audit_payload", PAYLOAD_COLUMNS, [decision.payload_row for decision in decisions])
