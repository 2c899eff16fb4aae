"""Who made whose account or set whose credentials: read from the sealed entries, which no other row can gainsay.

Each entry of an act after which somebody else could sign in as a person says, as `credentials_by`, who that is.
"""

import uuid
from collections.abc import Collection
from datetime import timedelta

import msgspec
from django.utils import timezone

from governance.kinds import CREDENTIALS_SET, PERSON_REGISTERED, PERSON_UPDATED, SETUP_LINK_ISSUED
from ledger.entries import Actor, timestamp
from ledger.models import Entry

SELF_MADE = timedelta(days=7)
"""Whoever made an account, or reset its credentials, cannot be the other half of an approval with it for so long."""
CREDENTIALS_BY = "credentials_by"
KINDS = tuple(kind.name for kind in (PERSON_REGISTERED, PERSON_UPDATED, SETUP_LINK_ISSUED, CREDENTIALS_SET))

_decode = msgspec.json.Decoder().decode


def said_of(maker: Actor) -> dict[str, str]:
    """What the entry of such an act says of its maker; nothing of somebody at the host's command line."""
    return {CREDENTIALS_BY: str(maker.id)} if maker.id else {}


def self_made_pairs(people: Collection[uuid.UUID]) -> set[frozenset[uuid.UUID]]:
    """Pairs of a person among these and whoever made or reset their account within the last 7 days."""
    since = timestamp(timezone.now() - SELF_MADE)
    entries = Entry.objects.filter(about_id__in=people, kind__in=KINDS).values_list("about_id", "data")
    said = ((about_id, _decode(bytes(data))) for about_id, data in entries if about_id)
    return {
        frozenset({about_id, uuid.UUID(entry["body"][CREDENTIALS_BY])})
        for about_id, entry in said
        if CREDENTIALS_BY in entry["body"] and entry["at"] > since
    }


def said_of_link(person_id: uuid.UUID, link_id: uuid.UUID) -> dict[str, str] | None:
    """What the entry that gave out a set-up link says of its maker; None where no entry gave it out."""
    issued = Entry.objects.filter(about_id=person_id, kind=SETUP_LINK_ISSUED.name)
    bodies = (_decode(bytes(data))["body"] for data in issued.values_list("data", flat=True))
    body = next((body for body in bodies if body.get("link") == str(link_id)), None)
    return None if body is None else {name: value for name, value in body.items() if name == CREDENTIALS_BY}
