"""A decision as bytes: its entry, its commitments, and its rows in COPY's binary format.

What is needed of a decision is gathered by `prepare`, without a lock or a database. Its bytes are a function of that,
and are made by whoever has the time first: a request that waits for its turn, or `audit.services.recording` while the
database stores the rows before. Two threads may make them at once; they make the same.
What repeats from decision to decision (`Facets`) is encoded once. This is the hot path: nothing is an ORM object.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import Struct
from typing import Any

import msgspec

from audit.entries import DecisionBody, Holder, SealedDirective
from audit.input_digests import input_digest
from audit.kinds import DECISION_RECORDED
from ledger import copying
from ledger.copying import EPOCH_MICROSECONDS, NULL

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DECISION_COLUMNS = (
    "leaf_index, id, recorded_at, occurred_at, confidence, score, threshold, latency_ms, parent_id, source_seq,"
    " review_id, log_id, system_id, service_account_id, environment, model_version, model_version_id, capability,"
    " outcome, error_type, ai_role, adverse, phase, config_digest, model_digest, prompt_version, source_id,"
    " control_epoch, accountable_id, assignment_id, accountable_accepted, occurred_accountable_id,"
    " occurred_assignment_id, directive_action, directive_reason, directive_mode, directive_epoch, flags"
)
PAYLOAD_COLUMNS = "id, secret, input, output, explanation, context, refs, subject, label_terms, input_digest"
PARTS = ("input", "output", "explanation", "context", "refs")
ABOUT_AS_LARGE = 1_500
"""Bytes of a decision's rows beside its parts."""

encode_json = msgspec.json.Encoder().encode
_COLUMN_COUNT = DECISION_COLUMNS.count(",") + 1
_decision_start = Struct(">hiqi16siqiq").pack
_length = Struct(">i").pack
_int8 = Struct(">iq").pack
_float8 = Struct(">id").pack
_payload_start = Struct(">hi16si32s").pack
_entry_head = Struct(">i16si17s4si").pack
_KIND_NAME = DECISION_RECORDED.name
_KIND = _KIND_NAME.encode()
_HASH_HEAD = b"\0\0\0\x20"
_NAMES = {name: name.encode() for name in PARTS}


class FacetValues(msgspec.Struct, frozen=True, kw_only=True):
    """What repeats from decision to decision. Strings are clear; ids, holders and flags are the server's."""

    log_id: uuid.UUID
    system_id: uuid.UUID
    account_id: uuid.UUID
    environment: str
    model_version: str
    model_version_id: uuid.UUID | None = None
    card: int | None = None
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
    """How a label stands in the payload's search column: the name's length says where it ends, whatever is in it."""
    return f"{len(name)}:{name}={value}"


def link_term(name: str, value: str) -> str:
    """How a conversation or a trace stands beside the labels: no term of a label begins with a letter."""
    return f"{name}:{value}"


