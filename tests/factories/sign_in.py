"""People who sign in: with a password, an authenticator app, a passkey made in software."""

import hashlib
import json
import os
import struct
from dataclasses import dataclass, field
from typing import Any

import cbor2
import pyotp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import bytes_to_base64url

from governance.models import Person
from governance.services.factors import enrol_totp
from governance.sign_in.totp import INTERVAL, new_secret
from tests.factories.register import actor_of

PASSWORD = "correct horse battery staple"
UP, UV, AT = 0x01, 0x04, 0x40


def with_password(person: Person, password: str = PASSWORD) -> Person:
    """The person can sign in with a password."""
    person.set_password(password)
    Person.objects.filter(pk=person.pk).update(password=person.password)
    return person


def with_app(person: Person) -> pyotp.TOTP:
    """The person has an authenticator app; the code of its enrolment is that of the step before now."""
    app = pyotp.TOTP(new_secret(), interval=INTERVAL)
    enrol_totp(actor=actor_of(person), secret=app.secret, code=app.at(_now() - INTERVAL))
    return app


def _now() -> float:
    from time import time

    return time()


@dataclass
class SoftKey:
    """An authenticator in software, for one passkey. It does what it is told, also wrongly."""

    origin: str = "http://localhost:8000"
    rp_id: str = "localhost"
    flags: int = UP | UV
    count: int = 0
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    user_handle: bytes = b""
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: dict[str, Any]) -> str:
        """What a browser sends after `navigator.credentials.create`."""
        self.user_handle = _from_text(options["user"]["id"])
        attested = bytes(16) + struct.pack(">H", len(self.credential_id)) + self.credential_id + self._cose()
        data = self._authenticator_data(self.flags | AT) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client_data("webauthn.create", options["challenge"])
        return self._sent({"clientDataJSON": client, "attestationObject": attestation})

    def get(self, options: dict[str, Any]) -> str:
        """What a browser sends after `navigator.credentials.get`."""
        self.count += 1
        data, client = self._authenticator_data(self.flags), self._client_data("webauthn.get", options["challenge"])
        signature = self.private.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        sent = {"clientDataJSON": client, "authenticatorData": data, "signature": signature}
        return self._sent(sent | {"userHandle": self.user_handle})

    def _sent(self, response: dict[str, bytes]) -> str:
        name = bytes_to_base64url(self.credential_id)
        texts = {key: bytes_to_base64url(value) for key, value in response.items()}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": texts})

    def _authenticator_data(self, flags: int) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest() + struct.pack(">BI", flags, self.count)

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _cose(self) -> bytes:
        numbers = self.private.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})


def _from_text(text: str) -> bytes:
    from webauthn import base64url_to_bytes

    return base64url_to_bytes(text)
