"""Failed attempts to sign in: counted before they are tried, locked for longer each time.

Counting first means that guesses sent at once do not get past the limit together. A lock-out is told (in the log, to
the administrators) by a sweep, never by the request that caused it: how long that took would say whether there is such
an account. Rows, not memory: neither a restart nor another process forgets.
"""

import ipaddress
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from governance.errors import SignInLocked
from governance.kinds import SIGN_IN_LOCKED
from governance.models import Person, SignInThrottle
from governance.models.people import plain_address
from governance.sign_in.browsers import known_browser
from ledger.entries import SERVER, draft_entry, timestamp
from ledger.sealing import sealing
from ledger.selectors import registry_log

Kind = SignInThrottle.Kind
LIMITS = {Kind.ACCOUNT: 5, Kind.ADDRESS: 30, Kind.FACTOR: 5}
FIRST_LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(hours=1)
FORGOTTEN_AFTER = timedelta(days=1)
SETTLED_AFTER = timedelta(seconds=2)
"""The attempt that began a lock-out may still succeed, and take it back."""
IPV6_NETWORK = 64


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt that was let through, and already counted."""

    rows: tuple[SignInThrottle, ...]


@dataclass(frozen=True, slots=True)
class LockOut:
    """A lock-out that nobody was told of yet."""

    row: SignInThrottle
    person: Person | None


def admit(request: HttpRequest, *, account: str) -> Attempt:
    """Count an attempt with a password. Errors: `SignInLocked`, the same whether there is such an account or not.

    In a browser that has signed in to this account before, for that browser alone (governance/sign_in/browsers.py).
    """
    name = plain_address(account)[:254]
    if browser := known_browser(request, account):
        return _admit([(Kind.ACCOUNT, f"{name} {browser}")])
    wanted = [(Kind.ACCOUNT, name)]
    place = network_of(client_address(request))
    return _admit([*wanted, *([(Kind.ADDRESS, place)] if place else [])])


def admit_factor(person: Person) -> Attempt:
    """Count an attempt with a code, or with the password of somebody who is signed in. Errors: `SignInLocked`."""
    return _admit([(Kind.FACTOR, str(person.pk))])


def forgive(attempt: Attempt) -> None:
    """It succeeded. The account starts anew; of the address only this attempt is taken back, or whoever has an account
    of their own could go on guessing those of others."""
    for row in attempt.rows:
        stored = SignInThrottle.objects.filter(pk=row.pk)
        if row.kind != Kind.ADDRESS:
            stored.update(failures=0, locks=0, locked_until=None, is_told=True)
        elif row.locked_until is not None:
            back = {"failures": LIMITS[Kind.ADDRESS] - 1, "locks": row.locks - 1, "locked_until": None, "is_told": True}
            stored.filter(locked_until=row.locked_until).update(**back)
        else:
            stored.filter(failures__gt=0).update(failures=F("failures") - 1)


def untold() -> Iterator[LockOut]:
    """Lock-outs to be told. Of accounts that do not exist nothing is: their address is locked soon enough."""
    settled = timezone.now() - SETTLED_AFTER
    rows = list(SignInThrottle.objects.filter(is_told=False, last_failed_at__lt=settled).order_by("id"))
    people = _people_by_digest() if rows else {}
    for row in rows:
        person = people.get((row.kind, bytes(row.digest)))
        if person is None and row.kind == Kind.ACCOUNT:
            SignInThrottle.objects.filter(pk=row.pk).update(is_told=True)
        else:
            yield LockOut(row, person)


def seal_lock_out(told: LockOut) -> None:
    """Put a lock-out into the registry log, once."""
    with sealing() as seal:
        row = SignInThrottle.objects.select_for_update().filter(pk=told.row.pk, is_told=False).first()
        if row is None or row.locked_until is None:
            return
        body = {"by": str(row.kind), "lock": row.locks, "until": timestamp(row.locked_until)}
        if told.person is not None:
            body["person"] = str(told.person.pk)
        about = told.person.pk if told.person else row.pk
        draft = draft_entry(kind=SIGN_IN_LOCKED, actor=SERVER, at=timezone.now(), body=body, about_id=about)
        seal.add(registry_log().id, draft)
        SignInThrottle.objects.filter(pk=row.pk).update(is_told=True)


def forget_old_attempts() -> int:
    """Delete what a day has passed over."""
    return SignInThrottle.objects.filter(last_failed_at__lt=timezone.now() - FORGOTTEN_AFTER).delete()[0]


def client_address(request: HttpRequest) -> str:
    """Where a request comes from. Behind a trusted proxy, what that one added last; anybody can write the rest."""
    if settings.TRUST_PROXY and (said := request.META.get("HTTP_X_FORWARDED_FOR", "")):
        return str(said.rsplit(",", 1)[-1]).strip()
    return str(request.META.get("REMOTE_ADDR", ""))


def network_of(address: str) -> str:
    """What counts as one place: an IPv4 address, or the network that one household or machine has of IPv6."""
    found = _parsed(address)
    if found is None:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped or ipaddress.ip_network((found, IPV6_NETWORK), strict=False))
    return str(found)


def plain_ip(address: str) -> str:
    """An address as people are shown it; empty where what a proxy wrote is none."""
    found = _parsed(address)
    return str(found).partition("%")[0] if found else ""


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(_without_port(address))
    except ValueError:
        return None


def _without_port(address: str) -> str:
    """Some proxies write the port beside the address: `192.0.2.1:5678`, `[2001:db8::1]:5678`."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _admit(wanted: list[tuple[SignInThrottle.Kind, str]]) -> Attempt:
    now = timezone.now()
    with transaction.atomic():
        rows = [_locked_row(kind, _digest(kind, name)) for kind, name in wanted]
        until = max((row.locked_until for row in rows if row.locked_until and row.locked_until > now), default=None)
        if until is None:
            for row in rows:
                _count(row, now)
    if until is not None:
        raise _refusal(until, now)
    return Attempt(tuple(rows))