def search_terms(refs: Refs) -> list[str] | None:
    """What is looked up in the payload's search column."""
    labels, conversation, trace = refs.labels, refs.conversation_id, refs.trace_id
    terms = [] if labels is None else [label_term(*label) for label in labels.items()]
    if conversation is not None:
        terms.append(link_term("conversation", conversation))
    if trace is not None:
        terms.append(link_term("trace", trace))
    return terms or None


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
    """A decision that lacks nothing but its place in the log. Made by `prepare`.

    (A struct without the garbage collector's attention: with thousands under way it would walk them again and again.)
    """

    id: str
    """UUIDv7, 36 lower-case characters."""
    is_own_id: bool
    """Made by the server: nobody can have sent it before."""
    facets: Facets
    received: Receipt
    occurred_at: datetime
    secret: bytes
    parts: list[tuple[str, bytes]]
    """Name and bytes as sent, in the order of `PARTS`; refs last."""
    refs: Refs | None = None
    confidence: float | None = None
    score: float | None = None
    threshold: float | None = None
    latency_ms: float | None = None
    parent_id: str | None = None
    source_seq: int | None = None
    review_id: uuid.UUID | None = None
    _commitments: str = ""
    _entry: bytes = b""
    _leaf_hash: bytes = b""
    _payload_row: bytes = b""

    @property
    def size(self) -> int:
        """Bytes of its rows, about."""
        return ABOUT_AS_LARGE + sum([len(data) for _, data in self.parts])

    @property
    def id_bytes(self) -> bytes:
        return bytes.fromhex(self.id.replace("-", ""))

    @property
    def data(self) -> bytes:
        """The entry's bytes. They stay far below 65,535: every string in them is bounded by the wire format."""
        self.write_entry()
        return self._entry

    @property
    def leaf_hash(self) -> bytes:
        self.write_entry()
        return self._leaf_hash

    def write(self) -> None:
        """Everything whose making takes time."""
        self.write_entry()
        self.payload_row()

    def commit_to_parts(self) -> None:
        """The commitments, as the entry's JSON has them."""
        if self._commitments:
            return
        secret = self.secret
        self._commitments = ",".join(
            [
                f'"{name}":"{sha256(sha256(secret + _NAMES[name]).digest() + data).hexdigest()}"'
                for name, data in self.parts
            ]
        )

    def write_entry(self) -> None:
        """The entry's bytes and their hash."""
        if self._entry:
            return
        self.commit_to_parts()
        # repr of a float is the shortest double, as everywhere in entries
        entry = (
            f'{{"v":1,"id":"{self.id}","kind":"{_KIND_NAME}","at":"{self.received.text}",{self.facets.json}'
            f'"occurred_at":"{instant(self.occurred_at)}"'
            + ("" if self.confidence is None else f',"confidence":{self.confidence!r}')
            + ("" if self.score is None else f',"score":{self.score!r}')
            + ("" if self.threshold is None else f',"threshold":{self.threshold!r}')
            + ("" if self.latency_ms is None else f',"latency_ms":{self.latency_ms!r}')
            + ("" if self.parent_id is None else f',"parent_id":"{self.parent_id}"')
            + ("" if self.source_seq is None else f',"source_seq":{self.source_seq}')
            + ("" if self.review_id is None else f',"review_id":"{self.review_id}"')
            + f',"commitments":{{{self._commitments}}}}}}}'
        ).encode("ascii")
        # the entry last: another thread that finds it finds the hash too
        self._leaf_hash = sha256(b"\0" + entry).digest()
        self._entry = entry

    @property
    def row_tail(self) -> bytes:
        """The entry's row from its third column on."""
        entry = self.data
        return _entry_head(16, self.id_bytes, 17, _KIND, NULL, len(entry)) + entry + _HASH_HEAD + self._leaf_hash

    def decision_row(self, leaf_index: int) -> bytes:
        return (
            _decision_start(
                _COLUMN_COUNT,
                8,
                leaf_index,
                16,
                self.id_bytes,
                8,
                self.received.microseconds,
                8,
                postgres_time(self.occurred_at),
            )
            + (NULL if self.confidence is None else _float8(8, self.confidence))
            + (NULL if self.score is None else _float8(8, self.score))
            + (NULL if self.threshold is None else _float8(8, self.threshold))
            + (NULL if self.latency_ms is None else _float8(8, self.latency_ms))
            + (NULL if self.parent_id is None else copying.uuid(uuid.UUID(self.parent_id).bytes))
            + (NULL if self.source_seq is None else _int8(8, self.source_seq))
            + (NULL if self.review_id is None else copying.uuid(self.review_id.bytes))
            + self.facets.columns
        )

    def payload_row(self) -> bytes:
        if self._payload_row:
            return self._payload_row
        columns, refs = [_payload_start(10, 16, self.id_bytes, 32, self.secret)], self.refs
        sent = dict(self.parts)
        for name in PARTS:
            data = sent.get(name)
            columns += (NULL,) if data is None else (_length(len(data)), data)
        if refs is None:
            columns += (NULL, NULL)
        else:
            columns.append(copying.text(refs.subject))
            # made anew for every decision: a cache of labels would outlive their erasure
            terms = search_terms(refs)
            columns.append(NULL if terms is None else copying.text_array(terms))
        columns.append(copying.int8(input_digest(sent["input"]) if "input" in sent else None))
        self._payload_row = b"".join(columns)
        return self._payload_row


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
    """Gather what a decision is made of. `secret` are 32 fresh random bytes; `parts` are (name, bytes as sent), in the
    order of `PARTS`, without refs."""
    if refs is not None:
        parts = [*parts, ("refs", encode_json(refs))]
    return PreparedDecision(
        decision_id,
        is_own_id,
        facets,
        received,
        occurred_at,
        secret,
        parts,
        refs,
        confidence,
        score,
        threshold,
        latency_ms,
        parent_id,
        source_seq,
        review_id,
    )
