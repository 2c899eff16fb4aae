"""A time-stamp authority: certificates made here, tokens by `openssl ts`, served over HTTP on loopback."""

import datetime
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
with_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl")
CONFIGURATION = """
[tsa]
default_tsa = own
[own]
serial = {folder}/serial
default_policy = 1.2.3.4.1
digests = sha256
signer_digest = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
Answer = tuple[int, bytes]


@dataclass
class Certificates:
    """Root, intermediate and the certificate that stamps, with their keys, in a folder."""

    folder: Path

    def make(self) -> "Certificates":
        now = datetime.datetime.now(datetime.UTC)
        keys = {name: rsa.generate_private_key(65537, 2048) for name in ("root", "between", "signer")}
        for name, issuer in (("root", "root"), ("between", "root"), ("signer", "between")):
            builder = (
                x509.CertificateBuilder()
                .subject_name(_name(name))
                .issuer_name(_name(issuer))
                .public_key(keys[name].public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(days=1 if name == "signer" else 365))
                .not_valid_after(now + datetime.timedelta(days=30 if name == "signer" else 365))
                .add_extension(x509.BasicConstraints(name != "signer", None), critical=True)
            )
            if name == "signer":
                usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
                builder = builder.add_extension(usage, critical=True)
            made = builder.sign(keys[issuer], hashes.SHA256())
            self.pem(name).write_bytes(made.public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8
        for name in ("root", "signer"):
            secret = keys[name].private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
            (self.folder / f"{name}.key").write_bytes(secret)
        return self._configured()

    def copied_to(self, folder: Path) -> "Certificates":
        """The same certificates and keys in a folder of their own: to make keys takes long."""
        shutil.copytree(self.folder, folder)
        return Certificates(folder)._configured()

    def _configured(self) -> "Certificates":
        (self.folder / "serial").write_text("01\n")
        (self.folder / "openssl.cnf").write_text(CONFIGURATION.format(folder=self.folder))
        return self

    def pem(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def bundle(self, *names: str) -> Path:
        """One file with several of them."""
        path = self.folder / f"{'-'.join(names)}.bundle"
        path.write_bytes(b"".join(self.pem(name).read_bytes() for name in names))
        return path


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Test {name}")])


@dataclass
class Authority:
    """The authority, and the hand of the test in it."""

    certificates: Certificates
    url: str = ""
    chain: tuple[str, ...] = ()
    """What it embeds beside its own certificate, in this order."""
    queries: list[bytes] = field(default_factory=list)
    behave: Callable[["Authority", bytes], Answer] | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def stamp(self, query: bytes) -> bytes:
        """What `openssl ts` answers."""
        folder = self.certificates.folder
        with self._turn:
            (folder / "query").write_bytes(query)
            command = [
                "openssl", "ts", "-reply", "-config", str(folder / "openssl.cnf"), "-queryfile", str(folder / "query"),
                "-signer", str(self.certificates.pem("signer")), "-inkey", str(folder / "signer.key"),
                "-out", str(folder / "reply"),
            ]  # fmt: skip
            if self.chain:
                command += ["-chain", str(self.certificates.bundle(*self.chain))]
            subprocess.run(command, check=True, capture_output=True)
            return (folder / "reply").read_bytes()


@contextmanager
def authority(folder: Path, certificates: Certificates | None = None) -> Iterator[Authority]:
    """It serves until the block ends."""
    found = Authority(certificates or Certificates(folder).make())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            found.queries.append(query)
            assert self.headers["Content-Type"] == QUERY
            status, body = found.behave(found, query) if found.behave else (200, found.stamp(query))
            self.send_response(status)
            self.send_header("Content-Type", REPLY)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: Any) -> None:
            return  # clients that hang up

    server = Server(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/tsr"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def verified_by_openssl(response: bytes, text: bytes, root: Path, folder: Path) -> bool:
    """What somebody with `openssl` alone finds out."""
    (folder / "token.tsr").write_bytes(response)
    (folder / "text").write_bytes(text)
    command = ["openssl", "ts", "-verify", "-in", str(folder / "token.tsr"), "-data", str(folder / "text")]
    done = subprocess.run([*command, "-CAfile", str(root)], capture_output=True, text=True, check=False)
    return done.returncode == 0 and "Verification: OK" in done.stdout
