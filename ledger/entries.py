"""What an entry is: compact JSON, ASCII, one line, built once and hashed as it stands."""

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from config.ids import new_id
from ledger import copying
from ledger.errors import EntryTooLarge, NotAClearString
from ledger.kinds import Kind
from ledger.tlog import leaf_hash

FORMAT_VERSION = 1
MAX_ENTRY_BYTES = 65_535
CLEAR = re.compile(r"[A-Za-z0-9_.:/+-]{1,100}")
CLEAR_FIELD = rf"^{CLEAR.pattern}\Z"
"""The same for fields of forms, which search for a pattern instead of matching the whole."""

type_names = Literal["service", "person", "server", "command"]
encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a service account, a person, the server itself, or somebody at the host's command line."""

    type: type_names
    id: uuid.UUID | None = None

    def as_json(self) -> dict[str, str]:
        return {"type": self.type, "id": str(self.id)} if self.id else {"type": self.type}


SERVER = Actor("server")
COMMAND = Actor("command")


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry's final bytes and their hash, before it has a place in a log."""

    id: uuid.UUID
    kind: str
    data: bytes
    leaf_hash: bytes
    about_id: uuid.UUID | None = None

    @property
    def row_tail(self) -> bytes:
        """The row of the entry in COPY's binary format, from its third column on: the first two are its place."""
        about = self.about_id.bytes if self.about_id else None
        return entry_row_tail(self.id.bytes, self.kind, about, self.data, self.leaf_hash)


def entry_row_tail(entry_id: bytes, kind: str, about_id: bytes | None, data: bytes, digest: bytes) -> bytes:
    """Columns id, kind, about_id, data, leaf_hash of an entry's row; ids as 16 bytes."""
    return b"".join(
        (
            copying.uuid(entry_id),
            copying.text(kind),
            copying.uuid(about_id),
            copying.binary(data),
            copying.binary(digest),
        )
    )


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, always 27 characters."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def require_clear(value: object, path: str = "") -> None:
    """Refuse any string in an entry body that could carry free text or personal data.

    Errors: `NotAClearString` with the place of the string; `TypeError` for values JSON has no form for.
    """
    if isinstance(value, str):
        if not CLEAR.fullmatch(value):
            raise NotAClearString(f"{path or '/'} must match [A-Za-z0-9_.:/+-]{{1,100}}")
    elif isinstance(value, dict):
        for key, item in value.items():
            require_clear(key, f"{path}/{key}")
            require_clear(item, f"{path}/{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            require_clear(item, f"{path}/{index}")
    elif not (value is None or isinstance(value, bool | int | float)):
        raise TypeError(f"{path}: {type(value).__name__} does not belong in an entry")


def draft_entry(
    *,
    kind: Kind,
    actor: Actor,
    at: datetime,
    body: dict[str, Any],
    about_id: uuid.UUID | None = None,
    entry_id: uuid.UUID | None = None,
) -> Draft:
    """The bytes of an entry that people or the server caused. (Decisions are built in audit, on the hot path.)

    `body` holds JSON values whose strings are all clear (see `require_clear`); `about_id` joins it as `about`. Errors:
    `NotAClearString`, `EntryTooLarge`.
    """
    if about_id is not None:
        body = {"about": str(about_id)} | body
    require_clear(body)
    entry_id = entry_id or new_id()
    data = encode(
        {
            "v": FORMAT_VERSION,
            "id": str(entry_id),
            "kind": kind.name,
            "at": timestamp(at),
            "actor": actor.as_json(),
            "body": body,
        }
    )
    if len(data) > MAX_ENTRY_BYTES:
        raise EntryTooLarge(f"{len(data):,} bytes")
    return Draft(id=entry_id, kind=kind.name, data=data, leaf_hash=leaf_hash(data), about_id=about_id)
