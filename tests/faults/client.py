"""A client as the documentation tells people to write one: it sends the same again until it is acknowledged."""

import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from config.ids import new_id

DECISIONS, BATCH = "/api/v1/decisions", "/api/v1/decisions/batch"
PATIENCE = 60.0
LONGEST_PAUSE = 1.0
TRY_AGAIN = (429, 502, 503)


class NotAcknowledged(AssertionError):
    """The server said something that no client can do anything about."""


def record(system: str, **changes: Any) -> dict[str, Any]:
    """A decision record with an id of the client's."""
    return {
        "id": str(new_id()),
        "system": system,
        "model_version": "2026.11",
        "occurred_at": "2026-11-21T07:00:00.5+01:00",
        "input": {"income": random.randrange(100_000), "note": "é"},
        "output": {"limit": 12_000},
        "outcome": "approved",
        "subject": "customer-4711",
    } | changes


@dataclass
class RetryingClient:
    """Sends until acknowledged. `refusals` are the statuses on the way there; 0 is a broken connection."""

    url: str
    key: str
    refusals: list[int] = field(default_factory=list)
    patience: float = PATIENCE

    def __post_init__(self) -> None:
        self.http = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=40, trust_env=False
        )

    def close(self) -> None:
        self.http.close()

    def post(self, decision: dict[str, Any]) -> dict[str, Any]:
        """The receipt of one decision."""
        receipt: dict[str, Any] = self._until_answered(DECISIONS, decision).json()
        return receipt

    def post_batch(self, decisions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The receipts of many, in order; what was to be sent again was sent again."""
        receipts: dict[str, dict[str, Any]] = {}
        until = time.monotonic() + self.patience
        waiting = list(decisions)
        while waiting:
            results = self._until_answered(BATCH, waiting).json()["results"]
            receipts |= {done["id"]: done for done in results if done["status"] in ("accepted", "duplicate")}
            refused = [done for done in results if done["status"] not in ("accepted", "duplicate", "retry")]
            if refused or time.monotonic() > until:
                raise NotAcknowledged(refused or "out of patience")
            waiting = [decision for decision in waiting if decision["id"] not in receipts]
        return [receipts[decision["id"]] for decision in decisions]

    def get(self, path: str) -> httpx.Response:
        """A page that must be there, whoever was killed a moment ago."""
        return self._until_answered(path)

    def try_once(self, decision: dict[str, Any]) -> httpx.Response:
        return self.http.post(DECISIONS, json=decision)

    def try_known(self, decision: dict[str, Any]) -> httpx.Response:
        """The first answer to one who knows the key: a server's memory looks for new ones once a second.

        A refusal before the body was read may close the connection behind it, which the next request then finds.
        """
        until = time.monotonic() + self.patience
        while time.monotonic() < until:
            try:
                answer = self.try_once(decision)
            except httpx.TransportError:
                continue
            if answer.status_code != 401:
                return answer
            time.sleep(0.1)
        raise NotAcknowledged("the key never became known")

    def _until_answered(self, path: str, body: Any = None) -> httpx.Response:
        until, attempt = time.monotonic() + self.patience, 0
        while time.monotonic() < until:
            attempt += 1
            try:
                answer = self.http.get(path) if body is None else self.http.post(path, json=body)
            except httpx.TransportError:
                self.refusals.append(0)
                self._pause(attempt, 0.1)
                continue
            if answer.is_success:
                return answer
            self.refusals.append(answer.status_code)
            if answer.status_code not in TRY_AGAIN or "Retry-After" not in answer.headers:
                raise NotAcknowledged(f"{answer.status_code}: {answer.text}")
            self._pause(attempt, float(answer.headers["Retry-After"]))
        raise NotAcknowledged(f"not acknowledged in {self.patience:.0f} s: {self.refusals}")

    def _pause(self, attempt: int, asked: float) -> None:
        # shorter than asked: the tests want to come back while it still hurts
        time.sleep(min(asked, LONGEST_PAUSE, 0.05 * 2**attempt) * random.uniform(0.5, 1.0))


def ids(decisions: Iterable[dict[str, Any]]) -> list[str]:
    return [decision["id"] for decision in decisions]
