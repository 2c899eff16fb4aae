"""An OpenID Connect provider on the loopback interface. It does what it is told, also wrongly."""

import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

CLIENT = "answerable"


@dataclass
class Provider:
    """Its next ID token says `claims`, with `overrides` last; its keys can be rotated."""

    address: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    header: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    issuer_said: str = ""
    answers: bool = True
    supported: tuple[str, ...] = ("RS256", "ES256")
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048))
    signs_with: Any = None
    """Another key than the one it publishes."""
    key_id: str = "first"

    def rotate(self) -> None:
        self.key, self.key_id, self.algorithm = ec.generate_private_key(ec.SECP256R1()), "second", "ES256"

    def public_pem(self) -> bytes:
        return bytes(self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    def authorize(self, address: str) -> dict[str, str]:
        """What a browser brings back after its person signed in there."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.address,
            "aud": CLIENT,
            "sub": "subject-1",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "email": "ada@example.org",
            "email_verified": True,
            "name": "Ada",
        } | self.claims
        for name in self.without:
            claims.pop(name)
        headers = {"kid": self.key_id} | self.header
        return self._signed(claims, headers)

    def _signed(self, claims: dict[str, Any], headers: dict[str, Any]) -> str:
        if self.algorithm == "none":
            return _unsigned(claims, headers)
        if self.algorithm == "HS256":  # by hand: PyJWT refuses to take a public key for a secret
            return _by_secret(claims, headers, self.public_pem())
        return jwt.encode(claims, self.signs_with or self.key, algorithm=self.algorithm, headers=headers)

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, Any]:
        self.asked.append(path)
        if not self.answers:
            return 503, {}
        match path:
            case "/.well-known/openid-configuration":
                return 200, self._discovery()
            case "/keys":
                return 200, {"keys": [self._public()]}
            case "/token":
                return self._exchange(form)
        return 404, {}

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer_said or self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "id_token_signing_alg_values_supported": list(self.supported),
        }

    def _public(self) -> dict[str, Any]:
        kind: Any = RSAAlgorithm if isinstance(self.key, rsa.RSAPrivateKey) else ECAlgorithm
        public: dict[str, Any] = json.loads(kind.to_jwk(self.key.public_key()))
        return public | {"kid": self.key_id, "use": "sig"}

    def _exchange(self, form: dict[str, str]) -> tuple[int, Any]:
        asked = self.codes.pop(form.get("code", ""), None)  # a code is good for one use
        verifier = sha256(form.get("code_verifier", "").encode()).digest()
        if asked is None or asked["code_challenge"] != base64.urlsafe_b64encode(verifier).rstrip(b"=").decode():
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.token(asked)}


@contextmanager
def running_provider() -> Iterator[Provider]:
    found = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._say({name: values[0] for name, values in parse_qs(body).items()})

        def _say(self, form: dict[str, str]) -> None:
            status, said = found.answer(self.path, form)
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            """Not into the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def _part(value: Any) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def _unsigned(claims: dict[str, Any], headers: dict[str, Any]) -> str:
    return (_part({"alg": "none", "typ": "JWT"} | headers) + b"." + _part(claims) + b".").decode()


def _by_secret(claims: dict[str, Any], headers: dict[str, Any], secret: bytes) -> str:
    said = _part({"alg": "HS256", "typ": "JWT"} | headers) + b"." + _part(claims)
    signature = base64.urlsafe_b64encode(hmac.digest(secret, said, "sha256")).rstrip(b"=")
    return (said + b"." + signature).decode()
