"""Identifiers: UUIDv7, so that rows sort and partition by the time they were made."""

import uuid
from datetime import UTC, datetime

from uuid_utils import compat


def new_id() -> uuid.UUID:
    """A new UUIDv7, monotonic within this process (RFC 9562, section 5.7)."""
    return compat.uuid7()


def id_at(moment: datetime) -> uuid.UUID:
    """The smallest UUIDv7 of a millisecond: the bound of a time range over ids."""
    return uuid.UUID(int=int(moment.timestamp() * 1000) << 80)


def time_of_id(value: uuid.UUID) -> datetime:
    """The millisecond a UUIDv7 was made in, UTC."""
    return datetime.fromtimestamp((value.int >> 80) / 1000, tz=UTC)
