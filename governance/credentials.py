"""Who made whose account or set whose credentials: read from the sealed entries, which no other row can gainsay.

Each entry of an act after which somebody else could sign in as a person says, as `credentials_by`, who that is.
"""

import hashlib
import uuid
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

import msgspec
from django.db.models import Q
from django.utils import timezone

from governance.acts import PRIVILEGED
from governance.errors import CredentialsGuarded
from governance.kinds import (
    CREDENTIALS_SET,
    FACTORS_RESET,
    PERSON_LINKED,
    PERSON_REGISTERED,
    PERSON_UNLINKED,
    PERSON_UPDATED,
    SETUP_LINK_ISSUED,
)
from governance.models import Assignment, ExternalIdentity, Person
from ledger.entries import Actor, timestamp
from ledger.sealing import said_about

SELF_MADE = timedelta(days=7)
"""Whoever made an account, or reset its credentials, cannot be the other half of an approval with it for so long."""
CREDENTIALS_BY = "credentials_by"
MOVED = "address_moved"
KINDS = (
    PERSON_REGISTERED,
    PERSON_UPDATED,
    SETUP_LINK_ISSUED,
    CREDENTIALS_SET,
    FACTORS_RESET,
    PERSON_LINKED,
    PERSON_UNLINKED,
)
Status = Assignment.Status

_decode: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])


def secret_digest(kept: bytes) -> str:
    """What an entry says of a secret: of its encrypted form or its hash, of which a digest tells nobody anything."""
    return hashlib.sha256(kept).hexdigest()


def codes_digest(hashes: Iterable[bytes]) -> str:
    """What an entry says of a set of recovery codes: of their keyed hashes, in whatever order."""
    return secret_digest(b"".join(sorted(hashes)))


def said_of(maker: Actor) -> dict[str, str]:
    """What the entry of such an act says of its maker; nothing of somebody at the host's command line."""
    return {CREDENTIALS_BY: str(maker.id)} if maker.id else {}


def self_made_pairs(people: Collection[uuid.UUID]) -> set[frozenset[uuid.UUID]]:
    """Pairs of a person among these and whoever made or reset their account within the last 7 days."""
    since = timestamp(timezone.now() - SELF_MADE)
    linked = ExternalIdentity.objects.filter(person_id__in=people).values_list("pk", flat=True)
    entries = map(_decode.decode, said_about([*people, *linked], KINDS))
    recent = (entry["body"] for entry in entries if entry["at"] > since)
    return {
        frozenset({uuid.UUID(body.get("person") or body["about"]), uuid.UUID(body[CREDENTIALS_BY])})
        for body in recent
        if CREDENTIALS_BY in body
    }


def said_of_address(person_id: uuid.UUID) -> dict[str, Any]:
    """Of the entry that says whose doing their address is, what it says of that: of the last move, else registering."""
    said = said_about([person_id], [PERSON_REGISTERED, PERSON_UPDATED])
    bodies = [_decode.decode(data)["body"] for data in said]
    moves = (body for body in reversed(bodies) if body.get(MOVED) or CREDENTIALS_BY in body)
    body: dict[str, Any] = next(moves, {})
    return {name: value for name, value in body.items() if name in (CREDENTIALS_BY, MOVED)}


def said_of_link(person_id: uuid.UUID, link_id: uuid.UUID) -> dict[str, str] | None:
    """What the entry that gave out a set-up link says of its maker; None where no entry gave it out."""
    bodies = (_decode.decode(data)["body"] for data in said_about([person_id], [SETUP_LINK_ISSUED]))
    body = next((body for body in bodies if body.get("link") == str(link_id)), None)
    return None if body is None else {name: value for name, value in body.items() if name == CREDENTIALS_BY}


def take_two(person: Person) -> bool:
    """Whether one administrator alone must not be able to sign in as this person.

    The account is somebody's already, and they hold (or were asked to take) a role that takes two administrators to
    give: whoever takes over the account would give it to themself.
    """
    now = timezone.now()
    held = Assignment.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=now),
        person=person,
        role__in=PRIVILEGED,
        status__in=(Status.PROPOSED, Status.OFFERED, Status.ACCEPTED),
    )
    return held.exists() and _is_established(person)


def guard_credentials(actor: Actor, person: Person, detail: str = "") -> None:
    """Before an act after which another could sign in as them. Errors: `CredentialsGuarded`, with the way at the host.

    Nobody at the host's command line is stopped: who has the host has everything.
    """
    if actor.type != "command" and take_two(person):
        raise CredentialsGuarded(detail or CredentialsGuarded.default_detail)


def _is_established(person: Person) -> bool:
    """Whether somebody signs in as this person, by whatever way, or ever did."""
    ways = (
        person.totp_factors.filter(removed_at=None),
        person.passkeys.filter(removed_at=None),
        person.identities.filter(ended_at=None),
    )
    return person.has_usable_password() or person.last_login is not None or any(way.exists() for way in ways)
