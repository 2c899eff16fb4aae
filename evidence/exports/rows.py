"""One decision as one line: of NDJSON, and of CSV that no spreadsheet takes for formulas."""

import csv
import io
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from audit.entries import DecisionEntry, read_entry
from evidence.exports.parts import Opened

encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A decision on its way into a line. `line`: its entry as it stands in the log."""

    origin: str
    index: int
    line: bytes
    leaf_hash: str
    is_overridden: bool
    is_erased: bool
    parts: Sequence[Opened]

    def read(self) -> DecisionEntry:
        return read_entry(self.line)


# --- NDJSON -----------------------------------------------------------------------------------------------------------
def ndjson_line(row: Row) -> bytes:
    """The entry as it stands, with its place around it, and what was disclosed with the keys that open it."""
    head = f'{{"log":"{row.origin}","index":{row.index},"leaf_hash":"{row.leaf_hash}"'
    head += f',"overridden":{_bool(row.is_overridden)},"erased":{_bool(row.is_erased)},"entry":'
    contents = b',"contents":' + encode({part.name: _opened(part) for part in row.parts}) if row.parts else b""
    return head.encode() + row.line + contents + b"}\n"


def _opened(part: Opened) -> dict[str, str]:
    try:
        return {"key": part.key.hex(), "text": part.data.decode()}
    except UnicodeDecodeError:
        return {"key": part.key.hex(), "base64": b64encode(part.data).decode()}


def _bool(value: bool) -> str:
    return "true" if value else "false"


# --- CSV --------------------------------------------------------------------------------------------------------------
Read = Callable[[Row, DecisionEntry], Any]
COLUMNS: dict[str, Read] = {
    "id": lambda row, said: said.id,
    "received_at": lambda row, said: said.at,
    "occurred_at": lambda row, said: said.body.occurred_at,
    "system": lambda row, said: said.body.system,
    "environment": lambda row, said: said.body.environment,
    "capability": lambda row, said: said.body.capability,
    "outcome": lambda row, said: said.body.outcome,
    "overridden": lambda row, said: row.is_overridden,
    "error_type": lambda row, said: said.body.error_type,
    "adverse": lambda row, said: said.body.adverse,
    "confidence": lambda row, said: said.body.confidence,
    "score": lambda row, said: said.body.score,
    "threshold": lambda row, said: said.body.threshold,
    "ai_role": lambda row, said: said.body.ai_role,
    "phase": lambda row, said: said.body.phase,
    "flags": lambda row, said: " ".join(said.body.flags),
    "model_version": lambda row, said: said.body.model_version,
    "model_version_id": lambda row, said: said.body.model_version_id,
    "model_digest": lambda row, said: said.body.model_digest,
    "config_digest": lambda row, said: said.body.config_digest,
    "prompt_version": lambda row, said: said.body.prompt_version,
    "card": lambda row, said: said.body.card,
    "accountable": lambda row, said: said.body.accountable.person if said.body.accountable else None,
    "accountable_accepted": lambda row, said: said.body.accountable.accepted if said.body.accountable else None,
    "directive": lambda row, said: said.body.directive.action,
    "directive_mode": lambda row, said: said.body.directive.mode,
    "directive_reason": lambda row, said: said.body.directive.reason_code,
    "review_id": lambda row, said: said.body.review_id,
    "parent_id": lambda row, said: said.body.parent_id,
    "source_id": lambda row, said: said.body.source_id,
    "source_seq": lambda row, said: said.body.source_seq,
    "latency_ms": lambda row, said: said.body.latency_ms,
    "sent_by": lambda row, said: said.body.account or said.actor.id,
    "log": lambda row, said: row.origin,
    "index": lambda row, said: row.index,
    "leaf_hash": lambda row, said: row.leaf_hash,
    "erased": lambda row, said: row.is_erased,
}
"""In their order; docs/exports.md says what each is. Behind them stands one for each of the contents asked for."""


def csv_titles(parts: Sequence[str]) -> bytes:
    return (",".join([*COLUMNS, *parts]) + "\r\n").encode()


def csv_lines(rows: Sequence[Row], parts: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(_cells(row, parts) for row in rows)
    return text.getvalue().encode()


def _cells(row: Row, parts: Sequence[str]) -> list[Any]:
    said, opened = row.read(), {part.name: part.data for part in row.parts}
    return [*(_cell(read(row, said)) for read in COLUMNS.values()), *(_contents(opened.get(name)) for name in parts)]


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _plain(value) if isinstance(value, str) else value


BINARY = "base64:"
"""Before what is no text: a text that begins so is told apart from it by an apostrophe."""


def _contents(data: bytes | None) -> str:
    if data is None:
        return ""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return BINARY + b64encode(data).decode()
    return f"'{text}" if text.startswith(BINARY) else _plain(text)


# what a spreadsheet skips before a formula: blanks, control characters, marks that nobody sees
UNSEEN = r"\s\x00-\x20\x7f-\xa0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
FORMULA = re.compile(rf"[\t\r\n]|[{UNSEEN}]*[=+@\uff1d\uff0b\uff0d\uff20-]")


def _plain(text: str) -> str:
    """Others chose some of these: no spreadsheet takes one for a formula. A leading apostrophe says "this is text"."""
    return f"'{text}" if FORMULA.match(text) else text
