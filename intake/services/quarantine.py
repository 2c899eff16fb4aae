"""Quarantine: records that were refused for their content, kept as they arrived."""

import hmac
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from django.conf import settings
from django.db import connection, transaction
from django.db.models import BigIntegerField, Case, Count, Sum, Value, When
from django.utils import timezone

from config.errors import ServiceError
from config.ids import new_id
from config.problems import problem_fields
from governance.api.authentication import KeyGrant
from intake.digests import digest_key
from intake.errors import UnreadableBody
from intake.kinds import QUARANTINE_VIEWED
from intake.models import QuarantineArrival, QuarantinedRecord
from ledger.commitments import commitment, new_secret
from ledger.entries import Actor, draft_entry, timestamp
from ledger.sealing import sealing
from ledger.selectors import open_log, registry_log

ORIGINAL_PART = "original"
PROBLEMS_PART = "problems"
KEPT_OF_RECORD = 1 << 20
KEPT_OF_BODY = 64 << 10
KEPT_PROBLEM_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that was refused for its content, and why. Of an unreadable body only the beginning is kept."""

    error: ServiceError
    raw: bytes
    at: datetime
    kept_bytes: int

    @classmethod
    def of(cls, error: ServiceError, raw: bytes, at: datetime) -> "Refused":
        unreadable = isinstance(error, UnreadableBody)
        whole = error.body if isinstance(error, UnreadableBody) and error.body else raw
        return cls(error, whole, at, KEPT_OF_BODY if unreadable or len(whole) > KEPT_OF_RECORD else KEPT_OF_RECORD)


def quarantine(grant: KeyGrant, refused: Sequence[Refused]) -> list[uuid.UUID | None]:
    """Keep records; returns the id a replay of each will use, None for those past the key's quota (counted only).

    A record that is there already, byte for byte, is not kept twice. The arrival is sealed within the minute by a beat
    task. Errors: the database's: whoever sent the record is then told to come again.
    """
    with transaction.atomic():
        known = _known_digests(grant, [digest_of(each.raw) for each in refused])
        room = _room(grant)
        rows: list[QuarantinedRecord] = []
        found: list[uuid.UUID | None] = []
        for each in refused:
            digest = digest_of(each.raw)
            if digest not in known and room.take(min(len(each.raw), each.kept_bytes)):
                rows.append(_row(grant, each, digest))
                known[digest] = rows[-1].id
            found.append(known.get(digest))
        QuarantinedRecord.objects.bulk_create(rows)
        _announce(grant, rows, refused=sum(each is None for each in found))
    return found


RESTRICTING = "quarantine-restricting"
"""Who corrects or replays a record, or restricts some, holds this before any record: of the two the second one sees
what the first did."""


def lock_name(record_id: uuid.UUID) -> str:
    """Who works on a record, or erases it, holds this first: nobody may lock a row that only functions change."""
    return f"quarantine:{record_id}"


def digest_of(raw: bytes) -> str:
    """Keyed, so that after an erasure nobody can try whether it was a certain record."""
    return "hmac-sha256:" + hmac.digest(digest_key("quarantine"), raw, "sha256").hex()


def _known_digests(grant: KeyGrant, digests: Sequence[str]) -> dict[str, uuid.UUID]:
    kept = QuarantinedRecord.objects.filter(
        key_row_id=grant.key.id, original_digest__in=digests, original__isnull=False
    )
    return dict(kept.values_list("original_digest", "id"))


@dataclass(slots=True)
class _Room:
    """What a key may still put into quarantine."""

    records: int
    size: int

    def take(self, size: int) -> bool:
        """Whether there is room for one more record of that size; it is taken then."""
        if self.records < 1 or self.size < size:
            return False
        self.records -= 1
        self.size -= size
        return True


def _room(grant: KeyGrant) -> _Room:
    kept = QuarantinedRecord.objects.filter(key_row_id=grant.key.id, original__isnull=False).order_by("id")
    # of what was cut off, the beginning is kept
    size = Case(
        When(is_truncated=True, then=Value(KEPT_OF_BODY)), default="original_size", output_field=BigIntegerField()
    )
    some = kept.annotate(kept_size=size).values("kept_size")[: settings.QUARANTINE_RECORDS_PER_KEY]
    held = some.aggregate(records=Count("kept_size"), size=Sum("kept_size", default=0))
    return _Room(
        settings.QUARANTINE_RECORDS_PER_KEY - held["records"], settings.QUARANTINE_BYTES_PER_KEY - held["size"]
    )


def _row(grant: KeyGrant, refused: Refused, digest: str) -> QuarantinedRecord:
    system_id, environment = _addressed_to(grant, refused.raw)
    problems = problem_fields(refused.error)
    return QuarantinedRecord(
        id=new_id(),
        account_id=grant.account_id,
        key_row_id=grant.key.id,
        system_id=system_id,
        environment=environment,
        problem_code=refused.error.code,
        secret=new_secret(),
        original=refused.raw[: refused.kept_bytes],
        problems=problems,
        is_truncated=len(refused.raw) > refused.kept_bytes,
        original_size=len(refused.raw),
        original_digest=digest,
        received_at=refused.at,
    )


def original_commitment(record: QuarantinedRecord) -> str:
    """What entries about a quarantined record carry: it binds them to the bytes that arrived."""
    return commitment(bytes(record.secret or b""), ORIGINAL_PART, bytes(record.original or b"")).hex()


def problems_commitment(record: QuarantinedRecord) -> str:
    """The same of what was found wrong with it: strings and whole numbers, which the database gives back alike."""
    data = json.dumps(record.problems, sort_keys=True, separators=(",", ":")).encode()
    return commitment(bytes(record.secret or b""), PROBLEMS_PART, data).hex()


def record_digest(record: QuarantinedRecord, *, original: str, problems: str) -> str:
    """SHA-256, in hex, over every column: the erasable ones as their commitments, which outlive an erasure."""
    state = {name: _plain(getattr(record, name)) for name in KEPT_COLUMNS}
    state |= {ORIGINAL_PART: original, PROBLEMS_PART: problems}
    return sha256(json.dumps(state, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


KEPT_COLUMNS = tuple(
    field.attname for field in QuarantinedRecord._meta.fields if field.name not in QuarantinedRecord.ERASED_TOGETHER
)


def _plain(value: object) -> object:
    match value:
        case datetime():
            return timestamp(value)
        case uuid.UUID():
            return str(value)
    return value


class _Address(msgspec.Struct):
    system: Any = None


_read_address = msgspec.json.Decoder(_Address).decode


def _addressed_to(grant: KeyGrant, raw: bytes) -> tuple[uuid.UUID | None, str]:
    """The AI system a record names, where that can be read and the key reaches it, else the only one it reaches.

    Rights to the record are looked for there; `intake.selectors.scope_of` says where of a record that has none.
    """
    try:
        slug = _read_address(raw).system
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        slug = None
    system = grant.register.systems.get(slug) if isinstance(slug, str) else None
    reach = grant.key.system_ids
    if system is not None and system.id in reach:
        return system.id, grant.environment
    return (next(iter(reach)) if len(reach) == 1 else None), grant.environment


def _announce(grant: KeyGrant, rows: Sequence[QuarantinedRecord], *, refused: int) -> None:
    if rows:
        originals, problems = list(map(original_commitment, rows)), list(map(problems_commitment, rows))
        parts = zip(rows, originals, problems, strict=True)
        QuarantineArrival.objects.create(
            key_row_id=grant.key.id,
            record_ids=[row.id for row in rows],
            originals=originals,
            problems=problems,
            digests=[record_digest(row, original=sent, problems=wrong) for row, sent, wrong in parts],
        )
    if refused:
        count_unkept(grant.key.id, refused)


def count_unkept(key_row_id: uuid.UUID, number: int = 1) -> None:
    """Count arrivals of which nothing is kept: bodies that are too large, records past the quota.

    One row a key and minute, whoever floods us: its id is made of both.
    """
    minute = timezone.now().replace(second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO intake_quarantinearrival"
            " (id, key_row_id, record_ids, originals, problems, digests, refused)"
            " VALUES (%s, %s, '{}', '{}', '{}', '{}', %s)"
            " ON CONFLICT (id) DO UPDATE SET refused = intake_quarantinearrival.refused + excluded.refused",
            [uuid.uuid5(key_row_id, minute.isoformat()), key_row_id, number],
        )


def note_view(*, actor: Actor, record: QuarantinedRecord) -> None:
    """Seal that somebody looked at what was sent. Rights: whoever may open the page."""
    body = {"record": str(record.pk), "original": original_commitment(record)}
    with sealing() as seal:
        log_id = open_log(record.system_id).id if record.system_id else registry_log().id
        seal.add(
            log_id, draft_entry(kind=QUARANTINE_VIEWED, actor=actor, at=timezone.now(), body=body, about_id=record.pk)
        )
