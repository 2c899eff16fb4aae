"""Allowances per key: a token bucket in the memory of each process.

With several processes a key may use its allowance in each of them; the limits are there against runaway clients, and
back-pressure, not these, protects the database. Nothing here is asked of the database, so a refusal costs microseconds.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from config.errors import TooManyRequests

MAX_BUCKETS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What taking from a bucket came to. `refused` is a finding, not an exception: see `take`."""

    name: str
    per_second: float
    burst: int
    remaining: int
    retry_after: int
    refused: bool

    @property
    def headers(self) -> dict[str, str]:
        """The RateLimit header fields of the IETF draft; empty where there is no limit."""
        if not self.per_second:
            return {}
        window = max(1, math.ceil(self.burst / self.per_second))
        return {
            "RateLimit-Policy": f'"{self.name}";q={self.burst};w={window}',
            "RateLimit": f'"{self.name}";r={self.remaining};t={self.retry_after}',
        }

    def refuse(self) -> None:
        """Raise when the bucket was empty."""
        if self.refused:
            raise TooManyRequests(retry_after=self.retry_after, headers=self.headers)


class TokenBuckets:
    """Buckets of one kind, by key. A key's bucket fills at `per_second` up to `burst`; 0 a second means no limit."""

    def __init__(
        self, *, name: str, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name, self.per_second, self.burst, self.clock = name, per_second, burst, clock
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: Hashable, cost: int = 1) -> Allowance:
        """Take `cost` tokens, all or none. A cost over the burst is let through by a full bucket, which it empties.

        Does not raise: a repeat of a decision that is already sealed must be answered even when the bucket is empty, so
        intake looks for the sealed ids first and calls `refuse()` only when there are new ones.
        """
        if not self.per_second:
            return self._allowance(level=float(self.burst), missing=0.0)
        with self._lock:
            level = self._level(key)
            missing = max(0.0, min(cost, self.burst) - level)
            left = level if missing else max(0.0, level - cost)
            self._levels[key] = (left, self.clock())
            self._levels.move_to_end(key)
        return self._allowance(level=left, missing=missing)

    def _level(self, key: Hashable) -> float:
        """How full the bucket is now. The longest unused is forgotten beyond the limit; it would be full by then."""
        if key not in self._levels:
            while len(self._levels) >= MAX_BUCKETS:
                self._levels.popitem(last=False)
            return float(self.burst)
        level, at = self._levels[key]
        return min(float(self.burst), level + (self.clock() - at) * self.per_second)

    def _allowance(self, *, level: float, missing: float) -> Allowance:
        wait = math.ceil(missing / self.per_second) if missing else 0
        return Allowance(
            name=self.name,
            per_second=self.per_second,
            burst=self.burst,
            remaining=int(level),
            retry_after=max(1, wait) if missing else 0,
            refused=missing > 0,
        )


DECISIONS = TokenBuckets(
    name="decisions", per_second=settings.RATE_LIMIT_DECISIONS, burst=10 * settings.RATE_LIMIT_DECISIONS
)
"""Decisions sent, by service account: what the two hot endpoints take from, one token a record."""

REQUESTS = TokenBuckets(
    name="requests", per_second=settings.RATE_LIMIT_REQUESTS, burst=10 * settings.RATE_LIMIT_REQUESTS
)
"""Requests to everything else, by key, or by address where there is none."""


def key_of(request: HttpRequest | Request) -> Hashable:
    """Who pays: the authenticated key, else the address it came from."""
    credential = getattr(request, "auth", None)
    if credential is not None:
        return key_of_credential(credential)
    return ("address", request.META.get("REMOTE_ADDR", ""))


def key_of_credential(credential: Any) -> Hashable:
    """The same for plain views, which hold what they authenticated in their hands."""
    return ("key", str(getattr(credential, "pk", credential)))


class KeyThrottle(BaseThrottle):
    """REST framework's default throttle. The exception it raises itself carries the RateLimit headers."""

    def allow_request(self, request: Request, view: Any) -> bool:
        REQUESTS.take(key_of(request)).refuse()
        return True
