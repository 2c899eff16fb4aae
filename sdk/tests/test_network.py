"""TLS and proxies: as the environment says, certificates checked, nothing lost to a wrong one."""

import base64
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from answerable.testing import FakeServer
from tests.helpers import FACTS, SYSTEM, becomes, client_for, numbers, record_number

PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
Welcome = Callable[[socket.socket], socket.socket]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Relay:
    """Passes bytes on to a port, after `welcome` has made of each connection what is relayed."""

    def __init__(self, port: int, welcome: Welcome) -> None:
        self._to, self._welcome = port, welcome
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                found, _ = self._listening.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(found,), daemon=True).start()

    def _serve(self, found: socket.socket) -> None:
        try:
            with self._welcome(found) as near, socket.create_connection(("127.0.0.1", self._to)) as far:
                threading.Thread(target=_pump, args=(far, near), daemon=True).start()
                _pump(near, far)
        except OSError:
            found.close()  # who came did not like the certificate


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side has gone


def certificate(folder: Path, name: x509.GeneralName) -> Path:
    """Key and certificate of a server with that name, signed by itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    file = folder / "server.pem"
    file.write_bytes(private + made.public_bytes(pem))
    return file


@pytest.fixture
def place() -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


@pytest.fixture
def pem(tmp_path: Path, place: x509.GeneralName) -> Path:
    return certificate(tmp_path, place)


@pytest.fixture
def secure(server: FakeServer, pem: Path) -> Iterator[Relay]:
    """The fake service behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    relay = Relay(server._port, lambda found: context.wrap_socket(found, server_side=True))
    yield relay
    relay.close()


def test_over_tls_records_arrive_and_a_stop_is_obeyed(
    server: FakeServer, secure: Relay, pem: Path, tmp_path: Path
) -> None:
    trusted = ssl.create_default_context(cafile=str(pem))
    with client_for(f"https://127.0.0.1:{secure.port}", tmp_path, ssl_context=trusted) as client:
        for n in range(100):
            record_number(client, n)
        assert client.flush()
        assert client.decide(**FACTS).answered_by == "server"
        server.wait_for(lambda _: client.health().is_streaming)
        server.set_mode(SYSTEM, "stop")
        becomes(client, "stop")
    assert [each["input"] for each in server.records[:100]] == [{"n": n} for n in range(100)]


def _is_refused(secure: Relay, folder: Path, context: ssl.SSLContext | None) -> bool:
    with client_for(f"https://127.0.0.1:{secure.port}", folder, ssl_context=context, risk="high") as client:
        record_number(client, 1)
        assert not client.flush(1)
        assert (client.health().waiting, client.mode()) == (1, "stop")
        return "CERTIFICATE_VERIFY_FAILED" in str(client.health().trouble)


def test_a_certificate_that_nobody_vouches_for_gets_nothing(server: FakeServer, secure: Relay, tmp_path: Path) -> None:
    assert _is_refused(secure, tmp_path, None)
    assert server.requests == []


@pytest.mark.parametrize("place", [x509.DNSName("elsewhere.example")])
def test_a_certificate_of_another_gets_nothing(server: FakeServer, secure: Relay, pem: Path, tmp_path: Path) -> None:
    assert _is_refused(secure, tmp_path, ssl.create_default_context(cafile=str(pem)))
    assert server.requests == []


def test_a_proxy_of_the_environment_is_asked_for_http(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    with client_for("http://answerable.invalid:8000", tmp_path) as client:
        record_number(client, 1)
        assert client.flush()
    assert numbers(server) == [1]


@pytest.mark.parametrize("who", ["", "me:s%3Acret@"])
def test_a_proxy_of_the_environment_tunnels_https(
    server: FakeServer, secure: Relay, pem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    asked: list[bytes] = []

    def tunnel(found: socket.socket) -> socket.socket:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += found.recv(1)
        asked.append(head)
        found.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        return found

    proxy = Relay(secure.port, tunnel)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{who}127.0.0.1:{proxy.port}")
    trusted = ssl.create_default_context(cafile=str(pem))
    with client_for("https://127.0.0.1:1", tmp_path, ssl_context=trusted) as client:
        record_number(client, 1)
        assert client.flush()
    proxy.close()
    assert numbers(server) == [1]
    assert asked[0].startswith(b"CONNECT 127.0.0.1:1 ")
    assert b"Bearer" not in asked[0]
    assert (base64.b64encode(b"me:s:cret") in asked[0]) is bool(who)


def test_an_address_that_the_environment_excepts_goes_by_no_proxy(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with client_for(server, tmp_path) as client:
        record_number(client, 1)
        assert client.flush()
