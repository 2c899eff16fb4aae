"""To the provider and back. What must match on the way back stands in the session: for ten minutes, for one use."""

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from governance.errors import ProviderRefused
from governance.sign_in.oidc.id_tokens import Claims, read_id_token
from governance.sign_in.oidc.provider import exchange, provider

ON_THE_WAY = "oidc_on_the_way"
PATIENCE_SECONDS = 600
LONGEST_CODE = 4096
ANEW = {"max_age": "0", "prompt": "login"}
"""Asks who they are, whatever session they have there, and has the token say when (`auth_time`)."""


@dataclass(frozen=True, slots=True)
class Trip:
    """Why the browser went there: when it left, where it was going, and whether to prove who is signed in."""

    began_at: datetime
    leads_to: str
    is_proof: bool


def begin(request: HttpRequest, leads_to: str, *, proof: bool = False) -> str:
    """The address to send the browser to. For a proof the provider is to ask anew. Errors: `ProviderUnavailable`."""
    found = provider()
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    request.session[ON_THE_WAY] = [state, nonce, verifier, timezone.now().timestamp(), leads_to, proof]
    asked = {
        "response_type": "code",
        "client_id": settings.OIDC_CLIENT_ID,
        "redirect_uri": redirect_uri(),
        "scope": "openid email profile",
        "state": state,
        "nonce": nonce,
        "code_challenge": _challenge(verifier),
        "code_challenge_method": "S256",
    } | (ANEW if proof else {})
    glue = "&" if urlsplit(found.authorization_endpoint).query else "?"
    return f"{found.authorization_endpoint}{glue}{urlencode(asked)}"


def finish(request: HttpRequest) -> tuple[Claims, Trip]:
    """Who came back, and from which trip. Errors: `ProviderRefused`, `ProviderUnavailable`."""
    state, nonce, verifier, at, leads_to, proof = request.session.pop(ON_THE_WAY, ("", "", "", 0.0, "", False))
    in_time = 0 <= timezone.now().timestamp() - at <= PATIENCE_SECONDS
    if not state or not in_time or not hmac.compare_digest(state.encode(), request.GET.get("state", "").encode()):
        raise ProviderRefused("That took too long, or was not started in this browser. Start again.")
    if request.GET.get("iss", settings.OIDC_ISSUER) != settings.OIDC_ISSUER:  # RFC 9207
        raise ProviderRefused()
    if "error" in request.GET:
        raise ProviderRefused(f"The provider did not sign you in. Sign in with {settings.OIDC_NAME} again.")
    code = request.GET.get("code", "")
    if not 0 < len(code) <= LONGEST_CODE:
        raise ProviderRefused()
    token = exchange(code, verifier=verifier, redirect_uri=redirect_uri())
    return read_id_token(token, nonce=nonce), Trip(datetime.fromtimestamp(at, UTC), str(leads_to), bool(proof))


def redirect_uri() -> str:
    """Where the provider sends browsers back to: to be registered there."""
    return settings.BASE_URL.rstrip("/") + reverse("admin:oidc_callback")


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
