"""Webhooks do not lead inside: by no spelling, no name, no second answer of a resolver."""

import ipaddress
import socket
import threading

import pytest
from pytest_django.fixtures import Settings

from notices.models import Attempt
from notices.webhooks import addresses, transport
from notices.webhooks.addresses import AddressRefused, NameUnresolved, allowed_addresses, is_public, parse
from tests.notices.receivers import receiver

Outcome = Attempt.Outcome

INSIDE = [
    "127.0.0.1", "127.255.0.9", "0.0.0.0", "10.0.0.1", "172.16.5.5", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.127.255.255", "198.18.0.1", "192.0.0.1", "192.0.2.1", "203.0.113.9",
    "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "fe80::1", "fc00::1", "fd00:ec2::254",
    "fec0::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001::1",
    "2001:db8::1", "100::1", "3fff::1", "5f00::1",
]  # fmt: skip
OUTSIDE = ["93.184.216.34", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "ftp://example.org/",
        "https:///path",
        "https://user:secret@example.org/",
        "https://user@example.org/",
        "https://example.org/#fragment",
        "https://example.org:22/",
        "https://example.org:99999/",
        "https://exa mple.org/",
        "https://example.org\\@127.0.0.1/",
        "https://example.org/\r\nX-Injected: 1",
        "https://bücher.example/",
        "https://[::1]/",
        "https://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest/meta-data",
        "https://example.org/" + "a" * 2000,
        "javascript:alert(1)",
        "",
    ],
)
def test_an_address_that_must_not_be_is_refused_when_it_is_written(url: str) -> None:
    with pytest.raises(AddressRefused):
        parse(url)


def test_a_public_address_is_taken_apart() -> None:
    target = parse("https://hooks.example.org/a/b?c=d")
    assert (target.host, target.port, target.path) == ("hooks.example.org", 443, "/a/b?c=d")


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "127.1", "0177.0.0.1"])
def test_other_spellings_of_this_machine_are_found_once_resolved(host: str) -> None:
    with pytest.raises((AddressRefused, NameUnresolved)):
        allowed_addresses(parse(f"https://{host}/"), within=5)


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """The resolver answers so, one after the other; the last one for good."""
    asked: list[str] = []
    waiting = list(answers)

    def resolve(host: str, port: int, within: float) -> list[str]:
        asked.append(host)
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    monkeypatch.setattr(addresses, "resolve", resolve)
    return asked


def test_one_address_inside_among_public_ones_refuses_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, ["93.184.216.34", "127.0.0.1"])
    assert transport.post("https://hooks.example.org/", body=b"", headers={}).outcome == Outcome.BAD_ADDRESS


def test_a_name_without_addresses_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, [])
    assert transport.post("https://hooks.example.org/", body=b"", headers={}).outcome == Outcome.UNKNOWN_HOST


def test_a_name_that_rebinds_between_two_looks_is_connected_to_where_it_was_looked_at(
    monkeypatch: pytest.MonkeyPatch, loopback: Settings
) -> None:
    with receiver() as outside:
        # 127.0.0.1 stands for the internet, the only place that is allowed; 127.0.0.2 for the inside
        loopback.WEBHOOK_NETWORKS = ["127.0.0.1/32"]
        asked = names(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
        url = f"http://hooks.example.org:{outside.port}/hook"
        assert transport.post(url, body=b"{}", headers={}).outcome == Outcome.DELIVERED
        assert asked == ["hooks.example.org"]  # one look an attempt: there is no second one to lie to
        assert outside.last.headers["host"] == f"hooks.example.org:{outside.port}"
        assert transport.post(url, body=b"{}", headers={}).outcome == Outcome.BAD_ADDRESS
        assert len(outside.requests) == 1


def test_plain_http_goes_to_named_networks_alone(monkeypatch: pytest.MonkeyPatch, loopback: Settings) -> None:
    names(monkeypatch, ["93.184.216.34"])
    assert transport.post("http://hooks.example.org/", body=b"", headers={}).outcome == Outcome.BAD_ADDRESS


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(*asked: object, **named: object) -> list[object]:
        released.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with pytest.raises(NameUnresolved):
        addresses.system_resolver("hooks.example.org", 443, 0.1)
    released.set()
