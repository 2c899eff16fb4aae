"""WebAuthn ceremonies. What is verified, and how, is the `webauthn` library's; here is what we ask of it.

A challenge stands in the session, for one purpose, five minutes and one use.
"""

import json
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from config.origins import origins
from governance.errors import PasskeyRefused
from governance.models import Passkey, Person

SESSION_NAME = "passkey_challenge"
CHALLENGE_SECONDS = 300
MAX_CREDENTIAL = 20_000
PRESENTED_WRONGLY = (WebAuthnException, ValueError, KeyError, TypeError)


@dataclass(frozen=True, slots=True)
class NewCredential:
    """What a verified registration gives us to keep."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    is_synced: bool


def registration_options(request: HttpRequest, person: Person) -> dict[str, Any]:
    """For `navigator.credentials.create`: a passkey that asks its holder for a PIN or a finger."""
    options = generate_registration_options(
        rp_id=_rp_id(),
        rp_name="Answerable",
        user_id=person.pk.bytes,
        user_name=person.email or "",
        user_display_name=person.name,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=_descriptors(person),
    )
    _remember(request, "register", options.challenge)
    return _as_json(options)


def authentication_options(request: HttpRequest, person: Person | None) -> dict[str, Any]:
    """For `navigator.credentials.get`: one of this person's, or any that the browser knows for this site."""
    options = generate_authentication_options(
        rp_id=_rp_id(),
        allow_credentials=_descriptors(person) if person else [],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    _remember(request, "authenticate", options.challenge)
    return _as_json(options)


def verified_registration(request: HttpRequest, credential: str) -> NewCredential:
    """Errors: `PasskeyRefused`."""
    challenge = _challenge(request, "register")
    try:
        found = verify_registration_response(
            credential=_checked(credential),
            expected_challenge=challenge,
            expected_rp_id=_rp_id(),
            expected_origin=origins(),
            require_user_verification=True,
        )
    except PRESENTED_WRONGLY as error:
        raise PasskeyRefused() from error
    return NewCredential(
        credential_id=found.credential_id,
        public_key=found.credential_public_key,
        sign_count=found.sign_count,
        is_synced=found.credential_device_type == CredentialDeviceType.MULTI_DEVICE,
    )


def presented_id(credential: str) -> bytes:
    """Which passkey a browser presents, before anything of it is verified. Errors: `PasskeyRefused`."""
    try:
        return bytes(parse_authentication_credential_json(_checked(credential)).raw_id)
    except PRESENTED_WRONGLY as error:
        raise PasskeyRefused() from error


def verified_count(request: HttpRequest, credential: str, passkey: Passkey) -> int:
    """The passkey's new counter, once everything is verified. Errors: `PasskeyRefused`.

    A counter that did not grow means that two devices hold the same key: the library refuses that, too.
    """
    challenge = _challenge(request, "authenticate")
    try:
        _require_holder(credential, passkey)
        found = verify_authentication_response(
            credential=_checked(credential),
            expected_challenge=challenge,
            expected_rp_id=_rp_id(),
            expected_origin=origins(),
            credential_public_key=bytes(passkey.public_key),
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except PRESENTED_WRONGLY as error:
        raise PasskeyRefused() from error
    return found.new_sign_count


def _require_holder(credential: str, passkey: Passkey) -> None:
    """A discoverable passkey names its holder; the one we know it for, or none."""
    handle = parse_authentication_credential_json(credential).response.user_handle
    if handle is not None and uuid.UUID(bytes=bytes(handle)) != passkey.person_id:
        raise ValueError("another holder")


def _remember(request: HttpRequest, purpose: str, challenge: bytes) -> None:
    request.session[SESSION_NAME] = [purpose, bytes_to_base64url(challenge), timezone.now().timestamp()]


def _challenge(request: HttpRequest, purpose: str) -> bytes:
    """Taken out: whatever comes of it, it is not used again. Errors: `PasskeyRefused`."""
    kept_for, challenge, at = request.session.pop(SESSION_NAME, ("", "", 0.0))
    if kept_for != purpose or not 0 <= timezone.now().timestamp() - at <= CHALLENGE_SECONDS:
        raise PasskeyRefused()
    return base64url_to_bytes(challenge)


def _checked(credential: str) -> str:
    if len(credential) > MAX_CREDENTIAL or not isinstance(json.loads(credential), dict):
        raise ValueError("no credential")
    return credential


def _descriptors(person: Person) -> list[PublicKeyCredentialDescriptor]:
    ids = Passkey.objects.filter(person=person, removed_at=None).values_list("credential_id", flat=True)
    return [PublicKeyCredentialDescriptor(id=bytes(each)) for each in ids]


def _as_json(options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(options_to_json(options))
    return found


def _rp_id() -> str:
    return urlsplit(settings.BASE_URL).hostname or "localhost"
