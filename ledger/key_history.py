"""Which keys sign for this installation: what the registry log announces and retires, and each log repeats.

The first key is announced when the registry log is opened. Every later one is announced with a signature by the one
before, so that nobody who can write to the database, and has no key, gets a key of their own among them.
"""

import base64
import binascii
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from ledger.kinds import KEY_ANNOUNCED, KEY_RETIRED, SYSTEM_LOG_OPENED
from ledger.models import Entry, Log
from ledger.tlog import ED25519, NoteError, Signer, Verifier

STATEMENT = "answerable/key-announcement/v1"
KINDS = (KEY_ANNOUNCED.name, KEY_RETIRED.name)
decode = msgspec.json.Decoder(dict[str, Any]).decode
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises of bytes that hold no JSON, no UTF-8, or more levels than anybody writes."""


class Place(NamedTuple):
    """A place in the chain of registry logs: which of them, and the index there."""

    sequence: int
    leaf_index: int


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """The keys that were announced as they must be, oldest first, and where those that are retired were."""

    keys: tuple[bytes, ...] = ()
    retired: dict[bytes, Place] = field(default_factory=dict)
    unsigned: tuple[tuple[uuid.UUID, int], ...] = ()
    """Announcements (log, index) of a new key that no key in force has signed for."""

    @property
    def in_force(self) -> tuple[bytes, ...]:
        return tuple(key for key in self.keys if key not in self.retired)


def announcement(signer: Signer, *, signed_by: Signer | None = None) -> dict[str, str]:
    """What an entry says that announces a key; a later one with the signature of the one before."""
    said = named_key(signer.verifier)
    if signed_by is None:
        return said
    signature = base64.b64encode(signed_by.sign(statement(signer.verifier))).decode().rstrip("=")
    return said | {"previous": signed_by.verifier.public_key.hex(), "signature": signature}


def named_key(verifier: Verifier) -> dict[str, str]:
    """A log's key as entries name it."""
    return {"origin": verifier.name, "key_id": verifier.key_id.hex(), "public_key": verifier.public_key.hex()}


def statement(verifier: Verifier) -> str:
    """The note text that the key before signs. No checkpoint can be taken for it: a log's origin is another line."""
    return f"{STATEMENT}\n{verifier.vkey}\n"


def key_of(origin: str, public_key: bytes) -> Verifier:
    """A key of the installation under the name of a log."""
    return Verifier(origin, ED25519, public_key)


def public_key_in(body: dict[str, Any]) -> bytes:
    """The key that an entry names, empty where it names none."""
    try:
        found = bytes.fromhex(body["public_key"])
    except (KeyError, TypeError, ValueError):
        return b""
    return found if len(found) == 32 else b""


def read_history() -> KeyHistory:
    """What the registry logs say, from the first on."""
    keys: dict[bytes, None] = {}
    retired: dict[bytes, Place] = {}
    unsigned = []
    for log, place, kind, body in _said_in_registry():
        key = public_key_in(body)
        if kind == KEY_RETIRED.name:
            if key in keys:
                retired.setdefault(key, place)
        elif key and (not keys or key in keys or _is_signed_for(log.origin, key, body, keys.keys() - retired.keys())):
            keys.setdefault(key)
        else:
            unsigned.append((log.id, place.leaf_index))
    return KeyHistory(tuple(keys), retired, tuple(unsigned))


def _said_in_registry() -> Iterator[tuple[Log, Place, str, dict[str, Any]]]:
    registries = {log.id: log for log in Log.objects.filter(kind=Log.Kind.REGISTRY)}
    # by what they are about, which is indexed: a registry log gets an entry a minute for each log that grows
    entries = Entry.objects.filter(about_id__in=list(registries), log__in=list(registries), kind__in=KINDS)
    found = entries.values_list("log_id", "leaf_index", "kind", "data")
    for log_id, index, kind, data in sorted(found, key=lambda row: (registries[row[0]].sequence, row[1])):
        log = registries[log_id]
        yield log, Place(log.sequence, index), kind, body_of(data)


def body_of(data: bytes | memoryview) -> dict[str, Any]:
    """The body in an entry's bytes, empty where they hold none."""
    try:
        body = decode(bytes(data)).get("body")
    except UNREADABLE:
        return {}  # the self-audit finds such an entry; here it announces nothing
    return body if isinstance(body, dict) else {}


def _is_signed_for(origin: str, key: bytes, body: dict[str, Any], by: Iterable[bytes]) -> bool:
    previous, signature = body.get("previous"), body.get("signature")
    if not isinstance(signature, str) or previous not in {known.hex() for known in by}:
        return False
    try:
        decoded = base64.b64decode(signature + "==", validate=True)
        key_of(origin, bytes.fromhex(str(previous))).verify(statement(key_of(origin, key)), decoded)
    except (NoteError, binascii.Error):
        return False
    return True


@dataclass(frozen=True, slots=True)
class LogKeys:
    """Between which sizes of one log each key's signature counts."""

    origin: str
    spans: dict[bytes, tuple[int, int | None]]

    @classmethod
    def of(cls, log: Log) -> "LogKeys":
        """What the log itself says of the installation's keys; of one it never names, what the registry says."""
        history = read_history()
        announced: dict[bytes, int] = {}
        retired: dict[bytes, int] = {}
        said = Entry.objects.filter(log=log, about_id=log.id, kind__in=KINDS).order_by("leaf_index")
        for index, kind, data in said.values_list("leaf_index", "kind", "data"):
            (retired if kind == KEY_RETIRED.name else announced).setdefault(public_key_in(body_of(data)), index)
        opened = _opened_at(log)
        gone = {key for key, place in history.retired.items() if opened and place < opened}
        spans = {key: (announced.get(key, 0), retired.get(key)) for key in history.keys if key not in gone}
        return cls(log.origin, spans)

    @property
    def verifiers(self) -> list[Verifier]:
        return [key_of(self.origin, key) for key in self.spans]

    def in_force(self, key_id: bytes, tree_size: int) -> bool:
        """Whether the signature of this key under a tree of this size counts."""
        for key, (announced, retired) in self.spans.items():
            if key_of(self.origin, key).key_id == key_id:
                return announced < tree_size and (retired is None or tree_size <= retired)
        return False


def _opened_at(log: Log) -> Place | None:
    if log.kind == Log.Kind.REGISTRY:
        return Place(log.sequence, 0)
    told = Entry.objects.filter(about_id=log.id, kind=SYSTEM_LOG_OPENED.name, log__kind=Log.Kind.REGISTRY)
    found = told.values_list("log__sequence", "leaf_index").first()
    return Place(*found) if found else None
