"""Signing in with a service key: `Authorization: Bearer ans_<id>_<secret>`. No query: keys are in memory."""

import hmac
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from governance import memory
from governance.errors import KeyNotAccepted, KeyOutOfScope
from governance.memory import KeyGrant
from governance.services.keys import hash_secret
from governance.usage import note_use

if TYPE_CHECKING:  # REST framework's views import this module while they are being imported themselves
    from rest_framework.views import APIView

__all__ = ["HasScope", "KeyAuthentication", "KeyGrant", "authenticate_key", "authenticate_request", "grant_of"]

HEADER = re.compile(r"Bearer ans_([a-z0-9]{12})_([0-9a-f]{64})", re.ASCII)
MAX_HEADER = 256
NO_SECRET = bytes(32)


def authenticate_key(header: str, *, stale_ok: bool = False, now: datetime | None = None) -> KeyGrant:
    """Who sends this `Authorization` header. For plain views and REST framework alike.

    `stale_ok`: for control reads, which go on when the database is away. Errors: `KeyNotAccepted` for whatever is wrong
    with the key, always the same; `RegisterStale`.
    """
    register = memory.current() if stale_ok else memory.fresh()
    match = HEADER.fullmatch(header) if len(header) <= MAX_HEADER else None
    if match is None:
        raise KeyNotAccepted()
    key = register.keys.get(match[1])
    # compared even for an unknown id, so that the time tells nothing
    genuine = hmac.compare_digest(hash_secret(match[2]), key.secret_hash if key else NO_SECRET)
    now = now or timezone.now()
    if key is None or not genuine or not key.is_in_force or (key.expires_at and key.expires_at <= now):
        raise KeyNotAccepted()
    note_use(key.id, now)
    return KeyGrant(register, key)


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


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the API description names it."""

    target_class = KeyAuthentication
    name = "serviceKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "ans_<id>_<secret>"}
