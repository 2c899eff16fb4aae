"""Settings of what goes out, taken apart: the mail server's address, the networks and the proxy of webhooks."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from environs import ValidationError

FILES = "config.mail_files.PrivateFileBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"
PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """What Django's e-mail settings ask for. `folder` is set where e-mails are written to files."""

    backend: str
    folder: str | None = None
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    starttls: bool = False
    tls: bool = False


def mail_server(url: str) -> MailServer:
    """`smtp://user:password@host:587` (STARTTLS; `?tls=none` without), `smtps://...` (TLS at once), `file:///folder`.

    Errors: `ValidationError`.
    """
    parts = _parts(url)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return MailServer(backend=FILES, folder=unquote(parts.path))
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValidationError("It is not smtp://user:password@host:587, smtps://... or file:///folder.")
    return MailServer(
        backend=SMTP,
        host=parts.hostname,
        port=parts.port or PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        starttls=parts.scheme == "smtp" and _wants_starttls(parts.query),
        tls=parts.scheme == "smtps",
    )


def _wants_starttls(query: str) -> bool:
    asked = parse_qs(query, keep_blank_values=True)
    if set(asked) - {"tls"} or asked.get("tls", ["starttls"]) not in (["starttls"], ["none"]):
        raise ValidationError("After the ? only tls=starttls or tls=none is known.")
    return asked.get("tls") != ["none"]


def is_mail_server(url: str) -> None:
    """A validator of settings."""
    if url:
        mail_server(url)


def are_networks(networks: Sequence[str]) -> None:
    """A validator of settings."""
    for each in networks:
        try:
            ipaddress.ip_network(each)
        except ValueError:
            raise ValidationError("It is not a list of networks such as 10.20.0.0/16,127.0.0.0/8.") from None


def is_proxy(url: str) -> None:
    """A validator of settings."""
    parts = _parts(url)
    if url and (parts.scheme != "http" or not parts.hostname or parts.path.strip("/") or parts.username):
        raise ValidationError("It is not the address of a proxy: http://host:port.")


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        raise ValidationError("It is not an address.") from None
    return parts
