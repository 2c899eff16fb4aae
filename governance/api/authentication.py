"""Signing in with a service key: `Authorization: Bearer ans_<id>_<secret>`. No query: keys are in memory.

People call with a personal token, `anp_<id>_<secret>`: looked up at each request, so one that was revoked, or whose
person has left, is refused from that moment on.
"""

import hmac
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from governance import memory
from governance.enrolment import must_enrol
from governance.errors import (
    FactorNeeded,
    FactorNotFresh,
    KeyNotAccepted,
    KeyOutOfScope,
    PersonNeeded,
    TokenNotAccepted,
)
from governance.freshness import FRESH_FOR, is_fresh
from governance.models import Person, PersonToken
from governance.register import KeyGrant
from governance.services.keys import hash_secret
from governance.usage import note_use
from ledger.entries import Actor

if TYPE_CHECKING:  # REST framework's views import this module while they are being imported themselves
    from rest_framework.views import APIView

__all__ = [
    "HasScope",
    "IsPerson",
    "KeyAuthentication",
    "KeyGrant",
    "PersonAuthentication",
    "PersonGrant",
    "PersonOrKey",
    "actor_of",
    "authenticate_key",
    "authenticate_person",
    "authenticate_request",
    "grant_of",
    "is_unknown",
    "person_of",
    "require_fresh",
]

HEADER = re.compile(r"Bearer ans_([a-z0-9]{12})_([0-9a-f]{64})", re.ASCII)
PERSON_HEADER = re.compile(r"Bearer anp_([a-z0-9]{12})_([0-9a-f]{64})", re.ASCII)
OF_A_PERSON = "Bearer anp_"
NOTE_USE_AFTER = timedelta(minutes=1)
MAX_HEADER = 256
NO_SECRET = bytes(32)


def authenticate_key(header: str, *, stale_ok: bool = False, now: datetime | None = None) -> KeyGrant:
    """Who sends this `Authorization` header. For plain views and REST framework alike.

    `stale_ok`: for control reads, which go on when the database is away, and never ask it. Errors: `KeyNotAccepted` for
    whatever is wrong with the key, always the same; `RegisterStale`.
    """
    register = memory.current() if stale_ok else memory.fresh()
    match = HEADER.fullmatch(header) if len(header) <= MAX_HEADER else None
    if match is None:
        raise KeyNotAccepted()
    if match[1] not in register.keys and not stale_ok:
        register = memory.look_again()
    key = register.keys.get(match[1])
    # compared even for an unknown id, so that the time tells nothing
    genuine = hmac.compare_digest(hash_secret(match[2]), key.secret_hash if key else NO_SECRET)
    now = now or timezone.now()
    if key is None or not genuine or not key.is_in_force or (key.expires_at and key.expires_at <= now):
        raise KeyNotAccepted()
    note_use(key.id, now)
    return KeyGrant(register, key)


def is_unknown(header: str) -> bool:
    """Whether this names a key that this process has not heard of: it may have been made since the last look."""
    match = HEADER.fullmatch(header) if len(header) <= MAX_HEADER else None
    return match is not None and match[1] not in memory.current().keys


def authenticate_request(request: HttpRequest | Request, *, stale_ok: bool = False) -> KeyGrant:
    """`authenticate_key` for a plain view. Errors: `KeyNotAccepted`, `RegisterStale`."""
    return authenticate_key(request.META.get("HTTP_AUTHORIZATION", ""), stale_ok=stale_ok)


class KeyAuthentication(BaseAuthentication):
    """For REST framework views. `request.auth` and `request.user` are the `KeyGrant`."""

    def authenticate(self, request: Request) -> tuple[KeyGrant, KeyGrant] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        grant = authenticate_key(header)
        return grant, grant

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def grant_of(request: Request) -> KeyGrant:
    """Who sent a request that REST framework has let in. Errors: `KeyNotAccepted` where that was no key."""
    grant = request.auth
    if not isinstance(grant, KeyGrant):
        raise KeyNotAccepted()
    return grant


