"""The decision record on the wire: strict JSON in, one struct out.

The fast path is msgspec: it refuses unknown fields, wrong types, NaN, bad escapes and lone surrogates, also inside the
payload parts, which it keeps as the bytes that were sent. What it lets through is checked here: duplicate names (it
keeps the last), nesting, and the character sets. The first failed check is enough to refuse; what exactly is wrong,
field by field, is found out again and slowly by `intake.diagnosis`.

Bodies are checked as UTF-8 as a whole before they come here (msgspec passes invalid bytes inside raw parts).
"""

import re
from datetime import UTC, datetime
from functools import cache
from itertools import islice, takewhile
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from intake.errors import MalformedRecord, RecordTooLarge
from intake.pairs import has_repeated_names
from ledger.entries import CLEAR

MAX_RECORD_BYTES = 1 << 20
MAX_RECORDS = 5_000
MAX_DEPTH = 64
MAX_LABELS = 32
MAX_CLEAR = 100
DIGEST = re.compile(r"(?=.{1,100}\Z)[a-z0-9]{2,16}:[0-9a-f]{16,96}")
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?")
TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")
SPAN_ID = re.compile(r"[0-9a-fA-F]{16}")
UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 1, tzinfo=UTC)

Text200 = Annotated[str, Meta(min_length=1, max_length=200)]
Clear = Annotated[str, Meta(min_length=1, max_length=MAX_CLEAR)]
LabelName = Annotated[str, Meta(min_length=1, max_length=100)]
LabelValue = Annotated[str, Meta(max_length=500)]
Labels = Annotated[dict[LabelName, LabelValue], Meta(max_length=MAX_LABELS)]
Moment = Annotated[datetime, Meta(tz=True)]
AIRole = Literal["sole", "determinative", "advisory", "triage"]
Phase = Literal["effective", "proposed"]


