"""Tokens that no honest authority makes: the statement of a genuine one, changed, under a certificate of one's choice.

`openssl ts` refuses certificates that may not stamp; `openssl cms` signs whatever it is given.
"""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.evidence.witnessing.authority import Authority, Certificates

TST_INFO = "1.2.840.113549.1.9.16.1.4"
STAMPS = (ExtendedKeyUsageOID.TIME_STAMPING,)
Change = Callable[[bytes], bytes]
"""Of a TSTInfo in DER. Its length must stay."""


@dataclass(frozen=True)
class Forger:
    """Whoever has the root's key, and so any certificate under it."""

    certificates: Certificates

    def signer(
        self,
        name: str,
        *,
        usages: Sequence[ObjectIdentifier] = STAMPS,
        critical: bool = True,
        begins: timedelta = timedelta(days=-1),
        ends: timedelta = timedelta(days=30),
        curve: ec.EllipticCurve | None = None,
    ) -> Path:
        """A certificate under the root, as it is to be; where its file is, with its key beside it."""
        folder, now = self.certificates.folder, datetime.now(UTC)
        root = x509.load_pem_x509_certificate(self.certificates.pem("root").read_bytes())
        root_key = serialization.load_pem_private_key((folder / "root.key").read_bytes(), None)
        assert isinstance(root_key, rsa.RSAPrivateKey)
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = rsa.generate_private_key(65537, 2048)
        if curve:
            key = ec.generate_private_key(curve)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Test {name}")]))
            .issuer_name(root.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(False, None), critical=True)
        )
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=critical)
        path = folder / f"{name}.pem"
        path.write_bytes(builder.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        )
        return path

    def stamp(self, genuine: bytes, signer: Path, change: Change = lambda info: info) -> bytes:
        """A response with the statement of a genuine one, changed, signed with this certificate's key."""
        folder = self.certificates.folder
        (folder / "genuine").write_bytes(genuine)
        token, info = str(folder / "genuine.token"), folder / "info"
        _openssl("ts", "-reply", "-in", str(folder / "genuine"), "-token_out", "-out", token)
        _openssl("cms", "-verify", "-noverify", "-inform", "DER", "-in", token, "-binary", "-out", str(info))
        changed = change(info.read_bytes())
        assert len(changed) == len(info.read_bytes()), "DER keeps its lengths"
        info.write_bytes(changed)
        made = folder / "made.token"
        _openssl(
            "cms", "-sign", "-binary", "-nodetach", "-econtent_type", TST_INFO, "-in", str(info), "-cades",
            "-md", "sha256", "-signer", str(signer), "-inkey", str(signer.with_suffix(".key")),
            "-outform", "DER", "-out", str(made),
        )  # fmt: skip
        return response(made.read_bytes())


def answers(
    forger: Forger, signer: Path, change: Change = lambda info: info
) -> Callable[[Authority, bytes], tuple[int, bytes]]:
    """How an authority behaves whose every token is such a one."""
    return lambda authority, query: (200, forger.stamp(authority.stamp(query), signer, change))


def at(moment: datetime) -> Change:
    """The statement, of another time."""

    def change(info: bytes) -> bytes:
        place = info.index(b"\x18\x0f") + 2
        return info[:place] + moment.strftime("%Y%m%d%H%M%SZ").encode() + info[place + 15 :]

    return change


def response(token: bytes, status: int = 0) -> bytes:
    """TimeStampResp { PKIStatusInfo { status }, token }."""
    inner = bytes([0x30, 3, 2, 1, status]) + token
    return b"\x30" + _length(len(inner)) + inner


def _length(size: int) -> bytes:
    if size < 128:
        return bytes([size])
    data = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(data)]) + data


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
