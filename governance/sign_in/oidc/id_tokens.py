"""Reading an ID token: signature, issuer, audience, times, nonce. OpenID Connect Core 1.0, section 3.1.3.7."""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import structlog
from django.conf import settings
from django.utils import timezone
from jwt.exceptions import PyJWTError

from governance.errors import ProviderRefused
from governance.sign_in.oidc.provider import key_of, provider

ASYMMETRIC = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""Never `none`, and never a shared secret: a public key taken for one would let anybody sign."""
SKEW_SECONDS = 60
LONGEST_TOKEN = 32_768
LONGEST_SUBJECT = 255
REQUIRED = ("iss", "sub", "aud", "exp", "iat", "nonce")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claims:
    """What the provider says of whoever signed in."""

    issuer: str
    subject: str
    email: str
    email_verified: bool
    name: str
    groups: frozenset[str]
    two_factors: bool
    asked_at: datetime | None = None
    """When the provider last asked who they are; None where it does not say."""

    def was_asked_since(self, at: datetime) -> bool:
        """Whether they signed in there after that, and not some day before, silently."""
        skew = timedelta(seconds=SKEW_SECONDS)
        return self.asked_at is not None and at - skew <= self.asked_at <= timezone.now() + skew


def read_id_token(token: str, *, nonce: str) -> Claims:
    """Errors: `ProviderRefused` for whatever is wrong with it, `ProviderUnavailable`."""
    try:
        said = _verified(token)
    except (PyJWTError, ValueError, TypeError, KeyError) as error:
        raise _refused(type(error).__name__) from error
    if not hmac.compare_digest(str(said["nonce"]).encode(), nonce.encode()):
        raise _refused("nonce")
    audience = said["aud"]
    party = said.get("azp")
    if (isinstance(audience, list) and len(audience) > 1 and party is None) or party not in (
        None,
        settings.OIDC_CLIENT_ID,
    ):
        raise _refused("azp")
    return _claims(said)


def _verified(token: str) -> dict[str, Any]:
    if len(token) > LONGEST_TOKEN:
        raise ValueError("too long")
    header = jwt.get_unverified_header(token)
    algorithm = header.get("alg")
    if algorithm not in ASYMMETRIC & provider().algorithms:
        raise ValueError("algorithm")
    key = key_of(header.get("kid"))
    if key.algorithm_name not in ASYMMETRIC:
        raise ValueError("key")
    said: dict[str, Any] = jwt.decode(
        token,
        key.key,
        algorithms=[algorithm],
        audience=settings.OIDC_CLIENT_ID,
        issuer=settings.OIDC_ISSUER,
        leeway=SKEW_SECONDS,
        options={"require": list(REQUIRED)},
    )
    return said


def _claims(said: dict[str, Any]) -> Claims:
    subject, email = said["sub"], said.get("email")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise _refused("subject")
    return Claims(
        issuer=settings.OIDC_ISSUER,
        subject=subject,
        email=email if isinstance(email, str) else "",
        email_verified=said.get("email_verified") is True,
        name=str(said.get("name") or "")[:200],
        groups=_texts(said.get(settings.OIDC_GROUPS_CLAIM)),
        asked_at=_moment(said.get("auth_time")),
        two_factors=bool(set(settings.OIDC_TWO_FACTORS) & (_texts(said.get("amr")) | _texts(said.get("acr")))),
    )


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _texts(value: Any) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset({value})
    return frozenset(each for each in value if isinstance(each, str)) if isinstance(value, list) else frozenset()


def _refused(why: str) -> ProviderRefused:
    log.warning("sign_in.id_token_refused", why=why)
    return ProviderRefused()
