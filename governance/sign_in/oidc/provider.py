"""The provider over HTTP: its discovery document, its keys, and codes exchanged for ID tokens."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import structlog
from django.conf import settings
from jwt import PyJWK, PyJWKSet
from jwt.exceptions import PyJWTError
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from governance.errors import ProviderRefused, ProviderUnavailable

DISCOVERY = "/.well-known/openid-configuration"
PATIENCE = Timeout(connect=3, read=5)
ANSWER_LIMIT = 512 * 1024
KEPT_SECONDS = 3600.0
KEYS_ANEW_SECONDS = 30.0
"""An unknown key id makes us look again, but no flood of made-up ones makes us flood the provider."""
LEFT_ALONE_SECONDS = 5.0
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
LOOPBACK = {"localhost", "127.0.0.1", "::1"}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Provider:
    """What the discovery document says, as far as we need it."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    algorithms: frozenset[str]


@dataclass(slots=True)
class _Known:
    provider: Provider | None = None
    provider_at: float = 0.0
    keys: dict[str | None, PyJWK] = field(default_factory=dict)
    keys_at: float = -KEPT_SECONDS
    failed_at: float = -KEPT_SECONDS
    lock: threading.Lock = field(default_factory=threading.Lock)


_known = _Known()


def is_configured() -> bool:
    return bool(settings.OIDC_ISSUER and settings.OIDC_CLIENT_ID)


def provider() -> Provider:
    """Errors: `ProviderUnavailable`."""
    with _known.lock:
        is_old = time.monotonic() - _known.provider_at > KEPT_SECONDS
        if _known.provider is None or is_old or _known.provider.issuer != settings.OIDC_ISSUER:
            with _spared():
                _known.provider = _discovered()
            _known.provider_at = time.monotonic()
        return _known.provider


def key_of(key_id: str | None) -> PyJWK:
    """A key by its id, looked for again where it is unknown: providers rotate them.

    Errors: `ProviderUnavailable`, `ProviderRefused` for a key the provider does not have.
    """
    found = provider()
    with _known.lock:
        age = time.monotonic() - _known.keys_at
        if age > KEPT_SECONDS or (_find(key_id) is None and age > KEYS_ANEW_SECONDS):
            with _spared():
                _known.keys = _read_keys(found)
            _known.keys_at = time.monotonic()
        key = _find(key_id)
    if key is None:
        raise _refused("unknown key")
    return key


def exchange(code: str, *, verifier: str, redirect_uri: str) -> str:
    """The ID token for a code. Errors: `ProviderUnavailable`, `ProviderRefused` where the provider takes it not."""
    asked = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "client_id": settings.OIDC_CLIENT_ID,
        "code_verifier": verifier,
    }
    if settings.OIDC_CLIENT_SECRET:
        asked["client_secret"] = settings.OIDC_CLIENT_SECRET
    answer = _ask("POST", provider().token_endpoint, asked)
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise _refused("no ID token")
    return token


def forget() -> None:
    """What is known of the provider is asked for anew."""
    _known.provider, _known.keys = None, {}
    _known.keys_at = _known.failed_at = -KEPT_SECONDS


@contextmanager
def _spared() -> Iterator[None]:
    """A provider that did not answer a moment ago is not waited for again by everybody who comes."""
    if time.monotonic() - _known.failed_at < LEFT_ALONE_SECONDS:
        raise ProviderUnavailable()
    try:
        yield
    except ProviderUnavailable:
        _known.failed_at = time.monotonic()
        raise


def _find(key_id: str | None) -> PyJWK | None:
    """By its id; a token that names none means the only key there is."""
    if key_id is None and len(_known.keys) == 1:
        return next(iter(_known.keys.values()))
    return _known.keys.get(key_id)


def _discovered() -> Provider:
    said = _ask("GET", settings.OIDC_ISSUER.rstrip("/") + DISCOVERY)
    if said.get("issuer") != settings.OIDC_ISSUER:
        raise _unavailable("another issuer")
    signed_with = said.get("id_token_signing_alg_values_supported", ["RS256"])
    return Provider(
        issuer=settings.OIDC_ISSUER,
        authorization_endpoint=_endpoint(said, "authorization_endpoint"),
        token_endpoint=_endpoint(said, "token_endpoint"),
        jwks_uri=_endpoint(said, "jwks_uri"),
        algorithms=frozenset(str(each) for each in signed_with) if isinstance(signed_with, list) else frozenset(),
    )


def _endpoint(said: Mapping[str, Any], name: str) -> str:
    address = said.get(name)
    parts = urlsplit(address) if isinstance(address, str) else None
    if parts is None or not parts.hostname or not (parts.scheme == "https" or parts.hostname in LOOPBACK):
        raise _unavailable(name)
    return str(address)


def _read_keys(found: Provider) -> dict[str | None, PyJWK]:
    try:
        keys = PyJWKSet.from_dict(_ask("GET", found.jwks_uri)).keys
    except PyJWTError as error:
        raise _unavailable("keys") from error
    return {each.key_id: each for each in keys if each.key_type != "oct" and each.public_key_use in (None, "sig")}


def _ask(method: str, address: str, fields: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One JSON object, over a connection of its own; nothing is followed, nothing tried twice."""
    body = urlencode(fields) if fields else None
    try:
        with PoolManager(retries=Retry(False), timeout=PATIENCE, **_trusted()) as pool:
            answer = pool.request(method, address, body=body, headers=FORM if body else None, preload_content=False)
            data = answer.read(ANSWER_LIMIT + 1, decode_content=True)
    except (HTTPError, OSError) as error:
        raise _unavailable(type(error).__name__) from error
    if fields is not None and answer.status in (400, 401, 403):
        raise _refused(f"token endpoint {answer.status}")
    if answer.status != 200 or len(data) > ANSWER_LIMIT:
        raise _unavailable(f"status {answer.status}")
    return _object(data)


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _unavailable("no JSON") from error
    if not isinstance(found, dict):
        raise _unavailable("no JSON object")
    return found


def _trusted() -> dict[str, Any]:
    return {"ca_certs": settings.OIDC_CA_FILE} if settings.OIDC_CA_FILE else {}


def _unavailable(why: str) -> ProviderUnavailable:
    log.warning("sign_in.provider_unavailable", why=why)
    return ProviderUnavailable()


def _refused(why: str) -> ProviderRefused:
    log.warning("sign_in.provider_refused", why=why)
    return ProviderRefused()