@dataclass(frozen=True, slots=True)
class PersonGrant:
    """Who sent a request with a personal token."""

    token: PersonToken

    # REST framework and the rate limits ask these two of whoever signed in
    is_authenticated: ClassVar[bool] = True
    is_active: ClassVar[bool] = True

    @property
    def pk(self) -> uuid.UUID:
        return self.token.pk

    @property
    def person(self) -> Person:
        return self.token.person

    @property
    def person_id(self) -> uuid.UUID:
        return self.token.person_id

    @property
    def actor(self) -> Actor:
        return Actor("person", self.token.person_id)

    @property
    def is_fresh(self) -> bool:
        """Whether the factor behind the token was proven in the last 10 minutes."""
        return self.is_fresh_within(FRESH_FOR)

    def is_fresh_within(self, span: timedelta) -> bool:
        return is_fresh(self.token.proven_at, span)


def authenticate_person(header: str, *, now: datetime | None = None) -> PersonGrant:
    """Who sends this `Authorization` header. Errors: `TokenNotAccepted` for whatever is wrong with the token."""
    match = PERSON_HEADER.fullmatch(header) if len(header) <= MAX_HEADER else None
    if match is None:
        raise TokenNotAccepted()
    token = PersonToken.objects.select_related("person").filter(token_id=match[1]).first()
    # compared even for an unknown id, so that the time tells nothing
    genuine = hmac.compare_digest(hash_secret(match[2]), bytes(token.secret_hash) if token else NO_SECRET)
    now = now or timezone.now()
    if token is None or not genuine or token.revoked_at or token.expires_at <= now or not token.person.is_active:
        raise TokenNotAccepted()
    _note_use_of(token, now)
    return PersonGrant(token)


def _note_use_of(token: PersonToken, now: datetime) -> None:
    """At most once a minute: `last_used_at` is in neither history nor state."""
    if token.last_used_at is None or now - token.last_used_at > NOTE_USE_AFTER:
        PersonToken.objects.filter(pk=token.pk).update(last_used_at=now)


class PersonAuthentication(BaseAuthentication):
    """For REST framework views. `request.auth` is the `PersonGrant`, `request.user` the person.

    A view that stops AI systems says `is_open_without_factor = True`; pages are named in governance/sign_in/gate.py.
    """

    def authenticate(self, request: Request) -> tuple[Person, PersonGrant] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header.startswith(OF_A_PERSON):
            return None
        grant = authenticate_person(header)
        view = (request.parser_context or {}).get("view")
        if not getattr(view, "is_open_without_factor", False) and must_enrol(grant.person):
            raise FactorNeeded()  # a token may be older than the role that asks for a factor
        return grant.person, grant

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def actor_of(request: Request) -> Actor:
    """Who acts: the person of a token, or the service account of a key. Errors: `KeyNotAccepted` where nobody does."""
    if isinstance(request.auth, PersonGrant | KeyGrant):
        return request.auth.actor
    raise KeyNotAccepted()


def person_of(request: Request) -> Person:
    """The person behind a request. Errors: `PersonNeeded` for a service key, `TokenNotAccepted` for nobody."""
    return person_grant_of(request).person


def require_fresh(request: Request) -> Person:
    """The person, with a factor of the last 10 minutes. Errors: as `person_of`, `FactorNotFresh`."""
    grant = person_grant_of(request)
    if not grant.is_fresh:
        raise FactorNotFresh()
    return grant.person


def person_grant_of(request: Request) -> PersonGrant:
    """The grant of a person. Errors: `PersonNeeded`, `TokenNotAccepted`."""
    if isinstance(request.auth, KeyGrant):
        raise PersonNeeded()
    if not isinstance(request.auth, PersonGrant):
        raise TokenNotAccepted()
    return request.auth


class IsPerson(BasePermission):
    """`permission_classes = [IsPerson]`: for acts that somebody must answer for. A service key never passes."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if getattr(view, (request.method or "").lower(), None) is None:
            return True  # 405 comes next, as with `HasScope`
        person_grant_of(request)
        return True


class HasScope(BasePermission):
    """`permission_classes = [HasScope("register:write")]`: the key names this act."""

    def __init__(self, *scopes: str) -> None:
        self.scopes = scopes

    def __call__(self) -> "HasScope":
        # REST framework makes an instance of each class in the list; ours is one already
        return self

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if getattr(view, (request.method or "").lower(), None) is None:
            return True  # REST framework answers 405 next: what an address takes at all comes before who may
        grant = grant_of(request)
        if not any(grant.allows(scope) for scope in self.scopes):
            raise KeyOutOfScope()
        return True


class PersonOrKey(HasScope):
    """`permission_classes = [PersonOrKey("register:write")]`: a person (the service asks), or a key for this act."""

    def __call__(self) -> "PersonOrKey":
        return self

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.auth, PersonGrant) or super().has_permission(request, view)
