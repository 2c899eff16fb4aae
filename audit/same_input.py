"""Payloads with the same input: by the index of digests, and byte for byte where that leads to nothing.

It leads to no payload from before there were digests, from while there was no key, or from under another key. As long
as a search may meet one of those, it looks at each payload of the decisions it walks, and says how far it came.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from django.db.models import Q

from audit.input_digests import input_digest, todays_digests
from audit.models import Payload
from audit.models.decisions import UNDIGESTED
from config.ids import id_at

SENT_LATE = timedelta(days=92)
"""A decision's id is from when it was made; it may be recorded later."""


@dataclass(frozen=True, slots=True)
class SameInput:
    """An input that payloads are to have; none: any."""

    data: bytes = b""
    is_walked: bool = False
    """Whether there may be payloads that the index leads nobody to."""

    @classmethod
    def of(cls, data: bytes, since: datetime | None) -> Self:
        """Of decisions recorded since a moment; None: of all."""
        return cls(data, bool(data) and _are_missing(since))

    @property
    def condition(self) -> Q:
        if not self.data:
            return Q()
        same = Q(input=self.data)
        digest = input_digest(self.data)
        if digest is None:
            return same
        found = Q(input_digest=digest)
        return same & (found | _unled() if self.is_walked else found)


ANY_INPUT = SameInput()


def _are_missing(since: datetime | None) -> bool:
    """Whether any payload with an input has no digest of today's key."""
    if todays_digests() is None:
        return True
    # from the first of a month: of whole partitions, so that the index of each answers at once
    late = (
        (since - SENT_LATE).astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0) if since else None
    )
    payloads = Payload.objects.filter(id__gte=id_at(late)) if late else Payload.objects.all()
    return any(payloads.filter(each).exists() for each in (UNDIGESTED, *_foreign()))


def _unled() -> Q:
    found = UNDIGESTED
    for each in _foreign():
        found |= each
    return found


def _foreign() -> tuple[Q, ...]:
    """Payloads with a digest of another key."""
    bounds = todays_digests()
    if bounds is None:
        return ()
    least, greatest = bounds
    return Q(input_digest__lt=least), Q(input_digest__gt=greatest)
