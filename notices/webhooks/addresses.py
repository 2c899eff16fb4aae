"""Where a webhook may go: never inside, unless the operator names the network (ANSWERABLE_WEBHOOK_NETWORKS).

What else is asked for outside (witnesses, time-stamp authorities) goes by the same rules with its own exceptions.

A name is resolved anew for each attempt, every address it has is looked at, and the connection is made to what was
looked at, so a name that resolves differently the second time leads nowhere new.
"""

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int, float], list[str]]

LONGEST_URL = 2000
PORTS = {"https": 443, "http": 80}
# The special-purpose registries of IANA, written out: `is_global` differs between versions of Python.
SPECIAL: tuple[Network, ...] = tuple(
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "168.63.129.16/32",  # Azure's host, reachable from every machine there
        "::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",  # 6to4 leads to an IPv4 address of the sender's choice, and nothing public lives there
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/9",
        "ff00::/8",
    )
)
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(Exception):
    """This leads, or may lead, where webhooks must not go. The text says why, for whoever registers the address."""


class NameUnresolved(Exception):
    """The name has no address, or its servers do not answer."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The operator's exceptions, for one sort of requests. `ports`: None for any; `plain_http`: outside too."""

    networks: tuple[str, ...] = ()
    ports: Sequence[int] | None = None
    proxy: str = ""
    ca_file: str = ""
    plain_http: bool = False


def webhook_rules() -> Rules:
    """Those of webhooks, whose addresses callers choose."""
    networks, ports = tuple(settings.WEBHOOK_NETWORKS), settings.WEBHOOK_PORTS
    return Rules(networks, ports, proxy=settings.WEBHOOK_PROXY, ca_file=settings.WEBHOOK_CA_FILE)


@dataclass(frozen=True, slots=True)
class Target:
    """An address to ask, taken apart."""

    url: str
    scheme: str
    host: str
    port: int
    path: str


def parse(url: str, rules: Rules | None = None) -> Target:
    """What the text alone says about an address (of a webhook, without `rules`). Errors: `AddressRefused`."""
    rules = rules or webhook_rules()
    if len(url) > LONGEST_URL:
        raise AddressRefused(f"An address has at most {LONGEST_URL} characters.")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise AddressRefused("Write it in ASCII, without spaces or backslashes; a host name in its xn-- form.")
    parts = _split(url, rules)
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("No user name or password: deliveries are signed instead.")
    if parts.fragment:
        raise AddressRefused("Nothing after a #: it is never sent.")
    host, port = (parts.hostname or "").rstrip("."), parts.port or PORTS[parts.scheme]
    if not host:
        raise AddressRefused("It names no host.")
    if rules.ports is not None and port not in rules.ports:
        known = ", ".join(map(str, rules.ports))
        raise AddressRefused(f"Port {port} is not among those that the operator allows: {known}.")
    target = Target(url, parts.scheme, host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    if literal := _literal(host):
        require_allowed(target, literal, rules)
    return target


def _split(url: str, rules: Rules) -> SplitResult:
    schemes = ("https", "http") if rules.networks or rules.plain_http else ("https",)
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        raise AddressRefused("This is not an address.") from None
    if parts.scheme not in schemes:
        raise AddressRefused("It must begin with https://.")
    return parts


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def allowed_addresses(target: Target, *, within: float, rules: Rules | None = None) -> list[str]:
    """Every address of the target, once all of them are seen to be allowed. `within`: seconds for the resolver.

    Errors: `AddressRefused`, `NameUnresolved`.
    """
    found = resolve(target.host, target.port, within)
    if not found:
        raise NameUnresolved(target.host)
    for each in found:
        # one of them inside is reason enough: which one is connected to is chance
        require_allowed(target, ipaddress.ip_address(each), rules)
    return found


def require_allowed(target: Target, address: Address, rules: Rules | None = None) -> None:
    """Raise `AddressRefused` unless it may be asked."""
    real, rules = _real(address), rules or webhook_rules()
    if any(real in network for network in _own_networks(rules.networks)):
        return
    if target.scheme != "https" and not rules.plain_http:
        raise AddressRefused("Plain http is allowed in the operator's own networks alone.")
    # no word on which address it was: a refusal must not be a map of the inside
    if not is_public(real):
        raise AddressRefused("It leads to an address that is not public.")


def is_public(address: Address) -> bool:
    """Whether an address belongs to the internet, and to nothing nearer."""
    real = _real(address)
    known = any(real in network for network in SPECIAL if network.version == real.version)
    return not known and real.is_global and not (real.is_multicast or real.is_reserved or real.is_unspecified)


def _real(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that only wraps it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


@lru_cache(maxsize=8)
def _own_networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


def system_resolver(host: str, port: int, within: float) -> list[str]:
    """The addresses of a name, as this host finds them. Errors: `NameUnresolved`, also when it takes too long."""
    found: list[str] = []
    failed: list[OSError | UnicodeError] = []

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(row[4][0]) for row in rows))
        except (OSError, UnicodeError) as error:
            failed.append(error)

    # getaddrinfo knows no deadline: a thread is left to its fate instead
    thread = threading.Thread(target=ask, name="webhook-resolver", daemon=True)
    thread.start()
    thread.join(within)
    if failed or thread.is_alive():
        raise NameUnresolved(host)
    return list(found)


resolve: Resolver = system_resolver
"""The seam of the tests: a name that changes its address between two looks."""