class SourceRef(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One number of a caller's counter."""

    id: Clear
    seq: Annotated[int, Meta(ge=0, le=2**63 - 1)]


class DecisionRecord(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """One decision as its caller describes it. A field that is null counts as one that is absent."""

    id: str | None = None
    external_id: Text200 | None = None
    system: Clear
    environment: Clear | None = None
    model_version: Clear
    capability: Clear | None = None
    occurred_at: Moment
    input: Raw
    output: Raw
    outcome: Clear
    confidence: Annotated[float, Meta(ge=0, le=1)] | None = None
    score: float | None = None
    threshold: float | None = None
    explanation: Raw | UnsetType = UNSET
    context: Raw | UnsetType = UNSET
    subject: Text200 | None = None
    labels: Labels | None = None
    ai_role: AIRole | None = None
    adverse: bool | None = None
    phase: Phase | None = None
    config_digest: Clear | None = None
    model_digest: Clear | None = None
    prompt_version: Clear | None = None
    trace_id: str | None = None
    span_id: str | None = None
    conversation_id: Text200 | None = None
    parent_id: str | None = None
    latency_ms: Annotated[float, Meta(ge=0)] | None = None
    error_type: Clear | None = None
    source: SourceRef | None = None
    control_epoch: Clear | None = None


RECORD_FIELDS = frozenset(DecisionRecord.__struct_fields__)
PARTS = ("input", "output", "explanation", "context")

_decode = msgspec.json.Decoder(DecisionRecord).decode
_encode = msgspec.json.Encoder().encode
_seen_facets: set[tuple[str | None, ...]] = set()
_seen_names: set[str] = set()
MAX_SEEN = 20_000


def decode_record(raw: bytes) -> DecisionRecord:
    """One record, from bytes that are known to be UTF-8.

    Errors: `MalformedRecord`, which says only that something is wrong (`intake.diagnosis.explain` says what),
    `RecordTooLarge`.
    """
    if len(raw) > MAX_RECORD_BYTES:
        raise RecordTooLarge()
    try:
        record = _decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, OverflowError) as error:
        raise MalformedRecord() from error
    try:
        is_acceptable = _is_acceptable(raw, record)
    except (RecursionError, ValueError) as error:
        raise MalformedRecord() from error
    if not is_acceptable:
        raise MalformedRecord()
    return record


def _is_acceptable(raw: bytes, record: DecisionRecord) -> bool:
    # without a backslash no escape can hide a quotation mark or a U+0000
    escapes = b"\\" in raw
    return (
        _is_sound(record)
        # before the names, which are read by a decoder that recurses
        and not nests_too_deep(raw)
        and not _names_repeat(raw, record, escapes)
        and not (escapes and _has_nul(record))
    )


def split_array(body: bytes) -> list[bytes]:
    """The records of a JSON array, each as it was sent; no more than one above `MAX_RECORDS`, so that it shows.

    Errors: `MalformedRecord` where the array cannot be read.
    """
    try:
        slots = msgspec.structs.astuple(_array_decoder().decode(body))
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedRecord() from error
    return [bytes(raw) for raw in takewhile(lambda raw: raw is not UNSET, slots)]


@cache
def _array_decoder() -> msgspec.json.Decoder[msgspec.Struct]:
    """Reads an array into as many slots as a batch may have records, and one more.

    What comes after the last slot is checked but not kept: a list would take 40 times the bytes of an array of digits,
    before anybody could count.
    """
    slots = [(f"record_{index}", Raw | UnsetType, UNSET) for index in range(MAX_RECORDS + 1)]
    return msgspec.json.Decoder(msgspec.defstruct("Slots", slots, array_like=True, gc=False))


def split_lines(body: bytes) -> list[bytes]:
    """The records of an NDJSON body, bounded as above; blank lines count for nothing."""
    return [_whole_line(body, found) for found in islice(_LINE.finditer(body), MAX_RECORDS + 1)]


_LINE = re.compile(rb"[^\s][^\n]*")


def _whole_line(body: bytes, found: re.Match[bytes]) -> bytes:
    """A line from its beginning: the pattern starts at the first character that is no space."""
    return body[body.rfind(b"\n", 0, found.start()) + 1 : found.end()]


def _names_repeat(raw: bytes, record: DecisionRecord, escapes: bool) -> bool:
    """Whether a name of the record, its source or its labels may occur twice.

    msgspec keeps the last of two, so the record written out again has fewer quotation marks than were sent. A quotation
    mark spelt as an escape could hide that, and null fields are not written again: those few are read slowly.
    """
    if escapes and b"\\u0022" in raw:
        return has_repeated_names(raw)
    return raw.count(b'"') != _encode(record).count(b'"') and has_repeated_names(raw)


_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")


def nests_too_deep(raw: bytes) -> bool:
    """Whether a record, which must be valid JSON, nests deeper than `MAX_DEPTH`; the record itself is level one."""
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return False
    brackets = _STRINGS.sub(b"", raw).translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        # each round takes the innermost level away
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _is_sound(record: DecisionRecord) -> bool:
    """The character sets and ranges that msgspec was not asked for, since a set look-up is faster than a pattern."""
    return (
        _facets_are_clear(record)
        and EARLIEST <= record.occurred_at <= LATEST
        and (record.id is None or is_uuid7(record.id))
        and (record.parent_id is None or UUID.fullmatch(record.parent_id) is not None)
        and (record.source is None or _is_clear(record.source.id))
        and (record.trace_id is None or TRACE_ID.fullmatch(record.trace_id) is not None)
        and (record.span_id is None or SPAN_ID.fullmatch(record.span_id) is not None)
    )


def is_uuid7(text: str) -> bool:
    return UUID.fullmatch(text) is not None and text[14] == "7" and text[19] in "89abAB"


def _is_clear(text: str) -> bool:
    return text in _seen_names or (CLEAR.fullmatch(text) is not None and _remember(_seen_names, text))


def _remember(seen: set[Any], value: Any) -> bool:
    if len(seen) >= MAX_SEEN:
        seen.clear()
    seen.add(value)
    return True


def _facets_are_clear(record: DecisionRecord) -> bool:
    """The strings that go in clear into the entry. Few combinations occur, so those seen before are remembered."""
    facets = (
        record.system,
        record.environment,
        record.model_version,
        record.capability,
        record.outcome,
        record.error_type,
        record.prompt_version,
        record.control_epoch,
        record.config_digest,
        record.model_digest,
    )
    if facets in _seen_facets:
        return True
    if not (_all_match(CLEAR, facets[:8]) and _all_match(DIGEST, facets[8:])):
        return False
    return _remember(_seen_facets, facets)


def _all_match(pattern: re.Pattern[str], values: tuple[str | None, ...]) -> bool:
    return all(value is None or pattern.fullmatch(value) for value in values)


def _has_nul(record: DecisionRecord) -> bool:
    """Text columns of PostgreSQL cannot hold U+0000."""
    texts = (record.external_id, record.subject, record.conversation_id)
    if any(text is not None and "\0" in text for text in texts):
        return True
    return record.labels is not None and "\0" in "".join((*record.labels, *record.labels.values()))
