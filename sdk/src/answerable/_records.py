"""A decision record: checked cheaply, written as JSON once. What the server would refuse is refused here, by field."""

import dataclasses
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from answerable._exceptions import InvalidRecord

MAX_RECORD_BYTES = 1 << 20
ROOM = 256
"""What `source` adds to a record when it is sent."""
_CLEAR = re.compile(r"[A-Za-z0-9_.:/+-]{1,100}")
_DIGEST = re.compile(r"(?=.{1,100}\Z)[a-z0-9]{2,16}:[0-9a-f]{16,96}")
_HEX = {"trace_id": re.compile(r"[0-9a-fA-F]{32}"), "span_id": re.compile(r"[0-9a-fA-F]{16}")}
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_UUID7 = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}")
_seen: set[str] = set()


def encode(value: Any) -> bytes:
    """JSON as it goes over the wire. Errors: `InvalidRecord`."""
    try:
        return _to_json(value).encode()
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise InvalidRecord(f"it cannot be written as JSON: {error}") from error


def _plain(value: Any) -> Any:
    """What JSON has no type for but everybody writes alike."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return sorted(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    as_list = getattr(value, "tolist", None)
    if callable(as_list):  # numbers and arrays of numpy and its like
        return as_list()
    raise TypeError(f"there is no JSON for {type(value).__name__}")


_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain).encode


def encode_record(fields: Mapping[str, Any]) -> bytes:
    """One record without its source. Errors: `InvalidRecord`."""
    for name in fields:
        if name not in _CHECKS:
            raise InvalidRecord("there is no field of this name", field=f"/{name}")
    record = {}
    for name, (check, is_required) in _CHECKS.items():
        value = fields.get(name)
        if value is not None and check is not None:
            value = check(name, value)
        elif value is None and name in ("input", "output") and name in fields:
            pass  # null is an input
        elif value is None:
            if is_required:
                raise InvalidRecord("the field is missing", field=f"/{name}")
            continue
        record[name] = value
    body = encode(record)
    if len(body) > MAX_RECORD_BYTES - ROOM:
        raise InvalidRecord(f"the record has {len(body):,} bytes, and may have 1 MiB")
    return body


def _clear(name: str, value: Any) -> str:
    text = value.value if isinstance(value, Enum) else value
    if isinstance(text, str) and (text in _seen or _CLEAR.fullmatch(text)):
        if len(_seen) > 10_000:
            _seen.clear()
        _seen.add(text)
        return text
    raise InvalidRecord("expected 1 to 100 of A-Z, a-z, 0-9 and _.:/+-", field=f"/{name}")


def _text(name: str, value: Any) -> str:
    if isinstance(value, str) and 1 <= len(value) <= 200 and "\0" not in value:
        return value
    raise InvalidRecord("expected text of 1 to 200 characters", field=f"/{name}")


def _number(least: float = -math.inf, most: float = math.inf) -> Callable[[str, Any], float]:
    def check(name: str, value: Any) -> float:
        as_python = getattr(value, "item", None)
        number = as_python() if callable(as_python) else value
        if isinstance(number, Decimal):
            number = float(number)
        fits = isinstance(number, int | float) and not isinstance(number, bool)
        if not fits or not math.isfinite(number) or not least <= number <= most:
            raise InvalidRecord(f"expected a number from {least} to {most}", field=f"/{name}")
        return float(number) if isinstance(number, float) else number

    return check


def _word(*allowed: str) -> Callable[[str, Any], str]:
    def check(name: str, value: Any) -> str:
        if value in allowed:
            return str(value)
        raise InvalidRecord(f"expected one of {', '.join(allowed)}", field=f"/{name}")

    return check


def _pattern(pattern: re.Pattern[str], expected: str) -> Callable[[str, Any], str]:
    def check(name: str, value: Any) -> str:
        text = str(value) if isinstance(value, UUID) else value
        if isinstance(text, str) and pattern.fullmatch(text):
            return text
        raise InvalidRecord(f"expected {expected}", field=f"/{name}")

    return check


def _labels(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > 32:
        raise InvalidRecord("expected at most 32 labels", field=f"/{name}")
    for label, text in value.items():
        is_name = isinstance(label, str) and 1 <= len(label) <= 100 and "\0" not in label
        if not (is_name and isinstance(text, str) and len(text) <= 500 and "\0" not in text):
            raise InvalidRecord("a label is text of at most 500 characters under a name of 100", field=f"/{name}")
    return dict(value)


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise InvalidRecord("expected true or false", field=f"/{name}")


def _moment(name: str, value: Any) -> str:
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise InvalidRecord("a time needs its offset: datetime.now(timezone.utc)", field=f"/{name}")
        return value.isoformat()
    if isinstance(value, str):
        return value
    raise InvalidRecord("expected a datetime with an offset", field=f"/{name}")


def now_text() -> str:
    """Our clock, as records carry it."""
    return datetime.now(timezone.utc).isoformat()


def source_suffix(source: str, seq: int) -> bytes:
    """What takes the place of a record's last brace when it is sent."""
    return b',"source":{"id":"%s","seq":%d}}' % (source.encode(), seq)


_Check = Callable[[str, Any], Any]
_CHECKS: dict[str, tuple[_Check | None, bool]] = {
    "id": (_pattern(_UUID7, "a UUIDv7"), True),
    "external_id": (_text, False),
    "system": (_clear, True),
    "environment": (_clear, False),
    "model_version": (_clear, True),
    "capability": (_clear, False),
    "occurred_at": (_moment, True),
    "input": (lambda _, value: value, True),
    "output": (lambda _, value: value, True),
    "outcome": (_clear, True),
    "confidence": (_number(0, 1), False),
    "score": (_number(), False),
    "threshold": (_number(), False),
    "explanation": (lambda _, value: value, False),
    "context": (lambda _, value: value, False),
    "subject": (_text, False),
    "labels": (_labels, False),
    "ai_role": (_word("sole", "determinative", "advisory", "triage"), False),
    "adverse": (_flag, False),
    "phase": (_word("effective", "proposed"), False),
    "config_digest": (_pattern(_DIGEST, "alg:hex"), False),
    "model_digest": (_pattern(_DIGEST, "alg:hex"), False),
    "prompt_version": (_clear, False),
    "trace_id": (_pattern(_HEX["trace_id"], "32 hexadecimal digits"), False),
    "span_id": (_pattern(_HEX["span_id"], "16 hexadecimal digits"), False),
    "conversation_id": (_text, False),
    "parent_id": (_pattern(_UUID, "a UUID"), False),
    "latency_ms": (_number(0), False),
    "error_type": (_clear, False),
    "control_epoch": (_clear, False),
}
