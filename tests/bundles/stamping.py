"""RFC 3161 authorities in memory: certificates, and tokens that a test can make wrong in any way."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TST_INFO, SIGNED_DATA = "1.2.840.113549.1.9.16.1.4", "1.2.840.113549.1.7.2"
HASHES = {"sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3"}
ECDSA = {"sha256": "1.2.840.10045.4.3.2", "sha384": "1.2.840.10045.4.3.3", "sha512": "1.2.840.10045.4.3.4"}
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def der(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    octets = len(body).to_bytes((len(body).bit_length() + 7) // 8 or 1, "big")
    length = octets if len(body) < 128 else bytes([0x80 | len(octets)]) + octets
    return bytes([tag]) + length + body


def sequence(*contents: bytes) -> bytes:
    return der(0x30, *contents)


def integer(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def oid(dotted: str) -> bytes:
    arcs = [int(each) for each in dotted.split(".")]
    out = bytearray()
    for arc in [arcs[0] * 40 + arcs[1], *arcs[2:]]:
        septets = [arc & 127]
        while arc := arc >> 7:
            septets.append(arc & 127 | 128)
        out += bytes(reversed(septets))
    return der(6, bytes(out))


def algorithm(name: str, *parameters: bytes) -> bytes:
    return sequence(oid(name), *parameters)


NULL = b"\x05\0"
CURVES: dict[str, Callable[[], ec.EllipticCurve]] = {
    "p256": ec.SECP256R1,
    "p384": ec.SECP384R1,
    "p521": ec.SECP521R1,
    "k1": ec.SECP256K1,
}


def private_key(kind: str, number: int = 0) -> Any:
    """A key of a kind: rsa, pss, ed25519, or of a curve. The same one for the same number."""
    return _private_key(kind, number)


@cache
def _private_key(kind: str, number: int) -> Any:
    if kind in ("rsa", "pss"):
        return rsa.generate_private_key(65537, 2048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number + 1]) * 32)
    return ec.derive_private_key(number + 12_345, CURVES[kind]())


def certificate(
    kind: str, name: str, *, issuer: tuple[Any, x509.Certificate] | None = None, number: int = 0, stamps: bool = True,
    critical: bool = True, authority: bool = False, begins: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    ends: datetime = datetime(2027, 1, 1, tzinfo=UTC), serial: int = 7,
) -> x509.Certificate:  # fmt: skip
    """A certificate for a key, signed by itself or by an issuer (key and certificate); the same when asked again."""
    return _certificate(kind, name, issuer, number, stamps, critical, authority, begins, ends, serial)


@cache
def _certificate(
    kind: str, name: str, issuer: tuple[Any, x509.Certificate] | None, number: int, stamps: bool, critical: bool,
    authority: bool, begins: datetime, ends: datetime, serial: int,
) -> x509.Certificate:  # fmt: skip
    key = private_key(kind, number)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer[1].subject if issuer else subject)
        .public_key(key.public_key()).serial_number(serial).not_valid_before(begins).not_valid_after(ends)
    )  # fmt: skip
    if stamps:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=critical)
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    signer = issuer[0] if issuer else key
    is_ed = isinstance(signer, ed25519.Ed25519PrivateKey)
    return builder.sign(signer, None if is_ed else hashes.SHA256())


@dataclass
class Stamp:
    """How a token is made; every part of it can be something else than it should be."""

    kind: str = "p256"
    certificate: x509.Certificate | None = None
    number: int = 0
    digest: str = "sha256"
    at: str = "20260302120000Z"
    brings: Sequence[x509.Certificate] = ()
    imprint: bytes | None = None
    imprint_oid: str = HASHES["sha256"]
    names: bytes | None = None
    """The bytes whose hash the signed attributes name as the certificate."""
    v2: bool = True
    status: int = 0
    content: str = TST_INFO
    attributes: dict[str, bytes] = field(default_factory=dict)
    flip: bool = False
    """Whether a bit of the signature is another one."""
    after: bytes = b""
    extensions: Sequence[bytes] = ()
    """Of what is stamped, each as `extension` makes it."""
    version: int = 3
    unsigned_signer: Any = None
    """The key that signs, where it is not the certificate's."""

    def token(self, text: bytes) -> bytes:
        """The TimeStampResp."""
        signer = self.certificate or certificate(self.kind, "Time of " + self.kind, number=self.number)
        imprint = self.imprint if self.imprint is not None else hashlib.sha256(text).digest()
        info = sequence(
            integer(1), oid("1.2.3.4"), sequence(algorithm(self.imprint_oid, NULL), der(4, imprint)), integer(99),
            der(0x18, self.at.encode()), *([der(0xA1, *self.extensions)] if self.extensions else []),
        )  # fmt: skip
        whole = signer.public_bytes(Encoding.DER)
        attributes = self._attributes(info, whole, signer)
        signature = bytearray(self._sign(der(0x31, attributes)))
        signature[-1] ^= self.flip
        issued = sequence(signer.issuer.public_bytes(), integer(signer.serial_number))
        row = sequence(
            integer(1), issued, algorithm(HASHES[self.digest], NULL), der(0xA0, attributes), self._algorithm(),
            der(4, bytes(signature)),
        )  # fmt: skip
        brought = [each.public_bytes(Encoding.DER) for each in (self.brings or (signer,))]
        signed = sequence(
            integer(self.version), der(0x31, algorithm(HASHES[self.digest], NULL)),
            sequence(oid(self.content), der(0xA0, der(4, info))), der(0xA0, *brought), der(0x31, row),
        )  # fmt: skip
        return sequence(sequence(integer(self.status)), sequence(oid(SIGNED_DATA), der(0xA0, signed))) + self.after

    def _attributes(self, info: bytes, whole: bytes, signer: x509.Certificate) -> bytes:
        named = self.names if self.names is not None else whole
        if self.v2:
            signing = (
                "1.2.840.113549.1.9.16.2.47",
                sequence(sequence(sequence(der(4, hashlib.sha256(named).digest())))),
            )
        else:
            serial = sequence(sequence(der(0xA4, signer.issuer.public_bytes())), integer(signer.serial_number))
            signing = (
                "1.2.840.113549.1.9.16.2.12",
                sequence(sequence(sequence(der(4, hashlib.sha1(named).digest()), serial))),
            )
        values = {
            "1.2.840.113549.1.9.3": oid(self.content),
            "1.2.840.113549.1.9.4": der(4, hashlib.new(self.digest, info).digest()),
            signing[0]: signing[1],
            **self.attributes,
        }
        # DER orders a SET by its elements' bytes
        return b"".join(sorted(sequence(oid(name), der(0x31, value)) for name, value in values.items() if value))

    def _algorithm(self) -> bytes:
        if self.kind == "rsa":
            return algorithm("1.2.840.113549.1.1.1", NULL)
        if self.kind == "ed25519":
            return algorithm("1.3.101.112")
        if self.kind != "pss":
            return algorithm(ECDSA[self.digest])
        named = algorithm(HASHES[self.digest], NULL)
        mask = algorithm("1.2.840.113549.1.1.8", named)
        return algorithm("1.2.840.113549.1.1.10", sequence(der(0xA0, named), der(0xA1, mask), der(0xA2, integer(32))))

    def _sign(self, message: bytes) -> bytes:
        key = self.unsigned_signer or private_key(self.kind, self.number)
        hashed = getattr(hashes, self.digest.upper())()
        if self.kind == "rsa":
            return bytes(key.sign(message, padding.PKCS1v15(), hashed))
        if self.kind == "pss":
            return bytes(key.sign(message, padding.PSS(padding.MGF1(hashed), 32), hashed))
        if self.kind == "ed25519":
            return bytes(key.sign(message))
        return bytes(key.sign(message, ec.ECDSA(hashed)))


def extension(name: str, *, critical: bool = False) -> bytes:
    """An extension that says nothing."""
    return sequence(oid(name), *([der(1, b"\xff")] if critical else []), der(4, sequence()))


def pem(found: x509.Certificate) -> str:
    return found.public_bytes(Encoding.PEM).decode()