def _digest(kind: SignInThrottle.Kind, name: str) -> bytes:
    """Under Django's secret key: with another one, attempts are merely forgotten."""
    return salted_hmac(f"answerable.throttle.{kind}", name, algorithm="sha256").digest()


def _refusal(until: datetime, now: datetime) -> SignInLocked:
    seconds = math.ceil((until - now).total_seconds())
    minutes = math.ceil(seconds / 60)
    when = "in a minute" if minutes == 1 else f"in {minutes} minutes"
    return SignInLocked(f"Too many attempts. Try again {when}, or sign in with a passkey.", retry_after=seconds)


def _locked_row(kind: SignInThrottle.Kind, digest: bytes) -> SignInThrottle:
    """Accounts before addresses, always: of two requests, neither waits for what the other one holds."""
    SignInThrottle.objects.bulk_create([SignInThrottle(kind=kind, digest=digest)], ignore_conflicts=True)
    return SignInThrottle.objects.select_for_update().get(kind=kind, digest=digest)


def _count(row: SignInThrottle, now: datetime) -> None:
    if row.last_failed_at and now - row.last_failed_at > FORGOTTEN_AFTER:
        row.failures, row.locks = 0, 0
    row.failures += 1
    row.last_failed_at, row.locked_until = now, None
    if row.failures >= LIMITS[Kind(row.kind)]:
        row.failures, row.locks, row.is_told = 0, row.locks + 1, False
        row.locked_until = now + min(FIRST_LOCK * 2 ** min(row.locks - 1, 10), LONGEST_LOCK)
    row.save()


def _people_by_digest() -> dict[tuple[str, bytes], Person]:
    found = {}
    for person in Person.objects.filter(is_active=True):
        found[(str(Kind.ACCOUNT), _digest(Kind.ACCOUNT, person.email or ""))] = person
        found[(str(Kind.FACTOR), _digest(Kind.FACTOR, str(person.pk)))] = person
    return found
