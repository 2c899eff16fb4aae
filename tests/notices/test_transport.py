"""One attempt, against real servers on loopback: one deadline, no following, whatever they do."""

import datetime
import socket
import ssl
import threading
import time
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django.fixtures import Settings

from notices.models import Attempt
from notices.webhooks import addresses, transport
from notices.webhooks.transport import Answer, post
from tests.notices import receivers
from tests.notices.receivers import answer, receiver

Outcome = Attempt.Outcome
pytestmark = pytest.mark.usefixtures("loopback")


def sent_to(url: str, seconds: float = 5.0) -> Answer:
    return post(url, body=b'{"a":1}', headers={"Content-Type": "application/json"}, seconds=seconds)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DELIVERED),
        (204, Outcome.DELIVERED),
        (301, Outcome.REDIRECTED),
        (307, Outcome.REDIRECTED),
        (304, Outcome.REDIRECTED),
        (400, Outcome.REFUSED),
        (410, Outcome.GONE),
        (429, Outcome.THROTTLED),
        (500, Outcome.REFUSED),
        (503, Outcome.THROTTLED),
    ],
)
def test_what_a_status_means(status: int, outcome: str) -> None:
    with receiver(answer(status)) as there:
        assert sent_to(there.url) == Answer(Outcome(outcome), status)


def test_a_redirect_is_not_followed() -> None:
    with receiver() as inside, receiver(answer(302, Location=inside.url)) as there:
        assert sent_to(there.url).outcome == Outcome.REDIRECTED
        assert inside.requests == []


def test_the_body_arrives_byte_for_byte_under_the_headers_given() -> None:
    with receiver() as there:
        sent_to(there.url)
        assert there.last.body == b'{"a":1}'
        assert there.last.headers["content-type"] == "application/json"
        assert there.last.headers["host"] == f"127.0.0.1:{there.port}"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("999999999999", 86400.0),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after_in_seconds(text: str, seconds: float | None) -> None:
    with receiver(answer(429, Retry_After=text)) as there:
        assert sent_to(there.url).retry_after == seconds


def test_retry_after_as_a_date() -> None:
    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=90)
    with receiver(answer(503, Retry_After=format_datetime(at, usegmt=True))) as there:
        assert 80 < (sent_to(there.url).retry_after or 0) <= 90


def test_a_silent_receiver_costs_the_deadline_and_no_more() -> None:
    with receiver(receivers.silent(5)) as there:
        began = time.monotonic()
        assert sent_to(there.url, 0.5).outcome == Outcome.TIMED_OUT
        assert time.monotonic() - began < 1.5


def test_a_receiver_that_drips_costs_the_deadline_and_no_more() -> None:
    with receiver(receivers.dripping) as there:
        began = time.monotonic()
        assert sent_to(there.url, 0.5).outcome == Outcome.TIMED_OUT
        assert time.monotonic() - began < 1.5


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    with receiver(receivers.huge) as there:
        began = time.monotonic()
        assert sent_to(there.url).outcome == Outcome.DELIVERED
        assert time.monotonic() - began < 2


def test_a_receiver_that_hangs_up_is_said_so() -> None:
    with receiver(receivers.closing) as there:
        assert sent_to(there.url).outcome == Outcome.BROKEN_OFF


def test_nobody_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
    assert sent_to(url).outcome == Outcome.UNREACHABLE


def test_the_second_address_is_tried_where_the_first_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as there:
        monkeypatch.setattr(addresses, "resolve", lambda *asked: ["127.0.0.9", "127.0.0.1"])
        assert sent_to(f"http://hooks.example.org:{there.port}/").outcome == Outcome.DELIVERED


def test_what_speaks_no_http_is_broken_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            connection, _ = server.accept()
            connection.recv(10_000)
            connection.sendall(b"220 mail.example.org ESMTP\r\n")
            connection.close()

        threading.Thread(target=talk, daemon=True).start()
        assert sent_to(f"http://127.0.0.1:{server.getsockname()[1]}/").outcome == Outcome.BROKEN_OFF


# --- TLS -------------------------------------------------------------------------------------------------------------
def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS for a name, and the file that makes it trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / f"{name}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    trusted = folder / f"{name}.crt"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context, trusted


def test_the_certificate_is_checked_for_the_name_though_the_address_was_pinned(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    context, trusted = certificate(tmp_path, "hooks.example.org")
    asked: list[str | None] = []
    context.sni_callback = lambda sock, name, ctx: asked.append(name)
    monkeypatch.setattr(addresses, "resolve", lambda *of: ["127.0.0.1"])
    with receiver(context=context) as there:
        right, wrong = (f"https://{name}:{there.port}/" for name in ("hooks.example.org", "other.example.org"))
        assert sent_to(right).outcome == Outcome.TLS_FAILED  # nobody vouches for it
        settings.WEBHOOK_CA_FILE = str(trusted)
        assert sent_to(right).outcome == Outcome.DELIVERED
        assert there.last.headers["host"] == f"hooks.example.org:{there.port}"
        assert sent_to(wrong).outcome == Outcome.TLS_FAILED
        assert asked == ["hooks.example.org", "hooks.example.org", "other.example.org"]
        assert len(there.requests) == 1


def test_a_handshake_that_never_ends_costs_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "resolve", lambda *of: ["127.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as server:
        began = time.monotonic()
        assert sent_to(f"https://hooks.example.org:{server.getsockname()[1]}/", 0.5).outcome == Outcome.TIMED_OUT
        assert time.monotonic() - began < 1.5


# --- an egress proxy -------------------------------------------------------------------------------------------------
def test_through_a_proxy_names_are_its_affair(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*asked: object) -> list[str]:
        raise AssertionError("the name is resolved here")

    monkeypatch.setattr(addresses, "resolve", refuse)
    with receiver() as proxy:
        settings.WEBHOOK_PROXY = f"http://127.0.0.1:{proxy.port}"
        assert sent_to("http://hooks.example.org/x?y=1").outcome == Outcome.DELIVERED
        assert proxy.last.path == "http://hooks.example.org/x?y=1"
        assert proxy.last.headers["host"] == "hooks.example.org"


def test_a_proxy_is_asked_for_a_tunnel_to_the_name(settings: Settings) -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            connection, _ = server.accept()
            heard.append(connection.recv(10_000))
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            connection.close()

        threading.Thread(target=talk, daemon=True).start()
        settings.WEBHOOK_PROXY = f"http://127.0.0.1:{server.getsockname()[1]}"
        outcome = sent_to("https://hooks.example.org/").outcome
    assert heard[0].startswith(b"CONNECT hooks.example.org:443 HTTP/1.")
    assert outcome == Outcome.BROKEN_OFF


def test_no_variable_of_the_environment_names_another_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as there, receiver() as other:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{other.port}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{other.port}")
        assert sent_to(there.url).outcome == Outcome.DELIVERED
        assert other.requests == []


def test_the_deadline_is_that_of_the_specification() -> None:
    assert 15 <= transport.TOTAL_SECONDS <= 30
