"""Liveness, and the frame of readiness. Checks that need a floor's models are added above (console/health.py)."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from kombu.connection import Connection

BROKER_PATIENCE_SECONDS = 1.0
BROKER_ANSWER_SECONDS = 5.0
"""How long an answer of the broker stands: a new connection for every probe costs more than it tells."""
CLOCK_APART_SECONDS = 5.0


class Unready(Exception):
    """A check's finding, in words that an operator may read without a log beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question about this installation. `run` returns or raises; without `essential` a failure only degrades."""

    name: str
    run: Callable[[], None]
    essential: bool = True


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. No I/O: a missing database must not make an orchestrator kill the web processes."""
    return _json({"status": "alive"}, 200)


def readiness(checks: list[Check]) -> HttpResponse:
    """200 while every essential check passes; each check by name, with its result and time."""
    results = {check.name: _result(check) for check in checks}
    failed = [check for check in checks if results[check.name]["status"] != "ok"]
    status = "ready" if not failed else "unready" if any(check.essential for check in failed) else "degraded"
    return _json({"status": status, "checks": results}, 503 if status == "unready" else 200)


def _result(check: Check) -> dict[str, Any]:
    started = time.perf_counter()
    finding: dict[str, Any] = {"status": "ok"}
    try:
        check.run()
    except Unready as found:
        finding = {"status": _word(check), "detail": str(found)}
    except Exception as error:  # noqa: BLE001 - whatever a check dies of is its answer, and its text may quote secrets
        finding = {"status": _word(check), "detail": f"The check ended with {type(error).__qualname__}."}
    return finding | {"duration_ms": round((time.perf_counter() - started) * 1000, 1)}


def _word(check: Check) -> str:
    return "failed" if check.essential else "degraded"


def _json(body: Mapping[str, Any], status: int) -> HttpResponse:
    headers = {"Cache-Control": "no-store"}
    return HttpResponse(orjson.dumps(body), status=status, content_type="application/json", headers=headers)


def database_answers() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def clock_agrees() -> None:
    """Deadlines, leases and the end of an emergency clear are written by one process and read by another.

    It only degrades: with a wrong clock a stop is in force all the same, and no process may end for it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    apart = (timezone.now() - row[0]).total_seconds()
    if abs(apart) > CLOCK_APART_SECONDS:
        side = "ahead of" if apart > 0 else "behind"
        raise Unready(
            f"This host's clock is {abs(apart):.0f} s {side} the database's. Deadlines, leases"
            " and the end of emergency clears go wrong by as much: set both clocks by NTP."
        )


def migrations_applied() -> None:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        raise Unready(f"{len(missing)} migrations are not applied, the first is {missing[0][0]}.")


@dataclass(slots=True)
class Remembered:
    """A check whose result stands for some seconds. One thread asks at a time; the others take what is known."""

    ask: Callable[[], None]
    seconds: float
    clock: Callable[[], float] = time.monotonic
    _until: float = float("-inf")
    _failure: Exception | None = None
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> None:
        if self.clock() >= self._until:
            self._ask_again()
        if self._failure is not None:
            raise Unready(f"The check ended with {type(self._failure).__qualname__}.")

    def _ask_again(self) -> None:
        is_first = self._until == float("-inf")
        if not self._asking.acquire(blocking=is_first):
            return
        try:
            if self.clock() < self._until:
                return
            self._failure = self._failure_now()
            self._until = self.clock() + self.seconds
        finally:
            self._asking.release()

    def _failure_now(self) -> Exception | None:
        try:
            self.ask()
        except Exception as error:  # noqa: BLE001 - whatever it dies of is the answer
            return error
        return None


def broker_answers() -> None:
    """Only degrades: intake, switches and reviews work without it; e-mail, webhooks, exports and sweeps wait."""
    options = {"socket_connect_timeout": BROKER_PATIENCE_SECONDS, "socket_timeout": BROKER_PATIENCE_SECONDS}
    with Connection(settings.BROKER_URL, transport_options=options) as broker:  # type: ignore[no-untyped-call]
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_PATIENCE_SECONDS)


GROUND_CHECKS = [
    Check(name="database", run=database_answers),
    Check(name="clock", run=clock_agrees, essential=False),
    Check(name="migrations", run=migrations_applied),
    Check(name="broker", run=Remembered(broker_answers, BROKER_ANSWER_SECONDS), essential=False),
]
